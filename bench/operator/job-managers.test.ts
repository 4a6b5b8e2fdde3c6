/** The REST services that are played, asked by the operator's own client. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { restClient } from '../../operator/controllers/stream-deployment/job-manager-client.ts'
import { freePorts } from '../../scripts/lab/server.ts'
import { type JobManager, serveJobManagers } from './job-managers.ts'

const ID = 'a'.repeat(32)
const JOB = { id: ID, name: 'fraud', state: 'RUNNING', startTime: 1, parallelism: 2, restarts: 0 } as const
const SLOTS = { total: 4, free: 2, byTaskManager: [{ id: 'fraud-taskmanager-0', total: 4, free: 2 }] }

let asked: string[]
let generation: number
let change: () => void
let client: ReturnType<typeof restClient>
let close: () => Promise<void>
const signal = new AbortController().signal

beforeEach(async () => {
  asked = []
  generation = 3
  let version = 7
  const changed = new Promise<void>((resolve) => {
    change = () => {
      version++
      resolve()
    }
  })
  const note = (what: string) => async (_jobId: string, triggerId?: string, drain?: boolean) =>
    void asked.push([what, triggerId, drain].filter((one) => one !== undefined).join(' '))
  const jobManager: JobManager = {
    get generation() {
      return generation
    },
    async changes(since, _waitMs, over) {
      if (since === version)
        await Promise.race([changed, new Promise((resolve) => over.addEventListener('abort', resolve))])
      return { version, generation, jobs: [JOB], slots: SLOTS }
    },
    savepoint: note('savepoint'),
    checkpoint: note('checkpoint'),
    stop: note('stop'),
    cancel: note('cancel'),
    operation: async (_kind, _jobId, triggerId) =>
      triggerId === 'done'
        ? { state: 'COMPLETED', location: 's3://b/s' }
        : triggerId === 'failed'
          ? { state: 'FAILED', message: 'no bucket' }
          : { state: triggerId === 'runs' ? 'IN_PROGRESS' : 'UNKNOWN' },
  }
  const [port] = await freePorts(1)
  close = await serveJobManagers({
    address: '127.0.0.1',
    port: port!,
    find: () => jobManager,
    asked: () => void asked.push('told'),
  })
  client = restClient({ url: `http://127.0.0.1:${port}` })
})
afterEach(() => close())

it('answers who waits when something has changed, or the time is over', async () => {
  const first = await client.changes(undefined, 30_000, signal)
  expect(first).toMatchObject({ version: 7, generation: 3, jobs: [JOB], slots: SLOTS })
  expect((await client.changes(7, 1, signal))?.version).toBe(7)
  const waiting = client.changes(7, 60_000, signal)
  change()
  expect((await waiting)?.version).toBe(8)
})

it('answers nobody while there is no pod', async () => {
  generation = 0
  expect(await client.changes(undefined, 0, signal)).toBeUndefined()
})

it('does what it is asked for, and says how that is doing', async () => {
  await client.savepoint(ID, 's')
  await client.checkpoint(ID, 'c')
  await client.stop(ID, 'x', true)
  await client.cancel(ID)
  expect(asked.filter((one) => one !== 'told')).toEqual(['savepoint s', 'checkpoint c', 'stop x true', 'cancel'])
  expect(asked).toContain('told')
  expect(await client.operation('savepoints', ID, 'runs')).toEqual({ state: 'IN_PROGRESS' })
  expect(await client.operation('savepoints', ID, 'done')).toEqual({ state: 'COMPLETED', location: 's3://b/s' })
  expect(await client.operation('checkpoints', ID, 'failed')).toMatchObject({ state: 'FAILED' })
  expect(await client.operation('checkpoints', ID, 'other')).toEqual({ state: 'UNKNOWN' })
})
