/**
 * Two-phase sinks, as the operator runs them. What Flink's SinkV2ITCase, SinkV2SinkWriterOperatorTest and SinkV2CommitterOperatorTest say of two-phase
 * commit, order, restore, the end of the input and another parallelism is derived anew here. Writers without committers: outputs.test.ts.
 */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { CommitRequest, Sink, SinkContext, SinkWriter } from '../core/sink.ts'
import { type FakeContextOptions, openOperator } from '../testing/operator-context.ts'
import {
  barrier,
  beginSnapshot,
  listsOf,
  restoredFrom,
  type TakenSnapshot,
  takeSnapshot,
} from '../testing/snapshots.ts'
import { COMMITTABLES } from './commits.ts'
import { type CommitterSettings, committerSettings } from './committer-settings.ts'
import { Ledger, type Transaction } from './ledger.suite.ts'
import { Operator, WRITER_STATE } from './sink.ts'

const SETTINGS: CommitterSettings = { retries: 2, retryIntervalMs: 1000, allowLost: false }

async function open(ledger: Ledger, options: FakeContextOptions = {}, settings: Partial<CommitterSettings> = {}) {
  const operator = new Operator({ sink: ledger.sink(), committer: { ...SETTINGS, ...settings } })
  return openOperator(operator, { checkpointing: true, operatorName: 'ledger', ...options })
}
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
const commits = (ledger: Ledger) => ledger.calls.filter((call) => call.startsWith('commit'))
const write = (operator: Operator, ...values: string[]) => {
  for (const value of values) operator.process(value, 0)
}
const counted = (context: { runtime: { metrics: { counter(name: string): { value(): number } } } }) =>
  ['total', 'successful', 'alreadyCommitted', 'retried', 'failed', 'pending'].map((name) =>
    context.runtime.metrics.counter(`${name}Committables`).value(),
  )

describe('a sink whose task ends while it opens', () => {
  const restored = async () => {
    const { operator } = await open(new Ledger())
    write(operator, 'a')
    return { restored: restoredFrom([await takeSnapshot(operator, barrier(1))], 0, 1) }
  }
  /** Ledger's sink, which is told when it may go on. */
  const held = (ledger: Ledger) => {
    const told: boolean[] = []
    let goOn!: () => void
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const sink = ledger.sink()
    const wait = async (context: SinkContext) => {
      context.closing.addEventListener('abort', () => told.push(context.closing.aborted))
      await gate
    }
    const operator = new Operator({
      sink: {
        ...sink,
        createWriter: (context) => wait(context).then(() => sink.createWriter(context)),
        restoreWriter: (context, states) => wait(context).then(() => sink.restoreWriter!(context, states)),
      },
      committer: SETTINGS,
    })
    return { operator, told, goOn }
  }

  it.each([
    ['begins', async () => ({}), ['create', 'close']],
    ['goes on', restored, ['commit 1: a', 'close commit', 'restore 1', 'close']],
  ])('is told, and its writer is closed as soon as it is there, where a job %s', async (_, from, calls) => {
    const ledger = new Ledger()
    const { operator, told, goOn } = held(ledger)
    const opening = openOperator(operator, { checkpointing: true, operatorName: 'ledger', ...(await from()) })
    await settle()
    await operator.close()
    expect(told).toEqual([true])
    goOn()
    await expect(opening).rejects.toThrow('"ledger" was closed while it opened')
    expect(ledger.calls).toEqual(calls)
  })

  it('commits nothing of the checkpoint any more', async () => {
    const ledger = new Ledger()
    const operator = new Operator({ sink: ledger.sink(), committer: SETTINGS })
    const opening = openOperator(operator, { checkpointing: true, ...(await restored()) })
    await operator.close()
    await expect(opening).rejects.toThrow('was closed while it opened')
    expect(ledger.calls).toEqual([])
  })
})

