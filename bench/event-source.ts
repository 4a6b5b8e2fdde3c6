/**
 * Source of the jobs that run beside Flink: deterministic events of event.ts in splits, as fast as they are taken or at a rate.
 *
 * Of S splits, split s has the events n * S + s. At a rate, `value` holds the time at which the event was due, in milliseconds of
 * {@link monotonicMs}: what comes late for whatever reason, the source's own included, counts into the latency.
 */
import type {
  Counter,
  EnumeratorContext,
  PollStatus,
  ReaderContext,
  ReaderOutput,
  Source,
  SourceReader,
  SourceSplit,
  SplitEnumerator,
  SplitOutput,
} from 'tailrace'
import { type Event, EventNumbers, makePayloads, PAYLOADS } from './event.ts'

export interface EventSourceOptions {
  /** Of all splits together. */
  records: number
  keys: number
  splits: number
  /** Events per second of event time. */
  eventRate: number
  /** Events per second of all splits together; 0: no pace. */
  rate: number
  /** The pace begins behind so many events of all splits together. */
  unpaced?: number
}

export interface EventSplit extends SourceSplit {
  index: number
  /** Events of the split that were emitted. */
  next: number
}

/** Least time between two looks at the clock once all that was due is out; Flink's source of the comparison parks as long. */
const PAUSE_MS = 0.1

/** Metric of each reader: its events so far, exact after each poll. The counts of the runtime are some 50 ms old, too much for turns of a second. */
export const EMITTED = 'emitted'

/** Nanoseconds of a clock that all threads share, as milliseconds. */
export function monotonicMs(): number {
  const [seconds, nanos] = process.hrtime()
  return seconds * 1000 + nanos / 1e6
}

export class EventSource implements Source<Event, EventSplit, EventSplit[]> {
  readonly boundedness = 'bounded'
  readonly #options: EventSourceOptions

  constructor(options: EventSourceOptions) {
    this.#options = options
  }

