/** Jobs that share the slots of several TaskManagers, with time that the test moves: who gets which slots, and when. */
import { describe, expect, it } from 'vitest'
import { FakeCheckpointStore } from '../checkpoint/coordinator/coordinator.suite.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { VirtualTime } from '../core/virtual-time.suite.ts'
import { Dispatcher } from './dispatcher.ts'
import { tick } from './fake-job.suite.ts'
import { FakeSlot, twoVertexPlan } from './fake-slots.suite.ts'
import type { JobStorage } from './job-checkpoints.ts'
import type { JobMaster } from './job-master.ts'
import type { JobEnd } from './job-options.ts'
import { SlotPool } from './slot-pool.ts'

const gone = errorToData(new TailraceError('TR-CLUSTER-005', 'the TaskManager is lost'))
const SLOW = { 'slot.request.timeout': '100 s', 'slot.idle.timeout': '50 s' }

function clusterOf() {
  const time = new VirtualTime(1000)
  const pool = new SlotPool(time.schedule)
  let jobs = 0
  const ends: Record<string, JobEnd> = {}
  const stores: FakeCheckpointStore[] = []
  const programs = new Map<string, JobMaster>()
  const dispatcher = new Dispatcher({
    pool,
    waitForSlots: true,
    newJobId: () => `j${++jobs}`,
    clock: time.clock,
    schedule: time.schedule,
    random: () => 0.5,
    timeouts: { slotsMs: 100_000 },
    openStorage: async () => {
      const store = new FakeCheckpointStore()
      stores.push(store)
      const state = { directory: undefined, folder: 'd', epoch: 1 }
      return { store, state, disposeSavepoint: async () => {}, markCommitted: async () => {} } as unknown as JobStorage
    },
  })
  /** Its threads say at once where they take data. Gives its slots, and what takes it away. */
  const addTaskManager = (name: string, size: number) => {
    const slots: FakeSlot[] = []
    const remove = pool.add({
      place: { taskManager: name },
      size,
      host: name,
      spawn: () => {
        const slot = new FakeSlot()
        slots.push(slot)
        queueMicrotask(() => slot.say({ type: 'ready', dataPort: 1 }))
        return slot
      },
    })
    return { slots, lose: () => remove(gone) }
  }
  const submit = async (parallelism: number, options: Record<string, string> = {}, sourceParallelism = parallelism) => {
    const plan = twoVertexPlan(parallelism)
    plan.vertices[0]!.parallelism = sourceParallelism
    plan.config.options = {
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.delay': '0',
      'restart-strategy.fixed-delay.attempts': '99',
      ...SLOW,
      ...options,
    }
    const job = dispatcher.submit({
      plan,
      program: { url: 'file:///job.ts', args: [], parameters: {}, options: {} },
      replay: { executeIndex: 0, results: [], once: {} },
      toProgram: (message) => {
        if (message.type === 'resetEnumerators')
          queueMicrotask(() =>
            programs.get(message.jobId)?.receive({
              type: 'enumeratorsReset',
              jobId: message.jobId,
              attempt: message.attempt,
            }),
          )
        if (message.type === 'snapshotEnumerators')
          queueMicrotask(() =>
            programs.get(message.jobId)?.receive({
              type: 'enumeratorStates',
              jobId: message.jobId,
              checkpointId: message.checkpointId,
              states: {},
            }),
          )
      },
      onEnd: (job, end) => {
        ends[job.id] = end
      },
    })
    programs.set(job.id, job)
    job.schedule()
    await settle()
    return job
  }
  const settle = async () => {
    for (let i = 0; i < 5; i++) await tick()
  }
  const pass = async (ms: number) => {
    time.advance(ms)
    await settle()
  }
  /** On which TaskManagers the slots are that each job has. */
  const held = (job: JobMaster) =>
    pool
      .views()
      .filter(({ jobId }) => jobId === job.id)
      .map(({ taskManager }) => taskManager)
  /** The slots of these run all tasks that they were last given. */
  const run = async (...taskManagers: { slots: FakeSlot[] }[]) => {
    for (const { slots } of taskManagers)
      for (const slot of slots.filter(({ heard }) => heard.at(-1) === 'deploy')) slot.say({ type: 'deployed' })
    await settle()
    for (const { slots } of taskManagers)
      for (const slot of slots.filter(({ heard }) => heard.at(-1) === 'start')) slot.all('INITIALIZING', 'RUNNING')
    await settle()
  }
  /** Those that were asked to end do. */
  const cancelled = async (...taskManagers: { slots: FakeSlot[] }[]) => {
    for (const { slots } of taskManagers)
      for (const slot of slots.filter(({ heard }) => heard.at(-1) === 'cancel')) slot.all('CANCELED')
    await settle()
  }
  return { addTaskManager, cancelled, dispatcher, ends, held, pass, pool, run, settle, stores, submit, time }
}