describe('a two-phase sink', () => {
  // w: a record, b: a barrier, s: a savepoint, c: complete, x: aborted.
  const orders: [events: string, committed: string[]][] = [
    ['wa b1', []],
    ['wa b1 c1', ['commit 1: a']],
    ['wa b1 c1 c1', ['commit 1: a']],
    ['wa wb b1 wc c1', ['commit 1: a b']],
    ['wa b1 wb b2 c1', ['commit 1: a']],
    ['wa b1 wb b2 c2', ['commit 1: a', 'commit 2: b']],
    ['wa b1 wb b2 c2 c1', ['commit 1: a', 'commit 2: b']],
    ['wa b1 wb b2 c1 c2', ['commit 1: a', 'commit 2: b']],
    ['wa b1 x1 wb b2 c2', ['commit 1: a', 'commit 2: b']],
    ['wa b1 x1 b2 c2', ['commit 1: a']],
    ['wa s1 wb b2 c2', ['commit 1: a', 'commit 2: b']],
    ['b1 c1 wa b2 b3 c3', ['commit 2: a']],
    ['wa b7 wb b9 c8', ['commit 7: a']],
    ['wa b7 wb b9 c8 c9', ['commit 7: a', 'commit 9: b']],
  ]
  test.each(orders)('commits in the order of checkpoints: %s', async (events, committed) => {
    const ledger = new Ledger()
    const { operator, context } = await open(ledger)
    for (const event of events.split(' ')) {
      const id = Number(event.slice(1))
      if (event[0] === 'w') write(operator, event.slice(1))
      else if (event[0] === 'b') await takeSnapshot(operator, barrier(id))
      else if (event[0] === 's') await takeSnapshot(operator, barrier(id, { kind: 'savepoint' }))
      else if (event[0] === 'c') await operator.notifyCheckpointComplete(id)
      else operator.notifyCheckpointAborted(id)
    }
    expect(commits(ledger)).toEqual(committed)
    expect(context.failures).toEqual([])
    await operator.close()
    expect(ledger.calls.slice(-2)).toEqual(['close commit', 'close'])
  })

  it('keeps in every snapshot what is not committed, with its checkpoint, and the state of the writer', async () => {
    const ledger = new Ledger()
    const { operator } = await open(ledger)
    write(operator, 'a')
    await takeSnapshot(operator, barrier(1))
    operator.notifyCheckpointAborted(1)
    write(operator, 'b', 'c')
    expect(listsOf(await takeSnapshot(operator, barrier(2)))).toEqual({
      [COMMITTABLES]: [
        { checkpointId: 1, committable: { id: 't1', values: ['a'] } },
        { checkpointId: 2, committable: { id: 't2', values: ['b', 'c'] } },
      ],
      [WRITER_STATE]: [3],
    })
    ledger.hold = true
    const third = takeSnapshot(operator, barrier(3))
    ledger.release()
    expect(listsOf(await third)[COMMITTABLES]).toHaveLength(2)
    ledger.hold = false
    await operator.notifyCheckpointComplete(3)
    expect(listsOf(await takeSnapshot(operator, barrier(4)))).toEqual({ [COMMITTABLES]: [], [WRITER_STATE]: [3] })
  })

  it('does not wait at the barrier: records go on, the acknowledgement waits', async () => {
    const ledger = new Ledger()
    ledger.hold = true
    const { operator } = await open(ledger)
    write(operator, 'a')
    const first = beginSnapshot(operator, barrier(1))
    write(operator, 'b')
    const second = beginSnapshot(operator, barrier(2))
    ledger.hold = false
    write(operator, 'c')
    const third = beginSnapshot(operator, barrier(3))
    let acknowledged = 0
    const ends = [first, second, third].map((taking) =>
      taking.end().then((taken) => {
        acknowledged++
        return listsOf(taken)
      }),
    )
    await settle()
    expect(acknowledged).toBe(0)
    ledger.release()
    await settle()
    expect(acknowledged).toBe(1)
    ledger.release()
    const taken = await Promise.all(ends)
    const valuesIn = (lists: Record<string, unknown[]>) =>
      (lists[COMMITTABLES] as { committable: Transaction }[]).flatMap((prepared) => prepared.committable.values)
    expect(taken.map((lists) => [valuesIn(lists).join(''), lists[WRITER_STATE]])).toEqual([
      ['a', [1]],
      ['ab', [2]],
      ['abc', [3]],
    ])
    await operator.notifyCheckpointComplete(3)
    expect(commits(ledger)).toEqual(['commit 1: a', 'commit 2: b', 'commit 3: c'])
  })

  it('fails the task when the writer cannot prepare, since what it held would be lost', async () => {
    const ledger = new Ledger()
    ledger.hold = true
    const { operator, context } = await open(ledger)
    write(operator, 'a')
    const taken = takeSnapshot(operator, barrier(1))
    ledger.release(new Error('broker gone'))
    const refusal = { code: 'TR-SINK-001', message: 'Cannot write what "ledger" holds: broker gone' }
    await expect(taken).rejects.toMatchObject(refusal)
    expect(context.failures).toEqual([expect.objectContaining(refusal)])
  })

  it('counts what was asked for, was there, is pending and was done', async () => {
    const ledger = new Ledger()
    const { operator, context } = await open(ledger)
    write(operator, 'a')
    const first = await takeSnapshot(operator, barrier(1))
    expect(counted(context)).toEqual([1, 0, 0, 0, 0, 1])
    await operator.notifyCheckpointComplete(1)
    expect(counted(context)).toEqual([1, 1, 0, 0, 0, 0])
    const second = await open(ledger, { restored: restoredFrom([first], 0, 1) })
    expect(counted(second.context)).toEqual([1, 0, 1, 0, 0, 0])
    expect(ledger.visible).toEqual(['a'])
  })
})

