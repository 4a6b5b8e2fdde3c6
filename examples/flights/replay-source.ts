/**
 * Replays real flights of January to March 2001 as a stream, again and again, in the order in which they left.
 *
 * A flight is reported when it has left: scheduled time plus delay. Its event time is the scheduled one, so the stream is out of order
 * by the delays that really happened: most by minutes, a few by half a day. Cycle k of the data is k times 90 days later.
 *
 * One split and so one reader, as flights are reported in one order: run it at parallelism 1.
 */
import { readFileSync } from 'node:fs'
import type {
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

export interface Flight {
  origin: string
  destination: string
  distanceMiles: number
  scheduledMs: number
  /** Below zero when it left early. */
  delayMin: number
}

/** A flight as the data set has it. */
interface Row {
  /** `2001/01/31 23:59` */
  date: string
  delay: number
  distance: number
  origin: string
  destination: string
}

interface ReplaySplit extends SourceSplit {
  /** Number of the next flight; in cycle k of n flights they are k * n, k * n + 1, ... */
  next: number
}

export interface ReplayOptions {
  /** How many flights in all; Infinity replays without end. */
  records: number
  /** Event time per real time, such as 86400 for a day a second; Infinity is as fast as it goes. */
  speed: number
}

const DATA = new URL('../../node_modules/vega-datasets/data/flights-20k.json', import.meta.url)
const MINUTE_MS = 60_000
const CYCLE_MS = 90 * 24 * 60 * MINUTE_MS

const leftMs = (flight: Flight) => flight.scheduledMs + flight.delayMin * MINUTE_MS

/** One cycle, in the order of leaving. */
export function loadFlights(): Flight[] {
  const rows: Row[] = JSON.parse(readFileSync(DATA, 'utf8'))
  return rows
    .map(({ date, delay, distance, origin, destination }) => ({
      origin,
      destination,
      distanceMiles: distance,
      scheduledMs: Date.parse(`${date.replaceAll('/', '-').replace(' ', 'T')}:00Z`),
      delayMin: delay,
    }))
    .sort((a, b) => leftMs(a) - leftMs(b))
}

/** @example replayFlights({ records: 200_000, speed: Infinity }) */
export function replayFlights({ records, speed }: ReplayOptions): Source<Flight, ReplaySplit, null> {
  const bounded = records !== Number.POSITIVE_INFINITY
  if (bounded && !(Number.isSafeInteger(records) && records >= 0))
    throw new RangeError(`Cannot replay ${records} flights: a whole number is wanted`)
  if (!(speed > 0)) throw new RangeError(`Cannot replay at ${speed} times real time: a number above 0 is wanted`)
  return {
    boundedness: bounded ? 'bounded' : 'unbounded',
    describe: () =>
      `flights(${speed === Number.POSITIVE_INFINITY ? 'as fast as it goes' : `${speed} times real time`})`,
    createEnumerator: (context) => new ReplayEnumerator(context),
    createReader: (context) => new ReplayReader(context, { records, speed }),
  }
}

class ReplayEnumerator implements SplitEnumerator<ReplaySplit, null> {
  readonly #context: EnumeratorContext<ReplaySplit>

  constructor(context: EnumeratorContext<ReplaySplit>) {
    this.#context = context
  }
  start(): void {}
  addReader(subtask: number): void {
    if (subtask === 0) this.#context.assign({ id: 'flights', next: 0 }, subtask)
    this.#context.noMoreSplits(subtask)
  }
  handleSplitRequest(): void {}
  addSplitsBack(splits: ReplaySplit[], subtask: number): void {
    for (const split of splits) this.#context.assign(split, subtask)
  }
  snapshot(): null {
    return null
  }
  close(): void {}
}

class ReplayReader implements SourceReader<Flight, ReplaySplit> {
  readonly #context: ReaderContext
  readonly #options: ReplayOptions
  readonly #flights = loadFlights()
  #split: ReplaySplit | undefined
  #noMoreSplits = false
  #output!: SplitOutput<Flight>
  /** Event time minus speed times real time; set by the first flight, which is due at once. */
  #headStartMs: number | undefined

  constructor(context: ReaderContext, options: ReplayOptions) {
    this.#context = context
    this.#options = options
  }

  start(): void {}

  poll(output: ReaderOutput<Flight>, max: number): PollStatus {
    const split = this.#split
    if (split === undefined) return this.#noMoreSplits ? 'end' : 'idle'
    this.#output ??= output.split(split.id)
    const dueMs = this.#dueMs(split)
    for (let n = 0; n < max; n++, split.next++) {
      if (split.next >= this.#options.records) return 'end'
      const flight = this.#flights[split.next % this.#flights.length]!
      const shiftMs = this.#shiftMs(split)
      const waitMs = leftMs(flight) + shiftMs - dueMs
      if (waitMs > 0) {
        this.#context.wakeAt(this.#context.clock.monotonic() + waitMs / this.#options.speed)
        return 'idle'
      }
      const { origin, destination, distanceMiles, scheduledMs, delayMin } = flight
      const shifted = { origin, destination, distanceMiles, scheduledMs: scheduledMs + shiftMs, delayMin }
      this.#output.collect(shifted, leftMs(shifted))
    }
    return 'more'
  }

  addSplits(splits: ReplaySplit[]): void {
    this.#split = splits[0]
  }
  noMoreSplits(): void {
    this.#noMoreSplits = true
  }
  snapshot(): ReplaySplit[] {
    return this.#split === undefined ? [] : [{ ...this.#split }]
  }
  close(): void {}

  #shiftMs(split: ReplaySplit): number {
    return Math.floor(split.next / this.#flights.length) * CYCLE_MS
  }

  /** Flights that have left until this time are to be reported by now. */
  #dueMs(split: ReplaySplit): number {
    const { speed } = this.#options
    if (speed === Number.POSITIVE_INFINITY) return speed
    const replayedMs = this.#context.clock.monotonic() * speed
    this.#headStartMs ??= leftMs(this.#flights[split.next % this.#flights.length]!) + this.#shiftMs(split) - replayedMs
    return replayedMs + this.#headStartMs
  }
}
