/**
 * What the snippets of these pages take as given. scripts/check-docs.ts compiles each with it.
 */
import type { DataStream, Source, StreamExecutionEnvironment } from 'tailrace'

declare global {
  const env: StreamExecutionEnvironment
  const clickSource: Source<Click>
  const clicks: DataStream<Click>
  const orders: DataStream<Order>
  const lines: DataStream<string>
  const numbers: DataStream<number>

  interface Click {
    user: string
    page: string
    /** Milliseconds. */
    at: number
  }

  interface Order {
    customer: string
    amount: number
  }
}