/** Two jobs of two slots each, one on each of two TaskManagers, of which the second is lost. */
async function halved() {
  const cluster = clusterOf()
  const spread = { 'taskmanager.load-balance.mode': 'SLOTS' }
  const one = cluster.addTaskManager('tm-1', 2)
  const two = cluster.addTaskManager('tm-2', 2)
  await cluster.settle()
  const older = await cluster.submit(2, spread)
  const younger = await cluster.submit(2, spread)
  expect([cluster.held(older), cluster.held(younger)]).toEqual([
    ['tm-1', 'tm-2'],
    ['tm-1', 'tm-2'],
  ])
  await cluster.run(one, two)
  expect([older.status, younger.status]).toEqual(['RUNNING', 'RUNNING'])
  two.lose()
  await cluster.cancelled(one)
  return { ...cluster, one, older, younger }
}

describe('jobs that each have a part of what they need', () => {
  it('do not wait for each other: the younger one gives its slots to the older', async () => {
    const { addTaskManager, held, older, one, pass, run, settle, younger } = await halved()
    // The thread of the slot that was given away is replaced.
    await pass(1000)
    await run(one)
    expect([older.status, younger.status]).toEqual(['RUNNING', 'CREATED'])
    expect([held(older), held(younger)]).toEqual([['tm-1', 'tm-1'], []])
    const three = addTaskManager('tm-3', 2)
    await settle()
    await run(three)
    expect([younger.status, held(younger)]).toEqual(['RUNNING', ['tm-3', 'tm-3']])
  })

  it('keep warm slots that nobody could begin with', async () => {
    const cluster = clusterOf()
    const one = cluster.addTaskManager('tm-1', 1)
    const two = cluster.addTaskManager('tm-2', 1)
    await cluster.settle()
    const job = await cluster.submit(2)
    await cluster.run(one, two)
    two.lose()
    await cluster.cancelled(one)
    await cluster.pass(49_000)
    expect([job.status, cluster.held(job), one.slots.length]).toEqual(['CREATED', ['tm-1'], 1])
    const three = cluster.addTaskManager('tm-3', 1)
    await cluster.settle()
    await cluster.run(one, three)
    expect([job.status, one.slots.length]).toEqual(['RUNNING', 1])
  })

  it('give them to a younger one, too, when they have waited for long (slot.idle.timeout)', async () => {
    const cluster = clusterOf()
    const one = cluster.addTaskManager('tm-1', 1)
    const two = cluster.addTaskManager('tm-2', 1)
    await cluster.settle()
    const older = await cluster.submit(2)
    await cluster.run(one, two)
    two.lose()
    await cluster.cancelled(one)
    const younger = await cluster.submit(1)
    await cluster.pass(49_000)
    expect([cluster.held(older), younger.status]).toEqual([['tm-1'], 'CREATED'])
    await cluster.pass(2000)
    await cluster.run(one)
    expect([cluster.held(older), younger.status]).toEqual([[], 'RUNNING'])
  })
})

describe('a deployment that is told its parallelism', () => {
  it('has it from its begin and when it changes, and leaves the highest TaskManagers', async () => {
    const cluster = clusterOf()
    const [two, one, zero] = ['tm-2', 'tm-1', 'tm-0'].map((id) => cluster.addTaskManager(id, 1))
    await cluster.settle()
    cluster.dispatcher.directParallelism(3)
    const job = await cluster.submit(1)
    await cluster.run(two!, one!, zero!)
    expect([job.status, cluster.held(job)]).toEqual(['RUNNING', ['tm-2', 'tm-1', 'tm-0']])
    const { version } = (await cluster.dispatcher.changes(undefined, 0, new AbortController().signal))!
    cluster.dispatcher.directParallelism(1)
    expect(job.parallelism.requirements).toMatchObject(
      Object.fromEntries(job.plan.vertices.map(({ id }) => [id, { lowerBound: 1, upperBound: 1 }])),
    )
    expect((await cluster.dispatcher.changes(version - 1, 0, new AbortController().signal))!.value.slots.free).toBe(0)
  })

  it('keeps what its slots say where the scheduler is reactive', async () => {
    const cluster = clusterOf()
    const one = cluster.addTaskManager('tm-0', 2)
    await cluster.settle()
    cluster.dispatcher.directParallelism(1)
    const job = await cluster.submit(1, { 'scheduler-mode': 'REACTIVE' })
    await cluster.run(one)
    cluster.dispatcher.directParallelism(1)
    expect([job.status, cluster.held(job)]).toEqual(['RUNNING', ['tm-0', 'tm-0']])
  })
})

