/** A job whose state has copies on its TaskManagers: each part goes back to where its own is, when there is a slot. */
import { expect, it } from 'vitest'
import { FakeCheckpointStore } from '../checkpoint/coordinator/coordinator.suite.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { beginJob, tick } from './fake-job.suite.ts'
import { type FakeSlot, FakeSlots } from './fake-slots.suite.ts'
import type { JobStorage } from './job-checkpoints.ts'
import { SlotPool } from './slot-pool.ts'

const lost = errorToData(new TailraceError('TR-CLUSTER-005', 'TaskManager b is lost'))
const STATS = { startDelayMs: 0, alignmentMs: 0, syncMs: 0, asyncMs: 0, bytesWritten: 1, bytes: 1 }
const WRITERS = ['a', 'b', 'c']

/** A job on TaskManagers `a` and `b`, of the others each has a spare slot. Of `held` there are copies. */
async function begin(config: Record<string, string> = {}, spare = ['c', 'b', 'a']) {
  const store = new FakeCheckpointStore()
  const storage = { store, state: { directory: 's3://b/c', folder: 'd', epoch: 7 } } as unknown as JobStorage
  const pool = new SlotPool()
  const { spawned, spawn } = new FakeSlots()
  /** By the order in which they were started. */
  const placed: string[] = []
  const removes = new Map<string, ReturnType<SlotPool['add']>>()
  const add = (taskManager: string) => {
    const spawnHere = () => {
      placed.push(taskManager)
      return spawn()
    }
    removes.set(taskManager, pool.add({ place: { taskManager }, size: 1, spawn: spawnHere }))
  }
  add('a')
  add('b')
  const slots = pool.acquire('j', 2)!
  for (const taskManager of spare) add(taskManager)
  const held = new Set(WRITERS)
  const asked: string[] = []
  const begun = beginJob({
    config: {
      'execution.checkpointing.interval': '100',
      'execution.checkpointing.dir': 's3://b/c',
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': '9',
      'restart-strategy.fixed-delay.delay': '10',
      ...config,
    },
    openStorage: async () => storage,
    slots,
    acquireSlots: (count, choice, wished) => pool.acquire('j', count, { choice, wished }),
    freeSlots: () => pool.free,
    holderOf: ({ epoch, writer }, ours) => {
      asked.push(`${epoch} ${ours}`)
      const holder = WRITERS[writer - 1]!
      return held.has(holder) ? holder : undefined
    },
  })
  await tick()
  const { job, time } = begun
  const slotsOf = (attempt: number) =>
    spawned.flatMap((slot, i) =>
      slot.posted.some((m) => m.type === 'deploy' && m.deployment.attempt === attempt)
        ? [{ slot, taskManager: placed[i]! }]
        : [],
    )
  /** TaskManagers of an attempt by the index of the slot. */
  const places = (attempt: number) =>
    slotsOf(attempt)
      .sort((x, y) => x.slot.deployment.slotIndex - y.slot.deployment.slotIndex)
      .map(({ taskManager }) => taskManager)
  /** Every subtask acknowledges so many bytes, which the TaskManager of its slot has written. */
  const checkpoint = async (checkpointId: number, epoch = 7) => {
    time.advance(100)
    job.receive({ type: 'enumeratorStates', jobId: 'j', checkpointId, states: {} })
    for (const { slot, taskManager } of slotsOf(0)) {
      for (const { vertexId, subtask } of slot.deployment.subtasks) {
        const number = (WRITERS.indexOf(taskManager) + 1) * 1e10 + subtask
        const handle = { file: `shared/${epoch}-${number}-${'0'.repeat(64)}`, offset: 0, length: 100 + subtask }
        const lists = [{ name: 's', mode: 'split' as const, handle, offsets: [0] }]
        const snapshot = { finished: false, operators: [{ operatorId: vertexId, lists }] }
        slot.say({ type: 'checkpointAck', vertexId, subtask, checkpointId, snapshot, stats: STATS })
      }
    }
    await tick()
  }
  /** The thread of a slot ends. */
  const fail = async (slot: FakeSlot, rest: FakeSlot[]) => {
    slot.exit({ code: 1 })
    for (const other of rest) other.all('CANCELED')
    await tick()
    time.advance(20)
    await tick()
  }
  return { ...begun, add, asked, checkpoint, fail, held, places, pool, removes, slotsOf, spawned }
}

it('a part whose thread has ended goes on in the TaskManager that has its state', async () => {
  const { asked, checkpoint, fail, places, run, spawned } = await begin()
  const [a, b] = spawned as [FakeSlot, FakeSlot]
  run(a, b)
  await checkpoint(1)
  await fail(b, [a])
  expect([places(0), places(1)]).toEqual([
    ['a', 'b'],
    ['a', 'b'],
  ])
  expect(new Set(asked)).toEqual(new Set(['7 true']))
})

it.each([
  ['the job does not read local copies', { 'execution.state-recovery.from-local': 'false' }],
  ['the job keeps none', { 'execution.checkpointing.local-backup.enabled': 'false' }],
])('it goes where the job is already when %s', async (_, config) => {
  const { checkpoint, fail, places, run, spawned } = await begin(config as Record<string, string>)
  const [a, b] = spawned as [FakeSlot, FakeSlot]
  run(a, b)
  await checkpoint(1)
  await fail(b, [a])
  expect(places(1)).toEqual(['a', 'a'])
})

it('what a lost TaskManager had goes to any slot, and the others stay where they are', async () => {
  const { checkpoint, held, places, removes, run, spawned, time, a: __, ...job } = await begin({}, ['c'])
  const [a, b] = spawned as [FakeSlot, FakeSlot]
  run(a, b)
  await checkpoint(1)
  held.delete('a')
  removes.get('a')!(lost)
  b.all('CANCELED')
  await tick()
  time.advance(20)
  await tick()
  expect([places(1), job.job.status]).toEqual([['c', 'b'], 'RUNNING'])
})

it('files of an earlier leader are asked for as such', async () => {
  const { asked, checkpoint, fail, places, run, spawned } = await begin()
  const [a, b] = spawned as [FakeSlot, FakeSlot]
  run(a, b)
  await checkpoint(1, 6)
  await fail(b, [a])
  expect([places(1), new Set(asked)]).toEqual([['a', 'b'], new Set(['6 false'])])
})

it('with less parallelism the slot stays that has the most of the state', async () => {
  const { checkpoint, job, places, run, spawned, time, plan, enumeratorsReset } = await begin(
    { 'jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling': '0' },
    [],
  )
  const [a, b] = spawned as [FakeSlot, FakeSlot]
  run(a, b)
  await checkpoint(1)
  const one = { lowerBound: 1, upperBound: 1 }
  job.parallelism.set(Object.fromEntries(plan.vertices.map(({ id }) => [id, one])))
  await checkpoint(2)
  for (const slot of [a, b]) slot.all('CANCELED')
  enumeratorsReset()
  await tick()
  time.advance(20)
  await tick()
  // Its subtasks have written a byte more each.
  expect(places(1)).toEqual(['b'])
})
