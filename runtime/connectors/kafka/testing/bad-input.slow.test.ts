/**
 * What bad input gets, on Apache Kafka, source and sink: a code, and a text that names the broker and the topic, after tries that end; then the restart strategy decides, and what no restart
 * can mend is not restarted.
 */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Listener } from '../../../../scripts/lab/kafka-properties.ts'
import type { StreamExecutionEnvironment } from '../../../api/environment.ts'
import type { TailraceError } from '../../../core/errors.ts'
import { WatermarkStrategy } from '../../../core/watermarks.ts'
import { textLines } from '../../../formats/text/index.ts'
import { MiniCluster } from '../../../testing/mini-cluster.ts'
import { dataGenSource } from '../../datagen/index.ts'
import { type KafkaSinkOptions, kafkaSink } from '../sink/kafka-sink.ts'
import { kafkaSource } from '../source/kafka-source.ts'
import type { StartingOffsets } from '../source/offsets.ts'
import { allow } from './independent-clients.suite.ts'
import { describeOnKafka } from './kafka-broker.suite.ts'

type Properties = Record<string, string | number>
interface Side {
  listener?: Listener
  topic?: string
  properties?: Properties
}

/** Tries end soon. */
const SOON: Properties = { 'default.api.timeout.ms': 400, 'delivery.timeout.ms': 400, 'retry.backoff.ms': 20 }
const LOGIN: Properties = {
  'security.protocol': 'SASL_PLAINTEXT',
  'sasl.username': 'alice',
  'sasl.password': 'alice-secret',
}

/** How a job ended. */
interface End {
  code: string
  message: string
  restarts: number
}

/** Runs a job that must fail, restarted once if its error is of that kind. */
async function failing(
  build: (env: StreamExecutionEnvironment) => void,
  whileRunning?: () => Promise<void>,
): Promise<End> {
  const cluster = await MiniCluster.start({ slots: 1 })
  let jobId = ''
  const options = {
    'restart-strategy.type': 'fixed-delay',
    'restart-strategy.fixed-delay.attempts': '1',
    'restart-strategy.fixed-delay.delay': '10 ms',
  }
  const main = async (env: StreamExecutionEnvironment) => {
    build(env)
    await env.execute('bad input')
  }
  try {
    const ended = cluster.runProgram(main, { options, onJob: (id) => (jobId = id) }).then(
      () => undefined,
      (error: TailraceError) => error,
    )
    await whileRunning?.()
    const error = await ended
    return {
      code: error?.code ?? 'none',
      message: error?.message ?? 'the job finished',
      restarts: cluster.job(jobId)!.numRestarts,
    }
  } finally {
    await cluster.stop()
  }
}

