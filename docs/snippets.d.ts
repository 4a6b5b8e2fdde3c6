/**
 * What the snippets of these pages, and the examples in doc comments, take as given. scripts/check-docs.ts compiles each with it.
 */
import type { AggregateFunction, DataStream, Source, StreamExecutionEnvironment, WindowedStream } from 'tailrace'

declare global {
  const env: StreamExecutionEnvironment
  const clickSource: Source<Click>
  const clicks: DataStream<Click>
  const orders: DataStream<Order>
  const payments: DataStream<Payment>
  const lines: DataStream<string>
  const numbers: DataStream<number>
  const totals: DataStream<{ page: string; n: number }>
  const windowed: WindowedStream<Click, string>
  /** How many there are. */
  const count: AggregateFunction<Click, { n: number }, number>

  interface Click {
    user: string
    page: string
    /** Milliseconds. */
    at: number
  }

  interface Flight {
    origin: string
    delayMin: number
  }

  interface Order {
    customer: string
    amount: number
  }

  interface Payment {
    customer: string
    amount: number
  }
}
