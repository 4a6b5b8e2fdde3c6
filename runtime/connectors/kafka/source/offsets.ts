/**
 * Where a source begins and where it ends, and the offsets that stand for it.
 */
import { TailraceError } from '../../../core/errors.ts'
import type { KafkaClient } from '../client/client.ts'
import { CODE, KafkaProtocolError } from '../client/codes.ts'

/** By topic and partition. */
export type OffsetMap = Readonly<Record<string, Readonly<Record<number, number>>>>

/**
 * - `earliest` (standard), `latest`: the ends of the partition.
 * - `committed`: what the group has committed; without it as `committed` says, or the property auto.offset.reset: `none` (standard) fails the job.
 * - `timestamp`: the first record of this time or later, in milliseconds since 1970; the end when there is none.
 * - `offsets`: partitions that are not named begin as `otherwise` says, `earliest` when it is not given.
 *
 * They hold for the partitions that are there when the job begins. One that is found later is read from its beginning: all of it is new.
 */
export type StartingOffsets =
  | 'earliest'
  | 'latest'
  | 'committed'
  | { committed: 'earliest' | 'latest' | 'none' }
  | { timestamp: number | Date }
  | { offsets: OffsetMap; otherwise?: 'earliest' | 'latest' }

/** `latest`: what is there when the job begins, with the transactions that are open then. Offsets are exclusive. */
export type StoppingOffsets = 'latest' | 'committed' | { timestamp: number | Date } | { offsets: OffsetMap }

export interface TopicPartition {
  topic: string
  partition: number
}

const EARLIEST = -2
const LATEST = -1

