/**
 * What writes, reads and administrates in tests of the connector, sharing no code with it: kafkajs' own producer writes, franz-go reads (scripts/lab/kfake/read.go).
 */
import { readFileSync } from 'node:fs'
import { connect as open } from 'node:net'
import { connect as openTls } from 'node:tls'
import kafkajs, {
  type Admin,
  CompressionTypes,
  Kafka,
  type KafkaConfig,
  logLevel,
  Partitioners,
  type Producer,
} from 'kafkajs'
import { type Certificates, type KfakeUser, type ReadRecord, readRecords } from '../../../../scripts/lab/kfake.ts'
import type { TcpProxy } from '../../../core/tcp-proxy.suite.ts'

const TRANSACTION_MS = 60_000

/** What is to be written. */
export interface Message {
  value: string | Buffer | null
  key?: string | Buffer | null
  headers?: Record<string, string | Buffer>
  timestampMs?: number
  /** Chosen by the key unless said. */
  partition?: number
}

export interface ProduceOptions {
  compression?: 'none' | 'gzip'
}

/** A transaction that stays open until it is ended. */
export interface OpenTransaction {
  send(topic: string, messages: readonly Message[]): Promise<void>
  commit(): Promise<void>
  abort(): Promise<void>
}

export interface IndependentClients {
  createTopic(name: string, partitions: number, config?: Readonly<Record<string, string>>): Promise<void>
  /** In one request for each partition, in their order. */
  produce(topic: string, messages: readonly Message[], options?: ProduceOptions): Promise<void>
  /** Begins a transaction of kafkajs' own, for records that are to be invisible, or aborted. */
  transaction(transactionalId: string): Promise<OpenTransaction>
  /** What an independent consumer sees now, each partition in its order. */
  readCommitted(topic: string): Promise<ReadRecord[]>
  /** Also what is in open and in aborted transactions. */
  readUncommitted(topic: string): Promise<ReadRecord[]>
  /** Anything else that Kafka's administration can do. */
  admin<T>(work: (admin: Admin) => Promise<T>): Promise<T>
}

/** What writes, reads and administrates, around the proxies. */
export function clientsOf(
  bootstrapServers: string,
  proxies: readonly TcpProxy[],
  certs: Certificates | undefined,
  user: KfakeUser | undefined,
): IndependentClients {
  const around = (port: number) => proxies.find((proxy) => proxy.port === port)?.target ?? port
  const config: KafkaConfig = {
    brokers: bootstrapServers.split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 10, initialRetryTime: 50 },
    socketFactory: ({ host, port, ssl, onConnect }) =>
      ssl
        ? openTls({ ...ssl, host, port: around(port), servername: 'localhost' }, onConnect)
        : open({ host, port: around(port) }, onConnect),
  }
  if (certs !== undefined)
    config.ssl = {
      ca: readFileSync(certs.ca),
      cert: readFileSync(certs.client),
      key: readFileSync(certs.client),
    }
  if (user !== undefined) config.sasl = saslOf(user)
  const kafka = new Kafka(config)
  const createPartitioner = Partitioners.DefaultPartitioner

  const admin: IndependentClients['admin'] = async (work) => {
    const client = kafka.admin()
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.disconnect()
    }
  }
  const read = (topic: string, uncommitted: boolean) =>
    readRecords({
      bootstrapServers,
      topic,
      uncommitted,
      login: user,
      ca: certs?.ca,
      client: certs?.client,
      redirect: Object.fromEntries(proxies.map(({ port, target }) => [`127.0.0.1:${port}`, `127.0.0.1:${target}`])),
    })
  return {
    admin,
    async createTopic(topic, numPartitions, settings = {}) {
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
      await admin(async (client) => {
        // kafkajs' own waiting gives up when a broker does not know the topic yet.
        await client.createTopics({ topics: [{ topic, numPartitions, configEntries }], waitForLeaders: false })
        for (let tries = 1; ; tries++) {
          try {
            const { topics } = await client.fetchTopicMetadata({ topics: [topic] })
            if (topics[0]!.partitions.every(({ leader }) => leader >= 0)) return
          } catch (error) {
            if (tries > 100) throw error
          }
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      })
    },
    async produce(topic, messages, { compression = 'none' } = {}) {
      const producer = kafka.producer({ createPartitioner })
      await producer.connect()
      try {
        await producer.send({
          topic,
          messages: messages.map(kafkajsMessage),
          compression: compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None,
        })
      } finally {
        await producer.disconnect()
      }
    },
    async transaction(transactionalId) {
      const producer = kafka.producer({
        createPartitioner,
        transactionalId,
        idempotent: true,
        maxInFlightRequests: 1,
        transactionTimeout: TRANSACTION_MS,
      })
      await producer.connect()
      return openTransaction(producer)
    },
    readCommitted: (topic) => read(topic, false),
    readUncommitted: (topic) => read(topic, true),
  }
}

async function openTransaction(producer: Producer): Promise<OpenTransaction> {
  const transaction = await producer.transaction()
  return {
    async send(topic, messages) {
      await transaction.send({ topic, messages: messages.map(kafkajsMessage) })
    },
    async commit() {
      await transaction.commit()
      await producer.disconnect()
    },
    async abort() {
      await transaction.abort()
      await producer.disconnect()
    },
  }
}

function kafkajsMessage({ timestampMs, key = null, ...message }: Message) {
  return { ...message, key, ...(timestampMs !== undefined && { timestamp: `${timestampMs}` }) }
}

function saslOf({ mechanism, username, password }: KfakeUser): NonNullable<KafkaConfig['sasl']> {
  if (mechanism === 'PLAIN') return { mechanism: 'plain', username, password }
  if (mechanism === 'SCRAM-SHA-256') return { mechanism: 'scram-sha-256', username, password }
  return { mechanism: 'scram-sha-512', username, password }
}

/** Lets a user do something with a topic (`clicks*`: with all that begin so) or, with `of`, with something else. For brokers with `acls`. */
export function allow(
  broker: IndependentClients,
  username: string,
  operation: 'READ' | 'WRITE' | 'DESCRIBE' | 'CREATE',
  name: string,
  of: 'TOPIC' | 'GROUP' | 'TRANSACTIONAL_ID' = 'TOPIC',
): Promise<boolean> {
  const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
  const prefix = name.endsWith('*') && name !== '*'
  const acl = {
    resourceType: AclResourceTypes[of],
    resourceName: prefix ? name.slice(0, -1) : name,
    resourcePatternType: prefix ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
    principal: `User:${username}`,
    host: '*',
    operation: AclOperationTypes[operation],
    permissionType: AclPermissionTypes.ALLOW,
  }
  return broker.admin((admin) => admin.createAcls({ acl: [acl] }))
}
