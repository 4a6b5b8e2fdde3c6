/**
 * A Kafka for a test file: kfake for quick tests, Apache Kafka for slow ones, behind one interface.
 *
 * What writes and reads here shares no code with the connector (independent-clients.suite.ts).
 *
 * @example
 * describeOnKfake('kafkaSource()', (kafka) => {
 *   it('reads a topic', async () => {
 *     await kafka().createTopic('clicks', 2)
 *     await kafka().produce('clicks', [{ value: 'a' }, { key: 'k', value: 'b', partition: 1 }])
 *     expect(await kafka().readCommitted('clicks')).toHaveLength(2)
 *   })
 * })
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import * as real from '../../../../scripts/lab/kafka.ts'
import * as fake from '../../../../scripts/lab/kfake.ts'
import { freePorts } from '../../../../scripts/lab/server.ts'
import { TcpProxy } from '../../../core/tcp-proxy.suite.ts'
import { clientsOf, type IndependentClients } from './independent-clients.suite.ts'

const INSTALL_MS = 10 * 60_000

export interface KafkaBroker extends IndependentClients {
  /** For the code under test: through the proxies if there are some. */
  readonly bootstrapServers: string
  /** One in front of each broker, if asked for; empty otherwise. What writes and reads here goes around them. */
  readonly proxies: readonly TcpProxy[]
  /** Of servers that speak TLS. */
  readonly certs?: fake.Certificates
  /** Ends all brokers: on Kafka by SIGKILL, on kfake (where that would abort open transactions) in order, with all connections cut. On kfake data stays only if it is `durable`. */
  kill(): Promise<void>
  /** After {@link kill}. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface KfakeBrokerOptions extends Omit<fake.KfakeOptions, 'tls' | 'advertised'> {
  tls?: 'server' | 'client certificate'
  /** Put a proxy in front of each broker. */
  proxied?: boolean
}

export interface RealBrokerOptions extends Omit<real.KafkaOptions, 'advertised'> {
  proxied?: boolean
}

/** Tests on a kfake of their own; skipped with a line that says how to get it where there is none. */
export function describeOnKfake(
  name: string,
  tests: (broker: () => KafkaBroker) => void,
  options: KfakeBrokerOptions = {},
): void {
  describeOn(`${name} on kfake`, fake.missingKfake(), fake.installKfake, () => startKfakeBroker(options), tests)
}

/** Tests on an Apache Kafka of their own, which takes some seconds to start: for `*.slow.test.ts`. */
export function describeOnKafka(
  name: string,
  tests: (broker: () => KafkaBroker & { readonly kafka: real.Kafka }) => void,
  options: RealBrokerOptions = {},
): void {
  describeOn(`${name} on Kafka`, real.missingKafkaLab(), real.installKafkaLab, () => startRealBroker(options), tests)
}

function describeOn<B extends KafkaBroker>(
  name: string,
  missing: string | undefined,
  install: () => void,
  start: () => Promise<B>,
  tests: (broker: () => B) => void,
): void {
  const skipped = missing !== undefined && process.env.TAILRACE_REQUIRE_ALL !== '1'
  if (skipped) console.log(`${missing} (skipped)`)
  describe.skipIf(skipped)(name, () => {
    let broker: B | undefined
    beforeAll(async () => {
      if (missing !== undefined) install()
      broker = await start()
    }, INSTALL_MS)
    afterAll(() => broker?.stop())
    tests(() => broker!)
  })
}

/** A kfake for who starts and stops it by hand. */
export async function startKfakeBroker(options: KfakeBrokerOptions = {}): Promise<KafkaBroker> {
  const { tls, proxied, ...rest } = options
  const folder = tls === undefined ? undefined : mkdtempSync(join(tmpdir(), 'tailrace-certs-'))
  const certs = folder === undefined ? undefined : fake.makeCertificates(folder)
  const proxies = await proxiesOf(proxied === true ? (options.brokers ?? 1) : 0)
  const lab = await fake.startKfake({
    ...rest,
    advertised: proxied === true ? proxies.map(({ port }) => port) : undefined,
    tls: certs && { certs, clientCertificate: tls === 'client certificate' ? 'required' : undefined },
  })
  proxies.forEach((proxy, i) => {
    proxy.target = lab.ports[i]!
  })
  return {
    ...clientsOf(lab.bootstrapServers, proxies, certs, options.users?.[0]),
    bootstrapServers: addresses(proxies) ?? lab.bootstrapServers,
    proxies,
    certs,
    kill: lab.close,
    start: lab.start,
    async stop() {
      await Promise.all([...proxies.map((proxy) => proxy.close()), lab.stop()])
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** An Apache Kafka for who starts and stops it by hand. `kafka` has its other listeners. */
export async function startRealBroker(
  options: RealBrokerOptions = {},
): Promise<KafkaBroker & { readonly kafka: real.Kafka }> {
  const { proxied, ...rest } = options
  const count = options.brokers ?? 1
  const proxies = await proxiesOf(proxied === true ? count : 0)
  const advertised = proxied === true ? proxies.map(({ port }) => port) : undefined
  const kafka = await real.startKafka({ ...rest, advertised })
  const ids = Array.from({ length: count }, (_, i) => i + 1)
  proxies.forEach((proxy, i) => {
    proxy.target = kafka.port(i + 1, 'PROXIED')
  })
  return {
    ...clientsOf(kafka.bootstrapServers(), [], undefined, undefined),
    bootstrapServers: addresses(proxies) ?? kafka.bootstrapServers(),
    proxies,
    certs: kafka.certs,
    kafka,
    kill: async () => void (await Promise.all(ids.map(kafka.kill))),
    start: async () => void (await Promise.all(ids.map(kafka.start))),
    async stop() {
      await Promise.all([...proxies.map((proxy) => proxy.close()), kafka.stop()])
    },
  }
}

async function proxiesOf(count: number): Promise<TcpProxy[]> {
  const ports = await freePorts(count)
  return Promise.all(ports.map((port) => TcpProxy.listen(port)))
}

function addresses(proxies: readonly TcpProxy[]): string | undefined {
  return proxies.length === 0 ? undefined : proxies.map(({ port }) => `127.0.0.1:${port}`).join()
}
