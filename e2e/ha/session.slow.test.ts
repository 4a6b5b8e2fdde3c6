/** A session cluster: what was submitted to a leader that dies goes on under the next, from the artifact that the first has stored. */
import { rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { seededRandom } from '../chaos/random.ts'
import { makeScene, type Scene } from '../chaos/scene.ts'
import { HaCluster, type Process, until } from './cluster.ts'

let scene: Scene
let cluster: HaCluster

afterEach(async () => {
  await cluster.stop()
  await scene.remove()
})

async function urlOf(jobManager: Process): Promise<string> {
  await jobManager.says('REST and the page on')
  return /REST and the page on (\S+)/.exec(jobManager.log)![1]!
}

async function ask(url: string, init?: RequestInit): Promise<any> {
  const response = await fetch(url, init)
  const body = await response.json()
  if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(body)}`)
  return body
}

it('jobs of a session cluster go on under the next leader', { timeout: 120_000 }, async () => {
  scene = makeScene('session', seededRandom(13))
  const uploads = join(scene.folder, 'uploads')
  cluster = new HaCluster({ folder: scene.folder })
  const artifact = join(scene.folder, 'job.mjs')
  const built = cluster.command('build', [
    'build',
    join(import.meta.dirname, '../chaos/job.ts'),
    '-o',
    artifact,
    '--no-check',
  ])
  expect(await built.exited).toBe(0)
  for (const id of ['tm-1', 'tm-2']) cluster.taskManager(id)
  const first = cluster.jobManager('jm-a', [], { 'web.upload.dir': uploads })
  const url = await urlOf(first)
  const second = cluster.jobManager('jm-b', [], { 'web.upload.dir': join(scene.folder, 'other-uploads') })
  const form = new FormData()
  form.append('jarfile', new Blob([await readFile(artifact)]), 'job.mjs')
  const { filename } = await ask(`${url}/jars/upload`, { method: 'POST', body: form })
  const given = scene.args({ parallelism: 2, intervalMs: 300, place: { options: {} } as never })
  const from = given.indexOf('--rate')
  const programArgsList = given.with(from + 1, '1500').slice(from)
  const { jobid } = await ask(`${url}/jars/${filename.split('/').at(-1)}/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ programArgsList, parallelism: 2 }),
  })
  await until(() => cluster.completed().length > 0, 'a checkpoint is complete')
  await second.says('The leader is "jm-a"')
  first.signal('SIGKILL')
  await first.exited
  // The next one has only what is in the store.
  rmSync(uploads, { recursive: true, force: true })

  await second.says('Goes on with the program')
  const next = await urlOf(second)
  const status = async () => (await ask(`${next}/jobs/${jobid}`).catch(() => ({ state: 'unknown' }))).state
  await expect.poll(status, { timeout: 60_000, interval: 50 }).toBe('FINISHED')
  expect(await scene.problems()).toEqual([])
  // Nothing of it is kept any more.
  await until(() => cluster.journal().includes('"change":"artifactRemoved"'), 'its artifact is removed')
  second.signal('SIGTERM')
  expect(await second.exited).toBe(0)
})
