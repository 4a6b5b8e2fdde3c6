/** A session cluster of real processes from the command line: jobs that are run, listed, cancelled, stopped, and gone on with from savepoints and checkpoints, also in another version. */
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePorts } from '../../scripts/lab/server.ts'
import { seededRandom } from '../chaos/random.ts'
import { makeScene, type Scene } from '../chaos/scene.ts'
import { until } from '../ha/cluster.ts'
import { Cluster, COUNTING } from './cluster.ts'

const JOB = join(import.meta.dirname, '../chaos/job.ts')
const UPGRADED = join(import.meta.dirname, 'upgraded.ts')
const HEAVY = join(import.meta.dirname, 'heavy.ts')

let cluster: Cluster
let scene: Scene
beforeEach(async () => {
  cluster = new Cluster('commands')
  scene = makeScene('commands', seededRandom(29))
})
afterEach(async () => {
  await cluster.stop()
  await scene.remove()
})

async function begin(taskManagers: number, slots: number, options: Record<string, string>[] = []): Promise<void> {
  await cluster.jobManager([], options[0])
  for (let i = 1; i <= taskManagers; i++) cluster.taskManager(`tm-${i}`, slots, options[i])
  await until(async () => (await cluster.freeSlots()) === taskManagers * slots, 'the slots are there')
}

/** Runs a job from files to files; `flags` are those of the command. */
function run(job: string, parallelism: number, flags: string[], recordsPerSecond = 4_000) {
  const place = { options: {} } as never
  return cluster.command(
    'run',
    job,
    '-m',
    cluster.url,
    ...scene.args({ parallelism, intervalMs: 300, place, recordsPerSecond, flags }),
  )
}

/** So many checkpoints of the job are complete. */
async function checkpoints(jid: string, count: number): Promise<void> {
  const counts = async () => (await cluster.ask(`/jobs/${jid}/checkpoints`)).body.counts
  await until(async () => (await counts()).completed >= count, `${count} checkpoints are complete`)
}

it('jobs are run to their end or in the background, listed, and cancelled', { timeout: 90_000 }, async () => {
  await begin(2, 2)
  const finished = await run(JOB, 4, [], 12_000)
  expect([finished.code, finished.text]).toEqual([0, expect.stringContaining('chaos')])
  expect(await scene.problems()).toEqual([])
  const detached = await cluster.command('run', COUNTING, '-m', cluster.url, '-p', '2', '--detached', '--json')
  expect(detached.code).toBe(0)
  const jid = await cluster.runs(2)
  expect(detached.text).toContain(jid)
  const running = await cluster.command('list')
  expect(running.text).toContain(jid)
  expect(running.text).not.toContain('chaos')
  const all = JSON.parse((await cluster.command('list', '--all', '--json')).text)
  expect(all.jobs.map((job: any) => [job.jobName, job.status])).toEqual([
    ['counting', 'RUNNING'],
    ['chaos', 'FINISHED'],
  ])
  const { body: plan } = await cluster.ask(`/jobs/${jid}/plan`)
  expect(plan.plan.nodes.map((node: any) => node.description)).toEqual([
    expect.stringContaining('numbers'),
    expect.stringContaining('Print'),
  ])
  expect((await cluster.command('cancel', 'counting')).code).toBe(0)
  expect((await cluster.command('list')).text).toContain('No job runs')
  expect((await cluster.command('list', '--all')).text).toContain('CANCELED')
  const again = await cluster.command('cancel', all.jobs[1].jobId)
  expect([again.code, again.text]).toEqual([1, expect.stringContaining('TR-CLI-003')])
})

describe('a job goes on, exactly once,', { timeout: 120_000 }, () => {
  it.each([
    ['with fewer', 2, 1],
    ['with more', 1, 3],
  ])('from the savepoint that it was stopped with, %s subtasks', async (_, before, after) => {
    await begin(1, 3)
    expect((await run(JOB, before, ['--detached'])).code).toBe(0)
    const jid = await cluster.runs(before)
    await checkpoints(jid, 2)
    const savepoints = join(scene.folder, 'savepoints')
    const stopped = await cluster.command('stop', jid, '--savepointPath', savepoints, '--json')
    const { location } = JSON.parse(stopped.text)
    expect([stopped.code, (await cluster.job())!.state]).toEqual([0, 'FINISHED'])
    // Half is done, and half is to do.
    expect((await scene.problems())[0]).toContain('lost')
    const resumed = await run(JOB, after, ['-s', location], 12_000)
    expect(resumed.code).toBe(0)
    expect(await scene.problems()).toEqual([])
  })

  it('from a checkpoint that was kept when it was cancelled, after a TaskManager was lost', async () => {
    await begin(3, 1)
    const retain = ['-D', 'execution.checkpointing.externalized-checkpoint-retention=RETAIN_ON_CANCELLATION']
    expect((await run(JOB, 2, ['--detached', ...retain])).code).toBe(0)
    const jid = await cluster.runs(2)
    await checkpoints(jid, 1)
    cluster.processes[1]!.signal('SIGKILL')
    await until(
      async () => (await cluster.ask(`/jobs/${jid}/exceptions`)).body.exceptionHistory.entries.length > 0,
      'it is noticed',
    )
    await cluster.runs(2)
    await checkpoints(jid, 3)
    expect((await cluster.command('cancel', jid)).code).toBe(0)
    const kept = readdirSync(cluster.checkpoints, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('_metadata'),
    )
    expect(kept).toHaveLength(1)
    const path = join(cluster.checkpoints, dirname(kept[0]!))
    const resumed = await run(JOB, 1, ['-s', path, '--claimMode', 'CLAIM'], 12_000)
    expect(resumed.code).toBe(0)
    expect(await scene.problems()).toEqual([])
    // It was claimed, and others have come since.
    expect(existsSync(join(path, '_metadata'))).toBe(false)
  })

  it('in its next version, which has more operators, with more subtasks', async () => {
    await begin(2, 2)
    expect((await run(JOB, 2, ['--detached'])).code).toBe(0)
    const jid = await cluster.runs(2)
    await checkpoints(jid, 2)
    const stopped = await cluster.command('stop', jid, '--savepointPath', join(scene.folder, 'savepoints'), '--json')
    const { location } = JSON.parse(stopped.text)
    const resumed = await run(UPGRADED, 4, ['-s', location], 12_000)
    expect(resumed.code).toBe(0)
    expect(await scene.problems()).toEqual([])
    // Back again, what the older version does not know stands in the way.
    const other = await run(COUNTING, 1, ['-s', location])
    expect([other.code, other.text]).toEqual([1, expect.stringContaining('TR-CHECKPOINT-004')])
  })
})