describe('a committer that', () => {
  it('asks to retry later is asked after the interval, and newer checkpoints wait behind', async () => {
    const ledger = new Ledger()
    ledger.answer = (request) => {
      if (request.committable.id !== 't1' || request.retries === 2) return false
      request.retryLater()
      return true
    }
    const { operator, context } = await open(ledger)
    write(operator, 'a')
    await takeSnapshot(operator, barrier(1))
    write(operator, 'b')
    await takeSnapshot(operator, barrier(2))
    const done = operator.notifyCheckpointComplete(2)
    await settle()
    expect([commits(ledger), context.timers]).toEqual([['commit 1: a'], [1000]])
    expect(context.wakes).toBeGreaterThan(0)
    context.advance(999)
    await settle()
    expect(commits(ledger)).toHaveLength(1)
    context.advance(1)
    await settle()
    expect([commits(ledger), context.timers]).toEqual([['commit 1: a', 'commit 1: a'], [2000]])
    context.advance(1000)
    await done
    expect(commits(ledger).slice(2)).toEqual(['commit 1: a', 'commit 2: b'])
    expect(ledger.visible).toEqual(['a', 'b'])
    expect(counted(context)).toEqual([2, 2, 0, 2, 0, 0])
  })

  it('asks once more than sink.committer.retries fails the job with its last reason', async () => {
    const ledger = new Ledger()
    let asked = 0
    ledger.answer = (request) => {
      request.retryLater(new Error(`no leader, ${++asked}`))
      return true
    }
    const { operator, context } = await open(ledger)
    write(operator, 'a')
    await takeSnapshot(operator, barrier(4))
    const done = operator.notifyCheckpointComplete(4)!
    const refused = expect(done).rejects.toMatchObject({
      code: 'TR-SINK-001',
      message: expect.stringMatching(
        /^Cannot commit what "ledger" has written up to checkpoint 4: it was asked for 3 times.*\(no leader, 3\).*sink\.committer\.retries is 2/,
      ),
    })
    for (let i = 0; i < 5; i++) {
      await settle()
      context.advance(1000)
    }
    await refused
    expect([asked, context.failures.length]).toEqual([3, 1])
    await expect(operator.notifyCheckpointComplete(5)).rejects.toMatchObject({ code: 'TR-SINK-001' })
  })

  it('retries some of a checkpoint is asked for these only', async () => {
    const asked: string[][] = []
    const sink: Sink<string> = {
      createWriter: () => ({
        write() {},
        flush() {},
        prepareCommit: () => ['x', 'y', 'z'],
        close() {},
      }),
      createCommitter: () => ({
        commit(requests) {
          asked.push(requests.map((request) => request.committable))
          for (const request of requests) if (request.committable !== 'x' && request.retries === 0) request.retryLater()
        },
      }),
    }
    const { operator, context } = await openOperator(new Operator({ sink }), { checkpointing: true })
    await takeSnapshot(operator, barrier(1))
    const done = operator.notifyCheckpointComplete(1)
    await settle()
    expect(listsOf(await takeSnapshot(operator, barrier(2)))[COMMITTABLES]).toMatchObject([
      { checkpointId: 1, committable: 'y' },
      { checkpointId: 1, committable: 'z' },
      { checkpointId: 2 },
      { checkpointId: 2 },
      { checkpointId: 2 },
    ])
    context.advance(1000)
    await done
    expect(asked).toEqual([
      ['x', 'y', 'z'],
      ['y', 'z'],
    ])
  })

  it('updates a committable gets the new one, and so do checkpoints', async () => {
    const ledger = new Ledger()
    ledger.answer = (request) => {
      if (request.retries > 0) return false
      request.updateAndRetryLater({ ...request.committable, values: ['a again'] })
      return true
    }
    const { operator, context } = await open(ledger)
    write(operator, 'a')
    await takeSnapshot(operator, barrier(1))
    const done = operator.notifyCheckpointComplete(1)
    await settle()
    expect(listsOf(await takeSnapshot(operator, barrier(2)))[COMMITTABLES]).toEqual([
      { checkpointId: 1, committable: { id: 't1', values: ['a again'] } },
    ])
    context.advance(1000)
    await done
    expect(ledger.visible).toEqual(['a again'])
  })

  it('knows that a committable is lost fails the job, and says how to go on without it', async () => {
    const ledger = new Ledger()
    ledger.answer = (request) => {
      request.failedWithKnownReason(new Error('the transaction has expired'))
      return true
    }
    const { operator, context } = await open(ledger)
    write(operator, 'a')
    await takeSnapshot(operator, barrier(1))
    const refusal = {
      code: 'TR-SINK-002',
      message:
        'Cannot commit what "ledger" has written up to checkpoint 1: the transaction has expired. To go on without it, set tailrace.allow-lost-transactions',
    }
    await expect(operator.notifyCheckpointComplete(1)).rejects.toMatchObject(refusal)
    expect(context.failures).toEqual([expect.objectContaining(refusal)])
    expect(counted(context)[4]).toBe(1)
  })

  it('knows that a committable is lost goes on without it when the job allows that, and says so', async () => {
    const ledger = new Ledger()
    ledger.answer = (request) => {
      if (request.committable.id !== 't1') return false
      request.failedWithKnownReason('fenced')
      return true
    }
    const { operator, context } = await open(ledger, {}, { allowLost: true })
    write(operator, 'a')
    await takeSnapshot(operator, barrier(1))
    write(operator, 'b')
    await takeSnapshot(operator, barrier(2))
    await operator.notifyCheckpointComplete(2)
    expect(ledger.visible).toEqual(['b'])
    expect(context.printed).toEqual([
      {
        stream: 'stderr',
        text: 'Lost what "ledger" has written up to checkpoint 1: fenced (tailrace.allow-lost-transactions is true)\n',
      },
    ])
    expect(counted(context)).toEqual([2, 1, 0, 0, 1, 0])
  })

  it('throws fails the job', async () => {
    const ledger = new Ledger()
    ledger.answer = () => {
      throw new Error('no route to host')
    }
    const { operator, context } = await open(ledger)
    write(operator, 'a')
    await takeSnapshot(operator, barrier(1))
    const refusal = { code: 'TR-SINK-001', message: 'Cannot commit what "ledger" has written: no route to host' }
    await expect(operator.notifyCheckpointComplete(1)).rejects.toMatchObject(refusal)
    expect(context.failures).toHaveLength(1)
  })

  it('signals after its call is told so', async () => {
    const ledger = new Ledger()
    let kept: CommitRequest<Transaction> | undefined
    ledger.answer = (request) => {
      kept = request
      return false
    }
    const { operator } = await open(ledger)
    write(operator, 'a')
    await takeSnapshot(operator, barrier(1))
    await operator.notifyCheckpointComplete(1)
    expect(() => kept!.retryLater()).toThrow(/Cannot signal a commit request/)
  })

  it('is slow is not called again meanwhile; closing waits for it, and for nothing else', async () => {
    const ledger = new Ledger()
    let end: () => void = () => {}
    ledger.slow = new Promise((resolve) => {
      end = resolve
    })
    const { operator } = await open(ledger)
    write(operator, 'a')
    await takeSnapshot(operator, barrier(1))
    void operator.notifyCheckpointComplete(1)
    write(operator, 'b')
    const second = await takeSnapshot(operator, barrier(2))
    void operator.notifyCheckpointComplete(2)
    await settle()
    expect(commits(ledger)).toEqual(['commit 1: a'])
    // It may or may not come to an end: it is in the next checkpoint, too.
    expect(listsOf(second)[COMMITTABLES]).toHaveLength(2)
    const closed = operator.close()
    await settle()
    expect(ledger.calls.at(-1)).toBe('commit 1: a')
    end()
    await closed
    expect(ledger.calls.slice(-3)).toEqual(['commit 1: a', 'close commit', 'close'])
  })
})