describeOnKafka(
  'bad input',
  (kafka) => {
    const serversOf = (listener: Listener) => kafka().kafka.bootstrapServers(listener)
    const read = (
      { listener = 'PLAINTEXT', topic = 'lines', properties = {} }: Side,
      from: StartingOffsets = 'earliest',
    ) =>
      failing((env) => {
        const source = kafkaSource({
          bootstrapServers: serversOf(listener),
          topics: topic,
          groupId: 'bad-input',
          startingOffsets: from,
          value: textLines(),
          properties: { ...SOON, ...properties },
        })
        env.fromSource(source, WatermarkStrategy.noWatermarks(), 'lines').print()
      })
    const write = (
      { listener = 'PLAINTEXT', topic = 'lines', properties = {} }: Side,
      more: Partial<KafkaSinkOptions<string>> = {},
    ) =>
      failing((env) => {
        const sink = kafkaSink<string>({
          bootstrapServers: serversOf(listener),
          topic,
          value: textLines(),
          properties: { ...SOON, ...properties },
          ...more,
        })
        env.fromElements('a', 'x'.repeat(500)).sinkTo(sink)
      })
    const both = async (side: Side, wanted: (end: End) => void) => {
      wanted(await read(side))
      wanted(await write(side))
    }

    it('a topic that is not there', async () => {
      const text = `Cannot find topic "nowhere": the cluster at ${serversOf('PLAINTEXT')} has no such topic or partition, UNKNOWN_TOPIC_OR_PARTITION (3) (after `
      await both({ topic: 'nowhere' }, (end) =>
        expect(end).toEqual({ code: 'TR-KAFKA-006', message: expect.stringContaining(text), restarts: 1 }),
      )
      const byRecord = await write({}, { topic: () => 'nowhere' })
      expect(byRecord).toEqual({ code: 'TR-KAFKA-006', message: expect.stringContaining(text), restarts: 1 })
    })

    it.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])('a wrong password, by %s', async (mechanism) => {
      await kafka().createTopic(`login-${mechanism}`, 1)
      const properties = { ...LOGIN, 'sasl.mechanism': mechanism, 'sasl.password': 'wrong' }
      const text = `Cannot find topic "login-${mechanism}": the broker at ${serversOf('SASL_PLAINTEXT')} refuses the login of "alice": SASL `
      await both({ listener: 'SASL_PLAINTEXT', topic: `login-${mechanism}`, properties }, ({ message, ...end }) => {
        expect(end).toEqual({ code: 'TR-KAFKA-004', restarts: 0 })
        expect(message).toContain(text)
        expect(message).not.toContain('wrong')
      })
    })

    it('a port that wants another security.protocol', async () => {
      const closed =
        / cannot be reached \(after \d+ tries\): .*; when it always closes the connection: security\.protocol is/
      await both({ listener: 'SASL_PLAINTEXT' }, (end) =>
        expect(end).toEqual({ code: 'TR-KAFKA-003', message: expect.stringMatching(closed), restarts: 1 }),
      )
      await both({ properties: { 'security.protocol': 'SSL' } }, (end) =>
        expect(end).toEqual({ code: 'TR-KAFKA-003', message: expect.stringMatching(closed), restarts: 1 }),
      )
      await both({ properties: LOGIN }, (end) =>
        expect(end).toEqual({
          code: 'TR-KAFKA-004',
          message: expect.stringContaining(`the broker at ${serversOf('PLAINTEXT')} knows no logins`),
          restarts: 0,
        }),
      )
    })

    it('a certificate that is not trusted', async () => {
      const { certs } = kafka().kafka
      const properties = { 'security.protocol': 'SSL', 'ssl.truststore.location': certs.otherCa }
      const text = `Cannot find topic "lines": we do not trust the certificate of the broker at ${serversOf('SSL')}: `
      await both({ listener: 'SSL', properties }, (end) =>
        expect(end).toEqual({ code: 'TR-KAFKA-004', message: expect.stringContaining(text), restarts: 0 }),
      )
      const trusting = { 'security.protocol': 'SSL', 'ssl.truststore.certificates': readFileSync(certs.ca, 'utf8') }
      await both({ listener: 'MTLS', properties: trusting }, (end) =>
        expect(end).toEqual({
          code: 'TR-KAFKA-004',
          message: expect.stringContaining(
            `the broker at ${serversOf('MTLS')} does not trust our certificate, or wants one: `,
          ),
          restarts: 0,
        }),
      )
    })

    it('a right that is missing', async () => {
      const side = { listener: 'SASL_PLAINTEXT', properties: LOGIN } as const
      const refused = (what: string, name: string) => ({
        code: 'TR-KAFKA-005',
        message: `Cannot ${what}: the cluster at ${serversOf('SASL_PLAINTEXT')} does not allow it, ${name}; wanted is an ACL for the user "alice"`,
        restarts: 0,
      })
      await kafka().createTopic('closed', 1)
      await both({ ...side, topic: 'closed' }, (end) =>
        expect(end).toEqual(refused('find topic "closed"', 'TOPIC_AUTHORIZATION_FAILED (29)')),
      )
      await allow(kafka(), 'alice', 'DESCRIBE', 'closed')
      await expect
        .poll(() => read({ ...side, topic: 'closed' }))
        .toEqual(refused('read partition 0 of topic "closed"', 'TOPIC_AUTHORIZATION_FAILED (29)'))
      expect(await write({ ...side, topic: 'closed' })).toEqual(
        refused(
          'get a producer id',
          'enable.idempotence needs Write on some topic, before Kafka 3.0 IdempotentWrite on the cluster: CLUSTER_AUTHORIZATION_FAILED (31)',
        ),
      )
      await allow(kafka(), 'alice', 'WRITE', 'others')
      await expect
        .poll(() => write({ ...side, topic: 'closed' }))
        .toEqual(refused('write to partition 0 of topic "closed"', 'TOPIC_AUTHORIZATION_FAILED (29)'))
      expect(await read({ ...side, topic: 'closed' }, { committed: 'earliest' })).toEqual(
        refused('read the committed offsets of group "bad-input"', 'GROUP_AUTHORIZATION_FAILED (30)'),
      )
      expect(
        await write(
          { ...side, topic: 'closed' },
          { deliveryGuarantee: 'exactly-once', transactionalIdPrefix: 'closed' },
        ),
      ).toEqual(
        refused(
          'begin a transaction of "closed-1.0-0-0"',
          'transactional id "closed-1.0-0-0": TRANSACTIONAL_ID_AUTHORIZATION_FAILED (53)',
        ),
      )
    })

    it('a record that the topic does not take', async () => {
      await kafka().createTopic('small', 1, { 'max.message.bytes': '200' })
      const text = `Cannot write to partition 0 of topic "small": the cluster at ${serversOf('PLAINTEXT')} takes no batch of `
      for (const more of [{}, { deliveryGuarantee: 'exactly-once', transactionalIdPrefix: 'small' } as const]) {
        const end = await write({ topic: 'small' }, more)
        expect(end).toEqual({ code: 'TR-KAFKA-008', message: expect.stringContaining(text), restarts: 0 })
        expect(end.message).toContain('MESSAGE_TOO_LARGE (10); wanted is a larger max.message.bytes of the topic')
      }
      expect(await kafka().readCommitted('small')).toEqual([])
    })

    it('an offset that is not there', async () => {
      await kafka().createTopic('deleted', 1)
      await kafka().produce(
        'deleted',
        ['0', '1', '2', '3'].map((value) => ({ value })),
      )
      await kafka().admin(async (admin) => {
        await admin.fetchTopicMetadata({ topics: ['deleted'] })
        await admin.deleteTopicRecords({ topic: 'deleted', partitions: [{ partition: 0, offset: '2' }] })
      })
      const at = (offset: number) => read({ topic: 'deleted' }, { offsets: { deleted: { 0: offset } } })
      const text = (offset: number, why: string) =>
        `Cannot read partition 0 of topic "deleted" at offset ${offset}: the cluster at ${serversOf('PLAINTEXT')} has offsets 2 to 4 (exclusive), ${why}; to go on without, set the property auto.offset.reset to earliest or latest`
      expect(await at(0)).toEqual({ code: 'TR-KAFKA-009', message: text(0, 'what was before is deleted'), restarts: 0 })
      const beyond = text(99, 'it was made anew, or has lost records')
      expect(await at(99)).toEqual({ code: 'TR-KAFKA-009', message: beyond, restarts: 0 })
    })
  },
  { acls: true },
)

