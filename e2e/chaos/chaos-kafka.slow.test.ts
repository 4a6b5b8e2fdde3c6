/** A slice of `npm run chaos` for the gate, from topics to topics of an Apache Kafka: the process, its threads, the broker and the network are struck. */
import { expect, it } from 'vitest'
import { describeOnKafka } from '../../runtime/connectors/kafka/testing/kafka-broker.suite.ts'
import { chaosRun } from './run.ts'
import type { Kind } from './schedule.ts'

describeOnKafka(
  'a job from Kafka to Kafka',
  (kafka) => {
    it.each<[seed: number, kind: Kind]>([
      // A sink of one subtask took over the transactions of others.
      [100, 'kafka'],
      [102, 'kafka'],
      [11, 'network'],
      [11, 'broker'],
    ])('loses and doubles nothing: seed %i, kind %s', { timeout: 180_000 }, async (seed, kind) => {
      const outcome = await chaosRun(seed, kind, kafka())
      // Else the rest proves little.
      expect(outcome.hits.flat().length).toBeGreaterThan(0)
      expect(outcome).toMatchObject({ seed, problems: [] })
    })
  },
  { proxied: true },
)
