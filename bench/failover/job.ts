/**
 * The job whose TaskManager is killed: numbers at a rate, counted by key in state, and what comes out told to a receiver outside by TCP. Parameters: `rate` (records a second in all), `keys`, `receiver` (its port, on this
 * machine).
 */
import { connect, type Socket } from 'node:net'
import {
  type Collector,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type RuntimeContext,
  type StreamExecutionEnvironment,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'

/** Output is told of so often at most. */
const TELL_MS = 5

/** Says that there is output: `subtask pid count`, a line each time. */
class Counts extends KeyedProcessFunction<number, number, never> {
  readonly #port: number
  #count!: ValueState<number>
  #subtask = 0
  #receiver!: Socket
  #toldMs = 0
  #since = 0

  constructor(port: number) {
    super()
    this.#port = port
  }

  override open(context: RuntimeContext): void {
    this.#count = context.getState(new ValueStateDescriptor<number>('count'))
    this.#subtask = context.task.subtaskIndex
    // Of a receiver that has gone nobody needs to hear.
    this.#receiver = connect({ port: this.#port, host: '127.0.0.1', noDelay: true }).on('error', () => {})
  }

  processElement(_: number, __: KeyedProcessContext<number>, _out: Collector<never>): void {
    this.#count.update((this.#count.value() ?? 0) + 1)
    this.#since++
    const nowMs = performance.now()
    if (nowMs - this.#toldMs < TELL_MS) return
    this.#toldMs = nowMs
    this.#receiver.write(`${this.#subtask} ${process.pid} ${this.#since}\n`)
    this.#since = 0
  }

  override close(): void {
    this.#receiver?.destroy()
  }
}

export default async function main(env: StreamExecutionEnvironment) {
  const { rate, keys, receiver } = env.parameters
  const count = Number(keys)
  env
    .fromSource(
      dataGenSource({ generate: (index) => index % count, recordsPerSecond: Number(rate) }),
      WatermarkStrategy.noWatermarks(),
      'numbers',
    )
    .keyBy((key) => key)
    .process(new Counts(Number(receiver)))
    .print()
  await env.execute('failover')
}