describe('a restored sink', () => {
  async function checkpoint(parallelism: number): Promise<{ ledger: Ledger; taken: TakenSnapshot[] }> {
    const ledger = new Ledger()
    const taken: TakenSnapshot[] = []
    for (let subtask = 0; subtask < parallelism; subtask++) {
      const { operator } = await open(ledger, { subtask, parallelism })
      write(operator, `a${subtask}`)
      await takeSnapshot(operator, barrier(1))
      write(operator, `b${subtask}`, `c${subtask}`)
      taken.push(await takeSnapshot(operator, barrier(2)))
    }
    ledger.calls.length = 0
    return { ledger, taken }
  }

  it('commits what the checkpoint holds before it makes the writer and takes a record', async () => {
    const { ledger, taken } = await checkpoint(1)
    const { operator } = await open(ledger, { restored: restoredFrom(taken, 0, 1) })
    expect(ledger.calls).toEqual(['commit 1: a0', 'commit 2: b0 c0', 'restore 3'])
    write(operator, 'd')
    const next = await takeSnapshot(operator, barrier(3))
    expect(listsOf(next)).toMatchObject({ [COMMITTABLES]: [{ checkpointId: 3 }], [WRITER_STATE]: [4] })
    await operator.notifyCheckpointComplete(3)
    expect(ledger.visible).toEqual(['a0', 'b0', 'c0', 'd'])
  })

  it('commits again what was committed, and no reader sees a difference', async () => {
    const { ledger, taken } = await checkpoint(1)
    for (let i = 0; i < 3; i++) await open(ledger, { restored: restoredFrom(taken, 0, 1) })
    expect(ledger.visible).toEqual(['a0', 'b0', 'c0'])
  })

  it.each([
    [1, 3],
    [2, 3],
    [3, 1],
    [3, 2],
  ])('deals out committables and state from parallelism %i to %i', async (from, to) => {
    const { ledger, taken } = await checkpoint(from)
    for (let subtask = 0; subtask < to; subtask++)
      await open(ledger, { subtask, parallelism: to, restored: restoredFrom(taken, subtask, to) })
    const all = Array.from({ length: from }, (_, i) => [`a${i}`, `b${i}`, `c${i}`]).flat()
    expect(ledger.visible.toSorted()).toEqual(all.toSorted())
    const states = ledger.calls.filter((call) => call.startsWith('restore')).flatMap((call) => call.slice(8).split(','))
    expect(states.filter((state) => state !== '')).toEqual(Array.from({ length: from }, () => '3'))
    expect(ledger.calls.filter((call) => call.startsWith('restore'))).toHaveLength(to)
  })

  it('takes records while a committer wants to be asked later, and commits nothing newer before', async () => {
    const { ledger, taken } = await checkpoint(1)
    ledger.answer = (request) => {
      if (request.committable.id !== 't1' || request.retries > 0) return false
      request.retryLater()
      return true
    }
    const { operator, context } = await open(ledger, { restored: restoredFrom(taken, 0, 1) })
    expect(ledger.calls).toEqual(['commit 1: a0', 'restore 3'])
    write(operator, 'd')
    const next = await takeSnapshot(operator, barrier(3))
    expect(listsOf(next)[COMMITTABLES]).toHaveLength(3)
    const done = operator.notifyCheckpointComplete(3)
    await settle()
    expect(commits(ledger)).toHaveLength(1)
    context.advance(1000)
    await done
    expect(ledger.visible).toEqual(['a0', 'b0', 'c0', 'd'])
  })

  it('does not commit again what a savepoint says is committed', async () => {
    const { ledger, taken } = await checkpoint(1)
    const { operator } = await open(ledger, { restored: restoredFrom(taken, 0, 1, { committed: true }) })
    expect(ledger.calls).toEqual(['restore 3'])
    expect(listsOf(await takeSnapshot(operator, barrier(3)))[COMMITTABLES]).toEqual([])
  })

  it('does not open when a commit fails', async () => {
    const { ledger, taken } = await checkpoint(1)
    ledger.answer = (request) => {
      request.failedWithKnownReason('fenced')
      return true
    }
    await expect(open(ledger, { restored: restoredFrom(taken, 0, 1) })).rejects.toMatchObject({ code: 'TR-SINK-002' })
    expect(ledger.calls).toEqual(['commit 1: a0'])
  })

  it('refuses state that the sink has no place for', async () => {
    const { taken } = await checkpoint(1)
    const restored = restoredFrom(taken, 0, 1)
    const writer: SinkWriter<string> = { write() {}, flush() {}, close() {} }
    const reopen = (sink: Sink<string>) =>
      openOperator(new Operator({ sink }), { restored, checkpointing: true, operatorName: 'orders' })
    await expect(reopen({ createWriter: () => writer })).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-004',
      message: 'Cannot go on with "orders" from checkpoint 2: it holds 2 committables, but the sink has no committer',
    })
    await expect(
      reopen({ createWriter: () => writer, createCommitter: () => ({ commit() {} }) }),
    ).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-004',
      message: expect.stringMatching(/holds state of 1 writers, but the sink has no restoreWriter/),
    })
    await expect(
      openOperator(new Operator({ sink: { createWriter: () => ({ ...writer, prepareCommit: () => [] }) } })),
    ).rejects.toThrow(/its writer prepares commits, but the sink has no committer/)
  })
})

