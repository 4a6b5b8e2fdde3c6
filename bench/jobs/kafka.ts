/**
 * Cases with a real Kafka on the same machine: a broker of its own for each run, whose time is not counted into CPU per record but shares the cores. Client and job are
 * this process.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka as Client, logLevel } from 'kafkajs'
import { MiniCluster } from 'tailrace/testing'
import { missingKafkaLab, startKafka } from '../../scripts/lab/kafka.ts'
import { Meter, type RunCase } from '../measure.ts'
import { measurePaced } from './paced.ts'

const PARTITIONS = 4
const WARM_UP_RECORDS = 200_000
const LATENCY_RATE = 50_000
/** Event time of all events together: eight windows of 5 s. */
const EVENT_SECONDS = 40

interface Bench {
  servers: string
  createTopic(topic: string, partitions?: number): Promise<void>
  /** Runs a job of kafka-jobs.ts; gives its accumulators. */
  run(parameters: Record<string, string | number>, options?: Record<string, string>): Promise<Record<string, number>>
}

async function withKafka<T>(measure: (bench: Bench) => Promise<T>): Promise<T> {
  const missing = missingKafkaLab()
  if (missing !== undefined) throw new Error(missing)
  const kafka = await startKafka({ heapMb: 512 })
  const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
  const servers = kafka.bootstrapServers()
  const admin = new Client({ brokers: [servers], logLevel: logLevel.NOTHING }).admin()
  try {
    await admin.connect()
    return await measure({
      servers,
      async createTopic(topic, numPartitions = PARTITIONS) {
        // Whoever reads and writes waits until brokers know it. Events are of the year 1970: a broker with a retention deletes them.
        const configEntries = [{ name: 'retention.ms', value: '-1' }]
        await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }], waitForLeaders: false })
      },
      async run(parameters, options = {}) {
        const texts = Object.fromEntries(
          Object.entries({ servers, ...parameters }).map(([name, value]) => [name, String(value)]),
        )
        const url = new URL('./kafka-jobs.ts', import.meta.url).href
        const { results } = await cluster.runProgram(url, { parameters: texts, options })
        return results[0]!.accumulators
      },
    })
  } finally {
    await admin.disconnect()
    await cluster.stop()
    await kafka.stop()
  }
}

interface EventsInKafka extends Bench {
  input: string
  output: string
  /** How many results are committed in the output; refused when they do not count each event once. */
  results(): Promise<number>
}

/** The events of 40 seconds in a topic, each partition in their order, and an empty topic for the results. */
export function withEventsInKafka<T>(records: number, measure: (bench: EventsInKafka) => Promise<T>): Promise<T> {
  return withKafka(async (bench) => {
    await bench.createTopic('in')
    await bench.createTopic('out')
    const eventRate = records / EVENT_SECONDS
    await bench.run({ job: 'out', output: 'in', records, eventRate, splits: 1 })
    return measure({
      ...bench,
      input: 'in',
      output: 'out',
      async results() {
        const { out = 0, counted } = await bench.run({ job: 'totals', input: 'out' })
        if (counted !== records)
          throw new Error(`Cannot accept the results: they count ${counted} events of ${records}`)
        return out
      },
    })
  })
}

export const kafkaOut: RunCase = ({ records }) =>
  withKafka(async ({ createTopic, run }) => {
    await createTopic('warm')
    await createTopic('out')
    await run({ job: 'out', output: 'warm', records: WARM_UP_RECORDS })
    const meter = new Meter()
    await run({ job: 'out', output: 'out', records })
    const figures = meter.figures(records, 0)
    return { ...figures, out: (await run({ job: 'in', input: 'out' })).out ?? 0 }
  })

export const kafkaIn: RunCase = ({ records }) =>
  withKafka(async ({ createTopic, run }) => {
    await createTopic('in')
    await run({ job: 'out', output: 'in', records })
    const meter = new Meter()
    const { out = 0 } = await run({ job: 'in', input: 'in' })
    return meter.figures(records, out)
  })

export const kafkaExactlyOnce: RunCase = ({ records }) =>
  withEventsInKafka(records, async ({ input, output, createTopic, run, results }) => {
    await createTopic('warm')
    const folder = mkdtempSync(join(tmpdir(), 'tailrace-bench-'))
    const checkpoints = { 'execution.checkpointing.interval': '1 s', 'execution.checkpointing.dir': folder }
    try {
      await run({ job: 'exactly-once', input, output: 'warm' }, checkpoints)
      const meter = new Meter()
      await run({ job: 'exactly-once', input, output }, checkpoints)
      const figures = meter.figures(records, 0)
      return { ...figures, out: await results() }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

export const kafkaLatency: RunCase = ({ records }) =>
  withKafka(async ({ createTopic, run }) => {
    await createTopic('a', 1)
    await createTopic('b', 1)
    return measurePaced(records, LATENCY_RATE, (skipMs) =>
      run({ job: 'latency', input: 'a', output: 'b', records, rate: LATENCY_RATE, skipMs }),
    )
  })
