/**
 * Gives records their event time and keeps the watermark of one split, or of one stream: the hot helper of source.ts and
 * timestamps.ts, which load it as a copy of their own.
 *
 * A record passes `collect`: assigner (if any), largest timestamp or generator, next operator. There is one small class per kind of
 * strategy, so that the common ones are a few instructions. A generator sees a record after it was pushed, so that a watermark made
 * from it follows it.
 *
 * Timestamps are whole milliseconds by convention; fractions are rounded down where a watermark is made, else a window could
 * fire before a record that is within the bound.
 */
import { NO_TIMESTAMP } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { SplitOutput } from '../core/source.ts'
import type { TimestampAssigner, WatermarkGenerator, WatermarkOutput, WatermarkStrategy } from '../core/watermarks.ts'
import type { CombinedWatermark, PartialWatermark } from './combined-watermark.ts'
import { IdlenessTimer } from './idleness-timer.ts'
import type { Receiver } from './operator.ts'

/** Where an output pushes, and the part of the combined watermark that is its own. */
export interface OutputBase {
  next: Receiver
  combined: CombinedWatermark
  part: PartialWatermark
}

export abstract class Output<T> implements SplitOutput<T> {
  readonly next: Receiver
  readonly part: PartialWatermark
  readonly combined: CombinedWatermark
  readonly #idleness: IdlenessTimer | undefined
  /** Since `takeRecords`. */
  records = 0
  /** Marked by the reader or the timer; the next record wakes it. A generator marks the part alone. */
  idle = false
  #idleByReader = false

  constructor(base: OutputBase, strategy: WatermarkStrategy<T>) {
    this.next = base.next
    this.part = base.part
    this.combined = base.combined
    this.#idleness = strategy.idlenessMs === undefined ? undefined : new IdlenessTimer(strategy.idlenessMs)
  }

  abstract collect(value: T, timestamp: number): void
  /** Of the last record, or of the latest where that is known anyway. */
  abstract get eventTimeMs(): number
  /** Brings the part's watermark up to date; the combined one is put out by who calls. */
  abstract periodicEmit(): void

  takeRecords(): number {
    const records = this.records
    if (records > 0) this.#idleness?.activity()
    this.records = 0
    return records
  }

