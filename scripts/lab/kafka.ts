/**
 * A real Apache Kafka on this machine, of one broker or several, for tests and for trying things by hand.
 *
 *     node scripts/with-node.mjs scripts/lab/kafka.ts install     downloads it, once (needs Maven, Java 17 or newer, and Go for scripts/lab/kfake.ts)
 *     node scripts/with-node.mjs scripts/lab/kafka.ts [3]         runs one broker (or three) until Ctrl-C, and prints how to reach it
 *         --topic clicks:4                                        with this topic of 4 partitions; again for more
 *     node scripts/with-node.mjs scripts/lab/kafka.ts read clicks     prints the values of a topic that read_committed shows, from KAFKA_BOOTSTRAP_SERVERS
 *
 * A broker is up in 3 to 5 s and needs about 200 MB. What it stores is in a directory that is removed when it stops.
 */
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka as Client, logLevel } from 'kafkajs'
import { commandLine, refuse, wholeNumber } from '../command-line.ts'
import { installKafka, javaArguments, kafkaTool, missingKafka } from './kafka-install.ts'
import { brokerProperties, LISTENERS, type Listener, type Login, PORTS_PER_BROKER } from './kafka-properties.ts'
import { type Certificates, installKfake, makeCertificates, missingKfake } from './kfake.ts'
import { endServer, freePorts, startServer } from './server.ts'

/** 22 characters of base64url, as Kafka wants them. */
const CLUSTER_ID = 'dGFpbHJhY2UtbGFiLTAwMQ'
const START_MS = 60_000
const USERS: readonly Login[] = [
  { username: 'admin', password: 'admin-secret' },
  { username: 'alice', password: 'alice-secret' },
]

export interface KafkaOptions {
  /** How many brokers, each a controller too; 1 unless said. */
  brokers?: number
  /** Refuse what no ACL allows on SASL listeners, to all but the first of `users`. */
  acls?: boolean
  /** Who may log in, by PLAIN and both kinds of SCRAM; `admin` and `alice` unless said. */
  users?: readonly Login[]
  /** Ports that clients of the listener PROXIED are told, one for each broker: those of proxies in front of its ports. */
  advertised?: readonly number[]
  /** More settings of brokers, as `message.max.bytes`. */
  config?: Readonly<Record<string, string>>
  heapMb?: number
  /** Of this machine, where clients that are not on it reach the brokers; 127.0.0.1 unless given. TLS stays for clients on it. */
  host?: string
  /** The brokers print their warnings into this file. */
  logFile?: string
}

export interface Kafka {
  /** `host:port,...` of a listener, PLAINTEXT unless said. */
  bootstrapServers(listener?: Listener): string
  /** Port of a broker, from 1, on a listener. */
  port(broker: number, listener: Listener): number
  readonly users: readonly Login[]
  readonly certs: Certificates
  /** SIGKILL to a broker, from 1. */
  kill(broker: number): Promise<void>
  /** Starts one again that was killed, on its data; takes some seconds more than at first, as its old session has to end. */
  start(broker: number): Promise<void>
  /** Ends all brokers and removes their data. */
  stop(): Promise<void>
}

/** Why there is no Kafka to be had, in a line that says how to get it; undefined: there is. */
export function missingKafkaLab(): string | undefined {
  return missingKafka() ?? missingKfake()
}

/** Gets all that {@link startKafka} needs. */
export function installKafkaLab(): void {
  installKafka()
  installKfake()
}

