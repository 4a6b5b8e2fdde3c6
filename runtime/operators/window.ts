/**
 * Tumbling windows on slice tables [W-01, W-02, W-12..W-18, W-22, W-23, W-25].
 *
 * Algorithm: each window is one slice: a table of all keys that have records in it (state/slices/table.ts). A record goes to the slice
 * of its time; the last two slices are kept at hand, so that a record usually costs two comparisons and one lookup. There is no
 * timer per key: when the watermark (or the clock) passes the end of a window, its slice fires as a whole, key by key, a
 * bounded number per turn and not while the output is blocked.
 *
 *   open ──watermark ≥ maxTimestamp──▶ fired ──watermark ≥ maxTimestamp + allowed lateness──▶ gone
 *
 * A record for a fired slice fires its key's updated result at once. A record for a window that is gone is late: it goes to the late
 * side output, or is counted.
 *
 * State: one accumulator per key and window. Accumulators of nothing but numbers are columns, others objects, and without reduce or
 * aggregate the records themselves are kept. What the first record shows is taken for all; the tables are rebuilt when a later one
 * differs (keys that are no numbers, accumulators that get other fields).
 * Correctness: all results that a watermark caused are emitted before it goes on [E-14]. A slice is cleared segment by segment as it
 * fires, when no lateness is allowed; so nothing fires twice, and nothing is lost if the fire stops half-way.
 */
import { NO_TIMESTAMP } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { AggregateFunction, Key, ReduceFunction } from '../core/functions.ts'
import { hashString } from '../core/hash.ts'
import { hotCopy } from '../core/hot-copy.ts'
import { inferType, type TypeDescription } from '../core/types.ts'
import type { ProcessWindowFunction, WindowFunction } from '../core/window-functions.ts'
import { TimeWindow, type TumblingAssigner, windowStart } from '../core/windows.ts'
import type { Aggregation, Fold } from '../state/slices/aggregation.ts'
import { type ColumnLayout, columnAggregation, columnLayout } from '../state/slices/columns.ts'
import { type KeyMode, SEGMENT_SHIFT, type Segment, type SliceLayout, type SliceTable } from '../state/slices/table.ts'
import {
  BaseOperator,
  type KeyedOptions,
  type OperatorContext,
  type Receiver,
  type RestoredState,
  type SnapshotWriter,
} from './operator.ts'
import type { WindowCalls } from './window-calls.ts'

export interface WindowOptions extends KeyedOptions {
  readonly assigner: TumblingAssigner
  readonly allowedLatenessMs: number
  /** Id of the side output of late records. */
  readonly lateTag?: string | undefined
  readonly kind: 'reduce' | 'aggregate' | 'process'
  readonly reduce?: ReduceFunction<any>
  readonly aggregate?: AggregateFunction<any, any, any>
  readonly windowFn?: WindowFunction<any, any, any> | ProcessWindowFunction<any, any, any> | undefined
}

/** Names of the tables of a checkpoint: this and the start of the window. */
const TABLES = 'tailrace:window/'
/** Results emitted between two looks at the output. */
const FIRE_BATCH = 256
/** Results emitted in one turn at most; other tasks of the slot want their turn too. */
const FIRE_TURN_MAX = 4096
/** Tables kept for the next slices; each holds the memory of a whole slice. */
const POOL_MAX = 2
/** Records of processing-time windows between two looks at the clock; the end of a window is found by a timer. */
const CLOCK_EVERY = 64

interface Slice {
  readonly window: TimeWindow
  readonly start: number
  readonly end: number
  /** Time at which the slice is gone: its last millisecond and the allowed lateness. */
  readonly cleanupMs: number
  table: SliceTable
  fired: boolean
}

export class Operator extends BaseOperator {
  readonly options: WindowOptions
  readonly keyOf: (value: any) => Key
  // The slice of the last record, and the one before it.
  private start = Infinity
  private end = -Infinity
  private slice!: Slice
  private segments: readonly Segment[] = []
  private fired = false
  private other: Slice | undefined
  /** Of a snapshot that is under way: an accumulator that it has not taken yet must be shown to it before it changes. */
  private sweep: (() => boolean) | undefined

