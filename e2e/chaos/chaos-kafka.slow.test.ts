/** A slice of `npm run chaos` for the gate, from topics to topics of an Apache Kafka: the process, its threads, the broker and the network are struck. */
import { expect, it } from 'vitest'
import { describeOnKafka } from '../../runtime/connectors/kafka/testing/kafka-broker.suite.ts'
import { clusterRun } from './cluster-run.ts'
import { chaosRun } from './run.ts'
import type { Blow } from './schedule.ts'

describeOnKafka(
  'a job from Kafka to Kafka',
  (kafka) => {
    it('loses and doubles nothing though its connections are cut, fall silent and are slow', {
      timeout: 180_000,
    }, async () => {
      const outcome = await chaosRun(11, 'network', kafka())
      // Else the rest proves little.
      expect(outcome.hits.flat().length).toBeGreaterThan(0)
      expect(outcome).toMatchObject({ problems: [] })
    })

    it('loses and doubles nothing on a cluster of processes, though the broker is killed, and one of them', {
      timeout: 180_000,
    }, async () => {
      const outcome = await clusterRun(6, 'cluster-kafka', { kafka: kafka() })
      expect(outcome.hits.join()).toMatch(/kill the broker.*kill TaskManager/)
      expect(outcome).toMatchObject({ problems: [] })
    })

    // Once a sink of one subtask took over the transactions of others.
    it('runs on one slot, three and one, killed and started again in between', { timeout: 180_000 }, async () => {
      const killed = (nth: number, ms: number): Blow[] => [
        { what: 'process', at: { since: 'checkpoint', nth, ms }, slot: 0 },
      ]
      const lives = [
        // Behind its commit, and before it.
        { parallelism: 1, blows: killed(2, 40) },
        { parallelism: 3, blows: killed(2, 0) },
        { parallelism: 1, blows: [] },
      ]
      const outcome = await chaosRun(7, 'kafka', kafka(), { intervalMs: 100, lives })
      expect(outcome).toMatchObject({ problems: [], processesKilled: 2 })
      expect(outcome.hits.map((hits) => hits.length)).toEqual([1, 1, 0])
    })
  },
  { proxied: true },
)