describe('at the end of the input', () => {
  it('the last committables belong to the next checkpoint', async () => {
    const ledger = new Ledger()
    const { operator } = await open(ledger)
    write(operator, 'a')
    await takeSnapshot(operator, barrier(1))
    write(operator, 'b')
    await operator.finish()
    expect(commits(ledger)).toEqual([])
    const last = await takeSnapshot(operator, barrier(2, { then: 'end' }))
    expect(listsOf(last)[COMMITTABLES]).toMatchObject([{ checkpointId: 1 }, { checkpointId: 2 }])
    // The job may die before it hears of it: then a restore commits.
    const other = await open(ledger, { restored: restoredFrom([last], 0, 1) })
    expect(ledger.visible).toEqual(['a', 'b'])
    await operator.notifyCheckpointComplete(2)
    expect(ledger.visible).toEqual(['a', 'b'])
    await other.operator.close()
  })

  it.each([[false], [true]])('without checkpoints they are committed at once (promised late: %s)', async (late) => {
    const ledger = new Ledger()
    ledger.hold = late
    const { operator } = await open(ledger, { checkpointing: false })
    write(operator, 'a', 'b')
    const finished = operator.finish()
    await settle()
    if (late) ledger.release()
    await finished
    expect(ledger.calls).toEqual(['create', 'flush at the end', 'commit 1: a b'])
  })

  it('without checkpoints a committer may retry, and a failing one fails the task', async () => {
    const ledger = new Ledger()
    ledger.answer = (request) => {
      if (request.retries > 0) return false
      request.retryLater()
      return true
    }
    const { operator, context } = await open(ledger, { checkpointing: false })
    write(operator, 'a')
    const finished = operator.finish()
    await settle()
    context.advance(1000)
    await finished
    expect(ledger.visible).toEqual(['a'])
    ledger.answer = () => {
      throw new Error('gone')
    }
    const second = await open(ledger, { checkpointing: false })
    write(second.operator, 'b')
    await expect(second.operator.finish()).rejects.toMatchObject({ code: 'TR-SINK-001' })
  })

  it('a savepoint of a job without checkpoints holds what the end would have committed', async () => {
    const ledger = new Ledger()
    const { operator } = await open(ledger, { checkpointing: false })
    write(operator, 'a')
    const taken = await takeSnapshot(operator, barrier(1, { kind: 'savepoint' }))
    write(operator, 'b')
    await operator.finish()
    expect(commits(ledger)).toEqual(['commit 1: a', 'commit 2: b'])
    await open(ledger, { restored: restoredFrom([taken], 0, 1), checkpointing: false })
    expect(ledger.visible).toEqual(['a', 'b'])
  })
})

