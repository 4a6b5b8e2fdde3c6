/** Apache Kafka as the lab runs it: every way in, what it keeps when it is killed, and what it refuses. Kafka's own consumer is asked too, so that our reader is held to it. */
import { readFileSync } from 'node:fs'
import { Kafka, type KafkaConfig, logLevel, Partitioners } from 'kafkajs'
import { expect, it } from 'vitest'
import { consoleConsumer } from '../../../../scripts/lab/kafka.ts'
import { kafkaTool } from '../../../../scripts/lab/kafka-install.ts'
import type { Listener } from '../../../../scripts/lab/kafka-properties.ts'
import { allow } from './independent-clients.suite.ts'
import { describeOnKafka, type KafkaBroker } from './kafka-broker.suite.ts'

const RESTART_MS = 60_000

type Real = Parameters<Parameters<typeof describeOnKafka>[1]>[0] extends () => infer B ? B : never

/** A client that comes in by a listener. */
function clientOf({ kafka }: Real, listener: Listener, config: Partial<KafkaConfig> = {}): Kafka {
  const brokers = kafka.bootstrapServers(listener).split(',')
  return new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 1, initialRetryTime: 50 }, ...config })
}

async function send(client: Kafka, topic: string, value: string): Promise<void> {
  const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  try {
    await producer.send({ topic, messages: [{ value }] })
  } finally {
    await producer.disconnect()
  }
}

const values = async (broker: KafkaBroker, topic: string) =>
  (await broker.readCommitted(topic)).map(({ value }) => `${value}`).toSorted()

const alice = { username: 'alice', password: 'alice-secret' }

describeOnKafka('a broker', (broker) => {
  it('lets clients in by each listener, and nobody else', async () => {
    const real = broker()
    const { certs } = real.kafka
    const ca = readFileSync(certs.ca)
    const own = readFileSync(certs.client)
    await real.createTopic('in', 2)
    const ways: Record<string, [Listener, Partial<KafkaConfig>]> = {
      plaintext: ['PLAINTEXT', {}],
      proxied: ['PROXIED', {}],
      'sasl plain': ['SASL_PLAINTEXT', { sasl: { mechanism: 'plain', ...alice } }],
      'sasl scram 256': ['SASL_PLAINTEXT', { sasl: { mechanism: 'scram-sha-256', ...alice } }],
      'sasl scram 512 over tls': ['SASL_SSL', { ssl: { ca }, sasl: { mechanism: 'scram-sha-512', ...alice } }],
      tls: ['SSL', { ssl: { ca } }],
      mtls: ['MTLS', { ssl: { ca, cert: own, key: own } }],
    }
    for (const [name, [listener, config]] of Object.entries(ways))
      await send(clientOf(real, listener, config), 'in', name)
    expect(await values(real, 'in')).toEqual(Object.keys(ways).toSorted())

    const wrong = { username: 'alice', password: 'wrong' }
    const refused: [Listener, Partial<KafkaConfig>, RegExp][] = [
      ['SASL_PLAINTEXT', { sasl: { mechanism: 'plain', ...wrong } }, /Authentication failed/],
      ['SASL_SSL', { ssl: { ca }, sasl: { mechanism: 'scram-sha-256', ...wrong } }, /invalid credentials/],
      ['SSL', { ssl: { ca: readFileSync(certs.otherCa) } }, /certificate|self-signed/],
      ['MTLS', { ssl: { ca } }, /Client network socket disconnected|certificate required|Closed connection|alert/],
    ]
    for (const [listener, config, reason] of refused)
      await expect(send(clientOf(real, listener, config), 'in', 'nobody'), listener).rejects.toThrow(reason)
    expect(await values(real, 'in')).toHaveLength(Object.keys(ways).length)
  }, 60_000)

  it('shows committed records only, as its own consumer does', async () => {
    const real = broker()
    await real.createTopic('tx', 1)
    const [one, two, three] = [
      await real.transaction('one'),
      await real.transaction('two'),
      await real.transaction('three'),
    ]
    await one.send('tx', [{ key: Buffer.alloc(4), value: 'one' }])
    await two.send('tx', [{ value: 'two' }])
    await real.produce('tx', [{ value: 'plain' }])
    await one.abort()
    await two.commit()
    await three.send('tx', [{ value: 'three' }])
    await real.produce('tx', [{ value: 'late' }])
    // The answer of EndTxn comes before its markers are written.
    await expect.poll(() => values(real, 'tx'), { timeout: 10_000 }).toEqual(['plain', 'two'])
    expect(await consoleConsumer(real.bootstrapServers, 'tx')).toEqual(['two', 'plain'])
    await three.abort()
    await expect.poll(() => values(real, 'tx'), { timeout: 10_000 }).toEqual(['late', 'plain', 'two'])
  }, 60_000)

  it(
    'keeps records and open transactions when it is killed',
    async () => {
      const real = broker()
      await real.createTopic('kept', 1)
      await real.produce('kept', [{ value: 'before' }])
      const open = await real.transaction('open')
      await open.send('kept', [{ value: 'open' }])
      await real.kill()
      await expect(real.readCommitted('kept')).rejects.toThrow(/refused/)
      await real.start()
      // The tool waits until the coordinator has read its log, which it has not when the broker is up; kafkajs' transaction would be stuck for good.
      const described = await kafkaTool('org.apache.kafka.tools.TransactionsCommand', [
        '--bootstrap-server',
        real.bootstrapServers,
        'describe',
        '--transactional-id',
        'open',
      ])
      expect(described).toMatch(/Ongoing/)
      await open.commit()
      await real.produce('kept', [{ value: 'after' }])
      await expect.poll(() => values(real, 'kept'), { timeout: 10_000 }).toEqual(['after', 'before', 'open'])
    },
    RESTART_MS,
  )
})

describeOnKafka(
  'a broker with ACLs and a proxy',
  (broker) => {
    it('refuses what no ACL allows', async () => {
      const real = broker()
      const client = clientOf(real, 'SASL_PLAINTEXT', { sasl: { mechanism: 'plain', ...alice } })
      await real.createTopic('closed', 1)
      await expect(send(client, 'closed', 'no')).rejects.toThrow(/not authorized/i)
      await allow(real, 'alice', 'WRITE', 'closed')
      await expect
        .poll(() =>
          send(client, 'closed', 'yes').then(
            () => 'sent',
            () => 'refused',
          ),
        )
        .toBe('sent')
      expect(await values(real, 'closed')).toContain('yes')
    })

    it('is reached by clients through its proxy only', async () => {
      const real = broker()
      await real.createTopic('proxied', 1)
      const brokers = [real.bootstrapServers]
      const client = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 } })
      await send(client, 'proxied', 'through')
      expect(real.proxies[0]!.accepted).toBeGreaterThan(0)
      real.proxies[0]!.down()
      await expect(send(client, 'proxied', 'lost')).rejects.toThrow()
      expect(await values(real, 'proxied')).toEqual(['through'])
    })
  },
  { acls: true, proxied: true },
)
