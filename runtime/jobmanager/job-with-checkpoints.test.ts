/** A job and its checkpoints, from the messages of its slots and program to theirs. */
import { describe, expect, it } from 'vitest'
import { FakeCheckpointStore } from '../checkpoint/coordinator/coordinator.suite.ts'
import type { CheckpointMetadata } from '../checkpoint/model.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { beginJob, type FakeJobOptions, tick } from './fake-job.suite.ts'
import { type FakeSlot, twoVertexPlan } from './fake-slots.suite.ts'
import type { JobStorage } from './job-checkpoints.ts'

const boom = errorToData(new TailraceError('TR-TASK-001', 'boom'))
const CONFIG = {
  'execution.checkpointing.interval': '100',
  'restart-strategy.type': 'fixed-delay',
  'restart-strategy.fixed-delay.attempts': '9',
  'restart-strategy.fixed-delay.delay': '500',
}
const STATS = { startDelayMs: 0, alignmentMs: 0, syncMs: 0, asyncMs: 0, bytesWritten: 1, bytes: 1 }

async function begin({ config = {}, ...more }: FakeJobOptions = {}, found?: CheckpointMetadata) {
  const store = new FakeCheckpointStore()
  const savepoints: string[] = []
  const disposed: string[] = []
  const marked: string[] = []
  const storage: JobStorage = {
    store,
    state: { directory: undefined, folder: 'd', epoch: 1 },
    readSavepoint: async (path) => {
      if (found === undefined) throw new TailraceError('TR-CHECKPOINT-003', `nothing at ${path}`)
      return { metadata: { ...found, kind: 'savepoint' }, path, committed: path.endsWith('committed') }
    },
    writeSavepoint: async ({ checkpointId }, directory) => {
      await store.answer()
      savepoints.push(`${directory}/${checkpointId}`)
      return { path: `${directory}/${checkpointId}`, metadataBytes: 1 }
    },
    checkDirectory: async (directory) => {
      if (directory === '/full') throw new TailraceError('TR-CHECKPOINT-005', 'the disk is full')
    },
    markCommitted: async (path) => void marked.push(path),
    disposeSavepoint: async (path) => void disposed.push(path),
  }
  const begun = beginJob({ config: { ...CONFIG, ...config }, openStorage: async () => storage, ...more })
  await tick()
  const { job, a, b, toProgram, time } = begun
  /** The program answers with states of its enumerators, and all tasks of the slots acknowledge. */
  const take = async (id: number, slots: readonly FakeSlot[] = [a, b], finished = false) => {
    enumerators(id)
    for (const slot of slots) ack(slot, id, finished)
    await tick()
  }
  const enumerators = (checkpointId: number) =>
    job.receive({
      type: 'enumeratorStates',
      jobId: 'j',
      checkpointId,
      states: { [begun.source]: { upTo: checkpointId } },
    })
  const ack = (slot: FakeSlot, checkpointId: number, finished = false) => {
    for (const { vertexId, subtask } of slot.deployment.subtasks) {
      const handle = { file: `f${checkpointId}`, offset: 0, length: 1 }
      const lists = [{ name: 's', mode: 'split' as const, handle, offsets: [0] }]
      const snapshot = { finished, operators: [{ operatorId: vertexId, lists }] }
      slot.say({ type: 'checkpointAck', vertexId, subtask, checkpointId, snapshot, stats: STATS })
    }
  }
  const about = (slot: FakeSlot) =>
    slot.posted.flatMap((m) =>
      m.type === 'triggerCheckpoint'
        ? [`trigger ${m.subtask} ${m.barrier.checkpointId}`]
        : m.type === 'checkpointComplete' || m.type === 'checkpointAborted'
          ? [`${m.type.slice(10).toLowerCase()} ${m.checkpointId}`]
          : [],
    )
  const asked = () => toProgram.flatMap((m) => (m.type === 'snapshotEnumerators' ? [m.checkpointId] : []))
  return { ...begun, about, ack, asked, disposed, enumerators, marked, savepoints, store, take, time }
}

