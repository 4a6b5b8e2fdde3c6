/**
 * TaskManagers that are killed under a job whose checkpoints are in S3, and come back: state is read from copies on their disks, and what the job writes is what an oracle says. After Flink's LocalRecoveryITCase and
 * test_local_recovery_and_scheduling.sh.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { startToyS3, type ToyS3 } from '../../runtime/checkpoint/toy-s3.suite.ts'
import { seededRandom } from '../chaos/random.ts'
import { makeScene, type Scene } from '../chaos/scene.ts'
import { HaCluster, type Process, until } from '../ha/cluster.ts'

const RECORDS_PER_SECOND = 2_000

let scene: Scene
let cluster: HaCluster
let store: ToyS3

afterEach(async () => {
  await cluster.stop()
  await store.close()
  await scene.remove()
})

/** A leader with a job of two parts, and a TaskManager for each. */
async function begin(name: string, more: Record<string, string> = {}) {
  scene = makeScene(name, seededRandom(11))
  store = await startToyS3()
  const configuration = {
    'execution.checkpointing.dir': `s3://${store.bucket}/job`,
    's3.endpoint': store.endpoint,
    's3.access-key': store.accessKeyId,
    's3.secret-key': store.secretAccessKey,
    'process.working-dir': join(scene.folder, 'work'),
    ...more,
  }
  cluster = new HaCluster({ folder: scene.folder, configuration })
  const given = scene.args({ parallelism: 2, intervalMs: 300, place: { options: {} } as never })
  const from = given.indexOf('--rate')
  const paced = given.with(from + 1, String(RECORDS_PER_SECOND / 2)).slice(from)
  const job = [join(import.meta.dirname, '../chaos/job.ts'), '-p', '2', ...paced, '--ballast', '500']
  const taskManagers = ['tm-1', 'tm-2'].map((id) => cluster.taskManager(id))
  const leader = cluster.jobManager('jm-a', job)
  await leader.says('Leads as')
  return { leader, taskManagers }
}

const completed = () => store.requests.filter((request) => /^PUT .*_metadata$/.test(request)).length
/** Reads of files of state. */
const fetched = () => store.requests.filter((request) => /^GET .*\/shared\//.test(request))

/** All parts of the job run, and have stored something. */
async function runs(): Promise<void> {
  const before = completed()
  await until(() => completed() > before + 1, 'checkpoints are complete')
}

const localFiles = () =>
  existsSync(join(scene.folder, 'work'))
    ? readdirSync(join(scene.folder, 'work'), { recursive: true, encoding: 'utf8' }).filter((path) => /^tm_/.test(path))
    : []

async function ends(leader: Process, taskManagers: Process[]): Promise<void> {
  expect(await leader.exited).toBe(0)
  expect(await scene.problems()).toEqual([])
  for (const { exited } of taskManagers) expect(await exited).toBe(0)
  expect(localFiles()).toEqual([])
}

it('killed one after the other and started again under its name, each finds its state on its disk, and none is fetched', {
  timeout: 180_000,
}, async () => {
  const { leader, taskManagers } = await begin('local')
  await runs()
  for (const victim of [1, 0, 1]) {
    const told = taskManagers.map((one) => one.count('went on here from'))
    const reads = fetched().length
    taskManagers[victim]!.signal('SIGKILL')
    await taskManagers[victim]!.exited
    taskManagers[victim] = cluster.taskManager(`tm-${victim + 1}`)
    told[victim] = 0
    await until(
      () => taskManagers.every((one, i) => one.count('went on here from') === told[i]! + 1),
      'both have gone on from their copies',
    )
    expect(fetched().slice(reads)).toEqual([])
    await runs()
  }
  await ends(leader, taskManagers)
})

it('copies that are changed or gone are read from the store, and those of one that does not come back are removed', {
  timeout: 180_000,
}, async () => {
  const { leader, taskManagers } = await begin('spoilt')
  await runs()
  taskManagers[1]!.signal('SIGKILL')
  await taskManagers[1]!.exited
  const files = localFiles().filter((path) => /tm_tm-2_.*[0-9a-f]{64}$/.test(path))
  expect(files).not.toEqual([])
  for (const path of files) {
    const file = join(scene.folder, 'work', path)
    writeFileSync(
      file,
      readFileSync(file).map((byte) => byte ^ 1),
    )
  }
  taskManagers[1] = cluster.taskManager('tm-2')
  await taskManagers[1].says('is of no use: its bytes were changed')
  await until(() => fetched().length > 0, 'state is fetched')
  await runs()
  taskManagers[0]!.signal('SIGKILL')
  await taskManagers[0]!.exited
  taskManagers[0] = cluster.taskManager('tm-3')
  await taskManagers[0].says('the process that they were of is gone')
  await runs()
  await ends(leader, taskManagers)
})

it('a job that wants no copies has none, and reads from the store', { timeout: 180_000 }, async () => {
  const { leader, taskManagers } = await begin('none', { 'state.backend.local-recovery': 'false' })
  await runs()
  expect(localFiles()).toEqual([])
  taskManagers[1]!.signal('SIGKILL')
  await taskManagers[1]!.exited
  taskManagers[1] = cluster.taskManager('tm-2')
  await until(() => fetched().length > 0, 'state is fetched')
  await ends(leader, taskManagers)
  expect(taskManagers.map((one) => one.count('went on here from'))).toEqual([0, 0])
})
