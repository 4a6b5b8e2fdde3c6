/**
 * How to reach a Kafka cluster, from the properties of a source or sink: addresses, TLS, SASL, times.
 */
import { readFileSync } from 'node:fs'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { TailraceError } from '../../../core/errors.ts'
import type { Properties, PropertyName } from '../properties.ts'
import type { SaslOptions, SocketFactory } from './kafkajs.ts'

export interface ConnectionSettings {
  /** `host:port`, at least one. */
  bootstrapServers: readonly string[]
  clientId: string
  ssl: TlsOptions | undefined
  sasl: SaslOptions | undefined
  connectionTimeoutMs: number
  requestTimeoutMs: number
  retryBackoffMs: number
  retryBackoffMaxMs: number
  /** Tries of one thing end after this time. */
  apiTimeoutMs: number
  metadataMaxAgeMs: number
  socketFactory?: SocketFactory
}

/** @param servers the option `bootstrapServers` @param environment where KAFKA_BOOTSTRAP_SERVERS may be */
export function connectionSettings(
  properties: Properties,
  servers: string | readonly string[] | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): ConnectionSettings {
  const protocol = properties.word('security.protocol', ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'])
  return {
    bootstrapServers: addresses(servers ?? properties.text('bootstrap.servers') ?? environment.KAFKA_BOOTSTRAP_SERVERS),
    clientId: properties.text('client.id') ?? properties.text('client.id.prefix') ?? 'tailrace',
    ssl: protocol.endsWith('SSL') ? tlsOptions(properties) : undefined,
    sasl: protocol.startsWith('SASL') ? saslOptions(properties) : undefined,
    connectionTimeoutMs: properties.integer('socket.connection.setup.timeout.ms', { atLeast: 1 }),
    requestTimeoutMs: properties.integer('request.timeout.ms', { atLeast: 1 }),
    retryBackoffMs: properties.integer('retry.backoff.ms', { atLeast: 0 }),
    retryBackoffMaxMs: properties.integer('retry.backoff.max.ms', { atLeast: 0 }),
    apiTimeoutMs: properties.integer('default.api.timeout.ms', { atLeast: 1 }),
    metadataMaxAgeMs: properties.integer('metadata.max.age.ms', { atLeast: 0 }),
  }
}

function addresses(given: string | readonly string[] | undefined): string[] {
  const list = (typeof given === 'string' ? given.split(',') : (given ?? []))
    .map((one) => one.trim())
    .filter((one) => one !== '')
  if (list.length === 0)
    throw new TailraceError(
      'TR-KAFKA-001',
      'Cannot find Kafka: no brokers are given, wanted is the option "bootstrapServers", or KAFKA_BOOTSTRAP_SERVERS of the environment, such as "kafka-1:9092,kafka-2:9092"',
    )
  for (const one of list) {
    const port = Number(/^(?:.+):(\d+)$/.exec(one)?.[1])
    if (!(port > 0 && port < 65_536))
      throw new TailraceError(
        'TR-KAFKA-001',
        `Cannot use "${one}" as a Kafka broker: host and port are wanted, such as "kafka-1:9092"`,
      )
  }
  return list
}

function saslOptions(properties: Properties): SaslOptions {
  const mechanism = properties.word('sasl.mechanism', ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
  const jaas = properties.text('sasl.jaas.config')
  const username = properties.text('sasl.username') ?? ofJaas(jaas, 'username')
  const password = properties.text('sasl.password') ?? ofJaas(jaas, 'password')
  if (username === undefined || password === undefined) {
    const missing = username === undefined ? 'username' : 'password'
    throw new TailraceError(
      'TR-KAFKA-001',
      `Cannot log in to Kafka by ${mechanism}: there is no ${missing}, wanted is sasl.${missing}, or sasl.jaas.config with ${missing}="…"`,
    )
  }
  return { mechanism: mechanism.toLowerCase() as SaslOptions['mechanism'], username, password }
}

function ofJaas(config: string | undefined, field: string): string | undefined {
  const found = config?.match(
    new RegExp(`\\b${field}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|'((?:[^'\\\\]|\\\\.)*)'|([^\\s"';]+))`),
  )
  return (found?.[1] ?? found?.[2])?.replaceAll(/\\(.)/g, '$1') ?? found?.[3]
}

function tlsOptions(properties: Properties): TlsOptions {
  const trustType = properties.text('ssl.truststore.type')?.toUpperCase()
  if (trustType !== 'PEM')
    throw properties.refusal(
      'ssl.truststore.type',
      'PEM (export a JKS store with "keytool -exportcert -rfc", a PKCS12 one with "openssl pkcs12 -nokeys")',
    )
  const keyType = properties.word('ssl.keystore.type', ['PEM', 'PKCS12'])
  const options: TlsOptions = {}
  const ca = properties.text('ssl.truststore.certificates') ?? fileOf(properties, 'ssl.truststore.location')
  if (ca !== undefined) options.ca = ca
  const keyPassword = properties.text('ssl.key.password')
  if (keyType === 'PKCS12') {
    const pfx = fileOf(properties, 'ssl.keystore.location')
    const passphrase = properties.text('ssl.keystore.password') ?? keyPassword
    if (pfx !== undefined) options.pfx = pfx
    if (passphrase !== undefined) options.passphrase = passphrase
  } else {
    const store = fileOf(properties, 'ssl.keystore.location')
    const cert = properties.text('ssl.keystore.certificate.chain') ?? store
    const key = properties.text('ssl.keystore.key') ?? store
    if (cert !== undefined) options.cert = cert
    if (key !== undefined) options.key = key
    if (keyPassword !== undefined) options.passphrase = keyPassword
  }
  if (properties.text('ssl.endpoint.identification.algorithm') === '') options.checkServerIdentity = () => undefined
  return options
}

function fileOf(properties: Properties, name: PropertyName): Buffer | undefined {
  const path = properties.text(name)
  if (path === undefined) return undefined
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new TailraceError(
      'TR-KAFKA-001',
      `Cannot read the file "${path}" of the Kafka property ${name}: ${(cause as Error).message}`,
      { cause },
    )
  }
}
