/**
 * The head of a source task: polls the source's reader, gives records their event time and starts watermarks and idleness.
 *
 * Algorithm: every split has an output of its own [E-06], into which the reader pushes (watermark-output.ts, loaded as a copy of this
 * operator's own). Every auto-watermark interval a timer computes each split's watermark and puts out the least of the active
 * ones. Nothing of this file runs per record.
 *
 * Correctness: the watermark never goes back; it follows the records that it covers (a generator sees a record after it was
 * pushed). A split counts from its assignment, so a pending one holds the watermark back, and until its release, which takes its
 * last watermark in. A reader that had no split for a whole interval is idle by itself [E-12]; it is active again before
 * the first record of the next one. Not so one that has asked for a split and has no answer, as while its coordinator is slow or has
 * no leader: the split that comes may be earlier than all that others read meanwhile, and its records would be late. Nor one that
 * was not polled since, and so could not ask. At the end: one last periodic emit, then Infinity, once.
 */
import { MAX_WATERMARK, NO_TIMESTAMP } from '../core/clock.ts'
import { hotCopy } from '../core/hot-copy.ts'
import type { Gauge } from '../core/metrics.ts'
import type { PollStatus, ReaderOutput, Source, SourceReader, SourceSplit, SplitOutput } from '../core/source.ts'
import type { WatermarkStrategy } from '../core/watermarks.ts'
import { O } from '../metrics/page.ts'
import { CombinedWatermark } from './combined-watermark.ts'
import { type OperatorContext, type SnapshotWriter, SourceOperator } from './operator.ts'
import type { Output } from './watermark-output.ts'

export interface SourceOptions<T = any> {
  source: Source<T>
  strategy: WatermarkStrategy<T>
  /** `pipeline.auto-watermark-interval`; 0: no periodic watermarks, hence no idleness. */
  autoWatermarkIntervalMs?: number
}

const AUTO_WATERMARK_INTERVAL_MS = 200
const SPLITS = 'tailrace:splits'
/** The first periodic emit comes earlier, so that a job shows its first results without a whole interval's wait. */
const FIRST_EMIT_MS_MAX = 20

export class Operator<T = any> extends SourceOperator {
  readonly #options: SourceOptions<T>
  readonly #intervalMs: number
  readonly #splits = new Map<string, Output<T>>()
  #reader: SourceReader<T> | undefined
  #main!: MainOutput<T>
  #outputClasses!: typeof import('./watermark-output.ts')
  #combined!: CombinedWatermark
  /** All outputs that exist: the splits' and, once used, the one for records without a split. */
  #outputs: Output<T>[] = []
  #timer: number | undefined
  #blockedMs = 0
  #idle = false
  #emitLag!: Gauge
  #idleTime!: Gauge
  /** Since the last periodic emit. */
  #emitted = false
  /** Monotonic; as exact as the periodic emits are frequent. */
  #emittedAtMs = 0
  /** Periodic emits in a row that saw neither a split nor a request for one. */
  #emptyEmits = 0
  /** The reader has asked for a split and has no answer. */
  #asked = false
  /** The last poll found nothing. */
  #resting = false
  #started = false
  /** Splits of the checkpoint that the reader begins with. */
  #restored: SourceSplit[] | undefined
  #ended = false

  constructor(options: SourceOptions<T>) {
    super()
    this.#options = options
    this.#intervalMs = options.autoWatermarkIntervalMs ?? AUTO_WATERMARK_INTERVAL_MS
  }

