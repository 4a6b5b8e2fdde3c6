/** The JobManager's REST as the operator asks it. */
import { expect, it } from 'vitest'
import type { SendJson } from './http-request.ts'
import { restClient } from './job-manager-client.ts'

type Handler = (method: string, path: string, body: unknown) => [number, unknown] | undefined

/** Answers by a function; undefined: the connection is refused. */
function served(handler: Handler) {
  const asked: string[] = []
  const send: SendJson = async ({ method, url, body }) => {
    const path = url.replace('http://jm:8081', '')
    asked.push(`${method} ${path}`)
    const answer = handler(method, path, body)
    if (answer === undefined) throw new Error('connect ECONNREFUSED')
    return { status: answer[0], text: JSON.stringify(answer[1]) }
  }
  return { client: restClient({ url: 'http://jm:8081', send }), asked }
}

const ID = 'a'.repeat(32)
const TRIGGER = 'b'.repeat(32)
const signal = new AbortController().signal
const line = {
  id: ID,
  name: 'fraud',
  state: 'RUNNING',
  startTime: 1,
  parallelism: 2,
  restarts: 0,
  latestCheckpoint: null,
  latestSavepoint: null,
  exception: null,
}

it('says of which generation the JobManager is that answers', async () => {
  let generation: number | null = 3
  let up = true
  const { client, asked } = served(() => {
    if (!up) return undefined
    const slots = { total: 4, free: 2, byTaskManager: { 'tm-0': { total: 4, free: 2 } } }
    return [200, { version: 7, deployment: { id: 'uid-1', generation }, jobs: [line], slots }]
  })
  expect(await client.changes(undefined, 30_000, signal)).toEqual({
    version: 7,
    generation: 3,
    jobs: [{ id: ID, name: 'fraud', state: 'RUNNING', startTime: 1, parallelism: 2, restarts: 0 }],
    slots: { total: 4, free: 2, byTaskManager: [{ id: 'tm-0', total: 4, free: 2 }] },
  })
  // Another one is behind the address now, and no connection was lost.
  generation = 4
  expect((await client.changes(7, 30_000, signal))?.generation).toBe(4)
  expect(asked).toEqual(['GET /tailrace/v1/changes?waitMs=0', 'GET /tailrace/v1/changes?since=7&waitMs=30000'])
  up = false
  expect(await client.changes(7, 30_000, signal)).toBeUndefined()
  up = true
  generation = null
  expect((await client.changes(7, 0, signal))?.generation).toBeUndefined()
})

it('takes one that stands by for none', async () => {
  const { client } = served(() => [503, { errors: ['stands by'] }])
  expect(await client.changes(undefined, 0, signal)).toBeUndefined()
})

it.each([
  [[200, { status: { id: 'IN_PROGRESS' }, operation: null }], { state: 'IN_PROGRESS' }],
  [
    [200, { status: { id: 'COMPLETED' }, operation: { location: 's3://b/s' } }],
    { state: 'COMPLETED', location: 's3://b/s' },
  ],
  [
    [
      200,
      {
        status: { id: 'COMPLETED' },
        operation: { 'failure-cause': { class: 'TR-CHECKPOINT-001', message: 'no bucket' } },
      },
    ],
    { state: 'FAILED', message: 'TR-CHECKPOINT-001 no bucket' },
  ],
  [
    [
      200,
      {
        status: { id: 'COMPLETED' },
        operation: { failureCause: { class: 'TR-CHECKPOINT-001', message: 'no bucket' } },
      },
    ],
    { state: 'FAILED', message: 'TR-CHECKPOINT-001 no bucket' },
  ],
  [
    [200, { status: { id: 'COMPLETED' }, operation: { 'failure-cause': { class: 'TR-HA-010', message: 'lost' } } }],
    { state: 'UNKNOWN' },
  ],
  [[404, { errors: ['unknown'] }], { state: 'UNKNOWN' }],
  [undefined, { state: 'UNKNOWN' }],
] as const)('reads how an operation is doing: %j', async (answer, wanted) => {
  const { client } = served(() => answer as [number, unknown] | undefined)
  expect(await client.operation('savepoints', ID, TRIGGER)).toEqual(wanted)
})

it('asks by trigger id, and says why it is refused', async () => {
  const bodies: unknown[] = []
  const { client, asked } = served((_method, _path, body) => {
    bodies.push(body)
    return asked.length < 4 ? [202, { 'request-id': TRIGGER }] : [409, { errors: ['the job has ended'] }]
  })
  await client.savepoint(ID, TRIGGER)
  await client.checkpoint(ID, TRIGGER)
  await client.stop(ID, TRIGGER, true)
  await expect(client.cancel(ID)).rejects.toThrow('409 the job has ended')
  expect(asked).toEqual([
    `POST /jobs/${ID}/savepoints`,
    `POST /jobs/${ID}/checkpoints`,
    `POST /jobs/${ID}/stop`,
    `PATCH /jobs/${ID}`,
  ])
  expect(bodies).toEqual([
    { triggerId: TRIGGER },
    { triggerId: TRIGGER },
    { triggerId: TRIGGER, drain: true },
    undefined,
  ])
})
