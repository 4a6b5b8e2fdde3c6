/** A slice of `npm run chaos` for the gate, from topics to topics of an Apache Kafka: the process, its threads, the broker and the network are struck. */
import { expect, it } from 'vitest'
import { describeOnKafka } from '../../runtime/connectors/kafka/testing/kafka-broker.suite.ts'
import { clusterRun } from './cluster-run.ts'
import { chaosRun } from './run.ts'
import type { Blow, Kind } from './schedule.ts'

describeOnKafka(
  'a job from Kafka to Kafka',
  (kafka) => {
    it.each<[seed: number, kind: Kind]>([
      // A sink of one subtask took over the transactions of others.
      [100, 'kafka'],
      [11, 'network'],
    ])('loses and doubles nothing: seed %i, kind %s', { timeout: 180_000 }, async (seed, kind) => {
      const outcome = await chaosRun(seed, kind, kafka())
      // Else the rest proves little.
      expect(outcome.hits.flat().length).toBeGreaterThan(0)
      expect(outcome).toMatchObject({ seed, problems: [] })
    })

    it('loses and doubles nothing on a cluster of processes, though the broker is killed, and one of them', {
      timeout: 180_000,
    }, async () => {
      const outcome = await clusterRun(6, 'cluster-kafka', { kafka: kafka() })
      expect(outcome.hits.join()).toMatch(/kill the broker.*kill TaskManager/)
      expect(outcome).toMatchObject({ problems: [] })
    })

    it('runs on one slot, three and two, killed and started again in between', { timeout: 180_000 }, async () => {
      const killed = (nth: number, ms: number): Blow[] => [
        { what: 'process', at: { since: 'checkpoint', nth, ms }, slot: 0 },
      ]
      const lives = [
        // Behind its commit, and before it.
        { parallelism: 1, blows: killed(3, 40) },
        { parallelism: 3, blows: killed(3, 0) },
        { parallelism: 2, blows: [] },
      ]
      const outcome = await chaosRun(7, 'kafka', kafka(), { intervalMs: 100, lives })
      expect(outcome).toMatchObject({ problems: [], processesKilled: 2 })
      expect(outcome.hits.map((hits) => hits.length)).toEqual([1, 1, 0])
    })
  },
  { proxied: true },
)