describe('a sink without a committer', () => {
  function plain() {
    const calls: string[] = []
    const ends: { resolve(): void; reject(error: unknown): void }[] = []
    const sink: Sink<string> = {
      createWriter: () => ({
        write: (value) => calls.push(`write ${value}`),
        flush(endOfInput) {
          calls.push(`flush ${endOfInput}`)
          return new Promise<void>((resolve, reject) => ends.push({ resolve, reject }))
        },
        close() {},
      }),
    }
    return { calls, ends, sink }
  }

  it('is flushed at a barrier, and the acknowledgement waits for it', async () => {
    const { calls, ends, sink } = plain()
    const { operator } = await openOperator(new Operator({ sink }), { checkpointing: true })
    write(operator, 'a')
    let acknowledged = false
    const taken = takeSnapshot(operator, barrier(1)).then((snapshot) => {
      acknowledged = true
      return snapshot
    })
    write(operator, 'b')
    await settle()
    expect([calls, acknowledged]).toEqual([['write a', 'flush false', 'write b'], false])
    ends[0]!.resolve()
    expect((await taken).state).toBeNull()
    await operator.notifyCheckpointComplete(1)
  })

  it('does not acknowledge what it could not flush', async () => {
    const { ends, sink } = plain()
    const { operator, context } = await openOperator(new Operator({ sink }), { checkpointing: true })
    write(operator, 'a')
    const taken = takeSnapshot(operator, barrier(1))
    ends[0]!.reject(new Error('reset by peer'))
    await expect(taken).rejects.toMatchObject({ code: 'TR-SINK-001' })
    expect(context.failures).toHaveLength(1)
  })
})