  /** `nowMs` leaves out the time in which no record could come; NaN when none could since the last call. */
  periodic(nowMs: number): void {
    if (this.#idleByReader) return
    if (this.#idleness !== undefined && !Number.isNaN(nowMs) && this.#idleness.check(nowMs)) {
      this.idle = true
      this.part.idle = true
    } else if (!this.idle) {
      this.periodicEmit()
    }
  }

  markIdle(): void {
    if (!this.idle) this.periodicEmit()
    this.#idleByReader = true
    this.idle = true
    this.combined.setIdle(this.part, true)
  }

  markActive(): void {
    this.#idleByReader = false
    this.idle = false
    this.combined.setIdle(this.part, false)
  }
}

/** No watermarks, the source's own timestamps. */
class PlainOutput<T> extends Output<T> {
  eventTimeMs = NO_TIMESTAMP
  collect(value: T, timestamp: number): void {
    if (this.idle) this.markActive()
    this.records++
    this.eventTimeMs = timestamp
    this.next.process(value, timestamp)
  }
  periodicEmit(): void {}
}

/** No watermarks, assigned timestamps. */
class AssigningOutput<T> extends Output<T> {
  eventTimeMs = NO_TIMESTAMP
  readonly assign: TimestampAssigner<T>
  constructor(base: OutputBase, strategy: WatermarkStrategy<T>) {
    super(base, strategy)
    this.assign = strategy.assigner!
  }
  collect(value: T, timestamp: number): void {
    if (this.idle) this.markActive()
    this.records++
    const assign = this.assign
    const assigned = assign(value, timestamp)
    if (typeof assigned !== 'number' || !(assigned < Infinity)) throw badTimestamp(assigned)
    this.eventTimeMs = assigned
    this.next.process(value, assigned)
  }
  periodicEmit(): void {}
}

/** Bounded out-of-orderness on the source's own timestamps. */
class BoundedOutput<T> extends Output<T> {
  maxMs = -Infinity
  readonly boundMs: number
  constructor(base: OutputBase, strategy: WatermarkStrategy<T>) {
    super(base, strategy)
    this.boundMs = strategy.boundMs
  }
  get eventTimeMs(): number {
    return this.maxMs
  }
  collect(value: T, timestamp: number): void {
    if (this.idle) this.markActive()
    this.records++
    if (timestamp > this.maxMs) this.maxMs = checked(timestamp)
    else if (!(timestamp <= this.maxMs)) throw badTimestamp(timestamp)
    this.next.process(value, timestamp)
  }
  periodicEmit(): void {
    this.part.advance(Math.floor(this.maxMs - this.boundMs) - 1)
  }
}

/** Bounded out-of-orderness on assigned timestamps. */
class BoundedAssigningOutput<T> extends Output<T> {
  maxMs = -Infinity
  readonly boundMs: number
  readonly assign: TimestampAssigner<T>
  constructor(base: OutputBase, strategy: WatermarkStrategy<T>) {
    super(base, strategy)
    this.boundMs = strategy.boundMs
    this.assign = strategy.assigner!
  }
  get eventTimeMs(): number {
    return this.maxMs
  }
  collect(value: T, timestamp: number): void {
    if (this.idle) this.markActive()
    this.records++
    const assign = this.assign
    const assigned = assign(value, timestamp)
    if (typeof assigned !== 'number' || !(assigned < Infinity)) throw badTimestamp(assigned)
    if (assigned > this.maxMs) this.maxMs = assigned
    this.next.process(value, assigned)
  }
  periodicEmit(): void {
    this.part.advance(Math.floor(this.maxMs - this.boundMs) - 1)
  }
}

/** A generator of the author's own; what it emits on an event goes out at once, on a periodic emit together with all others. */
class CustomOutput<T> extends Output<T> {
  eventTimeMs = NO_TIMESTAMP
  readonly assign: TimestampAssigner<T> | undefined
  readonly generator: WatermarkGenerator<T>
  readonly immediate: WatermarkOutput
  readonly deferred: WatermarkOutput
  constructor(base: OutputBase, strategy: WatermarkStrategy<T>) {
    super(base, strategy)
    this.assign = strategy.assigner
    this.generator = strategy.createGenerator!()
    const { part, combined } = base
    this.immediate = {
      emitWatermark: (timestampMs) => combined.emit(part, timestampMs),
      markIdle: () => combined.setIdle(part, true),
      markActive: () => combined.setIdle(part, false),
    }
    this.deferred = {
      emitWatermark: (timestampMs) => {
        part.advance(timestampMs)
      },
      markIdle: () => {
        part.idle = true
      },
      markActive: () => {
        part.idle = false
      },
    }
  }
  collect(value: T, timestamp: number): void {
    if (this.idle) this.markActive()
    this.records++
    if (this.assign !== undefined) {
      const assign = this.assign
      timestamp = assign(value, timestamp)
    }
    if (typeof timestamp !== 'number' || !(timestamp < Infinity)) throw badTimestamp(timestamp)
    this.eventTimeMs = timestamp
    this.next.process(value, timestamp)
    this.generator.onEvent(value, timestamp, this.immediate)
  }
  periodicEmit(): void {
    this.generator.onPeriodicEmit(this.deferred)
  }
}

export function createOutput<T>(base: OutputBase, strategy: WatermarkStrategy<T>): Output<T> {
  if (strategy.kind === 'custom') return new CustomOutput(base, strategy)
  if (strategy.kind === 'bounded')
    return strategy.assigner === undefined
      ? new BoundedOutput(base, strategy)
      : new BoundedAssigningOutput(base, strategy)
  return strategy.assigner === undefined ? new PlainOutput(base, strategy) : new AssigningOutput(base, strategy)
}

function checked(timestamp: number): number {
  if (typeof timestamp !== 'number' || timestamp === Infinity) throw badTimestamp(timestamp)
  return timestamp
}

function badTimestamp(found: unknown): TailraceError {
  const shown =
    found instanceof Date
      ? `the Date ${found.toString()}`
      : typeof found === 'string'
        ? `the text ${JSON.stringify(found.slice(0, 80))}`
        : typeof found === 'bigint'
          ? `the bigint ${found}n`
          : String(found)
  const hint =
    found instanceof Date
      ? ' (date.getTime())'
      : typeof found === 'string'
        ? ' (Date.parse(text), or Number(text))'
        : ''
  return new TailraceError(
    'TR-RECORD-003',
    `Cannot use ${shown} as the timestamp of a record: it must be a number of milliseconds since 1970${hint}`,
  )
}