  #table!: typeof import('../state/slices/table.ts')
  #objects!: typeof import('../state/slices/objects.ts')
  #snapshots!: typeof import('../state/slices/snapshot.ts')
  #layout: SliceLayout = { keys: 'any', columns: -1 }
  /** undefined until the first record has shown what fits. */
  private aggregation!: Aggregation
  #columns: ColumnLayout | undefined
  #fold!: Fold
  /** No table can hold other keys. */
  private numberKeys = false
  #calls!: WindowCalls
  readonly #slices = new Map<number, Slice>()
  readonly #pool: SliceTable[] = []

  private readonly isEventTime: boolean
  readonly #sizeMs: number
  #offsetMs: number | undefined
  #watermark = -Infinity
  /** Earliest time at which a slice fires or goes. */
  #dueMs = Infinity
  /** By the clock, for processing time; looked at now and then. */
  #nowMs = -Infinity
  #untilClock = 0
  #armedMs = Infinity
  #armed = 0

  // Long work: slices that fire and slices that go, in turn; where the first one stands.
  #work: { slice: Slice; fires: boolean; clears: boolean }[] = []
  #segment = 0
  #place = 0
  #pendingWatermark: number | undefined

  #lateOutput: Receiver | undefined
  #lateDropped = 0
  #lateSent = 0

  constructor(options: WindowOptions) {
    super()
    this.options = options
    this.keyOf = options.keyOf
    this.isEventTime = options.assigner.time === 'event'
    this.#sizeMs = options.assigner.sizeMs
  }

