/** The job of json-in: bids from JSON lines, counted and weighed. */
import { type Collector, type RuntimeContext, type StreamExecutionEnvironment, WatermarkStrategy } from 'tailrace'
import { fileSource } from 'tailrace/connectors/files'
import { jsonLines } from 'tailrace/formats/json'
import { KINDS } from './records.ts'

export default async function main(env: StreamExecutionEnvironment) {
  env.setParallelism(2)
  env
    .fromSource(
      fileSource({ path: env.parameters.path!, format: jsonLines() }),
      WatermarkStrategy.noWatermarks(),
      'bids',
    )
    .flatMap(new Weigh())
  await env.execute('json-in')
}

/** Reads every number of a bid, as something that only counts would let the strings and numbers go unused. */
class Weigh {
  #out!: { inc(by?: number): void }
  #weight!: { inc(by?: number): void }

  open(context: RuntimeContext): void {
    this.#out = context.accumulator('out')
    this.#weight = context.accumulator('weight')
  }

  flatMap(bid: any, _out: Collector<never>): void {
    this.#out.inc()
    this.#weight.inc(KINDS.wide.weigh(bid) + bid.url.length)
  }
}
