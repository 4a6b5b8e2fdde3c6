/**
 * Sinks of Kafka that a test drives by hand, checkpoint by checkpoint, and lets crash: on kfake and on Apache Kafka alike.
 */
import { afterEach } from 'vitest'
import type { DataStream } from '../../../api/data-stream.ts'
import { textLines } from '../../../formats/text/index.ts'
import { type HarnessOptions, type HarnessSnapshot, OperatorHarness } from '../../../testing/operator-harness.ts'
import { type KafkaSinkOptions, kafkaSink } from '../sink/kafka-sink.ts'
import type { KafkaBroker } from './kafka-broker.suite.ts'

export interface DrivenSink {
  write(...values: string[]): void
  /** A checkpoint up to here, that is not complete yet. */
  snapshot(): Promise<HarnessSnapshot>
  /** The last one is complete, or another; what it holds is committed. */
  complete(checkpointId?: number): Promise<void>
  /** One that is complete. */
  checkpoint(): Promise<HarnessSnapshot>
  endInput(): Promise<void>
  advance(ms: number): void
  close(): Promise<void>
  /** As a process that is killed: nothing reaches the brokers any more, and what is open stays open. For brokers behind proxies. */
  crash(): Promise<void>
}

export interface DrivenSinks {
  newTopic(partitions?: number): Promise<string>
  open(topic: string, harness?: HarnessOptions, options?: Partial<KafkaSinkOptions<string>>): Promise<DrivenSink>
  /** Exactly once; the topic's name is the prefix of transactional ids. */
  exactlyOnce(topic: string, harness?: HarnessOptions, options?: Partial<KafkaSinkOptions<string>>): Promise<DrivenSink>
  /** Values that readers of committed records see, sorted. */
  read(topic: string): Promise<string[]>
}

/** Closes them all behind each test. Each is another attempt, unless `oneGeneration`: then all have the same ids, as those of a job that always begins anew. */
export function drivenSinks(kafka: () => KafkaBroker, { oneGeneration = false } = {}): DrivenSinks {
  let topics = 0
  let attempts = 0
  const opened: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const sink of opened.splice(0)) await sink.close().catch(() => {})
  })
  const open: DrivenSinks['open'] = async (topic, harnessOptions = {}, options = {}) => {
    const sink = kafkaSink<string>({
      bootstrapServers: kafka().bootstrapServers,
      topic,
      value: textLines(),
      ...options,
    })
    const harness = await OperatorHarness.open((lines: DataStream<string>) => lines.sinkTo(sink), {
      attempt: oneGeneration ? 0 : attempts++,
      ...harnessOptions,
    })
    opened.push(harness)
    const snapshot = () => harness.snapshot()
    const complete = (checkpointId?: number) => harness.notifyCheckpointComplete(checkpointId)
    return {
      write: (...values) => {
        for (const value of values) harness.processElement(value)
      },
      snapshot,
      complete,
      checkpoint: async () => {
        const taken = await snapshot()
        await complete()
        return taken
      },
      endInput: () => harness.endInput(),
      advance: (ms) => harness.advance(ms),
      close: () => harness.close(),
      crash: async () => {
        for (const proxy of kafka().proxies) proxy.down()
        await harness.close().catch(() => {})
        for (const proxy of kafka().proxies) proxy.up()
      },
    }
  }
  return {
    newTopic: async (partitions = 1) => {
      const topic = `driven-${topics++}`
      await kafka().createTopic(topic, partitions)
      return topic
    },
    open,
    exactlyOnce: (topic, harness, options) =>
      open(topic, harness, { deliveryGuarantee: 'exactly-once', transactionalIdPrefix: topic, ...options }),
    read: async (topic) => (await kafka().readCommitted(topic)).map(({ value }) => String(value)).sort(),
  }
}