describe('too few slots', () => {
  it.each<[string, Record<string, string>, string]>([
    ['the cluster’s patience', {}, 'it needs 3 slots, and 2 were available within 100 s (slot.request.timeout)'],
    [
      'that of the adaptive scheduler, which begins with less only where the bounds allow it',
      { 'jobmanager.scheduler': 'adaptive', 'jobmanager.adaptive-scheduler.submission.resource-wait-timeout': '7 s' },
      '',
    ],
  ])('fail a job after %s', async (_, options, text) => {
    const cluster = clusterOf()
    if (text !== '') cluster.addTaskManager('tm-1', 2)
    await cluster.settle()
    const job = await cluster.submit(3, { ...options, 'restart-strategy.type': 'none' })
    await cluster.pass(text === '' ? 6900 : 99_900)
    expect(job.status).toBe('CREATED')
    await cluster.pass(200)
    const key = 'jobmanager.adaptive-scheduler.submission.resource-wait-timeout'
    const expected = text === '' ? `it needs 1 to 3 slots, and 0 were available within 7 s (${key})` : text
    expect(cluster.ends[job.id]).toMatchObject({ status: 'FAILED', error: { code: 'TR-CLUSTER-001' } })
    expect(cluster.ends[job.id]!.error!.message).toContain(expected)
  })

  it('are waited for as long as it takes where that is wanted', async () => {
    const cluster = clusterOf()
    const job = await cluster.submit(1, {
      'jobmanager.scheduler': 'adaptive',
      'jobmanager.adaptive-scheduler.submission.resource-wait-timeout': '-1 ms',
    })
    await cluster.pass(10 * 86_400_000)
    expect(job.status).toBe('CREATED')
    expect(job.parallelism.view().settings.slotsTimeoutMs).toBe(-1)
  })
})

describe('scheduler-mode: REACTIVE', () => {
  const REACTIVE = { 'scheduler-mode': 'reactive' }

  it('begins at once with what there is, and follows the slots up to the max parallelism', async () => {
    const cluster = clusterOf()
    const job = await cluster.submit(4, REACTIVE)
    await cluster.pass(1_000_000)
    expect(job.status).toBe('CREATED')
    const one = cluster.addTaskManager('tm-1', 2)
    await cluster.settle()
    await cluster.run(one)
    expect([job.status, cluster.held(job).length]).toEqual(['RUNNING', 2])
    expect(job.parallelism.requirements[job.program.vertices[0]!.id]).toEqual({ lowerBound: 1, upperBound: 128 })
    expect(() => job.parallelism.set(job.parallelism.requirements)).toThrow('its parallelism follows the slots')
    cluster.addTaskManager('tm-2', 200)
    await cluster.settle()
    // All that is wanted is there, so it waits for the cooldown only.
    await cluster.pass(1000)
    expect(cluster.held(job).length).toBe(128)
    expect(job.parallelism.view().rescales.at(-1)).toMatchObject({ cause: 'NEW_RESOURCE_AVAILABLE' })
  })

  it('goes on with what is left when a TaskManager is lost', async () => {
    const cluster = clusterOf()
    const one = cluster.addTaskManager('tm-1', 2)
    const two = cluster.addTaskManager('tm-2', 2)
    await cluster.settle()
    const job = await cluster.submit(1, REACTIVE)
    await cluster.run(one, two)
    expect([job.status, cluster.held(job).length]).toEqual(['RUNNING', 4])
    two.lose()
    await cluster.cancelled(one)
    await cluster.pass(1)
    await cluster.run(one)
    expect([job.status, job.plan.vertices.map((v) => v.parallelism)]).toEqual(['RUNNING', [2, 2]])
  })
})

