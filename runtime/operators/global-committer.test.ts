/**
 * Sinks with a global committer: the operators of the writers, a channel from each, and the one operator that commits. What Flink's
 * GlobalCommitterOperatorTest and SinkV2ITCase say of it is derived anew here.
 */
import fc from 'fast-check'
import { pack, unpack } from 'msgpackr'
import { describe, expect, it, test } from 'vitest'
import { type CollectingReceiver, type FakeContext, openOperator } from '../testing/operator-context.ts'
import {
  barrier,
  beginSnapshot,
  listsOf,
  restoredFrom,
  type SnapshotUnderWay,
  type TakenSnapshot,
  takeSnapshot,
} from '../testing/snapshots.ts'
import { COMMITTABLES } from './commits.ts'
import type { CommitterSettings } from './committer-settings.ts'
import { ENDED, Operator as GlobalCommitter } from './global-committer.ts'
import { Ledger } from './ledger.suite.ts'
import { Operator as SinkOperator } from './sink.ts'

const SETTINGS: CommitterSettings = { retries: 2, retryIntervalMs: 1000, allowLost: false }
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

interface Checkpoint {
  sinks: TakenSnapshot[]
  global: TakenSnapshot
}

interface Sending {
  operator: SinkOperator
  context: FakeContext
  out: CollectingReceiver
  /** Reports and ids of barriers, on their way. */
  channel: (Uint8Array | number)[]
  ended: boolean
}

/** What a job makes of `sinkTo`, driven by hand. */
class Job {
  readonly ledger: Ledger
  senders: Sending[] = []
  global!: GlobalCommitter
  context!: FakeContext
  #globalEnded = false
  readonly #aligned: { id: number; resolve(taken: SnapshotUnderWay): void }[] = []

  constructor(ledger: Ledger) {
    this.ledger = ledger
  }

  static async start(
    ledger: Ledger,
    parallelism: number,
    options: { restore?: Checkpoint; checkpointing?: boolean; committer?: boolean; runs?: number[] } = {},
  ): Promise<Job> {
    const { restore, checkpointing = true, committer = true, runs } = options
    const job = new Job(ledger)
    const sink = ledger.sink({ global: true, committer })
    const opened = await openOperator(new GlobalCommitter({ sink, committer: SETTINGS }), {
      checkpointing,
      operatorName: 'ledger: Global Committer',
      ...(restore === undefined ? {} : { restored: restoredFrom([restore.global], 0, 1) }),
    })
    job.global = opened.operator
    job.context = opened.context
    for (const subtask of runs ?? Array.from({ length: parallelism }, (_, i) => i)) {
      const sender = await openOperator(new SinkOperator({ sink, committer: SETTINGS }), {
        checkpointing,
        subtask,
        parallelism,
        ...(restore === undefined ? {} : { restored: restoredFrom(restore.sinks, subtask, parallelism) }),
      })
      job.senders.push({ ...sender, channel: [], ended: false })
    }
    return job
  }

  write(subtask: number, ...values: string[]): void {
    for (const value of values) this.senders[subtask]!.operator.process(value, 0)
  }

  /** Turns of all tasks, until nothing moves. */
  async turn(only = this.senders): Promise<void> {
    await settle()
    for (const sender of only) {
      sender.context.advance(0)
      this.#send(sender)
    }
    for (let moved = true; moved; ) {
      moved = false
      for (const { channel } of only) {
        while (channel[0] instanceof Uint8Array) {
          this.global.process(unpack(channel.shift() as Uint8Array))
          moved = true
        }
      }
      const open = this.senders.filter((sender) => !sender.ended || sender.channel.length > 0)
      const id = open[0]?.channel[0] ?? this.#aligned[0]?.id
      if (typeof id !== 'number' || open.some((sender) => sender.channel[0] !== id)) continue
      for (const { channel } of open) channel.shift()
      this.#aligned.shift()!.resolve(beginSnapshot(this.global, barrier(id)))
      moved = true
    }
    if (this.#globalEnded || this.senders.some((sender) => !sender.ended || sender.channel.length > 0)) return
    this.#globalEnded = true
    await this.global.finish()
  }

  #send({ out, channel }: Sending): void {
    for (const event of out.take()) if (event.type === 'record') channel.push(pack(event.value))
  }

