/**
 * Attempts that are over, and go on all the same: a task that is cancelled while its sink still opens, and a request of it that comes to a broker late. None of it may touch what the next
 * attempt has begun. Chaos found it (`--kind network --seed 770011`): slot 1 was cancelled while it opened its sinks over slow connections; it went on opening them, and InitProducerId of
 * the cancelled attempt came behind that of the next one, in the same thread, for the same id. The next attempt's transaction, by then in a complete checkpoint, was fenced and lost.
 */
import { afterEach, expect, it } from 'vitest'
import type { DataStream } from '../../../api/data-stream.ts'
import { textLines } from '../../../formats/text/index.ts'
import { Operator } from '../../../operators/sink.ts'
import { fakeContext } from '../../../testing/operator-context.ts'
import { OperatorHarness } from '../../../testing/operator-harness.ts'
import { describeOnKfake } from '../testing/kafka-broker.suite.ts'
import { kafkaSink } from './kafka-sink.ts'

describeOnKfake(
  'exactly once behind an attempt that is over',
  (kafka) => {
    const sinkTo = (topic: string) =>
      kafkaSink<string>({
        bootstrapServers: kafka().bootstrapServers,
        topic,
        value: textLines(),
        deliveryGuarantee: 'exactly-once',
        transactionalIdPrefix: topic,
      })
    const proxy = () => kafka().proxies[0]!
    const opened: { close(): Promise<void> }[] = []
    afterEach(async () => {
      proxy().fault = () => undefined
      for (const sink of opened.splice(0)) await sink.close().catch(() => {})
    })

    // Each pause is one more place in which the first attempt is when it is cancelled.
    it.each([0, 100, 250, 400, 550, 700, 900])('cancelled %i ms after its sink began to open', async (ms) => {
      const topic = `cancelled-${ms}`
      await kafka().createTopic(topic, 1)
      proxy().fault = () => ({ delayMs: 60 })
      const cancelled = new Operator({ sink: sinkTo(topic) })
      const opening = cancelled.open(fakeContext({ checkpointing: true })).catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, ms))
      const closing = cancelled.close()
      proxy().fault = () => undefined
      const next = await OperatorHarness.open((lines: DataStream<string>) => lines.sinkTo(sinkTo(topic)))
      opened.push(next)
      next.processElement('a')
      await next.snapshot()
      await Promise.all([opening, closing])
      await next.notifyCheckpointComplete()
      expect((await kafka().readCommitted(topic)).map(({ value }) => String(value))).toEqual(['a'])
    })
  },
  { proxied: true },
)