  override async open(context: OperatorContext): Promise<void> {
    super.open(context)
    this.#outputClasses = await hotCopy('operators/watermark-output', context.copy)
    this.#combined = new CombinedWatermark({
      watermark: (timestampMs) => this.#emitWatermark(timestampMs),
      status: (idle) => this.#emitStatus(idle),
    })
    this.#main = new MainOutput<T>({
      split: (id) => this.#split(id),
      release: (id) => this.#release(id),
      main: () => this.#createOutput(),
      sideOutput: (tagId, value) => {
        const receiver = context.sideOutput(tagId)
        if (receiver === undefined) return false
        context.metrics.add('numRecordsSideOutput', 1)
        receiver.process(value, NO_TIMESTAMP)
        return true
      },
    })
    this.#reader = this.#options.source.createReader({
      subtask: context.task.subtaskIndex,
      parallelism: context.task.parallelism,
      requestSplit: () => {
        this.#asked = true
        context.coordinator.requestSplit()
      },
      sendEvent: (event) => context.coordinator.sendEvent(event),
      wake: () => context.wake(),
      wakeAt: (monotonicMs) => context.wakeAt(monotonicMs),
      fail: (error) => context.fail(error),
      clock: context.clock,
      metrics: context.metrics.group,
    })
    this.#emitLag = context.metrics.group.gauge('currentEmitEventTimeLag')
    this.#idleTime = context.metrics.group.gauge('sourceIdleTime')
    this.#emittedAtMs = context.clock.monotonic()
    this.#schedule(Math.min(this.#intervalMs, FIRST_EMIT_MS_MAX))
    const splits = (await context.restored?.list(SPLITS)) as SourceSplit[] | undefined
    if (splits !== undefined && splits.length > 0) this.#restored = splits
  }

  override snapshot(writer: SnapshotWriter): void {
    // Splits that were assigned before the reader began are in its state as well: it begins with them.
    writer.list(SPLITS, 'split', this.#running().snapshot(writer.barrier.checkpointId))
  }

  override notifyCheckpointComplete(checkpointId: number): void {
    this.#reader?.notifyCheckpointComplete?.(checkpointId)
  }

  override poll(max: number): PollStatus {
    if (this.#ended) return 'end'
    const found = this.#running().poll(this.#main, max)
    this.#resting = found === 'idle'
    if (found === 'end') this.end()
    return found
  }

  override addSplits(splits: SourceSplit[]): void {
    this.#running()
    this.#asked = false
    if (splits.length > 0) this.#give(splits)
  }

  override noMoreSplits(): void {
    this.#running().noMoreSplits()
    this.#asked = false
  }

  override handleEvent(event: unknown): void {
    this.#running().handleEvent?.(event)
  }

  override blockedFor(ms: number): void {
    this.#blockedMs += ms
  }

  override publish(): void {
    let records = 0
    let eventTimeMs = NO_TIMESTAMP
    for (const output of this.#outputs) {
      const taken = output.takeRecords()
      if (taken === 0) continue
      records += taken
      eventTimeMs = Math.max(eventTimeMs, output.eventTimeMs)
    }
    if (records === 0) return
    this.#emitted = true
    this.context.metrics.page[this.context.metrics.base + O.numRecordsOut]! += records
    if (eventTimeMs !== NO_TIMESTAMP) this.#emitLag.set(this.context.clock.now() - eventTimeMs)
  }

  override close(): void | Promise<void> {
    if (this.#timer !== undefined) this.context.cancelTimer(this.#timer)
    this.#timer = undefined
    const reader = this.#reader
    this.#reader = undefined
    return reader?.close()
  }

  /** The reader, started at the first need of it: while the task opens, answers to what it asks could not be taken. */
  #running(): SourceReader<T> {
    if (!this.#started) {
      this.#started = true
      this.#reader!.start()
      const restored = this.#restored
      this.#restored = undefined
      if (restored !== undefined) this.#give(restored)
    }
    return this.#reader!
  }

  #give(splits: SourceSplit[]): void {
    for (const split of splits) this.#split(split.id)
    this.context.coordinator.splitsHeld(splits, [])
    this.#reader!.addSplits(splits)
  }

  #split(id: string): Output<T> {
    let output = this.#splits.get(id)
    if (output === undefined) {
      output = this.#createOutput()
      this.#splits.set(id, output)
    }
    return output
  }

  #createOutput(): Output<T> {
    const { strategy } = this.#options
    const part = this.#combined.add()
    const output = this.#outputClasses.createOutput({ next: this.next, combined: this.#combined, part }, strategy)
    this.#outputs.push(output)
    this.#emptyEmits = 0
    this.#combined.update()
    this.#emitStatus(this.#combined.idle)
    return output
  }

  #release(id: string): void {
    const output = this.#splits.get(id)
    if (output === undefined) return
    output.periodicEmit()
    this.#combined.update()
    this.#splits.delete(id)
    this.publish()
    this.#outputs.splice(this.#outputs.indexOf(output), 1)
    this.#combined.remove(output.part)
    this.#combined.update()
    this.context.metrics.add('numSplitsProcessed', 1)
    this.context.coordinator.splitsHeld([], [id])
  }

  #schedule(inMs: number): void {
    if (!(this.#intervalMs > 0)) return
    this.#timer = this.context.registerTimer(this.context.clock.now() + inMs, () => this.#onTimer())
  }

  #onTimer(): void {
    this.#timer = undefined
    if (this.#ended) return
    this.publish()
    // While the output is blocked no record can come, whatever the split has.
    const nowMs = this.context.outputBlocked() ? Number.NaN : this.context.clock.monotonic() - this.#blockedMs
    for (const output of this.#outputs) output.periodic(nowMs)
    this.#combined.update()
    if (this.#asked || !this.#resting) this.#emptyEmits = 0
    else if (this.#outputs.length === 0 && this.#emptyEmits++ > 0) this.#emitStatus(true)
    if (this.#combined.watermarkMs > -Infinity)
      this.context.metrics.set('watermarkLag', this.context.clock.now() - this.#combined.watermarkMs)
    this.#publishIdleTime()
    this.#schedule(this.#intervalMs)
  }

  #publishIdleTime(): void {
    const nowMs = this.context.clock.monotonic()
    if (this.#emitted) this.#emittedAtMs = nowMs
    this.#emitted = false
    this.#idleTime.set(nowMs - this.#emittedAtMs)
  }

  override end(): void {
    if (this.#ended) return
    this.#ended = true
    if (this.#timer !== undefined) this.context.cancelTimer(this.#timer)
    this.#timer = undefined
    for (const output of this.#outputs) output.periodicEmit()
    this.#combined.update()
    this.publish()
    this.#emitStatus(false)
    this.#emitWatermark(MAX_WATERMARK)
  }

  #emitWatermark(timestampMs: number): void {
    this.context.metrics.set('currentOutputWatermark', timestampMs)
    this.next.watermark(timestampMs)
  }

  #emitStatus(idle: boolean): void {
    if (this.#idle === idle) return
    this.#idle = idle
    this.next.status(idle)
  }
}

/** What the reader gets. Records without a split go through an output that is made at the first one. */
class MainOutput<T> implements ReaderOutput<T> {
  readonly split: (id: string) => SplitOutput<T>
  readonly release: (id: string) => void
  readonly sideOutput: (tagId: string, value: unknown) => boolean
  readonly #create: () => Output<T>
  #output: Output<T> | undefined

  constructor(by: {
    split: (id: string) => SplitOutput<T>
    release: (id: string) => void
    main: () => Output<T>
    sideOutput: (tagId: string, value: unknown) => boolean
  }) {
    this.split = by.split
    this.release = by.release
    this.sideOutput = by.sideOutput
    this.#create = by.main
  }
  collect(value: T, timestamp: number): void {
    if (this.#output === undefined) this.#output = this.#create()
    this.#output.collect(value, timestamp)
  }
  markIdle(): void {
    this.#output ??= this.#create()
    this.#output.markIdle()
  }
  markActive(): void {
    this.#output ??= this.#create()
    this.#output.markActive()
  }
}
