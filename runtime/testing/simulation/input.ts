/**
 * What a simulated job reads: lanes of events, fixed by the seed, and a source that reads them again from any place, at a pace of its own.
 */
import type {
  EnumeratorContext,
  PollStatus,
  ReaderContext,
  ReaderOutput,
  Source,
  SourceReader,
  SourceSplit,
  SplitEnumerator,
} from '../../core/source.ts'
import { WatermarkStrategy } from '../../core/watermarks.ts'
import type { Here } from './here.ts'
import type { Random } from './random.ts'

export interface Event {
  lane: number
  /** Place in its lane. */
  i: number
  key: string
  value: number
  ts: number
}

/** Events of one lane are read in order; nothing is said about the order of lanes. */
export type Lanes = readonly (readonly Event[])[]

/** How far the time of an event may lie behind one before it in its lane. */
const DISORDER_MS = 40

/**
 * @param lanes many and short ones keep enumerators busy
 */
export function makeLanes(random: Random, { lanes, events }: { lanes: number; events: number }): Lanes {
  return Array.from({ length: lanes }, (_, lane) => {
    const count = random.whole(Math.floor(events / lanes / 2), Math.ceil((events / lanes) * 1.5))
    return Array.from({ length: count }, (_, i) => ({
      lane,
      i,
      key: `k${random.below(9)}`,
      value: random.below(100),
      ts: 1000 + i * 10 + random.below(DISORDER_MS),
    }))
  })
}

export const inEventTime = WatermarkStrategy.forBoundedOutOfOrderness<Event>(DISORDER_MS).withTimestampAssigner(
  ({ ts }) => ts,
)

/** How lanes come to readers: all at once, one by one when a reader asks, or as they are discovered. */
export type Assignment = 'fixed' | 'on request' | 'discovered'

interface LaneSplit extends SourceSplit {
  readonly lane: number
  next: number
}

export function laneSource(lanes: Lanes, assignment: Assignment, here: Here): Source<Event, LaneSplit, number[]> {
  const all = [...lanes.keys()]
  return {
    boundedness: 'bounded',
    createEnumerator: (context) => new LaneEnumerator(context, all, assignment, here),
    restoreEnumerator: (context, left) => new LaneEnumerator(context, left, assignment, here),
    createReader: (context) => new LaneReader(context, lanes, assignment, here),
    describe: () => `lanes(${lanes.length})`,
  }
}

class LaneEnumerator implements SplitEnumerator<LaneSplit, number[]> {
  readonly #context: EnumeratorContext<LaneSplit>
  readonly #assignment: Assignment
  readonly #here: Here
  /** Lanes that no reader has. */
  #left: number[]
  readonly #found: number[] = []
  readonly #asking: number[] = []

  constructor(context: EnumeratorContext<LaneSplit>, left: readonly number[], assignment: Assignment, here: Here) {
    this.#context = context
    this.#left = [...left]
    this.#assignment = assignment
    this.#here = here
  }

  start(): void {
    if (this.#assignment !== 'discovered') return
    const find = async () => {
      await this.#here.pause(this.#here.world.latencyMs())
      return this.#left.find((lane) => !this.#found.includes(lane))
    }
    const add = (lane: number | undefined) => {
      if (lane !== undefined) this.#found.push(lane)
      this.#serve()
    }
    this.#context.callAsync(find, add, 15)
  }

  addReader(subtask: number): void {
    if (this.#assignment !== 'fixed') return
    const mine = (lane: number) => lane % this.#context.parallelism === subtask
    for (const lane of this.#left.filter(mine)) this.#assign(lane, subtask)
    this.#context.noMoreSplits(subtask)
  }

  handleSplitRequest(subtask: number): void {
    this.#asking.push(subtask)
    this.#serve()
  }

  /** Gives a lane to each that asks. */
  #serve(): void {
    const ready = this.#assignment === 'discovered' ? this.#found : this.#left
    while (this.#asking.length > 0 && (ready.length > 0 || this.#left.length === 0)) {
      const subtask = this.#asking.shift()!
      if (this.#left.length === 0) this.#context.noMoreSplits(subtask)
      else this.#assign(ready[0]!, subtask)
    }
  }

  #assign(lane: number, subtask: number): void {
    this.#left = this.#left.filter((other) => other !== lane)
    const at = this.#found.indexOf(lane)
    if (at >= 0) this.#found.splice(at, 1)
    this.#context.assign({ id: `lane-${lane}`, lane, next: 0 }, subtask)
  }

  addSplitsBack(): void {
    this.#here.world.fail('splits were given back, though every restart goes back to a checkpoint')
  }
  snapshot(): number[] {
    return [...this.#left]
  }
  close(): void {}
}

/** Reads its lanes in turn, a few events at a time. Until all lanes are with readers it holds event time back, so that no event is late. */
class LaneReader implements SourceReader<Event, LaneSplit> {
  readonly #context: ReaderContext
  readonly #lanes: Lanes
  readonly #assignment: Assignment
  readonly #here: Here
  #reading: LaneSplit[] = []
  #noMore = false
  #asked = false
  #turn = 0
  #nextMs = 0
  #holding: 'not yet' | 'yes' | 'no longer' = 'not yet'

  constructor(context: ReaderContext, lanes: Lanes, assignment: Assignment, here: Here) {
    this.#context = context
    this.#lanes = lanes
    this.#assignment = assignment
    this.#here = here
  }

  start(): void {}

  poll(output: ReaderOutput<Event>, max: number): PollStatus {
    this.#hold(output)
    if (this.#reading.length === 0 && this.#noMore) return 'end'
    if (this.#assignment !== 'fixed' && !this.#noMore && !this.#asked && this.#reading.length < 2) {
      this.#asked = true
      this.#context.requestSplit()
    }
    if (this.#reading.length === 0) return 'idle'
    const nowMs = this.#context.clock.monotonic()
    if (nowMs < this.#nextMs) {
      this.#context.wakeAt(this.#nextMs)
      return 'idle'
    }
    const { random } = this.#here.world
    this.#turn = (this.#turn + 1) % this.#reading.length
    const split = this.#reading[this.#turn]!
    const events = this.#lanes[split.lane]!
    const to = Math.min(events.length, split.next + Math.min(max, random.whole(1, this.#here.pace.eventsMax)))
    const out = output.split(split.id)
    for (; split.next < to; split.next++) out.collect(events[split.next]!, Number.NEGATIVE_INFINITY)
    if (split.next === events.length) {
      output.release(split.id)
      this.#reading.splice(this.#turn, 1)
    }
    this.#nextMs = nowMs + random.between(0, this.#here.pace.pauseMaxMs)
    return 'more'
  }

  #hold(output: ReaderOutput<Event>): void {
    if (this.#holding === 'not yet') {
      this.#holding = 'yes'
      output.markActive()
    }
    if (this.#holding === 'yes' && this.#noMore) {
      this.#holding = 'no longer'
      output.markIdle()
    }
  }

  addSplits(splits: LaneSplit[]): void {
    this.#asked = false
    for (const split of splits) this.#reading.push({ ...split })
  }
  noMoreSplits(): void {
    this.#noMore = true
  }
  snapshot(): LaneSplit[] {
    return this.#reading.map((split) => ({ ...split }))
  }
  close(): void {}
}
