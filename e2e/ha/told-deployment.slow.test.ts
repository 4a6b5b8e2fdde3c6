/**
 * An application of real processes whose leader is told about its deployment by annotations of its Lease, as an operator writes them: parallelism while it runs, what each generation begins with, and what it
 * must not begin with.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { ApiServer } from '../../operator/kube/api-server.suite.ts'
import { RESOURCES } from '../../operator/kube/objects.ts'
import { seededRandom } from '../chaos/random.ts'
import { makeScene, type Scene } from '../chaos/scene.ts'
import { COUNTING } from '../cluster/cluster.ts'
import { HaCluster, type Process, until } from './cluster.ts'
import { kubeConfig } from './kube-config.ts'

const NAME = 'cluster-1-jobmanager'
const AT_ONCE = {
  'jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout': '0 s',
  'jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling': '0 s',
  'jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout': '0 s',
}

let scene: Scene
let cluster: HaCluster
let server: ApiServer
/** Of the API server, and of REST of the leader. */
let api: string
let url: string

afterEach(async () => {
  await cluster.stop()
  await server.stop()
  await scene.remove()
})

const lease = () => server.get(RESOURCES.leases, { namespace: 'jobs', name: NAME })

let annotations: Record<string, string> = {}

/** As the operator says it: all that it owns, by server-side apply. */
async function tell(more: Record<string, string>): Promise<void> {
  annotations = { ...annotations, ...more }
  const path = `/apis/coordination.k8s.io/v1/namespaces/jobs/leases/${NAME}?fieldManager=tailrace-operator&force=true`
  const metadata = { name: NAME, namespace: 'jobs', annotations }
  const body = JSON.stringify({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata })
  const headers = { 'content-type': 'application/apply-patch+yaml' }
  const { ok } = await fetch(`${api}${path}`, { method: 'PATCH', headers, body })
  expect(ok).toBe(true)
}
const parallelism = (n: number) => tell({ 'tailrace.dev/parallelism': String(n) })
const restore = (directive: object) => tell({ 'tailrace.dev/restore': JSON.stringify(directive) })

async function begin(name: string, configuration: Record<string, string> = {}): Promise<void> {
  scene = makeScene(name, seededRandom(7))
  server = new ApiServer()
  api = await server.start()
  annotations = {}
  const environment = kubeConfig(scene.folder, api, 'jobs')
  cluster = new HaCluster({
    folder: scene.folder,
    environment,
    configuration: {
      ...AT_ONCE,
      'high-availability.type': 'kubernetes',
      'tailrace.deployment.id': 'uid-1',
      'jobmanager.scheduler': 'Adaptive',
      'execution.shutdown-on-application-finish': 'false',
      'execution.checkpointing.savepoint-dir': join(scene.folder, 'savepoints'),
      ...configuration,
    },
  })
}

/** A JobManager pod: its name is that of the one before, as after the restart of a container. */
async function jobManager(job: string[], generation: number, id = 'jm-a'): Promise<Process> {
  const one = cluster.jobManager(id, job, { 'tailrace.deployment.generation': String(generation) })
  await one.says('REST and the page on')
  url = /REST and the page on (\S+)/.exec(one.log)![1]!
  return one
}

const changes = async (query = '') => (await (await fetch(`${url}/tailrace/v1/changes${query}`)).json()) as any

/** What is told once it holds, by as many answers as there are changes. */
async function when(holds: (now: any) => unknown, what: string): Promise<any> {
  const signal = AbortSignal.timeout(60_000)
  for (let now = await changes(); ; now = await changes(`?since=${now.version}&waitMs=2000`)) {
    if (holds(now)) return now
    if (signal.aborted) throw new Error(`${what}: ${JSON.stringify(now)}`)
  }
}
const runsWith = (n: number) =>
  when(
    ({ jobs: [job] }) => job?.state === 'RUNNING' && job.parallelism === n && job.tasks.running === job.tasks.total,
    `the job runs with parallelism ${n}`,
  )

const savepoints = () => readdirSync(join(scene.folder, 'savepoints')).filter((name) => name.startsWith('savepoint-'))

/** Takes a savepoint under an id of its own, and gives what came of it. */
async function operation(job: string, path: 'savepoints' | 'stop', triggerId: string): Promise<any> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ triggerId })
  const { status } = await fetch(`${url}/jobs/${job}/${path}`, { method: 'POST', headers, body })
  expect(status).toBe(202)
  return ended(job, triggerId)
}