describeOnKafka(
  'a broker that goes away',
  (kafka) => {
    const lines = () => kafka().createTopic('lines', 1)
    /** Takes the broker away when the job has written, or read, something. */
    const lost = async (works: () => Promise<boolean>) => {
      await expect.poll(works, { timeout: 20_000 }).toBe(true)
      kafka().proxies[0]!.down()
    }
    const properties = { ...SOON, 'fetch.max.wait.ms': 20 }

    it('is an error of the source, and of the enumerator when it is restarted', async () => {
      await lines()
      await kafka().produce('lines', [{ value: 'a' }])
      let seen = 0
      const end = await failing(
        (env) => {
          const { bootstrapServers } = kafka()
          const source = kafkaSource({ bootstrapServers, topics: 'lines', value: textLines(), properties })
          env.fromSource(source, WatermarkStrategy.noWatermarks(), 'lines').filter(() => ++seen < 0)
        },
        () => lost(async () => seen > 0),
      )
      kafka().proxies[0]!.up()
      expect(end).toMatchObject({ code: 'TR-KAFKA-003', restarts: 1 })
      expect(end.message).toContain(
        `Cannot find topic "lines": the broker at ${kafka().bootstrapServers} cannot be reached`,
      )
    })

    it('is an error of the sink, within delivery.timeout.ms', async () => {
      await kafka().createTopic('out', 1)
      const end = await failing(
        (env) => {
          const source = dataGenSource({ generate: (n) => `${n}`, recordsPerSecond: 100 })
          const { bootstrapServers } = kafka()
          const sink = kafkaSink<string>({ bootstrapServers, topic: 'out', value: textLines(), properties })
          env.fromSource(source, WatermarkStrategy.noWatermarks(), 'numbers').sinkTo(sink)
        },
        () => lost(async () => (await kafka().readCommitted('out')).length > 0),
      )
      kafka().proxies[0]!.up()
      expect(end).toMatchObject({ code: 'TR-KAFKA-003', restarts: 1 })
      expect(end.message).toContain(`the broker at ${kafka().bootstrapServers} cannot be reached`)
    })
  },
  { proxied: true },
)