  override async open(context: OperatorContext): Promise<void> {
    super.open(context)
    const { copy } = context
    ;[this.#table, this.#objects, this.#snapshots] = await Promise.all([
      hotCopy<typeof import('../state/slices/table.ts')>('state/slices/table', copy),
      hotCopy<typeof import('../state/slices/objects.ts')>('state/slices/objects', copy),
      import('../state/slices/snapshot.ts'),
    ])
    const calls = await hotCopy<typeof import('./window-calls.ts')>('operators/window-calls', copy)
    if (this.options.lateTag !== undefined) this.#lateOutput = context.sideOutput(this.options.lateTag)
    this.#offsetMs = this.#initialOffset(context)
    this.#calls = new calls.WindowCalls(this.options, context, this.next, () => this.#watermark)
    await this.#calls.open()
    if (context.restored !== undefined) await this.#restore(context.restored)
  }

  /** undefined: the first record says. */
  #initialOffset({ operatorId, task }: OperatorContext): number | undefined {
    const { offsetMs, stagger } = this.options.assigner
    if (stagger === 'NATURAL') return undefined
    if (stagger === 'ALIGNED') return offsetMs
    // Random enough over the instances, and the same again when an instance is restarted.
    return (offsetMs + (hashString(`${operatorId}:${task.subtaskIndex}`) % this.#sizeMs)) % this.#sizeMs
  }

  // --- records

  override process(value: any, timestamp: number, keyHash: number): void {
    const time = this.isEventTime ? timestamp : this.#clockTime()
    if (time < this.start || time >= this.end) {
      if (!this.#select(value, time)) return
    }
    const key = this.keyOf(value)
    if (typeof key !== 'number' && this.numberKeys) this.#layOutKeys()
    const segment = this.segments[keyHash >>> SEGMENT_SHIFT]!
    if (this.sweep !== undefined) segment.snapshot?.beforeKey(key, keyHash)
    if (!this.aggregation.upsert(segment, key, keyHash, value)) this.#toObjects(this.slice, key, keyHash)
    if (this.fired) this.#refire(key, keyHash)
  }

  #clockTime(): number {
    if (--this.#untilClock <= 0) {
      this.#untilClock = CLOCK_EVERY
      this.#nowMs = this.context.clock.now()
    }
    return this.#nowMs
  }

  /** Makes the slice of `time` the current one; false when the record is late and has been dealt with. */
  #select(value: any, time: number): boolean {
    const other = this.other
    if (other !== undefined && time >= other.start && time < other.end) {
      this.other = this.slice
      this.#use(other)
      return true
    }
    if (time === NO_TIMESTAMP) throw this.#noTimestamp(value)
    if (this.aggregation === undefined) this.#layOut(value)
    this.#offsetMs ??= (this.options.assigner.offsetMs + modulo(this.context.clock.now(), this.#sizeMs)) % this.#sizeMs
    const start = windowStart(time, this.#offsetMs, this.#sizeMs)
    let slice = this.#slices.get(start)
    if (slice === undefined) {
      const end = start + this.#sizeMs
      const cleanupMs = this.isEventTime ? end - 1 + this.options.allowedLatenessMs : end - 1
      if (this.isEventTime && cleanupMs <= this.#watermark) {
        this.#late(value, time)
        return false
      }
      slice = this.#open(start, end, cleanupMs)
    }
    if (this.end > this.start) this.other = this.slice
    this.#use(slice)
    return true
  }

  #use(slice: Slice): void {
    this.slice = slice
    this.start = slice.start
    this.end = slice.end
    this.segments = slice.table.segments
    this.fired = slice.fired
  }

  #open(start: number, end: number, cleanupMs: number): Slice {
    const fired = this.isEventTime && end - 1 <= this.#watermark
    const table = this.#pool.pop() ?? new this.#table.SliceTable(this.#layout)
    const slice: Slice = { window: new TimeWindow(start, end), start, end, cleanupMs, table, fired }
    this.#slices.set(start, slice)
    this.#dueMs = Math.min(this.#dueMs, fired ? cleanupMs : end - 1)
    if (!this.isEventTime) this.#arm()
    return slice
  }

  #late(value: any, timestamp: number): void {
    if (this.#lateOutput === undefined) {
      this.#lateDropped++
    } else {
      this.#lateSent++
      this.#lateOutput.process(value, timestamp)
    }
  }

  #refire(key: Key, keyHash: number): void {
    const segment = this.slice.table.segmentOf(keyHash)
    const place = segment.find(key, keyHash)
    this.#calls.setWindow(this.slice.window)
    this.#calls.fire(segment.keyAt(place), keyHash, this.aggregation.load(segment, place), true)
  }

  #noTimestamp(value: unknown): TailraceError {
    return new TailraceError(
      'TR-RECORD-003',
      `Cannot put a record into an event-time window of operator "${this.context.task.operatorName}": the record has no timestamp (${preview(value)}); give the source a watermark strategy with a timestamp assigner, or call assignTimestampsAndWatermarks before keyBy`,
    )
  }

  // --- layout

  /** Chooses how to keep keys and accumulators by the first record. No slice is open yet. */
  #layOut(value: any): void {
    const { kind, aggregate } = this.options
    this.#layOutFor(this.keyOf(value), () => (kind === 'reduce' ? value : aggregate!.createAccumulator()))
  }

  #layOutFor(key: Key, accumulator: () => any): void {
    const { kind, reduce, aggregate } = this.options
    const { foldOfAggregate, foldOfReduce, RecordLists } = this.#objects
    if (kind === 'process') {
      this.aggregation = new RecordLists(this.#label())
    } else {
      this.#fold = kind === 'reduce' ? foldOfReduce(reduce!) : foldOfAggregate(aggregate!)
      this.#columns = columnLayout(accumulator())
      if (this.#columns === undefined) this.aggregation = new this.#objects.ObjectAggregation(this.#fold, this.#label())
    }
    this.#setLayout(typeof key === 'number' ? 'number' : 'any')
  }

  /** A key is no number: from now on keys are anything. */
  #layOutKeys(): void {
    this.#setLayout('any')
  }

  /** The accumulator of `key` in a slice fits no columns: from now on accumulators are objects. */
  #toObjects(slice: Slice, key: Key, keyHash: number): void {
    // What a snapshot has still to take is read as it is kept now.
    for (const { table } of this.#slices.values()) for (const segment of table.segments) segment.snapshot?.finish()
    const { deviant, load } = this.aggregation
    const aggregation = new this.#objects.ObjectAggregation(this.#fold, this.#label())
    this.aggregation = aggregation
    this.#columns = undefined
    this.#setLayout(this.#layout.keys, load)
    const segment = slice.table.segmentOf(keyHash)
    aggregation.put(segment, segment.find(key, keyHash), deviant)
  }

  /** Moves all slices to tables of the layout that is wanted now. */
  #setLayout(keys: KeyMode, load: Aggregation['load'] = () => undefined): void {
    if (this.#columns !== undefined) this.aggregation = columnAggregation(this.#columns, keys, this.#fold)
    this.#layout = { keys, columns: this.aggregation.columns }
    this.numberKeys = keys === 'number'
    this.#pool.length = 0
    for (const slice of this.#slices.values()) slice.table = this.#table.convertSlice(slice.table, this.#layout, load)
    if (this.slice !== undefined) this.segments = this.slice.table.segments
  }

  #label(): string {
    return `windows of operator "${this.context.task.operatorName}"`
  }

  // --- time

  override watermark(timestampMs: number): void {
    this.#watermark = timestampMs
    if (this.isEventTime && timestampMs >= this.#dueMs) {
      this.#pendingWatermark = timestampMs
      this.#startWork(timestampMs)
    } else if (this.busy) {
      this.#pendingWatermark = timestampMs
    } else {
      this.next.watermark(timestampMs)
    }
  }

  /** One physical timer for the earliest window by the clock; due when its last millisecond is over. */
  #arm(): void {
    const dueMs = this.#dueMs + 1
    if (dueMs >= this.#armedMs) return
    if (this.#armedMs !== Infinity) this.context.cancelTimer(this.#armed)
    this.#armedMs = dueMs
    this.#armed = this.context.registerTimer(dueMs, (timeMs) => {
      this.#armedMs = Infinity
      this.#untilClock = 0
      const passedMs = Math.max(timeMs, this.context.clock.now()) - 1
      if (passedMs >= this.#dueMs) this.#startWork(passedMs)
      else this.#arm()
    })
  }

  /** Collects the slices that fire or go at `timeMs`, in the order of their windows, and begins with them. */
  #startWork(timeMs: number): void {
    this.#dueMs = Infinity
    const due: Slice[] = []
    for (const slice of this.#slices.values()) {
      const dueMs = slice.fired ? slice.cleanupMs : slice.end - 1
      if (dueMs <= timeMs) due.push(slice)
      if (slice.cleanupMs > timeMs) this.#dueMs = Math.min(this.#dueMs, dueMs <= timeMs ? slice.cleanupMs : dueMs)
    }
    due.sort((a, b) => a.start - b.start)
    for (const slice of due) {
      const gone = slice.cleanupMs <= timeMs
      if (!slice.fired) {
        slice.fired = true
        this.#work.push({ slice, fires: true, clears: gone })
      } else {
        this.#work.push({ slice, fires: false, clears: true })
      }
      if (gone) this.#slices.delete(slice.start)
    }
    this.start = Infinity
    this.end = -Infinity
    this.other = undefined
    this.resume()
  }

  /** Goes on with slices that fire and go; forwards the watermark behind them. */
  override resume(): void {
    let left = FIRE_TURN_MAX
    while (this.#work.length > 0) {
      const { slice, fires, clears } = this.#work[0]!
      const { segments } = slice.table
      this.#calls.setWindow(slice.window)
      for (; this.#segment < segments.length; this.#segment++, this.#place = 0) {
        const segment = segments[this.#segment]!
        segment.snapshot?.finish()
        while (segment.size > 0 && this.#place < segment.capacity) {
          if (left <= 0 || this.context.outputBlocked()) {
            this.busy = true
            return
          }
          left -= this.#visit(segment, fires, clears)
        }
        if (clears) segment.clear()
      }
      this.#segment = 0
      this.#work.shift()
      if (clears) {
        this.#calls.dropWindow(slice.window)
        if (this.#pool.length < POOL_MAX) this.#pool.push(slice.table)
      }
    }
    this.busy = false
    if (!this.isEventTime) this.#arm()
    if (this.#pendingWatermark === undefined) return
    const watermark = this.#pendingWatermark
    this.#pendingWatermark = undefined
    this.next.watermark(watermark)
  }

  /** Fires up to a batch of places of a segment from the current one; returns how many it fired, at least 1. */
  #visit(segment: Segment, fires: boolean, clears: boolean): number {
    const calls = this.#calls
    const callsClear = clears && calls.hasClear
    const { capacity } = segment
    let place = this.#place
    let done = 1
    if (!fires && !callsClear) {
      this.#place = capacity
      return done
    }
    for (; place < capacity && done < FIRE_BATCH; place++) {
      if (!segment.isTaken(place)) continue
      done++
      const key = segment.keyAt(place)
      const hash = calls.needsHash ? segment.hashAt(place) : 0
      if (fires) calls.fire(key, hash, this.aggregation.load(segment, place), !clears)
      if (callsClear) calls.clear(key, hash)
    }
    this.#place = place
    return done
  }

  // --- checkpoints

  override snapshot(writer: SnapshotWriter): void {
    const parts = [...this.#slices.values()].map((slice) => {
      const { segments } = slice.table
      const { start, end, cleanupMs, fired } = slice
      const table = writer.table({
        name: `${TABLES}${start}`,
        kind: 'window',
        row: this.#rowType(segments),
        settings: { start, end, cleanupMs, fired },
      })
      const encode = (segment: Segment, place: number, early: boolean) => {
        const row = { k: segment.keyAt(place), w: start, v: this.aggregation.load(segment, place) }
        if (early) table.putEarly(row, segment.hashAt(place), NO_TIMESTAMP)
        else table.put(row, segment.hashAt(place), NO_TIMESTAMP)
      }
      return { segments, encode }
    })
    const sweep = this.#snapshots.snapshotSegments(parts)
    this.sweep = sweep
    writer.later(() => {
      const done = sweep()
      if (done && this.sweep === sweep) this.sweep = undefined
      return done
    })
    this.#calls.snapshot(writer)
  }

  #rowType(segments: readonly Segment[]): TypeDescription {
    const keys: Key[] = []
    const values: unknown[] = []
    for (const segment of segments) {
      for (let place = 0, left = 2; left > 0 && segment.size > 0 && place < segment.capacity; place++) {
        if (!segment.isTaken(place)) continue
        keys.push(segment.keyAt(place))
        values.push(this.aggregation.load(segment, place))
        left--
      }
    }
    return {
      kind: 'row',
      fields: [
        ['k', inferType(keys)],
        ['w', { kind: 'number' }],
        ['v', inferType(values)],
      ],
    }
  }

  async #restore(restored: RestoredState): Promise<void> {
    await restored.readTables((table) => {
      if (table.kind !== 'window') return undefined
      const { start, end, cleanupMs, fired } = table.settings as {
        start: number
        end: number
        cleanupMs: number
        fired: boolean
      }
      return ({ k, v }, keyHash) => {
        if (this.aggregation === undefined) this.#layOutFor(k, () => v)
        if (typeof k !== 'number' && this.numberKeys) this.#layOutKeys()
        let slice = this.#slices.get(start)
        if (slice === undefined) {
          slice = this.#open(start, end, cleanupMs)
          slice.fired = fired
        }
        const segment = slice.table.segmentOf(keyHash)
        const place = segment.insert(segment.find(k, keyHash), k, keyHash)
        if (!this.aggregation.put(segment, place, v)) this.#toObjects(slice, k, keyHash)
      }
    })
    await this.#calls.restore(restored)
  }

  // --- life

  override publish(): void {
    const { metrics } = this.context
    metrics.add('numLateRecordsDropped', this.#lateDropped)
    metrics.add('numRecordsSideOutput', this.#lateSent)
    metrics.add('numRecordsOut', (this.#calls?.publish() ?? 0) + this.#lateSent)
    this.#lateDropped = 0
    this.#lateSent = 0
  }

  override notifyCheckpointComplete(checkpointId: number): void | Promise<void> {
    return this.#calls.user?.notifyCheckpointComplete(checkpointId)
  }
  override notifyCheckpointAborted(checkpointId: number): void {
    this.#calls.user?.notifyCheckpointAborted(checkpointId)
  }

  override finish(): void {
    // By the clock nothing fires at the end of the input [PF-07]: what is lost with it is counted.
    let unfired = 0
    for (const slice of this.#slices.values()) if (!slice.fired) unfired += slice.table.size
    if (unfired > 0) this.context.metrics.group.counter('numWindowsNotFired').inc(unfired)
    this.#calls.finish()
  }

  override close(): void | Promise<void> {
    if (this.#armedMs !== Infinity) this.context.cancelTimer(this.#armed)
    this.#armedMs = Infinity
    return this.#calls?.close()
  }
}

function modulo(a: number, n: number): number {
  return ((a % n) + n) % n
}

function preview(value: unknown): string {
  let text: string
  try {
    text = JSON.stringify(value) ?? String(value)
  } catch {
    text = String(value)
  }
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
