/**
 * The job whose cluster is struck or rescaled: numbers at a rate, kept and counted by key in state, and what comes out told to a listener outside by TCP (output.ts). Parameters: `rate` (records a second in all), `keys`,
 * `bytes` (of text in the state of each key), `output` (the listener's port, on this machine).
 */
import { connect, type Socket } from 'node:net'
import {
  type Collector,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type RuntimeContext,
  type StreamExecutionEnvironment,
  types,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'

/** Output is told of so often at most. */
const TELL_MS = 5
const account = types.row({ count: types.number, text: types.string })

/** Says that there is output: `subtask pid opened`, the last being when it was opened, in milliseconds since the epoch,, a line each time. */
class Counts extends KeyedProcessFunction<number, number, never> {
  readonly #port: number
  readonly #bytes: number
  #account!: ValueState<{ count: number; text: string }>
  #who = ''
  #output!: Socket
  #toldMs = 0

  constructor(port: number, bytes: number) {
    super()
    this.#port = port
    this.#bytes = bytes
  }

  override open(context: RuntimeContext): void {
    this.#account = context.getState(new ValueStateDescriptor('account', account))
    this.#who = `${context.task.subtaskIndex} ${process.pid} ${Date.now()}`
    // Of a listener that has gone nobody needs to hear.
    this.#output = connect({ port: this.#port, host: '127.0.0.1', noDelay: true }).on('error', () => {})
  }

  processElement(key: number, _: KeyedProcessContext<number>, _out: Collector<never>): void {
    const kept = this.#account.value()
    this.#account.update(
      kept === undefined
        ? { count: 1, text: String(key).padEnd(this.#bytes, 'x') }
        : { count: kept.count + 1, text: kept.text },
    )
    const nowMs = performance.now()
    if (nowMs - this.#toldMs < TELL_MS) return
    this.#toldMs = nowMs
    this.#output.write(`${this.#who}\n`)
  }

  override close(): void {
    this.#output?.destroy()
  }
}

export default async function main(env: StreamExecutionEnvironment) {
  const { rate, keys, bytes, output } = env.parameters
  const count = Number(keys)
  env
    .fromSource(
      dataGenSource({ generate: (index) => index % count, recordsPerSecond: Number(rate) }),
      WatermarkStrategy.noWatermarks(),
      'numbers',
    )
    .keyBy((key) => key)
    .process(new Counts(Number(output), Number(bytes)))
    .uid('counts')
    .print()
  await env.execute('counts')
}
