/** `tailrace run -m`: what is sent, and how a job is followed, with a cluster that does what the test says. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { artifactSettings } from '../artifacts/settings.ts'
import type { Submission } from '../artifacts/submission.ts'
import { Uploads } from '../artifacts/uploads.ts'
import { ManualClock } from '../core/clock.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { FakeCluster, type FakeJob, START_MS, VERTEX } from '../rest/fake-cluster.suite.ts'
import { type RestServer, startRest } from '../rest/server.ts'
import { remoteRun } from './remote-run.ts'
import { styleFor } from './style.ts'

let dir: string
let cluster: FakeCluster
let rest: RestServer
let uploads: Uploads
let submitted: Submission[]
let output: { out: string; error: string }
/** The job that a submission begins. */
let job: FakeJob

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-remote-'))
  writeFileSync(join(dir, 'job.mjs'), 'export default async () => {}')
  const clock = new ManualClock(START_MS)
  cluster = new FakeCluster(clock)
  submitted = []
  output = { out: '', error: '' }
  uploads = new Uploads({ settings: artifactSettings({ 'user.artifacts.base-dir': join(dir, 'artifacts') }) })
  const submissions = {
    uploads,
    plan: async () => job.plan,
    run: async (submission: Submission) => {
      submitted.push(submission)
      job = cluster.submit('Flight delays')
      return job.id
    },
  }
  rest = await startRest({ dispatcher: cluster, clock, port: 0, submissions })
})
afterEach(async () => {
  await rest.close()
  await uploads.close()
  rmSync(dir, { recursive: true })
})

const style = styleFor({}, {})
/** `onSleep` happens while the job is followed. */
function run(more: object = {}, onSleep: () => void = () => {}, interrupted: Promise<unknown> = new Promise(() => {})) {
  const terminal = {
    cwd: dir,
    out: (text: string) => {
      output.out += text
    },
    error: (text: string) => {
      output.error += text
    },
    outStyle: style,
    report: { style, debug: false, cwd: dir },
  }
  const sleep = async () => {
    onSleep()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const flags = { jobmanager: rest.url, config: { 'execution.checkpointing.interval': '5 s' }, ...more }
  return remoteRun('job.mjs', ['--speed', '60', '--', '--port', '7'], flags, { terminal, sleep, interrupted })
}

it('sends the job with its arguments, parallelism and configuration, and deletes the upload', async () => {
  expect(await run({ parallelism: '3', detached: true })).toBe(0)
  expect(output).toEqual({ out: `${job.id}\n`, error: '' })
  expect(submitted).toMatchObject([
    {
      args: ['--speed', '60', '--port', '7'],
      parallelism: 3,
      configuration: { 'execution.checkpointing.interval': '5 s' },
    },
  ])
  expect(await uploads.list()).toEqual([])
})

it.each([
  ['FINISHED', 0, '✔ Flight delays finished'],
  ['CANCELED', 130, 'cancelled'],
] as const)('follows a job to its end: %s', async (status, code, text) => {
  expect(await run({}, () => job.end(status))).toBe(code)
  expect(output.error).toContain(`▶ Flight delays  ${rest.url}/#/jobs/${job.id}`)
  expect(output.error).toContain(text)
})

it('says why a job has failed', async () => {
  const error = errorToData(new TailraceError('TR-TASK-001', 'no such airport', { operator: 'parse' }))
  expect(await run({}, () => job.fail(error, VERTEX.source, 0))).toBe(1)
  expect(output.error).toContain(
    `TR-TASK-001: The job "Flight delays" (${job.id}) has failed: no such airport (operator "parse")`,
  )
})

it('leaves the job alone when the user has enough', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  expect(await run({}, resolve, promise)).toBe(130)
  expect(output.error).toContain(`"Flight delays" (${job.id}) runs on; tailrace cancel ${job.id} ends it`)
  expect(cluster.cancelled).toEqual([])
})

it('says what is wrong before anything runs', async () => {
  expect(await run({ parallelism: 'many' })).toBe(2)
  expect(await run({ jobmanager: 'http://localhost:1' })).toBe(1)
  expect(output.error).toContain('TR-CLI-002')
  expect([submitted, await uploads.list()]).toEqual([[], []])
})
