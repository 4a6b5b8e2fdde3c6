/**
 * Epochs of transactional ids end at 32,767: then the broker gives the id another producer, and handles of the one before must still be committed [KK-09].
 */
import { afterAll, expect, it } from 'vitest'
import type { DataStream } from '../../../api/data-stream.ts'
import { backgroundSchedule, systemClock } from '../../../core/clock.ts'
import { textLines } from '../../../formats/text/index.ts'
import { type HarnessSnapshot, OperatorHarness } from '../../../testing/operator-harness.ts'
import { KafkaClient } from '../client/client.ts'
import { connectionSettings } from '../client/connection-settings.ts'
import { Properties } from '../properties.ts'
import { describeOnKafka } from '../testing/kafka-broker.suite.ts'
import { kafkaSink } from './kafka-sink.ts'
import { initProducer } from './requests.ts'

const NEAR_THE_END = 32_757
const CHECKPOINTS = 60

describeOnKafka('epochs', (kafka) => {
  let client: KafkaClient | undefined
  afterAll(() => client?.close())

  it('run out, and nothing is lost or doubled', { timeout: 300_000 }, async () => {
    // Its records are of the year 1970.
    await kafka().createTopic('out', 2, { 'retention.ms': '-1' })
    client = new KafkaClient(connectionSettings(new Properties(), kafka().bootstrapServers, {}), {
      clock: systemClock,
      schedule: backgroundSchedule,
      random: Math.random,
      warn: console.warn,
    })
    // The id that the sink uses most.
    const age = async (id: string) => {
      for (let epoch = 0; epoch < NEAR_THE_END; ) ({ epoch } = await initProducer(client!, id, 60_000))
    }
    await age('epochs-0.0-0-0')
    const sink = () =>
      kafkaSink<string>({
        ...{ bootstrapServers: kafka().bootstrapServers, topic: 'out', value: textLines() },
        ...{ deliveryGuarantee: 'exactly-once', transactionalIdPrefix: 'epochs' },
      })
    const open = (restore?: HarnessSnapshot) =>
      OperatorHarness.open(
        (lines: DataStream<string>) => lines.sinkTo(sink()),
        restore === undefined ? {} : { restore },
      )
    let harness = await open()
    const written: string[] = []
    for (let i = 0; i < CHECKPOINTS; i++) {
      written.push(`record ${i}`)
      harness.processElement(`record ${i}`)
      const snapshot = await harness.snapshot()
      if (i % 5 === 4) {
        // It dies before, or behind, the commit.
        if (i % 2 === 0) await harness.notifyCheckpointComplete()
        harness.processElement('lost')
        await harness.close()
        harness = await open(snapshot)
      } else await harness.notifyCheckpointComplete()
    }
    await harness.snapshot()
    await harness.notifyCheckpointComplete()
    await harness.close()
    const read = async () => (await kafka().readCommitted('out')).map(({ value }) => String(value)).sort()
    await expect.poll(read, { timeout: 10_000 }).toEqual(written.sort())
    const { epoch } = await initProducer(client, 'epochs-0.0-0-0', 60_000)
    expect(epoch).toBeLessThan(NEAR_THE_END)
  })
})