describe('a job with checkpoints', () => {
  it.each([
    [
      'begins anew when its program takes the values: those of an earlier run are gone with it',
      'collect',
      ['RUNNING', 1],
    ],
    ['goes on when nobody takes its values', 'map', ['RUNNING', 0]],
    ['goes on when no leader before has begun it', 'of no earlier leader', ['RUNNING', 0]],
    ['is refused when another sink has results of an earlier run', 'beside a sink', ['FAILED', 0]],
  ])('%s', async (_, what, [status, discarded]) => {
    const plan = twoVertexPlan(2)
    plan.config.options = CONFIG
    const last = plan.vertices.at(-1)!.operators
    const collector = { ...last[0]!, module: what === 'map' ? 'map' : 'collect', isSink: what !== 'map' }
    plan.vertices.at(-1)!.operators = [
      collector,
      ...(what === 'beside a sink' ? [{ ...last[0]!, module: 'sink', isSink: true, name: 'Files' }] : []),
    ]
    const opened: FakeCheckpointStore[] = []
    const { job, ends, a } = beginJob({
      plan,
      isRunAgain: what !== 'of no earlier leader',
      openStorage: async () => {
        const store = new FakeCheckpointStore()
        if (opened.length === 0)
          await store.complete({ checkpointId: 7, edgeTypes: {}, operators: [] } as unknown as CheckpointMetadata)
        opened.push(store)
        return { store, state: { directory: undefined, folder: 'd', epoch: 1 } } as unknown as JobStorage
      },
    })
    await tick()
    expect([job.status, opened[0]!.discardedAll]).toEqual([status, discarded])
    if (what === 'collect') expect([opened.length, opened[0]!.closed, a.deployment.restore]).toEqual([2, 1, undefined])
    if (what === 'beside a sink')
      expect([ends[0]?.error?.code, ends[0]?.error?.message]).toEqual([
        'TR-HA-005',
        expect.stringContaining('"Files" has results'),
      ])
  })

  it('opens its store before anything is deployed', async () => {
    const opened = Promise.withResolvers<JobStorage>()
    const { a, job, statuses } = beginJob({ config: CONFIG, openStorage: () => opened.promise })
    expect([job.status, a.heard, job.store]).toEqual(['INITIALIZING', [], undefined])
    const store = new FakeCheckpointStore()
    opened.resolve({ store } as unknown as JobStorage)
    await tick()
    expect([job.status, a.heard, job.store, statuses()]).toEqual(['RUNNING', ['deploy'], store, ['CREATED', 'RUNNING']])
    expect(a.deployment).toMatchObject({ checkpointing: { exactlyOnce: true }, restore: undefined })
  })

  it('fails when the store cannot be opened, without a restart', async () => {
    const error = new TailraceError('TR-CHECKPOINT-005', 'no bucket')
    const { ends, job } = beginJob({ config: CONFIG, openStorage: () => Promise.reject(error) })
    await tick()
    expect([job.status, ends[0]?.error?.message]).toEqual(['FAILED', 'no bucket'])
  })

  it('can be cancelled while its store is being opened', async () => {
    const opened = Promise.withResolvers<JobStorage>()
    const { a, ends, job } = beginJob({ config: CONFIG, openStorage: () => opened.promise })
    job.cancel()
    await tick()
    expect(ends).toMatchObject([{ status: 'CANCELED' }])
    const store = new FakeCheckpointStore()
    opened.resolve({ store } as unknown as JobStorage)
    await tick()
    expect([store.closed, job.status, a.heard.includes('deploy')]).toEqual([1, 'CANCELED', false])
  })

  it('takes them through program, slots and store', async () => {
    const { a, about, asked, b, enumerators, ack, job, run, source, store, time, toProgram } = await begin()
    run()
    time.advance(100)
    expect([asked(), about(a)]).toEqual([[1], []])
    // An assignment that the enumerator made before is in the slot before the trigger.
    job.receive({ type: 'assignSplits', jobId: 'j', vertexId: source, subtask: 0, splits: [{ id: 's' }] })
    enumerators(1)
    expect(a.heard.slice(-2)).toEqual(['splits', 'triggerCheckpoint'])
    expect([about(a), about(b)]).toEqual([['trigger 0 1'], ['trigger 1 1']])
    ack(a, 1)
    ack(b, 1)
    await tick()
    expect([about(a).at(-1), about(b).at(-1), toProgram.at(-1)]).toEqual([
      'complete 1',
      'complete 1',
      { type: 'checkpointComplete', jobId: 'j', checkpointId: 1 },
    ])
    const { metadata } = store.completed[0]!
    expect(metadata.operators.find((o) => o.operatorId === source)!.coordinator).toEqual({ upTo: 1 })
    expect(job.view().checkpoints).toMatchObject({ lastCompletedCheckpointId: 1, numberOfCompletedCheckpoints: 1 })
    expect(job.checkpoints().history.map((c) => c.id)).toEqual([1])
  })

  it('restarts from the newest one, by exponential delay unless it is told another', async () => {
    const { a, b, job, run, sink, source, spawned, take, time, toProgram } = await begin()
    run()
    time.advance(100)
    await take(1)
    time.advance(100)
    await take(2)
    a.say({ type: 'taskState', vertexId: sink, subtask: 0, state: 'FAILED', error: boom })
    a.say({ type: 'taskState', vertexId: source, subtask: 0, state: 'CANCELED' })
    b.all('CANCELED')
    await tick()
    time.advance(500)
    const reset = toProgram.findLast((m) => m.type === 'resetEnumerators')
    expect(reset).toMatchObject({ attempt: 1, states: { [source]: { upTo: 2 } } })
    const second = spawned[2]!
    const { restore } = second.deployment
    expect([restore!.checkpointId, Object.keys(restore!.state[sink]!), restore!.finished]).toEqual([2, ['0'], []])
    expect(restore!.state[sink]![0]!.operators[0]!.lists[0]!.parts[0]!.handle).toMatchObject({ file: 'f2' })
    run(second, b)
    time.advance(100)
    await take(3, [second, b])
    expect(job.view()).toMatchObject({ numRestarts: 1, checkpoints: { lastCompletedCheckpointId: 3 } })
    const plain = await begin({ config: { 'restart-strategy.type': '' } })
    expect(plain.job.view().restartStrategy).toContain('Restarts after 1 s, then 1.5 times as long')
  })

  it('waits with a restart for what its store is completing', async () => {
    const { a, ack, b, enumerators, job, run, store, time } = await begin()
    run()
    time.advance(100)
    enumerators(1)
    store.hold()
    ack(a, 1)
    ack(b, 1)
    job.fail(boom)
    for (const slot of [a, b]) slot.all('CANCELED')
    await tick()
    time.advance(5000)
    expect(job.status).toBe('RESTARTING')
    store.release()
    await tick()
    time.advance(0)
    expect([job.status, a.deployment.restore!.checkpointId]).toEqual(['RUNNING', 1])
  })

  it('passes over what slots of an earlier attempt say, but deletes their bytes', async () => {
    const { a, ack, about, asked, b, enumerators, job, run, sink, spawned, store, time } = await begin()
    run()
    time.advance(100)
    enumerators(1)
    job.fail(boom)
    a.all('CANCELED')
    time.advance(20)
    await tick()
    ack(a, 1)
    time.advance(500)
    const second = spawned[2]!
    run(a, second)
    // Slot b was given up, and comes to itself.
    b.say({ type: 'dataEnded', vertexId: sink, subtask: 1 })
    ack(b, 1)
    expect(store.discarded).toEqual(['1:f1', '1:f1', '1:f1', '1:f1'])
    for (const [subtask, vertexId] of [
      [0, sink],
      [0, job.plan.vertices[0]!.id],
      [1, job.plan.vertices[0]!.id],
    ] as const)
      (subtask === 0 ? a : second).say({ type: 'dataEnded', vertexId, subtask })
    expect([asked(), about(second)]).toEqual([[1], []])
  })

  it('ends with the last checkpoint, and deletes what nobody wants', async () => {
    const { a, b, ends, job, run, store, take } = await begin()
    run()
    for (const slot of [a, b])
      for (const { vertexId, subtask } of slot.deployment.subtasks) slot.say({ type: 'dataEnded', vertexId, subtask })
    await take(1, [a, b], true)
    const barrier = a.posted.find((m) => m.type === 'triggerCheckpoint')!.barrier
    expect(barrier.then).toBe('end')
    for (const slot of [a, b]) slot.all('FINISHED')
    expect([job.status, ends]).toEqual(['FINISHED', []])
    await tick()
    expect([ends.map((e) => e.status), store.discardedAll, store.closed]).toEqual([['FINISHED'], 1, 1])
  })

  it.each([
    ['cancel', {}, 1],
    ['cancel', { 'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION' }, 0],
    ['fail', { 'restart-strategy.type': 'none' }, 1],
    [
      'fail',
      {
        'restart-strategy.type': 'none',
        'execution.checkpointing.externalized-checkpoint-retention': 'DELETE_ON_CANCELLATION',
      },
      0,
    ],
  ])('keeps or deletes them when it ends otherwise: %s with %j', async (how, config, deleted) => {
    const { a, b, ends, job, run, store, take, time } = await begin({ config })
    run()
    time.advance(100)
    await take(1)
    if (how === 'cancel') job.cancel()
    else job.fail(boom)
    for (const slot of [a, b]) slot.all('CANCELED')
    await tick()
    expect([ends.length, store.discardedAll, store.closed]).toEqual([1, deleted, 1])
    expect(job.checkpoint(1)!.discarded).toBe(deleted === 1)
  })

  it('keeps them when it is the cluster that ends', async () => {
    const { a, b, ends, job, run, store, take, time } = await begin()
    run()
    time.advance(100)
    await take(1)
    job.cancel({ keepCheckpoints: true })
    job.cancel()
    for (const slot of [a, b]) slot.all('CANCELED')
    await tick()
    expect([ends[0]!.status, store.discardedAll, store.closed]).toEqual(['CANCELED', 0, 1])
  })

  it('fails when deploying shows a setting that cannot be used', async () => {
    const { ends } = await begin({ config: { 'tailrace.exchange.buffers-per-slot': 'many' } })
    await tick()
    expect(ends).toMatchObject([{ status: 'FAILED', error: { code: 'TR-CONFIG-001' } }])
  })

  it('ends at once when another owner has taken over, touching nothing', async () => {
    const { a, about, b, ends, job, run, store, take, time } = await begin()
    run()
    time.advance(100)
    store.refuse(new TailraceError('TR-CHECKPOINT-002', 'epoch 5 has taken over'))
    await take(1)
    expect([job.status, about(a), a.heard.at(-1)]).toEqual(['FAILING', ['trigger 0 1'], 'cancel'])
    for (const slot of [a, b]) slot.all('CANCELED')
    await tick()
    expect([ends[0]!.error!.code, store.discardedAll, store.discarded]).toEqual(['TR-CHECKPOINT-002', 0, []])
  })

  it('fails the attempt after too many failed checkpoints', async () => {
    const { a, b, enumerators, job, run, sink, time } = await begin()
    run()
    time.advance(100)
    enumerators(1)
    b.say({ type: 'checkpointDeclined', vertexId: sink, subtask: 1, checkpointId: 1, error: boom })
    expect([job.status, a.heard.at(-1)]).toEqual(['RESTARTING', 'cancel'])
    const { name } = job.plan.vertices[1]!
    expect(job.view().exceptions[0]!.error.message).toContain(`task "${name}" (2/2) could not take its part: boom`)
  })

  it('does not hang at its end when its store does', async () => {
    const { a, b, ends, job, run, store, time, warnings } = await begin()
    run()
    store.close = () => new Promise(() => {})
    job.cancel()
    for (const slot of [a, b]) slot.all('CANCELED')
    await tick()
    expect(ends).toEqual([])
    time.advance(30_000)
    await tick()
    expect([ends.length, warnings[0]]).toEqual([
      1,
      'Cannot clean up the checkpoints of the job "numbers": the store does not answer',
    ])
  })

  it('is refused where nothing can be stored', () => {
    const text = 'Cannot take checkpoints of the job "numbers": this cluster has no place to store them'
    expect(() => beginJob({ config: CONFIG })).toThrow(
      expect.objectContaining({ code: 'TR-CHECKPOINT-005', message: text }),
    )
    expect(() => beginJob({ config: { 'execution.checkpointing.interval': '1' } })).toThrow(
      expect.objectContaining({ code: 'TR-CHECKPOINT-006' }),
    )
  })
})

