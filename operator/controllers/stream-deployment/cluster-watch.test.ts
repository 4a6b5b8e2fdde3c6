/** The long poll of a deployment. */
import { afterEach, expect, it } from 'vitest'
import { systemSchedule } from '../../../runtime/core/clock.ts'
import { ClusterWatch } from './cluster-watch.ts'
import type { Changes, JobManagerClient } from './job-manager-client.ts'

let watch: ClusterWatch | undefined
afterEach(() => watch?.close())

/** Each request waits for what `answers` has next, or for its signal; then nobody answers, as it is with one that was given up. */
function opened(answers: (Changes | 'lost')[]) {
  const asked: (number | undefined)[] = []
  const seen: (number | undefined)[] = []
  const client = {
    changes: (since: number | undefined, _waitMs: number, signal: AbortSignal) => {
      asked.push(since)
      const next = answers.shift()
      if (next !== undefined && next !== 'lost') return Promise.resolve(next)
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined)))
    },
  } as unknown as JobManagerClient
  const opened = new ClusterWatch({ client, schedule: systemSchedule, changed: () => seen.push(versionOf(opened)) })
  watch = opened
  return { watch: opened, asked, seen }
}

const answer = (version: number): Changes => ({
  version,
  generation: 1,
  jobs: [],
  slots: { total: 0, free: 0, byTaskManager: [] },
})
const versionOf = ({ view }: ClusterWatch) => (view as Changes | undefined)?.version
const turns = () => new Promise((resolve) => setImmediate(resolve))

// An upgrade took half a minute: the request to the JobManager before it had been lost, and nobody asked the next one until its time was over.
it('asks anew when another pod may answer, whatever has become of its request', async () => {
  const { watch, asked, seen } = opened([answer(7), 'lost', answer(2)])
  await turns()
  expect([asked, seen]).toEqual([[undefined, 7], [7]])
  watch.hurry()
  await turns()
  expect([asked, seen]).toEqual([
    [undefined, 7, 7, 2],
    [7, 2],
  ])
})

it('has no view of a JobManager that does not answer', async () => {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  let first = true
  const client = { changes: () => (first ? Promise.resolve(answer(1)) : promise) } as unknown as JobManagerClient
  let changes = 0
  watch = new ClusterWatch({
    client,
    schedule: () => () => {},
    changed: () => {
      changes++
      first = false
    },
  })
  await turns()
  expect(versionOf(watch)).toBe(1)
  resolve(undefined)
  await turns()
  expect([watch.view, changes]).toEqual([undefined, 2])
})