  /** A barrier goes through all; resolves when all have acknowledged it. */
  checkpoint(id: number): Promise<Checkpoint> {
    const sinks = this.senders.map((sender) => {
      const taking = beginSnapshot(sender.operator, barrier(id))
      this.#send(sender)
      if (!sender.ended) sender.channel.push(id)
      return taking.end()
    })
    const global = new Promise<SnapshotUnderWay>((resolve) => this.#aligned.push({ id, resolve }))
    return Promise.all([Promise.all(sinks), global.then((taking) => taking.end())]).then(([s, g]) => ({
      sinks: s,
      global: g,
    }))
  }

  async taken(id: number): Promise<Checkpoint> {
    const taken = this.checkpoint(id)
    await this.turn()
    return taken
  }

  complete(id: number): Promise<unknown> {
    for (const { operator } of this.senders) void operator.notifyCheckpointComplete(id)
    return this.global.notifyCheckpointComplete(id)
  }

  async finish(sender: Sending): Promise<void> {
    await sender.operator.finish()
    this.#send(sender)
    sender.ended = true
  }
}

/** Calls of the committers; the committables of one checkpoint have no order. */
const asked = (ledger: Ledger) =>
  ledger.calls.flatMap((call) => {
    const [, which, values] = /^((?:commit|global) \d+): (.*)$/.exec(call) ?? []
    return which === undefined ? [] : [`${which}: ${values!.split(' ').toSorted().join(' ')}`]
  })

describe('a global committer', () => {
  it('commits what all subtasks have prepared together, behind the committer', async () => {
    const ledger = new Ledger()
    const job = await Job.start(ledger, 2)
    job.write(0, 'a')
    job.write(1, 'b')
    await job.taken(1)
    expect(asked(ledger)).toEqual([])
    await job.complete(1)
    expect(asked(ledger)).toEqual(['commit 1: a b', 'global 1: a b'])
    await job.taken(2)
    await job.complete(2)
    job.write(1, 'c')
    await job.taken(3)
    await job.complete(3)
    expect(asked(ledger).slice(2)).toEqual(['commit 3: c', 'global 3: c'])
    for (const { operator } of job.senders) await operator.close()
    await job.global.close()
    expect(ledger.calls.slice(-4)).toEqual(['close', 'close', 'close commit', 'close global'])
  })

  it('needs no committer', async () => {
    const ledger = new Ledger()
    const job = await Job.start(ledger, 1, { committer: false })
    job.write(0, 'a')
    await job.taken(1)
    await job.complete(1)
    expect(asked(ledger)).toEqual(['global 1: a'])
  })

  it('waits for the reports of all subtasks, and its notification for the commit', async () => {
    const ledger = new Ledger()
    ledger.hold = true
    const job = await Job.start(ledger, 2)
    job.write(0, 'a')
    job.write(1, 'b')
    const taken = job.checkpoint(1)
    ledger.release()
    ledger.release()
    await job.turn(job.senders.slice(0, 1))
    // Complete, as all have acknowledged; one report is still on its way.
    let done = false
    void job.complete(1).then(() => {
      done = true
    })
    await settle()
    expect([asked(ledger), done]).toEqual([[], false])
    await job.turn()
    await taken
    await settle()
    expect([asked(ledger), done]).toEqual([['commit 1: a b', 'global 1: a b'], true])
  })

  it('keeps the order of checkpoints when one subtask is ahead of the others', async () => {
    const ledger = new Ledger()
    ledger.hold = true
    const job = await Job.start(ledger, 2)
    job.write(1, 'a')
    void job.checkpoint(1)
    job.write(0, 'b')
    job.write(1, 'c')
    void job.checkpoint(2)
    for (let i = 0; i < 4; i++) ledger.release()
    await job.turn()
    await job.complete(2)
    expect(asked(ledger)).toEqual(['commit 1: a', 'global 1: a', 'commit 2: b c', 'global 2: b c'])
  })

  it('takes what an aborted checkpoint has prepared with the next, each in its order', async () => {
    const ledger = new Ledger()
    const job = await Job.start(ledger, 2)
    job.write(0, 'a')
    await job.taken(1)
    job.global.notifyCheckpointAborted(1)
    job.write(0, 'b')
    job.write(1, 'c')
    await job.taken(2)
    await job.complete(2)
    expect(asked(ledger)).toEqual(['commit 1: a', 'global 1: a', 'commit 2: b c', 'global 2: b c'])
  })

  it('asks the global committer again, and not the one before it', async () => {
    const ledger = new Ledger()
    ledger.answer = (request, who) => {
      if (who === 'commit' || request.retries > 0) return false
      request.retryLater()
      return true
    }
    const job = await Job.start(ledger, 1)
    job.write(0, 'a')
    await job.taken(1)
    job.write(0, 'b')
    await job.taken(2)
    const done = job.complete(2)
    await settle()
    expect(asked(ledger)).toEqual(['commit 1: a', 'global 1: a'])
    job.context.advance(1000)
    await settle()
    job.context.advance(1000)
    await done
    expect(asked(ledger).slice(2)).toEqual(['global 1: a', 'commit 2: b', 'global 2: b', 'global 2: b'])
  })

  it('fails the job as any committer does', async () => {
    const ledger = new Ledger()
    ledger.answer = (request, who) => {
      if (who === 'global') request.failedWithKnownReason('conflict')
      return who === 'global'
    }
    const job = await Job.start(ledger, 1)
    job.write(0, 'a')
    await job.taken(1)
    await expect(job.complete(1)).rejects.toMatchObject({
      code: 'TR-SINK-002',
      message: expect.stringContaining('"ledger: Global Committer"'),
    })
    expect(job.context.failures).toHaveLength(1)
  })

  it('without checkpoints commits at the end of the input', async () => {
    const ledger = new Ledger()
    const job = await Job.start(ledger, 2, { checkpointing: false })
    job.write(0, 'a')
    job.write(1, 'b')
    for (const sender of job.senders) await job.finish(sender)
    expect(asked(ledger)).toEqual([])
    await job.turn()
    expect(asked(ledger).map((call) => call.replace(/ \d+:/, ''))).toEqual(['commit a b', 'global a b'])
  })

  it('commits the end of the input with a checkpoint that holds it', async () => {
    const ledger = new Ledger()
    const job = await Job.start(ledger, 2)
    job.write(0, 'a')
    job.write(1, 'b')
    await job.finish(job.senders[0]!)
    await job.turn()
    const first = await job.taken(1)
    expect(listsOf(first.global)[ENDED]).toEqual([{ subtask: 0, parallelism: 2 }])
    await job.complete(1)
    expect(asked(ledger)).toEqual(['commit 1: a b', 'global 1: a b'])
    job.write(1, 'c')
    await job.finish(job.senders[1]!)
    await job.turn()
    expect(asked(ledger)).toHaveLength(2)
    const last = await job.taken(2)
    expect(listsOf(last.global)[COMMITTABLES]).toMatchObject([{ checkpointId: 2, committable: { values: ['c'] } }])
    expect(last.sinks.flatMap((taken) => listsOf(taken)[COMMITTABLES])).toEqual([])
    await job.complete(2)
    expect(asked(ledger).slice(2)).toEqual(['commit 2: c', 'global 2: c'])
  })
})

describe('a restored global committer', () => {
  async function checkpoint(hold: boolean): Promise<{ ledger: Ledger; taken: Checkpoint }> {
    const ledger = new Ledger()
    const job = await Job.start(ledger, 2)
    job.write(0, 'a')
    job.write(1, 'b')
    ledger.hold = hold
    const taken = job.checkpoint(1)
    if (hold) for (let i = 0; i < 2; i++) ledger.release()
    await job.turn()
    ledger.hold = false
    return { ledger, taken: await taken }
  }

  // Held back, committables are in the snapshots of the sinks; else they came before the barrier.
  test.each([
    [false, 2],
    [true, 2],
    [false, 1],
    [true, 1],
    [false, 3],
    [true, 3],
  ])('commits a checkpoint when it is whole again (held back %s, parallelism 2 to %i)', async (hold, parallelism) => {
    const { ledger, taken } = await checkpoint(hold)
    expect(listsOf(taken.global)[COMMITTABLES]).toHaveLength(hold ? 0 : 2)
    const job = await Job.start(ledger, parallelism, { restore: taken })
    expect(asked(ledger)).toEqual([])
    await job.turn(job.senders.slice(1))
    if (parallelism > 1) expect(asked(ledger)).toEqual([])
    await job.turn()
    await settle()
    expect(asked(ledger)).toEqual(['commit 1: a b', 'global 1: a b'])
  })

  it('does not wait for subtasks that had ended', async () => {
    const ledger = new Ledger()
    const first = await Job.start(ledger, 2)
    first.write(0, 'a')
    first.write(1, 'b')
    await first.finish(first.senders[0]!)
    await first.turn()
    const restore = await first.taken(1)
    const job = await Job.start(ledger, 2, { restore, runs: [1] })
    await job.turn()
    await settle()
    expect(asked(ledger)).toEqual(['commit 1: a b', 'global 1: a b'])
    job.write(0, 'c')
    await job.taken(2)
    await job.complete(2)
    expect(asked(ledger).slice(2)).toEqual(['commit 2: c', 'global 2: c'])
  })

  it('hears at once from subtasks that had ended and run again, so that they say nothing behind their end', async () => {
    const ledger = new Ledger()
    const first = await Job.start(ledger, 1)
    first.write(0, 'a')
    const sender = first.senders[0]!
    await first.finish(sender)
    await first.turn()
    const global = (await first.taken(1)).global
    const sink = await takeSnapshot(sender.operator, barrier(1, { then: 'end' }))
    const job = await Job.start(ledger, 1, { restore: { sinks: [sink], global } })
    await job.turn()
    await settle()
    expect(asked(ledger)).toEqual(['commit 1: a', 'global 1: a'])
    job.senders[0]!.operator.prepareBarrier(barrier(2))
    expect(job.senders[0]!.out.take()).toEqual([])
    expect(listsOf(await takeSnapshot(job.global, barrier(2)))).toEqual({
      [COMMITTABLES]: [],
      [ENDED]: [{ subtask: 0, parallelism: 1 }],
    })
  })

  it('commits the end of the input when nobody is left to report', async () => {
    const ledger = new Ledger()
    const first = await Job.start(ledger, 1)
    first.write(0, 'a')
    await first.finish(first.senders[0]!)
    await first.turn()
    const restore = await first.taken(1)
    const job = await Job.start(ledger, 1, { restore, runs: [] })
    await job.turn()
    await settle()
    expect(asked(ledger)).toEqual(['commit 1: a', 'global 1: a'])
  })
})

it('gives every record once, and one set of committables per checkpoint, through crashes (property)', async () => {
  const step = fc.constantFrom(
    ...['write 0', 'write 1', 'turn', 'turn', 'turn 0', 'checkpoint', 'checkpoint'],
    ...['complete', 'complete', 'complete unheard', 'release', 'crash', 'end 0'],
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60, size: 'max' }),
      fc.array(fc.boolean(), { minLength: 3, maxLength: 20 }),
      async (steps, holds) => {
        const ledger = new Ledger()
        let job = await Job.start(ledger, 2)
        let positions = [0, 0]
        let last: { positions: number[]; ended: boolean; taken: Checkpoint } | undefined
        let underWay: { id: number; positions: number[]; ended: boolean; taken: Promise<Checkpoint>; done: boolean }[] =
          []
        let id = 0
        const begin = () => {
          const [zero] = job.senders
          const checkpoint = {
            id: ++id,
            positions: [...positions],
            ended: zero!.ended,
            taken: job.checkpoint(id),
            done: false,
          }
          checkpoint.taken.then(
            () => {
              checkpoint.done = true
            },
            () => {},
          )
          underWay.push(checkpoint)
        }
        const write = (subtask: number) => job.write(subtask, `${subtask}:${positions[subtask]!++}`)
        for (const [i, what] of steps.entries()) {
          ledger.hold = holds[i % holds.length]!
          const ended = job.senders[0]!.ended
          if (what === 'write 0' && !ended) write(0)
          else if (what === 'write 1') write(1)
          else if (what === 'turn') await job.turn()
          else if (what === 'turn 0') await job.turn(job.senders.slice(0, 1))
          else if (what === 'checkpoint') begin()
          else if (what === 'release' && ledger.held > 0) ledger.release()
          else if (what === 'end 0' && !ended) {
            ledger.hold = false
            while (ledger.held > 0) ledger.release()
            await job.finish(job.senders[0]!)
          } else if (what.startsWith('complete')) {
            await settle()
            const done = underWay.findLast((checkpoint) => checkpoint.done)
            if (done === undefined) continue
            underWay = underWay.filter((other) => other.id > done.id)
            last = { positions: done.positions, ended: done.ended, taken: await done.taken }
            if (what === 'complete') void job.complete(done.id)
          } else if (what === 'crash') {
            underWay = []
            ledger.forgetHeld()
            positions = [...(last?.positions ?? [0, 0])]
            job = await Job.start(ledger, 2, last === undefined ? {} : { restore: last.taken })
            ledger.hold = false
            if (last?.ended) await job.finish(job.senders[0]!)
          }
          await settle()
          expect([job.context, ...job.senders.map((s) => s.context)].flatMap((context) => context.failures)).toEqual([])
        }
        ledger.hold = false
        while (ledger.held > 0) ledger.release()
        for (const sender of job.senders) if (!sender.ended) await job.finish(sender)
        await job.turn()
        const taken = job.checkpoint(++id)
        await job.turn()
        await taken
        await job.complete(id)
        const all = positions.flatMap((n, subtask) => Array.from({ length: n }, (_, i) => `${subtask}:${i}`))
        expect(ledger.visible.toSorted()).toEqual(all.toSorted())
        const byCheckpoint = new Map<string, Set<string>>()
        for (const call of asked(ledger)) {
          const [which, values] = call.split(': ')
          byCheckpoint.set(which!, (byCheckpoint.get(which!) ?? new Set<string>()).add(values!))
        }
        for (const [which, sets] of byCheckpoint) expect([which, sets.size]).toEqual([which, 1])
      },
    ),
    { numRuns: 300 },
  )
})
