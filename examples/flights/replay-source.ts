/**
 * Replays real flights of January to March 2001 as a stream, again and again, in the order in which they were reported.
 *
 * A flight is reported when it has left: scheduled time plus delay. Its event time is the scheduled one. So the stream is out of order by
 * the delays that really happened, most by minutes, a few by half a day. Cycle k of the data is k times 90 days later.
 *
 * One split per subtask, every n-th record each. `speed` is event time per real time; 0 means as fast as possible.
 */
import { readFileSync } from 'node:fs'
import type { EnumeratorContext, PollStatus, ReaderContext, ReaderOutput, Source, SourceReader, SourceSplit, SplitEnumerator } from 'tailrace'

export interface Flight {
  /** Scheduled departure, milliseconds. */
  scheduledMs: number
  /** When it really left. */
  reportedMs: number
  delayMin: number
  distanceMiles: number
  origin: string
  destination: string
}

interface Row {
  date: string
  delay: number
  distance: number
  origin: string
  destination: string
}

interface ReplaySplit extends SourceSplit {
  /** This split has the records first, first + step, first + 2 * step, … */
  first: number
  step: number
  /** How many of its records have been read. */
  read: number
}

const DATA = new URL('../../node_modules/vega-datasets/data/flights-20k.json', import.meta.url)
const DAY_MS = 86_400_000
const CYCLE_MS = 90 * DAY_MS
const MINUTE_MS = 60_000
/** Records between two looks at the clock. */
const PACE_EVERY = 64

function loadFlights(): Flight[] {
  const rows = JSON.parse(readFileSync(DATA, 'utf8')) as Row[]
  const flights = rows.map(({ date, delay, distance, origin, destination }) => {
    const scheduledMs = Date.parse(`${date.replaceAll('/', '-').replace(' ', 'T')}:00Z`)
    return { scheduledMs, reportedMs: scheduledMs + delay * MINUTE_MS, delayMin: delay, distanceMiles: distance, origin, destination }
  })
  return flights.sort((a, b) => a.reportedMs - b.reportedMs)
}

/**
 * @param records total of all subtasks; Infinity replays without end
 * @param speed event time per real time, such as 86400 for a day a second; 0: unpaced
 */
export function replayFlights({ records, speed }: { records: number; speed: number }): Source<Flight, ReplaySplit> {
  return {
    boundedness: records === Number.POSITIVE_INFINITY ? 'unbounded' : 'bounded',
    describe: () => `flights(${speed === 0 ? 'unpaced' : `${speed}x`})`,
    createEnumerator: (context) => new ReplayEnumerator(context),
    createReader: (context) => new ReplayReader(context, records, speed),
  }
}

class ReplayEnumerator implements SplitEnumerator<ReplaySplit, null> {
  readonly #context: EnumeratorContext<ReplaySplit>
  constructor(context: EnumeratorContext<ReplaySplit>) {
    this.#context = context
  }
  start(): void {}
  addReader(subtask: number): void {
    this.#context.assign({ id: `flights-${subtask}`, first: subtask, step: this.#context.parallelism, read: 0 }, subtask)
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
  readonly #records: number
  readonly #speed: number
  readonly #flights = loadFlights()
  #split: ReplaySplit | undefined
  #output: ReturnType<ReaderOutput<Flight>['split']> | undefined
  #startMs = 0
  #startEventMs = 0

  constructor(context: ReaderContext, records: number, speed: number) {
    this.#context = context
    this.#records = records
    this.#speed = speed
  }

  start(): void {}
  addSplits(splits: ReplaySplit[]): void {
    this.#split = splits[0]
  }
  noMoreSplits(): void {}
  snapshot(): ReplaySplit[] {
    return this.#split === undefined ? [] : [{ ...this.#split }]
  }
  close(): void {}

  poll(output: ReaderOutput<Flight>, max: number): PollStatus {
    const split = this.#split
    if (split === undefined) return 'idle'
    this.#output ??= output.split(split.id)
    const dueMs = this.#speed === 0 ? Number.POSITIVE_INFINITY : this.#eventTimeDue(split)
    for (let n = 0; n < max; n++) {
      const index = split.first + split.read * split.step
      if (index >= this.#records) return 'end'
      const flight = this.#flights[index % this.#flights.length]!
      const shiftMs = Math.floor(index / this.#flights.length) * CYCLE_MS
      if (flight.reportedMs + shiftMs > dueMs) {
        this.#context.wakeAt(this.#context.clock.monotonic() + Math.max(1, (flight.reportedMs + shiftMs - dueMs) / this.#speed))
        return 'idle'
      }
      split.read++
      this.#output.collect(
        {
          scheduledMs: flight.scheduledMs + shiftMs,
          reportedMs: flight.reportedMs + shiftMs,
          delayMin: flight.delayMin,
          distanceMiles: flight.distanceMiles,
          origin: flight.origin,
          destination: flight.destination,
        },
        flight.reportedMs + shiftMs,
      )
      if (this.#speed !== 0 && n >= PACE_EVERY) return 'more'
    }
    return 'more'
  }

  /** How far the replay should have come by now. */
  #eventTimeDue(split: ReplaySplit): number {
    const nowMs = this.#context.clock.monotonic()
    if (this.#startMs === 0) {
      const index = split.first + split.read * split.step
      this.#startMs = nowMs
      this.#startEventMs = this.#flights[0]!.reportedMs + Math.floor(index / this.#flights.length) * CYCLE_MS
    }
    return this.#startEventMs + (nowMs - this.#startMs) * this.#speed
  }
}