  createEnumerator(context: EnumeratorContext<EventSplit>): EventEnumerator {
    const splits = Array.from({ length: this.#options.splits }, (_, index) => ({ id: `s${index}`, index, next: 0 }))
    return new EventEnumerator(context, splits)
  }

  restoreEnumerator(context: EnumeratorContext<EventSplit>, state: EventSplit[]): EventEnumerator {
    return new EventEnumerator(context, state)
  }

  createReader(context: ReaderContext): EventReader {
    return new EventReader(context, this.#options)
  }

  describe(): string {
    return `events(${this.#options.records})`
  }
}

/** Gives each split to the subtask of its number. */
class EventEnumerator implements SplitEnumerator<EventSplit, EventSplit[]> {
  readonly #context: EnumeratorContext<EventSplit>
  #free: EventSplit[]

  constructor(context: EnumeratorContext<EventSplit>, free: EventSplit[]) {
    this.#context = context
    this.#free = free
  }

  start(): void {}
  addReader(): void {}
  close(): void {}

  handleSplitRequest(subtask: number): void {
    const isMine = (split: EventSplit) => split.index % this.#context.parallelism === subtask
    for (const split of this.#free.filter(isMine)) this.#context.assign(split, subtask)
    this.#free = this.#free.filter((split) => !isMine(split))
    this.#context.noMoreSplits(subtask)
  }

  addSplitsBack(splits: EventSplit[]): void {
    this.#free.push(...splits)
  }

  snapshot(): EventSplit[] {
    return this.#free
  }
}

class EventReader implements SourceReader<Event, EventSplit> {
  readonly #context: ReaderContext
  readonly #options: EventSourceOptions
  readonly #emitted: Counter
  readonly #payloads = makePayloads()
  readonly #cursors: Cursor[] = []
  #noMore = false
  #turn = 0

  constructor(context: ReaderContext, options: EventSourceOptions) {
    this.#context = context
    this.#options = options
    this.#emitted = context.metrics.counter(EMITTED)
  }

  start(): void {
    this.#context.requestSplit()
  }

  addSplits(splits: EventSplit[]): void {
    for (const split of splits) this.#cursors.push(new Cursor(split, this.#options, this.#payloads))
  }

  noMoreSplits(): void {
    this.#noMore = true
    this.#context.wake()
  }

  poll(output: ReaderOutput<Event>, max: number): PollStatus {
    const cursors = this.#cursors
    if (cursors.length === 0) return this.#noMore ? 'end' : 'idle'
    if (this.#turn >= cursors.length) this.#turn = 0
    const cursor = cursors[this.#turn]!
    const { left } = cursor
    let waitMs = 0
    if (this.#options.rate === 0 || cursor.isUnpaced) cursor.emit(output, max)
    else waitMs = cursor.emitDue(output, max)
    this.#emitted.inc(left - cursor.left)
    if (cursor.left > 0) this.#turn++
    else {
      output.release(cursor.id)
      cursors.splice(this.#turn, 1)
    }
    if (cursors.length === 0 && this.#noMore) return 'end'
    if (waitMs === 0) return 'more'
    this.#context.wakeAt(this.#context.clock.monotonic() + waitMs)
    return 'idle'
  }

  snapshot(): EventSplit[] {
    return this.#cursors.map((cursor) => cursor.split())
  }

  close(): void {}
}

/** Reads one split. */
class Cursor {
  readonly id: string
  /** Events of the split that are to come. */
  left: number
  readonly #first: number
  readonly #options: EventSourceOptions
  readonly #payloads: readonly string[]
  readonly #numbers: EventNumbers
  readonly #end: number
  #output: SplitOutput<Event> | undefined
  #paced: PacedOutput | undefined
  /** Number of the next event, of which the low bits choose the payload. */
  #index: number
  /** floor(#index * 1000 / eventRate), and the remainder. */
  #ts: number
  #fraction: number

  constructor(split: EventSplit, options: EventSourceOptions, payloads: readonly string[]) {
    const { records, splits, keys, eventRate } = options
    this.id = split.id
    this.#first = split.index
    this.#options = options
    this.#payloads = payloads
    this.#end = Math.ceil((records - split.index) / splits)
    this.left = this.#end - split.next
    const index = split.next * splits + split.index
    this.#numbers = new EventNumbers(index, splits, keys)
    this.#index = index | 0
    this.#ts = Math.floor((index * 1000) / eventRate)
    this.#fraction = (index * 1000) % eventRate
  }

  get isUnpaced(): boolean {
    const { unpaced = 0, splits } = this.#options
    return (this.#end - this.left) * splits < unpaced
  }

  split(): EventSplit {
    return { id: this.id, index: this.#first, next: this.#end - this.left }
  }

  /** Emits up to `max` events. */
  emit(output: ReaderOutput<Event>, max: number): void {
    this.#output ??= output.split(this.id)
    this.#push(this.#output, max)
  }

  /** Emits up to `max` events that are due. Returns the milliseconds until the next look; 0 while more are due. */
  emitDue(output: ReaderOutput<Event>, max: number): number {
    const nowMs = monotonicMs()
    this.#paced ??= new PacedOutput(output.split(this.id), nowMs, (1000 * this.#options.splits) / this.#options.rate)
    const due = Math.min(this.#paced.due(nowMs), this.left)
    if (due > 0) this.#push(this.#paced, Math.min(due, max))
    return due > max ? 0 : Math.max(PAUSE_MS, this.#paced.dueMs() - nowMs)
  }

  #push(into: SplitOutput<Event>, max: number): void {
    const n = Math.min(max, EventNumbers.CAPACITY, this.left)
    const payloads = this.#payloads
    const { keys, values } = this.#numbers
    const { splits, eventRate } = this.#options
    const step = splits * 1000
    let index = this.#index
    let ts = this.#ts
    let fraction = this.#fraction
    this.#numbers.fill(n)
    for (let i = 0; i < n; i++) {
      into.collect({ ts, key: keys[i]!, value: values[i]!, payload: payloads[index & (PAYLOADS - 1)]! }, ts)
      index = (index + splits) | 0
      fraction += step
      while (fraction >= eventRate) {
        fraction -= eventRate
        ts++
      }
    }
    this.#index = index
    this.#ts = ts
    this.#fraction = fraction
    this.left -= n
  }
}

/** Puts the time at which each event was due into it. */
class PacedOutput implements SplitOutput<Event> {
  readonly #next: SplitOutput<Event>
  readonly #startMs: number
  readonly #msPerEvent: number
  #emitted = 0

  constructor(next: SplitOutput<Event>, startMs: number, msPerEvent: number) {
    this.#next = next
    this.#startMs = startMs
    this.#msPerEvent = msPerEvent
  }

  /** When the next event is due. */
  dueMs(): number {
    return this.#startMs + this.#emitted * this.#msPerEvent
  }

  /** Events that are due at `nowMs` and were not emitted. */
  due(nowMs: number): number {
    return Math.floor((nowMs - this.#startMs) / this.#msPerEvent) + 1 - this.#emitted
  }

  collect(event: Event, timestamp: number): void {
    event.value = this.dueMs()
    this.#emitted++
    this.#next.collect(event, timestamp)
  }

  markIdle(): void {
    this.#next.markIdle()
  }

  markActive(): void {
    this.#next.markActive()
  }
}
