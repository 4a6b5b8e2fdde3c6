/**
 * Runs the writer of a sink and, in two-phase sinks, commits what it has prepared [core/sink.ts].
 *
 * Life: what the checkpoint holds is committed again; the writer is made or restored; write per record; at each barrier prepareCommit and snapshotState
 * (a writer without prepareCommit is flushed); what was prepared is committed when its checkpoint is complete; flush(true) at the end of the input; close.
 *
 * State: `tailrace:writer`, what the writer gave; `tailrace:committables`, what was prepared and is not committed, with its checkpoint ({@link Prepared}).
 *
 * Correctness:
 * - Nothing waits at the barrier: the acknowledgement waits for what the writer sends.
 * - What is prepared stays in every snapshot until it is committed, so a checkpoint that is given up loses nothing: a later one takes over.
 * - The last committables of an input that has ended belong to a checkpoint after the end; without checkpoints they are committed at the end.
 * - With a global committer nothing is committed here: what was prepared goes to it (committable-sender.ts), the last of it before the end of the stream.
 */

import type { Barrier } from '../core/checkpoint.ts'
import { isTailraceError, TailraceError } from '../core/errors.ts'
import type { Sink, SinkWriter } from '../core/sink.ts'
import type { Prepared } from './commit-request.ts'
import { COMMITTABLES, Commits, restoredCommittables } from './commits.ts'
import { CommittableSender } from './committable-sender.ts'
import { COMMITTER_SETTINGS, type CommitterSettings } from './committer-settings.ts'
import { BaseOperator, type OperatorContext, type RestoredState, type SnapshotWriter } from './operator.ts'
import { committerContext, sinkContext } from './sink-context.ts'

/** How often a writer that prepares no commits is flushed between records, so that an endless job shows its results. */
export const FLUSH_INTERVAL_MS = 1000

export const WRITER_STATE = 'tailrace:writer'

export class Operator extends BaseOperator {
  writer!: SinkWriter<any>
  /** Records written since the last {@link publish}. */
  written = 0
  readonly #sink: Sink<any>
  readonly #settings: CommitterSettings
  #commits: Commits | undefined
  #sender: CommittableSender | undefined
  /** What the writer has been told to prepare and is not done with, in the order of checkpoints. */
  readonly #preparing: Promise<Prepared[]>[] = []
  #lastCheckpointId = 0
  #inputEnded = false
  /** The writer has given its last committables. */
  #gaveLast = false
  #timer: number | undefined
  /** The last flush that was asked for, while it is under way. */
  #flushing: Promise<void> | undefined
  /** Records have come since it began. */
  #moreToFlush = false
  readonly #closing = new AbortController()

  constructor({ sink, committer }: { sink: Sink<any>; committer?: CommitterSettings }) {
    super()
    this.#sink = sink
    this.#settings = committer ?? COMMITTER_SETTINGS
  }

