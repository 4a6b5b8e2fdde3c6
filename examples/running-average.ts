/**
 * Keeps the average of each sensor's readings, in keyed state: one small value per sensor, however many readings there are.
 *
 *   npx tailrace run examples/running-average.ts
 *   npx tailrace run examples/running-average.ts --readings 1000
 */
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

interface Reading {
  sensor: string
  celsius: number
}

const SENSORS = ['cellar', 'garden', 'attic', 'kitchen']

/** Around 4, 12, 20 and 28 degrees. */
export function reading(_index: number, random: () => number): Reading {
  const place = Math.floor(random() * SENSORS.length)
  return { sensor: SENSORS[place], celsius: 4 + 8 * place + random() * 4 - 2 }
}

class RunningAverage extends KeyedProcessFunction<string, Reading, string> {
  #sum!: ValueState<{ readings: number; celsius: number }>

  override open(context: RuntimeContext) {
    this.#sum = context.getState(new ValueStateDescriptor('sum'))
  }
  override processElement({ celsius }: Reading, context: KeyedProcessContext<string>, out: Collector<string>) {
    const sum = this.#sum.value() ?? { readings: 0, celsius: 0 }
    sum.readings++
    sum.celsius += celsius
    this.#sum.update(sum)
    const mean = sum.celsius / sum.readings
    out.collect(`${context.getCurrentKey().padEnd(8)} ${mean.toFixed(2).padStart(6)} °C after ${sum.readings} readings`)
  }
}

export default async function main(env: StreamExecutionEnvironment) {
  const { readings } = env.parameters
  const pace = readings === undefined ? { recordsPerSecond: 5 } : { count: Number(readings) }
  env
    .fromSource(dataGenSource({ generate: reading, seed: 7, ...pace }), WatermarkStrategy.noWatermarks(), 'readings')
    .keyBy((reading) => reading.sensor)
    .process(new RunningAverage())
    .print()
  await env.execute('running average')
}
