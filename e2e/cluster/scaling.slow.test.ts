/** Jobs of real processes whose parallelism changes: with the TaskManagers that there are, by request, from a checkpoint of their own or the next one; nothing is lost or doubled. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
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

const ADAPTIVE = 'jobmanager.adaptive-scheduler.'
const AT_ONCE = {
  [`${ADAPTIVE}submission.resource-stabilization-timeout`]: '0 s',
  [`${ADAPTIVE}executing.cooldown-after-rescaling`]: '0 s',
  [`${ADAPTIVE}executing.resource-stabilization-timeout`]: '0 s',
}

it('a reactive job follows the TaskManagers that come and go, up to its max parallelism', {
  timeout: 120_000,
}, async () => {
  cluster = new Cluster('reactive', {
    ...AT_ONCE,
    'scheduler-mode': 'REACTIVE',
    'parallelism.default': '1',
    'pipeline.max-parallelism': '3',
    'execution.checkpointing.interval': '500 ms',
    'restart-strategy.type': 'fixed-delay',
    'restart-strategy.fixed-delay.delay': '20 ms',
  })
  await cluster.jobManager([COUNTING])
  cluster.taskManager('tm-1')
  const jid = await cluster.runs(1, 1)
  const planned = async () =>
    (await cluster.ask(`/jobs/${jid}/plan`)).body.plan.nodes.map((node: { parallelism: number }) => node.parallelism)
  expect(await planned()).toEqual([1, 1])
  const second = cluster.taskManager('tm-2')
  await cluster.runs(2, 2)
  expect(await planned()).toEqual([2, 2])
  cluster.taskManager('tm-3', 2)
  await cluster.runs(3, 3)
  await until(async () => (await cluster.freeSlots()) === 1, 'a slot is left free')
  second.signal('SIGKILL')
  await until(async () => (await cluster.freeSlots()) === 0, 'the free slot serves')
  await cluster.runs(3, 3)
  const { body } = await cluster.ask(`/jobs/${jid}`)
  expect(body.state).toBe('RUNNING')
})

it('a job takes a checkpoint to change its parallelism, and gives back the slots that it leaves', {
  timeout: 60_000,
}, async () => {
  cluster = new Cluster('active', { ...AT_ONCE, 'execution.checkpointing.interval': '1 h' })
  await cluster.jobManager([COUNTING, '-p', '2'])
  cluster.taskManager('tm-1', 2)
  const jid = await cluster.runs(2, 2)
  await cluster.requestParallelism(jid, 1, 1)
  await cluster.runs(1, 1)
  await until(async () => (await cluster.freeSlots()) === 1, 'a slot is free')
  expect((await cluster.ask(`/jobs/${jid}/checkpoints`)).body.counts.completed).toBe(1)
})

it('a job that is told to waits for the next checkpoint to change its parallelism', { timeout: 60_000 }, async () => {
  cluster = new Cluster('passive', {
    ...AT_ONCE,
    [`${ADAPTIVE}rescale-trigger.active-checkpoint.enabled`]: 'false',
    'execution.checkpointing.interval': '1 h',
  })
  await cluster.jobManager([COUNTING, '-p', '2'])
  cluster.taskManager('tm-1', 2)
  const jid = await cluster.runs(2, 2)
  await cluster.requestParallelism(jid, 1, 1)
  await sleep(1500)
  await cluster.runs(2, 2)
  expect((await cluster.command('checkpoint', jid)).code).toBe(0)
  await cluster.runs(1, 1)
  await until(async () => (await cluster.freeSlots()) === 1, 'a slot is free')
})

it('a job whose parallelism goes up and down gives what it gives without', { timeout: 120_000 }, async () => {
  cluster = new Cluster('up-and-down', AT_ONCE)
  scene = makeScene('up-and-down', seededRandom(21))
  const jobManager = await cluster.jobManager()
  for (const id of ['tm-1', 'tm-2']) cluster.taskManager(id, 2)
  await until(async () => (await cluster.freeSlots()) === 4, 'the slots are there')
  const job = join(import.meta.dirname, '../chaos/job.ts')
  const life = { parallelism: 2, intervalMs: 300, place: { options: {} } as never, recordsPerSecond: 2_500 }
  const run = cluster.command('run', job, '-m', cluster.url, ...scene.args({ ...life, flags: [] }))
  const jid = await cluster.runs(2)
  for (const parallelism of [4, 1, 3]) {
    const rescale = await cluster.command('rescale', jid, '-p', String(parallelism), '--wait')
    expect([rescale.code, rescale.text]).toEqual([0, expect.stringContaining(`runs with parallelism ${parallelism}`)])
  }
  expect(await run).toMatchObject({ code: 0 })
  expect(await scene.problems()).toEqual([])
  expect(jobManager.log).not.toContain('has failed')
})
