/** TaskManagers that are killed or stand still, under jobs that go on or are cancelled meanwhile. JobManagers: e2e/ha. By chance and by the hundred: `npm run chaos`. */
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { seededRandom } from '../chaos/random.ts'
import { makeScene, type Scene } from '../chaos/scene.ts'
import { until } from '../ha/cluster.ts'
import { Cluster, COUNTING } from './cluster.ts'

let cluster: Cluster
let scene: Scene | undefined
afterEach(async () => {
  await cluster.stop()
  await scene?.remove()
  scene = undefined
})

it('a TaskManager that is killed is replaced by a new process, and nothing is lost or doubled', {
  timeout: 120_000,
}, async () => {
  cluster = new Cluster('killed')
  scene = makeScene('killed', seededRandom(23))
  const jobManager = await cluster.jobManager()
  const [first] = ['tm-1', 'tm-2'].map((id) => cluster.taskManager(id))
  await until(async () => (await cluster.freeSlots()) === 2, 'the slots are there')
  const job = join(import.meta.dirname, '../chaos/job.ts')
  const life = { parallelism: 2, intervalMs: 300, place: { options: {} } as never, recordsPerSecond: 3_500, flags: [] }
  const run = cluster.command('run', job, '-m', cluster.url, ...scene.args(life))
  const jid = await cluster.runs(2)
  const completed = async () => (await cluster.ask(`/jobs/${jid}/checkpoints`)).body.counts.completed
  await until(async () => (await completed()) > 0, 'a checkpoint is complete')
  first!.signal('SIGKILL')
  await jobManager.says('TaskManager tm-1 at 127.0.0.1 is lost')
  cluster.taskManager('tm-3')
  expect(await run).toMatchObject({ code: 0 })
  expect(await scene.problems()).toEqual([])
  expect(await cluster.exceptions(jid)).toEqual([expect.stringMatching(/TR-(CLUSTER-005|EXCHANGE-001)/)])
})

it.each(['SIGKILL', 'SIGSTOP'] as const)(
  'a job is cancelled though a TaskManager of it has just got %s',
  {
    timeout: 60_000,
  },
  async (signal) => {
    cluster = new Cluster('cancelled', { 'heartbeat.timeout': '4 s' })
    await cluster.jobManager()
    const [first] = ['tm-1', 'tm-2'].map((id) => cluster.taskManager(id))
    await until(async () => (await cluster.freeSlots()) === 2, 'the slots are there')
    // It is deployed to a process that the JobManager believes is there.
    first!.signal(signal)
    const run = await cluster.command('run', COUNTING, '-m', cluster.url, '-p', '2', '--detached')
    expect(run.code).toBe(0)
    const { jid } = (await cluster.job())!
    const cancel = await cluster.command('cancel', jid)
    expect([cancel.code, cancel.text]).toEqual([0, expect.stringContaining('cancelled "counting"')])
    expect((await cluster.job())!.state).toBe('CANCELED')
  },
)
