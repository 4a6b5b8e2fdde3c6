/**
 * One run: a job that is struck as its seed says, until it has finished; then its files are compared with the oracle.
 */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KafkaBroker } from '../../runtime/connectors/kafka/testing/kafka-broker.suite.ts'
import { directoryPlace, s3Place } from './checkpoint-place.ts'
import { makeKafkaScene } from './kafka-scene.ts'
import { live } from './life.ts'
import { seededRandom } from './random.ts'
import { makeScene } from './scene.ts'
import { type Chaos, isOfKafka, type Kind, makeChaos } from './schedule.ts'

export interface Outcome {
  seed: number
  chaos: Chaos
  /** What is wrong, in lines; empty when the output is the oracle's. */
  problems: string[]
  processesKilled: number
  slotsKilled: number
  slotsReplaced: number
  checkpoints: number
  storeFaults: number
  seconds: number
  /** What has hit, per process. */
  hits: string[][]
  /** Is kept when something is wrong. */
  folder: string
}

/**
 * @param kafka that the runs of Kafka's kinds share
 * @param given what happens instead of what the seed says
 */
export async function chaosRun(
  seed: number,
  kind: Kind,
  kafka?: KafkaBroker,
  given?: Omit<Chaos, 'kind'>,
): Promise<Outcome> {
  const startedMs = performance.now()
  const random = seededRandom(seed)
  const chaos = given === undefined ? makeChaos(random, kind) : { kind, ...given }
  const scene = isOfKafka(kind) ? await makeKafkaScene(String(seed), random, kafka!) : makeScene(String(seed), random)
  const { folder, logFile, onOutside } = scene
  const place = kind === 'store' ? await s3Place(random) : directoryPlace(join(folder, 'checkpoints'))
  const outcome: Outcome = {
    ...{ seed, chaos, problems: [], hits: [], folder },
    ...{ processesKilled: 0, slotsKilled: 0, slotsReplaced: 0, checkpoints: 0, storeFaults: 0, seconds: 0 },
  }
  try {
    for (const { parallelism, blows } of chaos.lives) {
      const args = scene.args({ parallelism, intervalMs: chaos.intervalMs, place })
      appendFileSync(logFile, `=== process ${outcome.hits.length + 1}\n`)
      const end = await live({ args, blows, place, logFile, ...(onOutside && { onOutside }) })
      outcome.hits.push(end.hits)
      outcome.slotsKilled += end.slotsKilled
      outcome.slotsReplaced += end.slotsReplaced
      if (end.hung) outcome.problems.push('the process hung')
      else if (end.code === null) outcome.processesKilled++
      else if (end.code !== 0) outcome.problems.push(`the process ended with code ${end.code}`)
      // Killed behind the end of its job: started again it would begin anew, as it should.
      if (end.code !== null || end.hung || place.ended()) break
    }
    if (outcome.problems.length === 0) outcome.problems.push(...(await scene.problems()))
  } finally {
    outcome.checkpoints = place.seen.size
    outcome.storeFaults = place.faults()
    await place.close()
  }
  outcome.seconds = (performance.now() - startedMs) / 1000
  if (outcome.problems.length === 0) await scene.remove()
  return outcome
}
