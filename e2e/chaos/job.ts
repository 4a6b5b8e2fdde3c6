/**
 * The job under chaos: files or topics → state, timers and windows of keys → files or topics, exactly once. Parameters: `in`, `out`, `servers` (of Kafka), `end` (above every event's time), `rate` (records per second
 * and subtask), `pace` (`source`: it is the source that waits; else a function, which holds up all of its slot), `hold` (then: a
 * file without which each subtask reads no more than `first` records), `ballast` (bytes of state that each key has for nothing, so that state is in files).
 */
import {
  type Collector,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type MapState,
  MapStateDescriptor,
  type OnTimerContext,
  OutputTag,
  type RuntimeContext,
  type StreamExecutionEnvironment,
  TumblingEventTimeWindows,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'tailrace'
import { endsOf, pacedSource } from './ends.ts'
import { DISORDER_MS, type Event, recordLine, SPAN_MS, spanEnd, WINDOW_MS } from './events.ts'

interface Sums {
  n: number
  sum: number
}

/** Each event as it is, what came within each span, and all in all. */
class Spans extends KeyedProcessFunction<string, Event, string> {
  readonly #endMs: number
  readonly #ballastBytes: number
  #ballast!: ValueState<string>
  #total!: ValueState<Sums>
  #spans!: MapState<number, Sums>

  constructor(endMs: number, ballastBytes: number) {
    super()
    this.#endMs = endMs
    this.#ballastBytes = ballastBytes
  }

  override open(context: RuntimeContext): void {
    this.#total = context.getState(new ValueStateDescriptor<Sums>('total'))
    this.#ballast = context.getState(new ValueStateDescriptor<string>('ballast'))
    this.#spans = context.getMapState(new MapStateDescriptor<number, Sums>('spans'))
  }

  processElement(event: Event, { timerService }: KeyedProcessContext<string>, out: Collector<string>): void {
    const endMs = spanEnd(event.atMs, SPAN_MS)
    const span = this.#spans.get(endMs) ?? { n: 0, sum: 0 }
    this.#spans.put(endMs, { n: span.n + 1, sum: span.sum + event.amount })
    // In place: the version that a checkpoint under way wants is another.
    const total = this.#total.value() ?? { n: 0, sum: 0 }
    total.n++
    total.sum += event.amount
    this.#total.update(total)
    if (this.#ballastBytes > 0 && this.#ballast.value() === undefined)
      this.#ballast.update('.'.repeat(this.#ballastBytes))
    timerService.registerEventTimeTimer(endMs)
    timerService.registerEventTimeTimer(this.#endMs)
    out.collect(recordLine(event.id, event.key))
  }

  override onTimer(atMs: number, context: OnTimerContext<string>, out: Collector<string>): void {
    const key = context.getCurrentKey()
    const span = this.#spans.get(atMs)
    if (span !== undefined && span !== null) {
      out.collect(`span ${key} ${atMs} ${span.n} ${span.sum}`)
      this.#spans.remove(atMs)
    }
    if (atMs < this.#endMs) return
    const total = this.#total.value()!
    out.collect(`total ${key} ${atMs} ${total.n} ${total.sum}`)
    this.#total.clear()
    this.#ballast.clear()
  }
}

/** Sleeps as a slow function does, so that there is time to die in. */
function paced(perSecond: number): (event: Event) => Event {
  const bell = new Int32Array(new SharedArrayBuffer(4))
  let startMs: number | undefined
  let count = 0
  return (event) => {
    if (count++ % 32 === 0) {
      const nowMs = performance.now()
      startMs ??= nowMs
      const aheadMs = (count / perSecond) * 1000 - (nowMs - startMs)
      if (aheadMs > 0) Atomics.wait(bell, 0, 0, aheadMs)
    }
    return event
  }
}

export default async function main(env: StreamExecutionEnvironment) {
  const { end, rate, pace, hold, first, ballast = '0' } = env.parameters
  const ends = endsOf(env.parameters)
  const { sink } = ends
  const source = pace === 'source' ? pacedSource(ends.source, Number(rate), hold, Number(first)) : ends.source
  const late = new OutputTag<Event>('late')
  const times = WatermarkStrategy.forBoundedOutOfOrderness<Event>(DISORDER_MS).withTimestampAssigner(
    (event) => event.atMs,
  )
  const events = env
    .fromSource(source, times, 'events')
    .uid('events')
    .map(pace === 'source' ? (event) => event : paced(Number(rate)))
    .uid('paced')
    .keyBy((event) => event.key)
  const spans = events.process(new Spans(Number(end), Number(ballast))).uid('spans')
  const windows = events
    .window(TumblingEventTimeWindows.of(WINDOW_MS))
    .sideOutputLateData(late)
    .aggregate(
      {
        createAccumulator: (): Sums => ({ n: 0, sum: 0 }),
        add(event, sums) {
          sums.n++
          sums.sum += event.amount
          return sums
        },
        getResult: (sums) => sums,
      },
      (key, window, [sums]): string[] => [`window ${key} ${window.end} ${sums!.n} ${sums!.sum}`],
    )
    .uid('windows')
  // Parts that roll now and then, and parts that stay open through many checkpoints.
  spans
    .sinkTo(
      sink('spans', {
        bucketAssigner: { getBucketId: (line) => line.slice(0, line.indexOf(' ')) },
        rollingPolicy: { maxPartSize: '16kb' },
      }),
    )
    .uid('span-files')
  windows.sinkTo(sink('windows')).uid('window-files')
  windows
    .getSideOutput(late)
    .map((event) => `late ${event.id}`)
    .uid('late')
    .sinkTo(sink('late', { rollingPolicy: { onCheckpoint: true } }))
    .uid('late-files')
  await env.execute('chaos')
}
