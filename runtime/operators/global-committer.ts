/**
 * Commits what all subtasks of a sink have prepared, in one place [core/sink.ts, `createGlobalCommitter`].
 *
 * Input: {@link Report}s. A checkpoint's committables are committed together, when two things are known: the checkpoint is complete, so they will be there
 * again after a failure; and every subtask has reported up to it, so none is missing. What subtasks have prepared at the end of their input is in no
 * checkpoint of theirs: it belongs to the next one that this operator takes part in.
 *
 * State: `tailrace:committables`, what is not committed; `tailrace:ended`, subtasks that have sent their last report and will not run again.
 */
import type { Barrier } from '../core/checkpoint.ts'
import type { Sink } from '../core/sink.ts'
import { COMMITTABLES, Commits, restoredCommittables } from './commits.ts'
import type { Report } from './committable-sender.ts'
import { COMMITTER_SETTINGS, type CommitterSettings } from './committer-settings.ts'
import { BaseOperator, type OperatorContext, type SnapshotWriter } from './operator.ts'
import { committerContext } from './sink-context.ts'

export const ENDED = 'tailrace:ended'

/** A subtask that has sent its last report. */
interface Ended {
  subtask: number
  parallelism: number
}

export class Operator extends BaseOperator {
  readonly #sink: Sink<any>
  readonly #settings: CommitterSettings
  #commits!: Commits
  /** Up to which checkpoint a subtask has reported; Infinity: it has ended. */
  readonly #reported = new Map<number, number>()
  #ended: Ended[] = []
  /** Prepared at the end of subtasks, and in no checkpoint yet. */
  #last: unknown[] = []
  #writers = 0
  #complete = Number.NEGATIVE_INFINITY
  #inputEnded = false
  readonly #closing = new AbortController()
  #waiters: { checkpointId: number; resolve(): void }[] = []

  constructor({ sink, committer }: { sink: Sink<any>; committer?: CommitterSettings }) {
    super()
    this.#sink = sink
    this.#settings = committer ?? COMMITTER_SETTINGS
  }

  override async open(context: OperatorContext): Promise<void> {
    super.open(context)
    const committer = committerContext(context, this.#closing.signal)
    const global = this.#sink.createGlobalCommitter!(committer)
    const first = this.#sink.createCommitter?.(committer)
    this.#commits = new Commits(first === undefined ? [global] : [first, global], context, this.#settings)
    const { restored } = context
    if (restored === undefined) return
    // Subtasks report again what they have not sent by then: only with it a checkpoint is whole.
    for (const { checkpointId, committable } of await restoredCommittables(restored))
      this.#commits.add(checkpointId, [committable])
    this.#ended = (await restored.list(ENDED)) as Ended[]
    this.#complete = restored.checkpointId
  }

  override process({ subtask, parallelism, upTo, prepared }: Report): void {
    if (this.#writers !== parallelism) this.#setWriters(parallelism)
    if (upTo === null) {
      this.#last.push(...prepared.map((p) => p.committable))
      if (!this.#ended.some((ended) => ended.subtask === subtask)) this.#ended.push({ subtask, parallelism })
      this.#reported.set(subtask, Number.POSITIVE_INFINITY)
    } else {
      for (const { checkpointId, committable } of prepared) this.#commits.add(checkpointId, [committable])
      this.#reported.set(subtask, Math.max(upTo, this.#reported.get(subtask) ?? upTo))
    }
    this.#advance()
  }
  override watermark(): void {}
  override status(): void {}

  /** Subtasks that had ended in the restored checkpoint do not report again; at another parallelism all do. */
  #setWriters(parallelism: number): void {
    this.#writers = parallelism
    this.#ended = this.#ended.filter((ended) => ended.parallelism === parallelism)
    for (const { subtask } of this.#ended) this.#reported.set(subtask, Number.POSITIVE_INFINITY)
  }

  override prepareBarrier({ checkpointId }: Barrier): void {
    this.#commits.add(checkpointId, this.#last.splice(0))
  }
  override snapshot(writer: SnapshotWriter): void {
    writer.list(COMMITTABLES, 'split', this.#commits.pending)
    writer.list(ENDED, 'split', this.#ended)
  }

  override async notifyCheckpointComplete(checkpointId: number): Promise<void> {
    this.#complete = Math.max(this.#complete, checkpointId)
    const whole = new Promise<void>((resolve) => this.#waiters.push({ checkpointId, resolve }))
    this.#advance()
    await whole
    await this.#commits.commitUpTo(checkpointId)
  }

  /** Commits the checkpoints that are complete and whole. */
  #advance(): void {
    const upTo = Math.min(this.#complete, this.#whole)
    if (upTo === Number.NEGATIVE_INFINITY) return
    this.#waiters = this.#waiters.filter((waiter) => {
      if (waiter.checkpointId <= upTo) waiter.resolve()
      return waiter.checkpointId > upTo
    })
    // A failure fails the task by itself.
    this.#commits.commitUpTo(upTo).catch(() => {})
  }

  /** Up to which checkpoint all subtasks have reported. */
  get #whole(): number {
    if (this.#inputEnded) return Number.POSITIVE_INFINITY
    if (this.#writers === 0 || this.#reported.size < this.#writers) return Number.NEGATIVE_INFINITY
    return Math.min(...this.#reported.values())
  }

  override async finish(): Promise<void> {
    this.#inputEnded = true
    if (this.context.checkpointing) {
      // The rest is committed with a checkpoint that holds it.
      this.#advance()
      return
    }
    this.#commits.add(Number.MAX_SAFE_INTEGER, this.#last.splice(0))
    await this.#commits.commitUpTo(Number.POSITIVE_INFINITY)
  }

  override close(): void | Promise<void> {
    this.#closing.abort()
    return this.#commits?.close(this.#inputEnded)
  }
}