describe('a change of the parallelism', () => {
  const ADAPTIVE = {
    'jobmanager.scheduler': 'adaptive',
    'jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout': '0',
    'execution.checkpointing.interval': '60 s',
  }
  const acknowledge = async (cluster: ReturnType<typeof clusterOf>, slots: FakeSlot[]) => {
    await cluster.settle()
    for (const slot of slots) {
      const trigger = slot.posted.findLast((message) => message.type === 'triggerCheckpoint')
      for (const { vertexId, subtask } of slot.deployment.subtasks)
        slot.say({
          type: 'checkpointAck',
          vertexId,
          subtask,
          checkpointId: trigger!.barrier.checkpointId,
          snapshot: { finished: false, operators: [] },
          stats: { startDelayMs: 0, alignmentMs: 0, syncMs: 0, asyncMs: 0, bytesWritten: 1, bytes: 1 },
        })
    }
    await cluster.settle()
  }
  const triggers = (slots: FakeSlot[]) => slots[0]!.heard.filter((type) => type === 'triggerCheckpoint').length
  async function running(options: Record<string, string>) {
    const cluster = clusterOf()
    const one = cluster.addTaskManager('tm-1', 1)
    await cluster.settle()
    const job = await cluster.submit(2, { ...ADAPTIVE, ...options })
    await cluster.run(one)
    const more = async () => {
      cluster.addTaskManager('tm-2', 1)
      await cluster.settle()
      await cluster.pass(1000)
    }
    return { cluster, job, more, one }
  }

  it('takes a checkpoint of its own', async () => {
    const { cluster, job, more, one } = await running({})
    await more()
    expect([job.status, triggers(one.slots)]).toEqual(['RUNNING', 1])
    await acknowledge(cluster, one.slots)
    expect(job.status).toBe('RESTARTING')
  })

  it('waits for the next one where that is wanted', async () => {
    const { cluster, job, more, one } = await running({
      'jobmanager.adaptive-scheduler.rescale-trigger.active-checkpoint.enabled': 'false',
    })
    await more()
    expect([job.status, triggers(one.slots)]).toEqual(['RUNNING', 0])
    await cluster.pass(59_000)
    expect([job.status, triggers(one.slots)]).toEqual(['RUNNING', 1])
    await acknowledge(cluster, one.slots)
    expect(job.status).toBe('RESTARTING')
  })

  it('goes on from an older one when none comes for long, by default as long as may fail', async () => {
    for (const [options, ms] of [
      [{}, 180_000],
      [{ 'jobmanager.adaptive-scheduler.rescale-trigger.max-delay': '20 s' }, 20_000],
    ] as const) {
      const { cluster, job, more, one } = await running({
        'jobmanager.adaptive-scheduler.rescale-trigger.active-checkpoint.enabled': 'false',
        'execution.checkpointing.timeout': '1 h',
        ...options,
      })
      const first = job.takeCheckpoint()
      await acknowledge(cluster, one.slots)
      await first
      await more()
      await cluster.pass(ms - 2000)
      expect(job.status).toBe('RUNNING')
      await cluster.pass(2000)
      expect([job.status, cluster.stores[0]!.completed.length]).toEqual(['RESTARTING', 1])
    }
  })
})

describe('where the slots are', () => {
  const sizes = async (options: Record<string, string>) => {
    const cluster = clusterOf()
    for (const [i, size] of [2, 2, 4].entries()) cluster.addTaskManager(`tm-${i}`, size)
    await cluster.settle()
    const job = await cluster.submit(4, options)
    return cluster.held(job)
  }
  it.each<[Record<string, string>, string[]]>([
    [{}, ['tm-2', 'tm-2', 'tm-2', 'tm-2']],
    [{ 'jobmanager.adaptive-scheduler.prefer-minimal-taskmanagers': 'false' }, ['tm-0', 'tm-0', 'tm-1', 'tm-1']],
    [{ 'taskmanager.load-balance.mode': 'MIN_RESOURCES' }, ['tm-2', 'tm-2', 'tm-2', 'tm-2']],
    [{ 'taskmanager.load-balance.mode': 'SLOTS' }, ['tm-0', 'tm-1', 'tm-2', 'tm-2']],
    [{ 'cluster.evenly-spread-out-slots': 'true' }, ['tm-0', 'tm-1', 'tm-2', 'tm-2']],
    [{ 'taskmanager.load-balance.mode': 'TASKS' }, ['tm-0', 'tm-1', 'tm-2', 'tm-2']],
  ])('%o', async (options, expected) => {
    expect(await sizes(options)).toEqual(expected)
  })

  it.each([
    // Two sources are in the first two slots.
    ['SLOTS', [4, 2]],
    ['TASKS', [3, 3]],
  ])('tasks of vertices that differ, by %s', async (mode, expected) => {
    const cluster = clusterOf()
    const taskManagers = ['tm-1', 'tm-2'].map((name) => cluster.addTaskManager(name, 2))
    await cluster.settle()
    await cluster.submit(4, { 'taskmanager.load-balance.mode': mode }, 2)
    const tasks = taskManagers.map(({ slots }) =>
      slots.reduce((sum, { deployment }) => sum + deployment.subtasks.length, 0),
    )
    expect(tasks).toEqual(expected)
  })
})