/** Starts brokers on free ports, and waits until clients can come. */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const { brokers: count = 1, users = USERS, heapMb, logFile, acls = false, advertised, host, config = {} } = options
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-kafka-'))
  const brokers: (ChildProcess | undefined)[] = []
  const stop = async () => {
    // At once, or the last ones wait for a quorum.
    await Promise.all(brokers.map((broker) => broker && endServer(broker, 'SIGKILL')))
    rmSync(folder, { recursive: true, force: true })
  }
  const fileOf = (id: number) => join(folder, `${id}`, 'server.properties')
  const start = async (id: number) => {
    brokers[id] = await startServer({
      program: 'java',
      args: [...javaArguments({ heapMb }), 'kafka.Kafka', fileOf(id)],
      ready: 'Kafka Server started',
      readyWithinMs: START_MS,
      logFile,
    })
  }
  try {
    const certs = makeCertificates(folder)
    const all = await freePorts(PORTS_PER_BROKER * count)
    const ports = Array.from({ length: count }, (_, i) => all.slice(i * PORTS_PER_BROKER, (i + 1) * PORTS_PER_BROKER))
    const ids = ports.map((_, i) => i + 1)
    for (const id of ids) {
      const own = join(folder, `${id}`)
      mkdirSync(own)
      const properties = { id, ports, folder: own, certs, users, acls, advertised, host, config }
      writeFileSync(fileOf(id), brokerProperties(properties))
    }
    await Promise.all(ids.map((id) => format(fileOf(id), users)))
    await Promise.all(ids.map(start))
    const port = (broker: number, listener: Listener) => ports[broker - 1]![LISTENERS.indexOf(listener)]!
    return {
      bootstrapServers: (listener = 'PLAINTEXT') => {
        const at = /SSL|MTLS/.test(listener) ? 'localhost' : (host ?? '127.0.0.1')
        return ids.map((id) => `${at}:${port(id, listener)}`).join()
      },
      port,
      users,
      certs,
      kill: (id) => endServer(brokers[id]!, 'SIGKILL'),
      start,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Makes the directory of a broker, with the logins by SCRAM. */
function format(properties: string, users: readonly Login[]): Promise<string> {
  const args = ['format', '--cluster-id', CLUSTER_ID, '--config', properties]
  for (const { username, password } of users)
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512'])
      args.push('--add-scram', `${mechanism}=[name=${username},password=${password}]`)
  return kafkaTool('kafka.tools.StorageTool', args)
}

/** What Kafka's own consumer sees of a topic with `read_committed`, one value each; it waits `quietMs` for more. A few seconds. */
export async function consoleConsumer(bootstrapServers: string, topic: string, quietMs = 3000): Promise<string[]> {
  const args = ['--bootstrap-server', bootstrapServers, '--topic', topic, '--from-beginning']
  args.push('--isolation-level', 'read_committed', '--timeout-ms', `${quietMs}`)
  const printed = await kafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', args)
  return printed.split('\n').filter((line) => line !== '')
}

/** Creates topics, each given as `name:partitions`, and returns when all have leaders. */
export async function createTopics(bootstrapServers: string, wanted: readonly string[]): Promise<void> {
  const topics = wanted.map((one) => {
    const [, topic, partitions = ''] = /^([\w.-]+):([1-9]\d*)$/.exec(one) ?? []
    if (topic === undefined)
      throw new Error(`Cannot create topic "${one}": name:partitions is wanted, such as clicks:4`)
    return { topic, numPartitions: Number(partitions) }
  })
  const admin = new Client({ brokers: bootstrapServers.split(','), logLevel: logLevel.ERROR }).admin()
  await admin.connect()
  try {
    await admin.createTopics({ topics })
  } finally {
    await admin.disconnect()
  }
}

const USAGE = `Usage: node scripts/with-node.mjs scripts/lab/kafka.ts [install | read TOPIC | BROKERS] [--topic NAME:PARTITIONS]...

  install              downloads it, once
  read TOPIC           prints the values that read_committed shows, from KAFKA_BOOTSTRAP_SERVERS
  BROKERS              runs so many until Ctrl-C; 1 unless given
  --topic clicks:4     with this topic of 4 partitions; again for more`

async function main(): Promise<void> {
  const { values, positionals } = commandLine(USAGE, {
    allowPositionals: true,
    options: { topic: { type: 'string', multiple: true, default: [] } },
  })
  const [what = '1', topic] = positionals
  if (what === 'install') return installKafkaLab()
  const missing = missingKafkaLab()
  if (missing !== undefined) refuse(missing)
  if (what === 'read') {
    const { KAFKA_BOOTSTRAP_SERVERS: servers } = process.env
    if (servers === undefined || topic === undefined)
      refuse('read: a topic and KAFKA_BOOTSTRAP_SERVERS of the environment are wanted')
    for (const value of await consoleConsumer(servers, topic)) console.log(value)
    return
  }
  // Node.js warns of a timer of kafkajs.
  process.removeAllListeners('warning')
  const kafka = await startKafka({ brokers: wholeNumber('BROKERS', what, 1) })
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, async () => {
      await kafka.stop()
      process.exit(0)
    })
  if (values.topic.length > 0) await createTopics(kafka.bootstrapServers(), values.topic)
  console.log(`KAFKA_BOOTSTRAP_SERVERS=${kafka.bootstrapServers()}`)
  for (const listener of LISTENERS) console.log(`${listener}: ${kafka.bootstrapServers(listener)}`)
  for (const { username, password } of kafka.users) console.log(`login: ${username} ${password}`)
  console.log(`certificates: ${kafka.certs.ca}, ${kafka.certs.client}`)
}

if (import.meta.main) await main()