describe('a job that begins from a savepoint', () => {
  async function stored(): Promise<CheckpointMetadata> {
    const first = await begin()
    first.run()
    first.time.advance(100)
    await first.take(1)
    return first.store.completed[0]!.metadata
  }
  const FROM = { 'execution.state-recovery.path': '/sp/1' }

  it('goes on from it, with ids above its own', async () => {
    const metadata = await stored()
    const { a, asked, job, run, source, time, toProgram } = await begin(
      { config: FROM },
      { ...metadata, checkpointId: 41 },
    )
    expect(a.deployment.restore).toMatchObject({ checkpointId: 41 })
    expect(toProgram.find((m) => m.type === 'resetEnumerators')).toMatchObject({ states: { [source]: { upTo: 1 } } })
    run()
    time.advance(100)
    expect([asked(), job.checkpoints().latest.restored]).toMatchObject([[42], { id: 41, isSavepoint: true }])
  })

  it('tells its sinks when the transactions of the savepoint were committed', async () => {
    const metadata = await stored()
    for (const path of ['/sp/committed', '/sp/open']) {
      const { a } = await begin({ config: { 'execution.state-recovery.path': path } }, metadata)
      expect(a.deployment.restore!.committed).toBe(path === '/sp/committed' ? true : undefined)
    }
  })

  it('prefers what is in its own store, which is newer', async () => {
    const metadata = await stored()
    const store = new FakeCheckpointStore()
    store.completed.push({ metadata: { ...metadata, checkpointId: 7 }, path: '/chk-7', metadataBytes: 1 })
    const storage = { store, readSavepoint: () => Promise.reject(new Error('not asked')) } as unknown as JobStorage
    const { a, job } = beginJob({ config: { ...CONFIG, ...FROM }, openStorage: async () => storage })
    await tick()
    expect([a.deployment.restore!.checkpointId, job.checkpoints().latest.restored!.isSavepoint]).toEqual([7, false])
  })

  it('fails rather than begin with less: it is not there, or it does not fit', async () => {
    const absent = await begin({ config: FROM })
    await tick()
    expect(absent.ends).toMatchObject([{ status: 'FAILED', error: { code: 'TR-CHECKPOINT-003' } }])
    const metadata = await stored()
    const operators = metadata.operators.map((o, i) => ({ ...o, operatorId: `${i}`, name: 'gone' }))
    const unfit = await begin({ config: FROM }, { ...metadata, operators })
    await tick()
    expect(unfit.ends).toMatchObject([{ status: 'FAILED', error: { code: 'TR-CHECKPOINT-004' } }])
    expect([unfit.a.heard.includes('deploy'), unfit.store.discardedAll]).toEqual([false, 0])
    const allowed = { ...FROM, 'execution.state-recovery.ignore-unclaimed-state': 'true' }
    const left = await begin({ config: allowed }, { ...metadata, operators })
    expect([left.job.status, left.warnings[0]]).toEqual(['RUNNING', expect.stringContaining('"gone"')])
  })

  it('deletes it when it has claimed it and has enough of its own', async () => {
    const metadata = await stored()
    for (const [mode, retained, expected] of [
      ['NO_CLAIM', '1', [[], [], []]],
      ['CLAIM', '1', [['/sp/1'], ['/sp/1'], ['/sp/1']]],
      ['CLAIM', '2', [[], ['/sp/1'], ['/sp/1']]],
    ] as const) {
      const config = {
        ...FROM,
        'execution.state-recovery.claim-mode': mode,
        'execution.checkpointing.num-retained': retained,
      }
      const { disposed, run, take, time } = await begin({ config }, metadata)
      run()
      const seen: string[][] = []
      for (let id = 2; id <= 4; id++) {
        time.advance(100)
        await take(id)
        seen.push([...disposed])
      }
      expect(seen).toEqual(expected)
    }
  })
})

