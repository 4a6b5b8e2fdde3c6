/** What has ended is not run again, whoever leads next, and the program sees what it saw. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { seededRandom } from '../chaos/random.ts'
import { committedLines, makeScene, RECORDS, type Scene } from '../chaos/scene.ts'
import { HaCluster, until } from './cluster.ts'

let scene: Scene
let cluster: HaCluster

afterEach(async () => {
  await cluster.stop()
  await scene.remove()
})

it('jobs that have ended are not run again, and env.once() gives the same', { timeout: 120_000 }, async () => {
  scene = makeScene('ended', seededRandom(11))
  cluster = new HaCluster({ folder: scene.folder })
  const out = join(scene.folder, 'out')
  // A program that has ended in peace is run anew by a JobManager that is started afterwards: this one does not end before the last kill.
  const end = join(scene.folder, 'end')
  const args = ['--in', join(scene.folder, 'in'), '--out', out, '--rate', String(RECORDS / 2 / 5), '--until', end]
  const job = [join(import.meta.dirname, 'two-jobs.ts'), '-p', '2', ...args]
  const jobId = (execute: number) =>
    new RegExp(`"jobId":"(\\w+)","executeIndex":${execute}`).exec(cluster.journal())?.[1]
  const hasEnded = (execute: number) => cluster.journal().includes(`"change":"jobEnded","jobId":"${jobId(execute)}"`)
  for (const id of ['tm-1', 'tm-2']) cluster.taskManager(id)

  const first = cluster.jobManager('jm-a', job)
  await until(() => hasEnded(0), 'the first job has ended')
  const before = cluster.completed().at(-1)
  await until(() => cluster.completed().at(-1) !== before, 'the second job has stored something')
  first.signal('SIGKILL')
  expect(await first.exited).toBeNull()

  const second = cluster.jobManager('jm-a', job)
  await second.says('Leads as')
  await until(() => hasEnded(1), 'the second job has ended')
  second.signal('SIGKILL')
  expect(await second.exited).toBeNull()

  writeFileSync(end, '')
  const third = cluster.jobManager('jm-a', job)
  expect(await third.exited).toBe(0)
  expect(third.log).not.toContain('Cannot')
  const lines = committedLines(out).map((line) => line.split(' '))
  expect(new Set(lines.map(([, , seed]) => seed)).size).toBe(1)
  const names = lines.map(([name, id]) => `${name} ${id}`)
  expect(new Set(names).size).toBe(names.length)
  expect(names).toHaveLength(2 * RECORDS)
  // What the next one finds: nothing that could be run, and no checkpoints.
  expect(cluster.completed()).toEqual([])
})