it('metrics of all scopes come by REST and for Prometheus, from processes of their own', {
  timeout: 60_000,
}, async () => {
  const ports = await freePorts(2)
  await begin(
    1,
    2,
    ports.map((port) => ({ 'metrics.reporter.prom.port': String(port) })),
  )
  expect((await cluster.command('run', COUNTING, '-m', cluster.url, '-p', '2', '--detached')).code).toBe(0)
  const jid = await cluster.runs(2)
  const { body } = await cluster.ask(`/jobs/${jid}`)
  const [source, sums] = body.vertices.map(({ id }: { id: string }) => id)
  const scopes: [path: string, metric: string][] = [
    ['/jobmanager/metrics', 'numRegisteredTaskManagers'],
    ['/jobmanager/metrics', 'Status.JVM.Memory.Heap.Used'],
    ['/taskmanagers/tm-1/metrics', 'Status.JVM.Memory.NonHeap.Used'],
    [`/jobs/${jid}/metrics`, 'numRestarts'],
    [`/jobs/${jid}/vertices/${source}/metrics`, '0.numRecordsOut'],
    [`/jobs/${jid}/vertices/${sums}/metrics`, '1.numRecordsIn'],
    [`/jobs/${jid}/vertices/${sums}/subtasks/0/metrics`, 'numRecordsIn'],
  ]
  for (const [path, metric] of scopes) {
    const names = (await cluster.ask(path)).body.metrics.map(({ id }: { id: string }) => id)
    expect(names, path).toContain(metric)
    const value = async () => Number((await cluster.ask(`${path}?get=${metric}`)).body.metrics[0]?.value)
    await until(async () => (await value()) >= (metric === 'numRestarts' ? 0 : 1), `${path} has ${metric}`)
  }
  const [jobManager, taskManager] = await Promise.all(
    ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
  )
  expect(jobManager).toMatch(/^flink_jobmanager_numRegisteredTaskManagers(\{.*\})? 1$/m)
  for (const name of [
    'flink_taskmanager_Status_JVM_Memory_NonHeap_Used',
    'flink_taskmanager_job_task_numRecordsIn',
    'flink_taskmanager_job_task_operator_numRecordsOut',
  ])
    expect(taskManager).toMatch(new RegExp(`^${name}(\\{.*\\})? [0-9.e+]+$`, 'm'))
  expect(taskManager).toMatch(/numRecordsIn\{.*tm_id="tm_1"/)
})

it('a deployment with many handles of state to each subtask goes on after a failure', {
  timeout: 120_000,
}, async () => {
  await begin(2, 4)
  const parameters = ['--lists', '40', '--entries', '40', '--marker', join(scene.folder, 'marker')]
  const options = [
    'execution.checkpointing.interval=1 s',
    'restart-strategy.type=fixed-delay',
    'pipeline.max-parallelism=1024',
  ]
  const flags = options.flatMap((option) => ['-D', option])
  const started = await cluster.command(
    'run',
    HEAVY,
    '-m',
    cluster.url,
    '-p',
    '8',
    '--detached',
    ...flags,
    ...parameters,
  )
  expect(started.code).toBe(0)
  const jid = await cluster.is('RUNNING')
  await until(async () => (await cluster.exceptions(jid)).length > 0, 'it has failed once')
  await cluster.runs(8)
  await checkpoints(jid, 3)
  const received = async () => (await cluster.ask(`/jobs/${jid}`)).body.vertices[1].metrics['read-records'] as number
  const before = await received()
  await until(async () => (await received()) > before, 'it goes on')
  expect(await cluster.exceptions(jid)).toEqual([expect.stringContaining('once')])
})

it('a cluster of one application stays behind its end where that is wanted, and shows it', {
  timeout: 60_000,
}, async () => {
  const place = { options: {} } as never
  const life = { parallelism: 1, intervalMs: 300, place, recordsPerSecond: 24_000, flags: [] }
  const jobManager = await cluster.jobManager([JOB, ...scene.args(life)], {
    'execution.shutdown-on-application-finish': 'false',
  })
  const taskManager = cluster.taskManager('tm-1')
  await jobManager.says('The cluster stays, with what was FINISHED')
  await cluster.is('FINISHED')
  expect((await cluster.command('list', '--all')).text).toContain('FINISHED')
  expect((await cluster.command('shutdown')).code).toBe(0)
  expect([await jobManager.exited, await taskManager.exited]).toEqual([0, 0])
  expect(await scene.problems()).toEqual([])
})