export const partitionId = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`

/** Throws TypeError when it is none. */
export function checkOffsets(option: string, given: StartingOffsets | StoppingOffsets): void {
  if (given === 'earliest' && option === 'startingOffsets') return
  if (given === 'latest' || given === 'committed') return
  if (typeof given === 'object' && given !== null) {
    if ('committed' in given && ['earliest', 'latest', 'none'].includes(given.committed)) return
    if ('timestamp' in given && Number.isFinite(Number(given.timestamp))) return
    if (
      'offsets' in given &&
      Object.values(given.offsets).every((of) => Object.values(of).every((n) => Number.isSafeInteger(n) && n >= 0))
    )
      return
  }
  throw new TypeError(
    `Cannot use ${JSON.stringify(given)} as "${option}" of a Kafka source: "earliest", "latest", "committed", { timestamp } or { offsets: { topic: { partition: offset } } } is wanted`,
  )
}

/** The offset of each partition, by its id. */
export async function resolveOffsets(
  client: KafkaClient,
  given: StartingOffsets | StoppingOffsets,
  partitions: readonly TopicPartition[],
  groupId: string | undefined,
  reset: string | undefined,
): Promise<Map<string, number>> {
  if (given === 'earliest') return listOffsets(client, partitions, EARLIEST)
  if (given === 'latest') return listOffsets(client, partitions, LATEST)
  if (given === 'committed') return committed(client, partitions, groupId, reset ?? 'none')
  if ('committed' in given) return committed(client, partitions, groupId, given.committed)
  if ('timestamp' in given) {
    const found = await listOffsets(client, partitions, Number(given.timestamp))
    const without = partitions.filter((one) => found.get(partitionId(one)) === -1)
    return new Map([...found, ...(await listOffsets(client, without, LATEST))])
  }
  const named = new Map<string, number>()
  for (const one of partitions) {
    const offset = given.offsets[one.topic]?.[one.partition]
    if (offset !== undefined) named.set(partitionId(one), offset)
  }
  if (!('otherwise' in given) && named.size === 0 && partitions.length === 0) return named
  const others = partitions.filter((one) => !named.has(partitionId(one)))
  const otherwise = 'otherwise' in given ? given.otherwise : undefined
  return new Map([...named, ...(await listOffsets(client, others, otherwise === 'latest' ? LATEST : EARLIEST))])
}

/** @param timestamp milliseconds, or one of the two marks; the answer is -1 where no record is that late */
async function listOffsets(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  timestamp: number,
): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  const topics = [...new Set(partitions.map(({ topic }) => topic))]
  await client.retrying(
    `read the offsets of ${textOf(topics)}`,
    async () => {
      const missing = partitions.filter((one) => !found.has(partitionId(one)))
      const leaders = await Promise.all(missing.map((one) => client.leader(one.topic, one.partition)))
      const byLeader = Map.groupBy(missing, (one) => leaders[missing.indexOf(one)]!)
      await Promise.all(
        [...byLeader].map(([leader, ofLeader]) => listOffsetsOf(client, leader, ofLeader, timestamp, found)),
      )
    },
    () => {
      for (const topic of topics) client.forget(topic)
    },
  )
  return found
}

async function listOffsetsOf(
  client: KafkaClient,
  leader: number,
  partitions: readonly TopicPartition[],
  timestamp: number,
  found: Map<string, number>,
): Promise<void> {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  const { responses } = await client.call(leader, 'ListOffsets', {
    replicaId: -1,
    isolationLevel: 0,
    topics: [...byTopic].map(([topic, ofTopic]) => ({
      topic,
      partitions: ofTopic.map(({ partition }) => ({ partition, timestamp })),
    })),
  })
  for (const { topic, partitions: answers } of responses) {
    for (const { partition, errorCode, offset } of answers) {
      if (errorCode !== 0) throw new KafkaProtocolError(errorCode, `partition ${partition} of topic "${topic}"`)
      found.set(partitionId({ topic, partition }), Number(offset))
    }
  }
}

async function committed(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  groupId: string | undefined,
  reset: string,
): Promise<Map<string, number>> {
  const found = await fetchCommitted(client, partitions, groupId!)
  const without = partitions.filter((one) => !found.has(partitionId(one)))
  if (without.length === 0) return found
  if (reset === 'none') {
    throw new TailraceError(
      'TR-KAFKA-009',
      `Cannot begin where group "${groupId}" has stopped: it has committed no offset for partition ${without[0]!.partition} of topic "${without[0]!.topic}"` +
        `${without.length > 1 ? ` and ${without.length - 1} others` : ''}; wanted is startingOffsets: { committed: 'earliest' } (or 'latest'), or a commit`,
    )
  }
  return new Map([...found, ...(await listOffsets(client, without, reset === 'latest' ? LATEST : EARLIEST))])
}

async function fetchCommitted(
  client: KafkaClient,
  partitions: readonly TopicPartition[],
  groupId: string,
): Promise<Map<string, number>> {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  return client.retrying(
    `read the committed offsets of group "${groupId}"`,
    async () => {
      const coordinator = await client.coordinator('group', groupId)
      const { responses, errorCode = 0 } = await client.call(coordinator, 'OffsetFetch', {
        groupId,
        topics: [...byTopic].map(([topic, ofTopic]) => ({
          topic,
          partitions: ofTopic.map(({ partition }) => ({ partition })),
        })),
      })
      // Nobody has committed anything: some brokers do not know the group then.
      if (errorCode === CODE.GROUP_ID_NOT_FOUND) return new Map()
      if (errorCode !== 0) throw new KafkaProtocolError(errorCode, `group "${groupId}"`)
      const found = new Map<string, number>()
      for (const { topic, partitions: answers } of responses) {
        for (const { partition, offset, errorCode: code } of answers) {
          if (code !== 0) throw new KafkaProtocolError(code, `partition ${partition} of topic "${topic}"`)
          if (Number(offset) >= 0) found.set(partitionId({ topic, partition }), Number(offset))
        }
      }
      return found
    },
    () => client.forgetCoordinator('group', groupId),
  )
}

export const textOf = (topics: readonly string[]): string =>
  topics.length === 1 ? `topic "${topics[0]}"` : `topics ${topics.map((topic) => `"${topic}"`).join(', ')}`