describe('committer settings', () => {
  it('come from configuration keys', () => {
    expect(committerSettings({})).toEqual({ retries: 10, retryIntervalMs: 1000, allowLost: false })
    expect(
      committerSettings({
        'sink.committer.retries': '0',
        'tailrace.sink.committer.retry-interval': '5 s',
        'tailrace.allow-lost-transactions': 'TRUE',
      }),
    ).toEqual({ retries: 0, retryIntervalMs: 5000, allowLost: true })
  })
  it.each([
    ['sink.committer.retries', '-1'],
    ['sink.committer.retries', 'many'],
    ['tailrace.sink.committer.retry-interval', '0'],
    ['tailrace.sink.committer.retry-interval', 'soon'],
    ['tailrace.allow-lost-transactions', 'maybe'],
  ])('refuse %s: %s', (key, text) => {
    expect(() => committerSettings({ [key]: text })).toThrow(
      expect.objectContaining({
        code: 'TR-CONFIG-001',
        message: expect.stringContaining(`Cannot use "${text}" for ${key}: `),
      }),
    )
  })
})

/** The source is a list of records; what a reader sees must be each of them once, whatever happens on the way. */
it('gives every record once through crashes, aborted checkpoints and retries (property)', async () => {
  const step = fc.constantFrom(
    'write',
    'write',
    'barrier',
    'barrier',
    'complete',
    'complete unheard',
    'crash',
    'abort',
    'release',
    'tick',
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60, size: 'max' }),
      fc.array(fc.nat(3), { minLength: 3, maxLength: 20 }),
      async (steps, moods) => {
        const ledger = new Ledger()
        let mood = 0
        ledger.answer = (request) => {
          if (moods[mood++ % Math.max(moods.length, 1)] !== 1 || request.retries >= 2) return false
          request.retryLater()
          return true
        }
        let last: { position: number; taken: TakenSnapshot } | undefined
        let opened = await open(ledger)
        let position = 0
        let id = 0
        let underWay: { id: number; position: number; taken: Promise<TakenSnapshot> }[] = []
        const complete = async ({ id: which, ...checkpoint }: (typeof underWay)[number], heard: boolean) => {
          underWay = underWay.filter((other) => other.id > which)
          while (ledger.held > 0) ledger.release()
          last = { position: checkpoint.position, taken: await checkpoint.taken }
          if (heard) void opened.operator.notifyCheckpointComplete(which)
        }
        for (const what of steps) {
          ledger.hold = moods[mood++ % Math.max(moods.length, 1)] > 1
          if (what === 'write') write(opened.operator, String(position++))
          else if (what === 'barrier') {
            const taken = takeSnapshot(opened.operator, barrier(++id))
            taken.catch(() => {})
            underWay.push({ id, position, taken })
          } else if (what.startsWith('complete') && underWay.length > 0)
            await complete(underWay.at(-1)!, what === 'complete')
          else if (what === 'abort' && underWay.length > 0)
            opened.operator.notifyCheckpointAborted(underWay.shift()!.id)
          else if (what === 'release' && ledger.held > 0) ledger.release()
          else if (what === 'tick') opened.context.advance(1000)
          else if (what === 'crash') {
            underWay = []
            ledger.forgetHeld()
            position = last?.position ?? 0
            const restored = last === undefined ? {} : { restored: restoredFrom([last.taken], 0, 1) }
            opened = await open(ledger, restored)
          }
          await settle()
          expect(opened.context.failures).toEqual([])
          // Nothing is visible that no completed checkpoint holds.
          expect(Math.max(-1, ...ledger.visible.map(Number))).toBeLessThan(last?.position ?? 0)
        }
        ledger.hold = false
        ledger.answer = () => false
        while (ledger.held > 0) ledger.release()
        await opened.operator.finish()
        const taken = takeSnapshot(opened.operator, barrier(++id, { then: 'end' }))
        await taken
        const done = opened.operator.notifyCheckpointComplete(id)
        await settle()
        opened.context.advance(1000)
        await done
        expect(ledger.visible).toEqual(Array.from({ length: position }, (_, i) => String(i)))
      },
    ),
    { numRuns: 500 },
  )
})