describe('savepoints of a job', () => {
  it('go where the request says, or the configuration', async () => {
    const { a, b, job, run, savepoints, take } = await begin({ config: { 'state.savepoints.dir': '/default' } })
    run()
    const asked = [job.takeSavepoint('/here'), job.takeSavepoint(undefined)]
    await tick()
    await take(1)
    await take(2)
    expect([await Promise.all(asked), savepoints]).toEqual([
      [
        { checkpointId: 1, path: '/here/1' },
        { checkpointId: 2, path: '/default/2' },
      ],
      ['/here/1', '/default/2'],
    ])
    expect(a.heard).not.toContain('checkpointComplete')
    expect([job.status, b.heard.at(-1)]).toEqual(['RUNNING', 'triggerCheckpoint'])
  })

  it('need a place, and a job that runs', async () => {
    const { job, run } = await begin()
    await expect(job.takeSavepoint('/sp')).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-001',
      message: expect.stringContaining('0 of its 4 tasks run'),
    })
    run()
    await expect(job.takeSavepoint(undefined)).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-006',
      message: expect.stringContaining('execution.checkpointing.savepoint-dir'),
    })
    await expect(beginJob().job.takeSavepoint('/sp')).rejects.toMatchObject({
      message: expect.stringContaining('this cluster has no place to store it'),
    })
  })

  it('may cancel the job once they are there', async () => {
    const { job, run, take } = await begin()
    run()
    const asked = job.takeSavepoint('/sp', { cancel: true })
    await tick()
    await take(1)
    await asked
    expect(job.status).toBe('CANCELLING')
  })

  it('stop the job, which is FINISHED', async () => {
    const { a, b, ends, job, marked, run, take } = await begin()
    run()
    const stopped = job.stopWithSavepoint('/sp', false)
    await tick()
    await take(1)
    expect(a.heard.at(-1)).toBe('checkpointComplete')
    for (const slot of [a, b]) slot.all('FINISHED')
    expect(await stopped).toEqual({ checkpointId: 1, path: '/sp/1' })
    await tick()
    expect([ends, marked]).toMatchObject([[{ status: 'FINISHED' }], ['/sp/1']])
  })

  it('that could not be written leave the job as it is', async () => {
    const { a, b, ends, job, run } = await begin()
    run()
    const heard = [[...a.heard], [...b.heard]]
    const refused = { code: 'TR-CHECKPOINT-005' }
    await expect(job.stopWithSavepoint('/full', false)).rejects.toMatchObject(refused)
    await expect(job.stopWithSavepoint('/full', true)).rejects.toMatchObject(refused)
    await expect(job.takeSavepoint('/full', { cancel: true })).rejects.toMatchObject(refused)
    await tick()
    expect([job.status, ends, a.heard, b.heard]).toEqual(['RUNNING', [], ...heard])
  })

  it('drain the job first', async () => {
    const { a, b, job, run, take } = await begin()
    run()
    const stopped = job.stopWithSavepoint('/sp', true)
    await tick()
    expect([a.heard.at(-1), b.heard.at(-1)]).toEqual(['drain', 'drain'])
    for (const slot of [a, b])
      for (const { vertexId, subtask } of slot.deployment.subtasks) slot.say({ type: 'dataEnded', vertexId, subtask })
    await take(1, [a, b], true)
    for (const slot of [a, b]) slot.all('FINISHED')
    expect((await stopped).path).toBe('/sp/1')
  })

  it('drain a job without checkpoints, which ends when its savepoint is there', async () => {
    const { a, b, ends, enumerators, job, run } = await begin({ config: { 'execution.checkpointing.interval': '' } })
    expect(a.deployment.checkpointing).toBeUndefined()
    run()
    const stopped = job.stopWithSavepoint('/sp', true)
    await tick()
    for (const slot of [a, b]) slot.all('FINISHED')
    await tick()
    expect([job.status, ends]).toEqual(['RUNNING', []])
    enumerators(1)
    await tick()
    expect([(await stopped).path, job.status, ends.length]).toEqual(['/sp/1', 'FINISHED', 1])
  })

  it('that were to stop the job are named when it fails instead, and it goes on from them', async () => {
    const { a, b, job, run, sink, source, spawned, take, time } = await begin()
    run()
    const stopped = job.stopWithSavepoint('/sp', false)
    const rejected = expect(stopped).rejects.toMatchObject({ message: expect.stringContaining('taken at "/sp/1"') })
    await tick()
    await take(1)
    a.say({ type: 'taskState', vertexId: sink, subtask: 0, state: 'FAILED', error: boom })
    await rejected
    a.say({ type: 'taskState', vertexId: source, subtask: 0, state: 'CANCELED' })
    b.all('CANCELED')
    await tick()
    time.advance(500)
    expect(spawned[2]!.deployment.restore).toMatchObject({ checkpointId: 1 })
    expect(job.view().exceptions[0]!.concurrent[0]!.error.message).toContain('savepoint 1 was taken at "/sp/1"')
  })
})