  override async open(context: OperatorContext): Promise<void> {
    super.open(context)
    const { restored } = context
    if (restored === undefined) {
      this.writer = await this.#writerOf(this.#sink.createWriter(sinkContext(context, this.#closing.signal)))
      this.#openCommitter([])
    } else {
      this.#lastCheckpointId = restored.checkpointId
      this.#inputEnded = restored.finished
      const prepared = await restoredCommittables(restored)
      this.#refuseWhenClosed()
      this.#openCommitter(prepared)
      await this.#commits?.recover(prepared, restored.checkpointId)
      this.#refuseWhenClosed()
      if (this.#sender !== undefined) this.#reportAgain(this.#sender, prepared, restored)
      this.writer = await this.#writerOf(this.#restoreWriter(context, restored))
    }
    if (this.writer.prepareCommit === undefined || this.#commits !== undefined || this.#sender !== undefined) return
    throw new TypeError(`Cannot open "${this.#who}": its writer prepares commits, but the sink has no committer`)
  }

  /** A task may be cancelled while its sink opens: then nobody else would close the writer. */
  async #writerOf(made: SinkWriter<any> | Promise<SinkWriter<any>>): Promise<SinkWriter<any>> {
    const writer = await made
    if (this.#closing.signal.aborted) await writer.close()
    this.#refuseWhenClosed()
    return writer
  }

  #refuseWhenClosed(): void {
    if (this.#closing.signal.aborted) throw new Error(`"${this.#who}" was closed while it opened`)
  }

  #openCommitter(prepared: readonly Prepared[]): void {
    const { context } = this
    if (this.#sink.createGlobalCommitter !== undefined) {
      this.#sender = new CommittableSender(this.next, context)
    } else if (this.#sink.createCommitter !== undefined) {
      this.#commits = new Commits(
        [this.#sink.createCommitter(committerContext(context, this.#closing.signal))],
        context,
        this.#settings,
      )
    } else if (prepared.length > 0) {
      throw new TailraceError(
        'TR-CHECKPOINT-004',
        `Cannot go on with "${this.#who}" from checkpoint ${context.restored!.checkpointId}: it holds ${prepared.length} committables, but the sink has no committer`,
      )
    }
  }

  async #restoreWriter(context: OperatorContext, restored: RestoredState): Promise<SinkWriter<any>> {
    const states = await restored.list(WRITER_STATE)
    this.#refuseWhenClosed()
    if (this.#sink.restoreWriter !== undefined)
      return this.#sink.restoreWriter(sinkContext(context, this.#closing.signal), states)
    if (states.length === 0) return this.#sink.createWriter(sinkContext(context, this.#closing.signal))
    throw new TailraceError(
      'TR-CHECKPOINT-004',
      `Cannot go on with "${this.#who}" from checkpoint ${restored.checkpointId}: it holds state of ${states.length} writers, but the sink has no restoreWriter()`,
    )
  }

  #reportAgain(
    sender: CommittableSender,
    prepared: readonly Prepared[],
    { checkpointId, finished }: RestoredState,
  ): void {
    sender.add(checkpointId, prepared)
    if (!finished) return
    // It had ended its input, so it will prepare nothing more.
    this.#gaveLast = true
    sender.add(null, [])
  }