async function ended(job: string, triggerId: string): Promise<any> {
  for (;;) {
    const answer: any = await (await fetch(`${url}/jobs/${job}/savepoints/${triggerId}`)).json()
    if (answer.status?.id !== 'IN_PROGRESS') return answer
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

it('a job goes from parallelism 2 to 3 to 1, over a restart, and leaves the highest ordinals', {
  timeout: 180_000,
}, async () => {
  await begin('told-parallelism')
  await restore({ generation: 1, from: 'latest' })
  await parallelism(2)
  const [highest] = [2, 1, 0].map((n) => cluster.taskManager(`fraud-taskmanager-${n}`))
  const first = await jobManager([COUNTING], 1)
  expect((await runsWith(2)).deployment).toEqual({ id: 'uid-1', generation: 1 })
  await parallelism(3)
  await runsWith(3)
  expect(lease().metadata.annotations).toMatchObject({
    'tailrace.dev/parallelism': '3',
    'tailrace.dev/leader-start': expect.any(String),
  })
  await when(({ jobs: [job] }) => job.latestCheckpoint !== null, 'a checkpoint is complete')
  first.signal('SIGKILL')
  await first.exited
  await jobManager([COUNTING], 1)
  const { jobs } = await runsWith(3)
  expect(jobs).toHaveLength(1)
  expect(jobs[0].restored).not.toBeNull()
  await parallelism(1)
  await runsWith(1)
  const { slots } = await when(({ slots }) => slots.free === 2, 'slots are free')
  expect(slots.byTaskManager).toEqual({
    'fraud-taskmanager-0': { total: 1, free: 0 },
    'fraud-taskmanager-1': { total: 1, free: 1 },
    'fraud-taskmanager-2': { total: 1, free: 1 },
  })
  highest!.signal('SIGTERM')
  expect(await highest!.exited).toBe(0)
  const { jobs: after } = await when(({ slots }) => slots.total === 2, 'its slots are gone')
  expect(after).toMatchObject([{ state: 'RUNNING', exception: null }])
})

it('a generation begins with what it is told, once, and never with less than is promised', {
  timeout: 240_000,
}, async () => {
  await begin('told-restore')
  await parallelism(1)
  cluster.taskManager('fraud-taskmanager-0')

  // Nothing is there, and state was promised.
  await restore({ generation: 1, from: 'latest', neverEmpty: true })
  const refused = await jobManager([COUNTING], 1)
  const failed = await when(({ jobs: [job] }) => job?.state === 'FAILED', 'the job is refused')
  expect(failed.jobs[0].exception.code).toBe('TR-HA-006')
  await end(refused)

  // One of a newer generation waits for its directive.
  const second = cluster.jobManager('jm-a', [COUNTING], { 'tailrace.deployment.generation': '2' })
  await second.says('Waits to be told what generation 2')
  await restore({ generation: 2, from: 'empty' })
  await second.says('REST and the page on')
  url = /REST and the page on (\S+)/.exec(second.log)![1]!
  const running = await runsWith(1)
  const job = running.jobs[0].id
  expect(running.jobs[0].restored).toBeNull()
  const savepoint = await operation(job, 'savepoints', 'a'.repeat(32))
  expect(savepoint.operation.location).toContain('savepoints')
  const { jobs } = await when(({ jobs: [one] }) => one.latestCheckpoint?.id > 3, 'checkpoints are complete')
  await end(second)

  // A newer checkpoint was seen than there is.
  await restore({ generation: 3, from: 'latest', atLeast: 1_000_000, neverEmpty: true })
  const third = await jobManager([COUNTING], 3)
  const older = await when(({ jobs: [one] }) => one?.state === 'FAILED', 'the job is refused')
  expect(older.jobs[0].exception).toMatchObject({ code: 'TR-HA-007', message: expect.stringContaining('1000000') })
  await end(third)

  // A path that nobody can read.
  await restore({ generation: 4, from: join(scene.folder, 'nowhere'), neverEmpty: true })
  const fourth = await jobManager([COUNTING], 4)
  const unread = await when(({ jobs: [one] }) => one?.state === 'FAILED', 'the job is refused')
  expect(unread.jobs[0].exception.code).toMatch(/^TR-CHECKPOINT-/)
  expect(unread.jobs[0].exception.message).toContain('nowhere')
  await end(fourth)

  // What was refused has changed nothing.
  await restore({ generation: 5, from: 'latest', atLeast: jobs[0].latestCheckpoint.id, neverEmpty: true })
  const fifth = await jobManager([COUNTING], 5)
  const again = await runsWith(1)
  expect(again.jobs[0].restored.id).toBeGreaterThanOrEqual(jobs[0].latestCheckpoint.id)
  await end(fifth)

  // Back to the savepoint, which is older than the newest checkpoint; a restart goes on from there.
  await restore({ generation: 6, from: savepoint.operation.location, neverEmpty: true })
  const sixth = await jobManager([COUNTING], 6)
  const back = await runsWith(1)
  expect(back.jobs[0].restored.path).toContain('savepoints')
  const later = await when(({ jobs: [one] }) => one.latestCheckpoint !== null, 'a checkpoint is complete')
  expect(later.jobs[0].latestCheckpoint.id).toBeGreaterThan(again.jobs[0].restored.id)
  await end(sixth)
  await jobManager([COUNTING], 6)
  const restarted = await runsWith(1)
  expect(restarted.jobs[0].restored.id).toBeGreaterThanOrEqual(later.jobs[0].latestCheckpoint.id)

  // With nothing, over all that is there; a restart goes on from what it has taken since.
  await end(cluster.processes.at(-1)!)
  await restore({ generation: 7, from: 'empty' })
  const seventh = await jobManager([COUNTING], 7)
  expect((await runsWith(1)).jobs[0].restored).toBeNull()
  const anew = await when(({ jobs: [one] }) => one.latestCheckpoint !== null, 'a checkpoint is complete')
  await end(seventh)
  await jobManager([COUNTING], 7)
  expect((await runsWith(1)).jobs[0].restored.id).toBeGreaterThanOrEqual(anew.jobs[0].latestCheckpoint.id)

  // One of an older generation begins nothing.
  await end(cluster.processes.at(-1)!)
  const old = cluster.jobManager('jm-a', [COUNTING], { 'tailrace.deployment.generation': '5' })
  expect(await old.exited).toBe(1)
  expect(old.log).toContain('TR-HA-009')
})

it('what was asked for under an id is done once, also for the next leader', { timeout: 180_000 }, async () => {
  await begin('told-operations')
  await restore({ generation: 1, from: 'latest' })
  await parallelism(1)
  cluster.taskManager('fraud-taskmanager-0')
  const first = await jobManager([COUNTING], 1)
  const job = (await runsWith(1)).jobs[0].id
  const taken = await operation(job, 'savepoints', 'b'.repeat(32))
  first.signal('SIGKILL')
  await first.exited
  const second = await jobManager([COUNTING], 1)
  await runsWith(1)
  expect(await operation(job, 'savepoints', 'b'.repeat(32))).toEqual(taken)
  expect(savepoints()).toHaveLength(1)
  // The leader is lost somewhere in a stop: whoever asked asks again, and the job is stopped.
  const body = JSON.stringify({ triggerId: 'c'.repeat(32) })
  const headers = { 'content-type': 'application/json' }
  expect((await fetch(`${url}/jobs/${job}/stop`, { method: 'POST', headers, body })).status).toBe(202)
  second.signal('SIGKILL')
  await second.exited
  const third = await jobManager([COUNTING], 1)
  await when(
    ({ jobs: [one] }) =>
      one?.state === 'FINISHED' || (one?.state === 'RUNNING' && one.tasks.running === one.tasks.total),
    'the job runs, or was stopped',
  )
  const stopped = await operation(job, 'stop', 'c'.repeat(32))
  expect(stopped.operation.location).toContain('savepoints')
  await when(({ jobs: [one] }) => one?.state === 'FINISHED', 'the job was stopped')
  const there = savepoints()
  third.signal('SIGKILL')
  await third.exited
  // The same generation is not run again: its end is shown.
  const fourth = await jobManager([COUNTING], 1)
  expect(fourth.log).toContain('The application has ended under an earlier leader: FINISHED')
  const { path } = (await changes()).jobs[0].latestSavepoint
  expect((await changes()).jobs).toMatchObject([{ id: job, state: 'FINISHED' }])
  expect(await operation(job, 'stop', 'c'.repeat(32))).toEqual(stopped)
  expect([path, savepoints()]).toEqual([expect.stringContaining(stopped.operation.location), there])
  // The next one goes on from where that was stopped, as that is the latest.
  await restore({ generation: 2, from: 'latest', neverEmpty: true })
  await end(fourth)
  await jobManager([COUNTING], 2)
  expect((await runsWith(1)).jobs[0].restored.path).toContain(stopped.operation.location)
})

it('a program that ends before its first job ends its JobManager, which says why', { timeout: 60_000 }, async () => {
  await begin('told-program', { 'tailrace.job.entry': 'fraudJob' })
  await restore({ generation: 1, from: 'latest' })
  await parallelism(1)
  const taskManager = cluster.taskManager('fraud-taskmanager-0')
  const first = cluster.jobManager('jm-a', [COUNTING], { 'tailrace.deployment.generation': '1' })
  expect(await first.exited).toBe(1)
  expect(first.log).toMatch(/TR-ARTIFACT-008 Cannot run "fraudJob" of the program .* wanted one of: /)
  await until(() => lease().spec.holderIdentity === undefined, 'the lease is given away')
  // It is started again, with one that is there.
  await jobManager([COUNTING, '-D', 'tailrace.job.entry=default'], 1)
  await runsWith(1)
  expect(taskManager.log).not.toContain('ends: ')
})

/** As a pod ends. */
async function end(one: Process): Promise<void> {
  one.signal('SIGTERM')
  await one.exited
  await until(() => lease().spec.holderIdentity === undefined, 'the lease is given away')
}
