/** The broker in memory that tests run on: it keeps what it is given, in the way that Kafka does. */
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { expect, it } from 'vitest'
import { allow } from './independent-clients.suite.ts'
import { describeOnKfake } from './kafka-broker.suite.ts'

const textOf = ({ partition, offset, key, value }: any) => [partition, offset, key && `${key}`, value && `${value}`]

describeOnKfake(
  'a broker',
  (kafka) => {
    it('gives back keys, values, headers and times, by partition', async () => {
      await kafka().createTopic('all', 2)
      await kafka().produce('all', [
        { key: 'k', value: 'v', headers: { h: 'x' }, timestampMs: 1_700_000_000_000, partition: 0 },
        { value: Buffer.of(0, 255), partition: 1 },
        { key: 'gone', value: null, partition: 1, timestampMs: 5 },
      ])
      await kafka().produce('all', [{ value: 'zipped', partition: 1, timestampMs: 6 }], { compression: 'gzip' })
      const [first, ...rest] = (await kafka().readCommitted('all')).toSorted((a, b) => a.partition - b.partition)
      expect(first).toEqual({
        partition: 0,
        offset: 0,
        timestampMs: 1_700_000_000_000,
        key: Buffer.from('k'),
        value: Buffer.from('v'),
        headers: [{ key: 'h', value: Buffer.from('x') }],
      })
      expect(rest.map((record) => [record.offset, record.key, record.value])).toEqual([
        [0, null, Buffer.of(0, 255)],
        [1, Buffer.from('gone'), null],
        [2, null, Buffer.from('zipped')],
      ])
    })

    it('shows committed records only, up to the first open transaction', async () => {
      await kafka().createTopic('tx', 1)
      const [one, two, three] = [
        await kafka().transaction('one'),
        await kafka().transaction('two'),
        await kafka().transaction('three'),
      ]
      await one.send('tx', [{ key: Buffer.alloc(4), value: 'one' }])
      await two.send('tx', [{ value: 'two' }])
      await kafka().produce('tx', [{ value: 'plain' }])
      await one.abort()
      expect(await kafka().readCommitted('tx')).toEqual([])
      await two.commit()
      await three.send('tx', [{ value: 'three' }])
      await kafka().produce('tx', [{ value: 'late' }])
      expect((await kafka().readCommitted('tx')).map(textOf)).toEqual([
        [0, 1, null, 'two'],
        [0, 2, null, 'plain'],
      ])
      expect((await kafka().readUncommitted('tx')).map(({ value }) => `${value}`)).toEqual([
        'one',
        'two',
        'plain',
        'three',
        'late',
      ])
      await three.abort()
      expect((await kafka().readCommitted('tx')).map(({ value }) => `${value}`)).toEqual(['two', 'plain', 'late'])
    })

    it('names a topic that is not there', async () => {
      await expect(kafka().readCommitted('nowhere')).rejects.toThrow(/"nowhere": UNKNOWN_TOPIC_OR_PARTITION/)
    })

    it('keeps what is durable when it is killed', async () => {
      await kafka().createTopic('kept', 1)
      await kafka().produce('kept', [{ value: 'before' }])
      const open = await kafka().transaction('open')
      await open.send('kept', [{ value: 'open' }])
      await kafka().kill()
      await expect(kafka().readCommitted('kept')).rejects.toThrow(/refused/)
      await kafka().start()
      await kafka().produce('kept', [{ value: 'after' }])
      expect((await kafka().readUncommitted('kept')).map(({ value }) => `${value}`)).toEqual([
        'before',
        'open',
        'after',
      ])
      await open.abort()
      expect((await kafka().readCommitted('kept')).map(({ value }) => `${value}`)).toEqual(['before', 'after'])
    })
  },
  { durable: true },
)

describeOnKfake(
  'brokers that speak TLS, want a certificate and a login, behind proxies',
  (kafka) => {
    it('can be reached around the proxies, and by nobody else', async () => {
      await kafka().createTopic('safe', 4)
      await kafka().produce('safe', [{ key: 'a', value: '1' }])
      kafka().proxies[0]!.down()
      expect((await kafka().readCommitted('safe')).map(({ value }) => `${value}`)).toEqual(['1'])
      expect(kafka().bootstrapServers.split(',')).toEqual(kafka().proxies.map(({ port }) => `127.0.0.1:${port}`))
      expect(kafka().proxies.map(({ accepted }) => accepted)).toEqual([0, 0])
    })
  },
  {
    brokers: 2,
    proxied: true,
    tls: 'client certificate',
    users: [{ mechanism: 'PLAIN', username: 'admin', password: 'secret' }],
  },
)

describeOnKfake(
  'a broker with logins and ACLs',
  (kafka) => {
    const clientOf = (password: string) =>
      new Kafka({
        brokers: [kafka().bootstrapServers],
        logLevel: logLevel.NOTHING,
        retry: { retries: 0 },
        sasl: { mechanism: 'scram-sha-512', username: 'alice', password },
      })
    const send = async (client: Kafka, topic: string) => {
      const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner })
      await producer.connect()
      try {
        await producer.send({ topic, messages: [{ value: 'sent' }] })
      } finally {
        await producer.disconnect()
      }
    }

    it('refuses a wrong password', async () => {
      await expect(send(clientOf('wrong'), 'closed')).rejects.toThrow(/SASL SCRAM SHA512 authentication failed/)
    })

    it('refuses what no ACL allows', async () => {
      await kafka().createTopic('closed', 1)
      await expect(send(clientOf('right'), 'closed')).rejects.toThrow(/not authorized/i)
      await allow(kafka(), 'alice', 'WRITE', 'closed')
      await send(clientOf('right'), 'closed')
      expect(await kafka().readCommitted('closed')).toHaveLength(1)
    })
  },
  {
    acls: true,
    users: [
      { mechanism: 'PLAIN', username: 'admin', password: 'secret' },
      { mechanism: 'SCRAM-SHA-512', username: 'alice', password: 'right' },
    ],
  },
)
