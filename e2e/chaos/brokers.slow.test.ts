/**
 * Of three brokers one dies that coordinates transactions of a job from Kafka to Kafka, and comes back; then one that leads a partition of its output. The job goes on with two each time, and the
 * output is the oracle's. Topics have three replicas, of which two must have a record.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { KafkaClient } from '../../runtime/connectors/kafka/client/client.ts'
import { connectionSettings } from '../../runtime/connectors/kafka/client/connection-settings.ts'
import { Properties } from '../../runtime/connectors/kafka/properties.ts'
import { describeOnKafka } from '../../runtime/connectors/kafka/testing/kafka-broker.suite.ts'
import { backgroundSchedule, systemClock } from '../../runtime/core/clock.ts'
import { directoryPlace } from './checkpoint-place.ts'
import { makeKafkaScene } from './kafka-scene.ts'
import { live } from './life.ts'
import { seededRandom } from './random.ts'
import type { Blow } from './schedule.ts'

const RECORDS = 12_000
/** The rest waits until the first broker is back and the second one dies. */
const FIRST_RECORDS = 6_000
const RECORDS_PER_SECOND = 1_500
const PARALLELISM = 2
/** So many have to come with each set of brokers. */
const CHECKPOINTS = 3

describeOnKafka(
  'a job on three brokers',
  (kafka) => {
    let client: KafkaClient | undefined
    afterAll(() => client?.close())
    /** Node ids of who coordinates the first transactions of a sink, and of who leads the first partition of the output. */
    const whoIs = async (target: string) => {
      client ??= new KafkaClient(connectionSettings(new Properties(), kafka().bootstrapServers, {}), {
        clock: systemClock,
        schedule: backgroundSchedule,
        random: Math.random,
        warn: console.warn,
      })
      const id = `${target}-spans-0-0`
      client.forgetCoordinator('transaction', id)
      client.forget(target)
      const coordinator = await client.retrying('find it', () => client!.coordinator('transaction', id))
      return { coordinator, leader: await client.leader(target, 0) }
    }

    it('loses and doubles nothing, and does not fail', { timeout: 180_000 }, async () => {
      const scene = await makeKafkaScene('brokers', seededRandom(1), kafka(), RECORDS)
      const { folder, logFile } = scene
      const place = directoryPlace(join(folder, 'checkpoints'))
      const args = scene.args({
        ...{ parallelism: PARALLELISM, intervalMs: 200, place },
        recordsPerSecond: RECORDS_PER_SECOND,
      })
      const goOn = join(folder, 'go-on')
      args.push('--pace', 'source', '--hold', goOn, '--first', String(FIRST_RECORDS / PARALLELISM))
      const target = args[args.indexOf('--out') + 1]!
      const replicas = await kafka().admin(async (admin) => {
        const { topics } = await admin.fetchTopicMetadata({ topics: [target] })
        return topics[0]!.partitions.map((partition) => partition.replicas.length)
      })
      expect(replicas).toEqual([3, 3, 3])
      const checkpoints = async () => {
        const before = place.seen.size
        await expect.poll(() => place.seen.size, { timeout: 60_000 }).toBeGreaterThan(before + CHECKPOINTS)
      }
      const strike = async () => {
        const { coordinator } = await whoIs(target)
        expect(await client!.nodes()).toHaveLength(3)
        await kafka().kafka.kill(coordinator)
        await checkpoints()
        // What asks all brokers does not wait for one that has died.
        await expect.poll(() => client!.nodes(), { timeout: 30_000 }).toHaveLength(2)
        await kafka().kafka.start(coordinator)
        await checkpoints()
        const { leader } = await whoIs(target)
        await kafka().kafka.kill(leader)
        writeFileSync(goOn, '')
      }
      let struck: Promise<void> | undefined
      const onOutside = () => {
        struck = strike()
        // Told below, when the job has ended.
        struck.catch(() => writeFileSync(goOn, ''))
      }
      const blows: Blow[] = [{ what: 'broker', at: { since: 'checkpoint', nth: 4, ms: 0 }, slot: 0 }]
      try {
        const end = await live({ args, blows, place, logFile, onOutside })
        await struck
        expect(end).toMatchObject({ code: 0, hung: false })
        expect(end.hits).toHaveLength(1)
        expect(readFileSync(logFile, 'utf8')).not.toMatch(/TR-[A-Z]+-\d+/)
        expect(await scene.problems()).toEqual([])
      } finally {
        await place.close()
      }
      await scene.remove()
    })
  },
  { brokers: 3 },
)
