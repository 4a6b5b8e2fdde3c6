/** JobManagers that are killed, stopped and woken under a job from files to exactly-once files: TaskManagers stay, and the files are what an oracle says. */
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { ApiServer } from '../../operator/kube/api-server.suite.ts'
import { RESOURCES } from '../../operator/kube/objects.ts'
import { seededRandom } from '../chaos/random.ts'
import { makeScene, type Scene } from '../chaos/scene.ts'
import { HaCluster, type Process, until } from './cluster.ts'
import { kubeConfig } from './kube-config.ts'

const RECORDS_PER_SECOND = 3_000

let scene: Scene
let cluster: HaCluster

afterEach(async () => {
  await cluster.stop()
  await scene.remove()
})

function begin(name: string, more: Omit<ConstructorParameters<typeof HaCluster>[0], 'folder'> = {}): string[] {
  scene = makeScene(name, seededRandom(7))
  cluster = new HaCluster({ folder: scene.folder, ...more })
  const given = scene.args({ parallelism: 2, intervalMs: 300, place: { options: {} } as never })
  const from = given.indexOf('--rate')
  const paced = given.with(from + 1, String(RECORDS_PER_SECOND / 2)).slice(from)
  return [join(import.meta.dirname, '../chaos/job.ts'), '-p', '2', ...paced]
}

/** The job has stored something that only this leader has run. */
async function runs(jobManager: Process): Promise<void> {
  await jobManager.says('Leads as')
  const before = cluster.completed().at(-1)
  await until(() => cluster.completed().at(-1) !== before, 'a checkpoint is complete')
}

async function finishes(jobManager: Process, taskManagers: Process[], leaders: number): Promise<void> {
  expect(await jobManager.exited).toBe(0)
  expect(await scene.problems()).toEqual([])
  for (const taskManager of taskManagers) {
    // The same processes all the time.
    expect(await taskManager.exited).toBe(0)
    expect(taskManager.count('Registered with')).toBe(leaders)
  }
  // One job, whoever led.
  const jobs = [...new Set([...cluster.journal().matchAll(/"jobId":"([0-9a-f]{32})"/g)].map(([, id]) => id))]
  expect(jobs).toHaveLength(1)
}

it('a leader that is killed and started again under its identity goes on with its job', {
  timeout: 120_000,
}, async () => {
  const job = begin('again')
  const taskManagers = ['tm-1', 'tm-2'].map((id) => cluster.taskManager(id))
  const first = cluster.jobManager('jm-a', job)
  await runs(first)
  first.signal('SIGKILL')
  expect(await first.exited).toBeNull()
  const second = cluster.jobManager('jm-a', job)
  await runs(second)
  second.signal('SIGKILL')
  await second.exited
  await finishes(cluster.jobManager('jm-a', job), taskManagers, 3)
})

it('a leader that is killed is followed by one that stands by', { timeout: 120_000 }, async () => {
  const job = begin('standby')
  const taskManagers = ['tm-1', 'tm-2'].map((id) => cluster.taskManager(id))
  const first = cluster.jobManager('jm-a', job)
  await runs(first)
  const second = cluster.jobManager('jm-b', job)
  await second.says('The leader is "jm-a"')
  first.signal('SIGKILL')
  await finishes(second, taskManagers, 2)
})

it('a leader that was stopped beyond its lease changes nothing when it is woken, and ends', {
  timeout: 120_000,
}, async () => {
  const job = begin('stopped')
  const taskManagers = ['tm-1', 'tm-2'].map((id) => cluster.taskManager(id))
  const first = cluster.jobManager('jm-a', job)
  await runs(first)
  const second = cluster.jobManager('jm-b', job)
  await second.says('The leader is "jm-a"')
  first.signal('SIGSTOP')
  await runs(second)
  first.signal('SIGCONT')
  expect(await first.exited).toBe(4)
  await first.says('Does not lead any more')
  expect(first.log).not.toContain('The application has ended')
  await finishes(second, taskManagers, 2)
})

it('a leader that is told to end gives its job away', { timeout: 120_000 }, async () => {
  const job = begin('handover')
  const taskManagers = ['tm-1', 'tm-2'].map((id) => cluster.taskManager(id))
  const first = cluster.jobManager('jm-a', job)
  await runs(first)
  const second = cluster.jobManager('jm-b', job)
  await second.says('The leader is "jm-a"')
  first.signal('SIGTERM')
  expect(await first.exited).toBe(0)
  await finishes(second, taskManagers, 2)
})

it('the same with a Lease of Kubernetes', { timeout: 120_000 }, async () => {
  const server = new ApiServer()
  const url = await server.start()
  const environment: Record<string, string> = {}
  const job = begin('lease', { configuration: { 'high-availability.type': 'kubernetes' }, environment })
  Object.assign(environment, kubeConfig(scene.folder, url, 'jobs'))
  const taskManagers = ['tm-1', 'tm-2'].map((id) => cluster.taskManager(id))
  const first = cluster.jobManager('jm-a', job)
  await runs(first)
  expect(server.get(RESOURCES.leases, { namespace: 'jobs', name: 'cluster-1-jobmanager' }).spec.holderIdentity).toBe(
    'jm-a',
  )
  const second = cluster.jobManager('jm-b', job)
  await second.says('The leader is "jm-a"')
  first.signal('SIGKILL')
  await finishes(second, taskManagers, 2)
  expect(server.get(RESOURCES.leases, { namespace: 'jobs', name: 'cluster-1-jobmanager' }).spec.leaseTransitions).toBe(
    2,
  )
  await server.stop()
})
