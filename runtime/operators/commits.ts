/**
 * What is to be committed, and the order in which it is.
 *
 * Entries wait by checkpoint. Once a checkpoint is complete, everything up to it is committed: the entries of one checkpoint together, those of the next
 * only when all before are done, whatever has become of the checkpoints in between. With two committers (a committer and a global one) the entries of a
 * checkpoint go through the first, and when all have, through the second.
 *
 *   waiting → (complete) → asked → done | was done before | asked again | lost
 *
 * An entry is pending, and so in every snapshot, until it is done. A pass runs until nothing more may be committed, or until a committer wants to be asked
 * later; one pass runs at a time. Retries are timers of the task.
 */
import { isTailraceError, TailraceError } from '../core/errors.ts'
import type { Committer } from '../core/sink.ts'
import { CommitMetrics } from './commit-metrics.ts'
import { type Entry, type Prepared, Request } from './commit-request.ts'
import type { CommitterSettings } from './committer-settings.ts'
import type { OperatorContext, RestoredState } from './operator.ts'

/** List state of what is prepared and not committed. */
export const COMMITTABLES = 'tailrace:committables'

/** What is to be committed again. */
export async function restoredCommittables(restored: RestoredState): Promise<Prepared[]> {
  return restored.committed === true ? [] : ((await restored.list(COMMITTABLES)) as Prepared[])
}

interface Waiter {
  checkpointId: number
  resolve(): void
  reject(error: unknown): void
}

export class Commits {
  readonly #committers: readonly Committer<any>[]
  readonly #context: OperatorContext
  readonly #settings: CommitterSettings
  readonly #metrics: CommitMetrics
  /** By checkpoint, ascending; of one checkpoint in the order in which they came. */
  #entries: Entry[] = []
  /** Everything up to this checkpoint may be committed. */
  #upTo = Number.NEGATIVE_INFINITY
  /** The pass that runs; never rejects. */
  #pass: Promise<void> | undefined
  #cancelRetry: (() => void) | undefined
  #waiters: Waiter[] = []
  #failure: { error: unknown } | undefined
  #closed = false

  constructor(committers: readonly Committer<any>[], context: OperatorContext, settings: CommitterSettings) {
    this.#committers = committers
    this.#context = context
    this.#settings = settings
    this.#metrics = new CommitMetrics(context)
  }

  /** What is not done, for a snapshot. */
  get pending(): Prepared[] {
    return this.#entries.map(({ checkpointId, committable }) => ({ checkpointId, committable }))
  }