  override process(value: any, timestamp: number): void {
    this.written++
    this.writer.write(value, timestamp)
  }
  override watermark(timestampMs: number): void {
    this.writer.writeWatermark?.(timestampMs)
  }
  override status(): void {}
  override pending(): boolean {
    return this.writer.pending?.() ?? false
  }
  override publish(): void {
    if (this.written === 0) return
    this.context.metrics.add('numRecordsSend', this.written)
    this.context.metrics.add('numRecordsOut', this.written)
    this.written = 0
    if (this.#inputEnded || this.writer.prepareCommit !== undefined) return
    if (this.#flushing === undefined) this.#flushSoon()
    else this.#moreToFlush = true
  }

  #flushSoon(): void {
    this.#timer ??= this.context.registerTimer(this.context.clock.now() + FLUSH_INTERVAL_MS, () => {
      this.#timer = undefined
      this.#flush()
    })
  }

  // --- checkpoints

  override prepareBarrier({ checkpointId }: Barrier): void {
    this.#lastCheckpointId = checkpointId
    if (this.writer.prepareCommit === undefined) {
      if (!this.#inputEnded) this.#flush()
    } else if (!this.#gaveLast) this.#prepare(checkpointId)
    this.#sender?.send()
  }

  override snapshot(writer: SnapshotWriter): void {
    const keep = (
      name: string,
      elements: readonly unknown[] | Promise<readonly unknown[]>,
      mode: 'split' | 'union' = 'split',
    ) => {
      if (!isPromise(elements)) writer.list(name, mode, elements)
      else writer.wait(elements.then((late) => writer.list(name, mode, late)))
    }
    if (this.writer.snapshotState !== undefined)
      keep(WRITER_STATE, this.writer.snapshotState(this.#lastCheckpointId), this.#sink.writerState)
    if (this.writer.prepareCommit === undefined && this.#flushing !== undefined) writer.wait(this.#flushing)
    const pending = this.#commits?.pending ?? this.#sender?.pending
    if (pending === undefined) return
    if (this.#preparing.length === 0) keep(COMMITTABLES, pending)
    else
      keep(
        COMMITTABLES,
        Promise.all(this.#preparing).then((late) => [...pending, ...late.flat()]),
      )
  }

  override notifyCheckpointComplete(checkpointId: number): void | Promise<void> {
    // The task may end now.
    this.#sender?.send()
    return this.#commits?.commitUpTo(checkpointId)
  }

  /** Takes what the writer prepares for a checkpoint, also when it comes late, in the order of checkpoints. */
  #prepare(checkpointId: number): void {
    const upTo = this.#gaveLast ? null : checkpointId
    const take = (committables: readonly unknown[]): Prepared[] => {
      const taken = committables.map((committable) => ({ checkpointId, committable }))
      this.#commits?.add(checkpointId, committables)
      this.#sender?.add(upTo, taken)
      return taken
    }
    let prepared: readonly unknown[] | Promise<readonly unknown[]>
    try {
      prepared = this.writer.prepareCommit!(checkpointId)
    } catch (cause) {
      throw this.#refused(cause)
    }
    const before = this.#preparing.at(-1)
    if (!isPromise(prepared) && before === undefined) {
      take(prepared)
      return
    }
    const late = Promise.all([prepared, before]).then(
      ([committables]) => {
        this.#preparing.shift()
        return take(committables)
      },
      (cause) => this.#failed(cause),
    )
    // Whoever waits for it is told, too.
    late.catch(() => {})
    this.#preparing.push(late)
  }

  // --- flushes and the end

  #flush(): void {
    const before = this.#flushing
    const flush = async () => {
      if (before !== undefined) await before
      await this.writer.flush(false)
    }
    const flushing: Promise<void> = flush().then(
      () => {
        if (this.#flushing !== flushing) return
        this.#flushing = undefined
        if (this.#moreToFlush && !this.#inputEnded) {
          this.#moreToFlush = false
          this.#flushSoon()
          this.context.wake()
        }
      },
      (cause) => this.#failed(cause),
    )
    flushing.catch(() => {})
    this.#flushing = flushing
  }

  override async finish(): Promise<void> {
    this.#inputEnded = true
    this.#cancelTimer()
    await this.#flushing
    try {
      await this.writer.flush(true)
    } catch (cause) {
      throw this.#refused(cause)
    }
    // A checkpoint takes what is to be committed.
    if (this.writer.prepareCommit === undefined || (this.#commits !== undefined && this.context.checkpointing)) return
    this.#gaveLast = true
    this.#prepare(this.#lastCheckpointId + 1)
    await Promise.all(this.#preparing)
    await this.#commits?.commitUpTo(Number.POSITIVE_INFINITY)
    this.#sender?.send()
  }

  override async close(): Promise<void> {
    if (this.context === undefined) return
    this.#closing.abort()
    this.#cancelTimer()
    try {
      await this.#commits?.close(this.#inputEnded)
    } finally {
      await this.writer?.close()
    }
  }

  #cancelTimer(): void {
    if (this.#timer !== undefined) this.context.cancelTimer(this.#timer)
    this.#timer = undefined
  }

  get #who(): string {
    return this.context.task.operatorName
  }

  #failed(cause: unknown): never {
    const error = this.#refused(cause)
    this.context.fail(error)
    throw error
  }

  /** A system's refusal is no fault of the program: it gets the sink's code where it has none. */
  #refused(cause: unknown): unknown {
    if (isTailraceError(cause)) return cause
    const text = cause instanceof Error ? cause.message : String(cause)
    return new TailraceError('TR-SINK-001', `Cannot write what "${this.#who}" holds: ${text}`, { cause })
  }
}

function isPromise<R>(value: R | Promise<R>): value is Promise<R> {
  return typeof (value as Promise<R> | undefined)?.then === 'function'
}
