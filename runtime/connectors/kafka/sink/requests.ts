/**
 * What writers and committers ask of a transaction's coordinator.
 */
import type { KafkaClient } from '../client/client.ts'
import { CODE, KafkaProtocolError } from '../client/codes.ts'
import type { Producer, TransactionHandle } from './transactions.ts'

const IDEMPOTENCE = 'enable.idempotence needs Write on some topic, before Kafka 3.0 IdempotentWrite on the cluster'

/** Numbers against doubles, without transactions. */
export function idempotentProducer(client: KafkaClient): Promise<Producer> {
  return client.retrying('get a producer id', () => tryInit(client, null, 0, () => {}))
}

/**
 * A new epoch of the id; what it has open is aborted, and who holds an older epoch is fenced. Asks until it is answered, so a try whose answer was lost may still be executed behind the
 * one that was answered, and fence that: the producer is good for use only if `unanswered` was not called.
 *
 * @param closing from then on it asks no more
 */
export function initProducer(
  client: KafkaClient,
  transactionalId: string,
  timeoutMs: number,
  unanswered: () => void = () => {},
  closing?: AbortSignal,
): Promise<Producer> {
  return client.retrying(
    `begin a transaction of "${transactionalId}"`,
    async () => {
      closing?.throwIfAborted()
      return tryInit(client, transactionalId, timeoutMs, unanswered)
    },
    () => client.forgetCoordinator('transaction', transactionalId),
  )
}

/** The same of the first id that is answered: none is asked for again when nobody knows what became of it. */
export function initFirstAnswered(client: KafkaClient, nextId: () => string, timeoutMs: number): Promise<Producer> {
  let id = nextId()
  return client.retrying(
    `begin a transaction of "${id}"`,
    () =>
      tryInit(client, id, timeoutMs, () => {
        id = nextId()
      }),
    () => client.forgetCoordinator('transaction', id),
  )
}

/** @param unanswered called when the request was sent, perhaps, and is not answered any more */
async function tryInit(
  client: KafkaClient,
  transactionalId: string | null,
  timeoutMs: number,
  unanswered: () => void,
): Promise<Producer> {
  const node =
    transactionalId === null ? (await client.nodes())[0]! : await client.coordinator('transaction', transactionalId)
  await client.connect(node)
  const asked = client.call(node, 'InitProducerId', { transactionalId, transactionTimeout: timeoutMs })
  const { errorCode, producerId, producerEpoch } = await asked.catch((error: unknown) => {
    unanswered()
    throw error
  })
  if (errorCode === 0)
    return { transactionalId, producerId: BigInt(producerId), epoch: producerEpoch, sequences: new Map() }
  throw new KafkaProtocolError(
    errorCode,
    transactionalId === null ? IDEMPOTENCE : `transactional id "${transactionalId}"`,
  )
}

/** Before the first batch of a partition in a transaction. */
export async function addPartitions(
  client: KafkaClient,
  producer: Producer,
  partitions: readonly { topic: string; partition: number }[],
): Promise<void> {
  const transactionalId = producer.transactionalId!
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  await client.retrying(
    `add partitions to the transaction of "${transactionalId}"`,
    async () => {
      const node = await client.coordinator('transaction', transactionalId)
      const { errors } = await client.call(node, 'AddPartitionsToTxn', {
        transactionalId,
        producerId: String(producer.producerId),
        producerEpoch: producer.epoch,
        topics: [...byTopic].map(([topic, ofTopic]) => ({
          topic,
          partitions: ofTopic.map(({ partition }) => partition),
        })),
      })
      for (const { topic, partitionErrors } of errors)
        for (const { partition, errorCode } of partitionErrors) {
          // Told of the partitions beside one that is refused.
          if (errorCode === 0 || errorCode === CODE.OPERATION_NOT_ATTEMPTED) continue
          throw new KafkaProtocolError(errorCode, `partition ${partition} of topic "${topic}"`)
        }
    },
    () => client.forgetCoordinator('transaction', transactionalId),
  )
}

/** So often a broker is asked that is just ending the transaction: some seconds. */
const CONCURRENT_TRIES = 300

/** One try, but for a transaction that is just being ended. Returns the error code; throws what connections do. */
export async function endTransaction(client: KafkaClient, handle: TransactionHandle, commit: boolean): Promise<number> {
  const { transactionalId, producerId, epoch } = handle
  const node = await client.coordinator('transaction', transactionalId)
  for (let tries = 1; ; tries++) {
    const { errorCode } = await client.call(node, 'EndTxn', {
      transactionalId,
      producerId,
      producerEpoch: epoch,
      transactionResult: commit,
    })
    if (errorCode !== CODE.CONCURRENT_TRANSACTIONS || tries === CONCURRENT_TRIES) return errorCode
    await client.soon()
  }
}

/** Of all brokers the least; undefined: they do not tell. Milliseconds. */
export async function transactionTimeoutMax(client: KafkaClient): Promise<number | undefined> {
  const BROKER = 4
  const name = 'transaction.max.timeout.ms'
  return client.retrying("read the brokers' settings", async () => {
    const nodes = await client.nodes()
    const answers = await Promise.all(
      nodes.map((node) =>
        client.call(node, 'DescribeConfigs', {
          resources: [{ type: BROKER, name: String(node), configNames: [name] }],
          includeSynonyms: false,
        }),
      ),
    )
    const values: number[] = []
    for (const { resources } of answers) {
      for (const { errorCode, configEntries } of resources) {
        if (errorCode === CODE.CLUSTER_AUTHORIZATION_FAILED) continue
        if (errorCode !== 0) throw new KafkaProtocolError(errorCode, 'the settings of a broker')
        const value = Number(
          configEntries.find((entry: { configName: string }) => entry.configName === name)?.configValue,
        )
        if (value > 0) values.push(value)
      }
    }
    return values.length === 0 ? undefined : Math.min(...values)
  })
}