  add(checkpointId: number, committables: readonly unknown[]): void {
    if (committables.length === 0) return
    const inOrder = (this.#entries.at(-1)?.checkpointId ?? checkpointId) <= checkpointId
    for (const committable of committables) this.#entries.push({ checkpointId, committable, stage: 0, retries: 0 })
    if (!inOrder) this.#entries.sort((a, b) => a.checkpointId - b.checkpointId)
    this.#metrics.total.inc(committables.length)
    this.#metrics.pending.set(this.#entries.length)
  }

  /**
   * Commits what a checkpoint has held. Resolves after the first pass: what is to be asked for later is so while records flow, before anything newer.
   * Throws what a committer fails with.
   */
  async recover(prepared: readonly Prepared[], upTo: number): Promise<void> {
    for (const { checkpointId, committable } of prepared) this.add(checkpointId, [committable])
    this.#upTo = upTo
    await this.#start()
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** All up to this checkpoint may be committed. Resolves when it is; rejects when it cannot be, and fails the task. */
  commitUpTo(checkpointId: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error)
    if (checkpointId > this.#upTo) this.#upTo = checkpointId
    const done = new Promise<void>((resolve, reject) => this.#waiters.push({ checkpointId, resolve, reject }))
    if (this.#cancelRetry === undefined) void this.#start()
    return done
  }

  /** Waits for the call that is under way; what waits for its turn is given up, as the checkpoints still hold it. */
  async close(inputEnded: boolean): Promise<void> {
    this.#closed = true
    this.#cancelRetry?.()
    await this.#pass
    const allCommitted = inputEnded && this.#entries.length === 0 && this.#failure === undefined
    for (const committer of this.#committers) await committer.close?.(allCommitted)
  }

  #start(): Promise<void> {
    this.#pass ??= this.#commitInOrder()
    return this.#pass
  }

  async #commitInOrder(): Promise<void> {
    // What was asked for in one call begins after it.
    await undefined
    try {
      for (let group = this.#nextGroup(); group.length > 0 && !this.#closed; group = this.#nextGroup()) {
        if (await this.#commit(group)) {
          if (!this.#closed) this.#retryLater()
          break
        }
      }
    } catch (error) {
      this.#failure = { error }
      for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
      this.#context.fail(error)
    }
    this.#pass = undefined
    this.#resolveWaiters()
  }

  /** Entries of the oldest checkpoint that are to be committed next, by one committer. */
  #nextGroup(): Entry[] {
    const oldest = this.#entries[0]?.checkpointId
    if (oldest === undefined || oldest > this.#upTo) return []
    const ofOldest = this.#entries.filter((entry) => entry.checkpointId === oldest)
    const stage = Math.min(...ofOldest.map((entry) => entry.stage))
    return ofOldest.filter((entry) => entry.stage === stage)
  }

  /** True: some want to be asked later. */
  async #commit(group: Entry[]): Promise<boolean> {
    const requests = group.map((entry) => new Request(entry))
    try {
      await this.#committers[group[0]!.stage]!.commit(requests)
    } catch (cause) {
      throw this.#refused(cause)
    } finally {
      for (const request of requests) request.ended = true
    }
    const done = new Set<Entry>()
    let later = false
    for (const { entry, outcome, reason } of requests) {
      if (outcome === 'later') {
        later = true
        this.#countRetry(entry, reason)
      } else if (outcome === 'lost') {
        this.#lose(entry, reason)
        done.add(entry)
      } else if (++entry.stage === this.#committers.length) {
        this.#metrics[outcome === 'before' ? 'already' : 'successful'].inc()
        done.add(entry)
      }
    }
    this.#entries = this.#entries.filter((entry) => !done.has(entry))
    this.#metrics.pending.set(this.#entries.length)
    return later
  }

  #countRetry(entry: Entry, reason: unknown): void {
    this.#metrics.retried.inc()
    if (++entry.retries <= this.#settings.retries) return
    throw new TailraceError(
      'TR-SINK-001',
      `Cannot commit what ${this.#who} has written up to checkpoint ${entry.checkpointId}: it was asked for ${entry.retries} times and its system ` +
        `could never take it${reason === undefined ? '' : ` (${textOf(reason)})`}; sink.committer.retries is ${this.#settings.retries}`,
      { cause: reason },
    )
  }

  #lose(entry: Entry, reason: unknown): void {
    this.#metrics.failed.inc()
    const text = `what ${this.#who} has written up to checkpoint ${entry.checkpointId}: ${textOf(reason)}`
    if (!this.#settings.allowLost) {
      throw new TailraceError(
        'TR-SINK-002',
        `Cannot commit ${text}. To go on without it, set tailrace.allow-lost-transactions`,
        { cause: reason },
      )
    }
    this.#context.slot.print('stderr', `Lost ${text} (tailrace.allow-lost-transactions is true)\n`)
  }

  #retryLater(): void {
    const { clock } = this.#context
    this.#cancelRetry = this.#context.registerCommitTimer(clock.now() + this.#settings.retryIntervalMs, () => {
      this.#cancelRetry = undefined
      void this.#start()
    })
    // Registered outside of the task's turn: it must look again when its next one is due.
    this.#context.wake()
  }

  #resolveWaiters(): void {
    const oldest = this.#entries[0]?.checkpointId
    const waiting: Waiter[] = []
    for (const waiter of this.#waiters) {
      if (oldest === undefined || waiter.checkpointId < oldest) waiter.resolve()
      else waiting.push(waiter)
    }
    this.#waiters = waiting
  }

  get #who(): string {
    return `"${this.#context.task.operatorName}"`
  }

  #refused(cause: unknown): unknown {
    if (isTailraceError(cause)) return cause
    return new TailraceError('TR-SINK-001', `Cannot commit what ${this.#who} has written: ${textOf(cause)}`, { cause })
  }
}

const textOf = (reason: unknown): string => (reason instanceof Error ? reason.message : String(reason))
