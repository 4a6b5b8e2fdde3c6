/** The sink on a broker: what arrives where, and exactly once through failures, by hand [KK-01..KK-14]. */
import { afterEach, describe, expect, it } from 'vitest'
import type { DataStream } from '../../../api/data-stream.ts'
import { json } from '../../../formats/json/index.ts'
import { textLines } from '../../../formats/text/index.ts'
import { type HarnessOptions, type HarnessSnapshot, OperatorHarness } from '../../../testing/operator-harness.ts'
import { describeOnKfake } from '../testing/kafka-broker.suite.ts'
import { type KafkaSinkOptions, kafkaSink } from './kafka-sink.ts'

describeOnKfake(
  'kafkaSink()',
  (kafka) => {
    let topics = 0
    const open: { close(): Promise<void> }[] = []
    afterEach(async () => {
      for (const harness of open.splice(0)) await harness.close().catch(() => {})
    })
    const newTopic = async (partitions = 1): Promise<string> => {
      const topic = `out-${topics++}`
      await kafka().createTopic(topic, partitions)
      return topic
    }
    const start = async (
      options: Partial<KafkaSinkOptions<any>> & { topic: KafkaSinkOptions<any>['topic'] },
      harness: HarnessOptions = {},
    ) => {
      const sink = kafkaSink<any>({ bootstrapServers: kafka().bootstrapServers, value: textLines(), ...options })
      const opened = await OperatorHarness.open((lines: DataStream<any>) => lines.sinkTo(sink), harness)
      open.push(opened)
      return opened
    }
    const exactlyOnce = (topic: string, harness?: HarnessOptions, options: Partial<KafkaSinkOptions<any>> = {}) =>
      start({ topic, deliveryGuarantee: 'EXACTLY_ONCE', transactionalIdPrefix: topic, ...options }, harness)
    const read = async (topic: string): Promise<string[]> =>
      (await kafka().readCommitted(topic)).map(({ value }) => String(value)).sort()
    const write = (harness: { processElement(value: any, timestampMs?: number): void }, ...values: string[]) => {
      for (const value of values) harness.processElement(value)
    }

    describe('records', () => {
      it('have keys, headers, times and partitions as the options say', async () => {
        const topic = await newTopic(3)
        const harness = await start({
          topic,
          value: json(),
          key: ({ user }) => user,
          headers: ({ user }) => ({ who: user, none: null }),
          partitioner: (_value, key) => (key === 'ann' ? 2 : 1),
        })
        harness.processElement({ user: 'ann', n: 1 }, 1234)
        harness.processElement({ user: 'bob', n: 2 }, 5678)
        await harness.endInput()
        const records = await kafka().readCommitted(topic)
        expect(records.toSorted((a, b) => b.partition - a.partition)).toMatchObject([
          {
            partition: 2,
            timestampMs: 1234,
            key: Buffer.from('ann'),
            value: Buffer.from('{"user":"ann","n":1}'),
            headers: [{ key: 'who', value: Buffer.from('ann') }, { key: 'none' }],
          },
          { partition: 1, timestampMs: 5678, key: Buffer.from('bob') },
        ])
      })

      it('of a topic by record wait until its partitions are known, and keep their order', async () => {
        const [a, b] = [await newTopic(), await newTopic()]
        const harness = await start({ topic: (value) => (value.startsWith('a') ? a : b) })
        write(harness, 'a1', 'b1', 'a2', 'b2')
        await harness.snapshot()
        write(harness, 'a3', 'b3')
        await harness.endInput()
        expect((await kafka().readCommitted(a)).map(({ value }) => `${value}`)).toEqual(['a1', 'a2', 'a3'])
        expect((await kafka().readCommitted(b)).map(({ value }) => `${value}`)).toEqual(['b1', 'b2', 'b3'])
      })

      it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('compressed by %s are read by others', async (compression) => {
        const topic = await newTopic(2)
        const values = Array.from({ length: 500 }, (_, i) => `value ${i} é`)
        const harness = await start({ topic, properties: { 'compression.type': compression, 'batch.size': 1000 } })
        write(harness, ...values)
        await harness.endInput()
        expect(await read(topic)).toEqual(values.sort())
      })

      it('are with the broker when a checkpoint is acknowledged', async () => {
        const topic = await newTopic()
        const harness = await start({ topic })
        write(harness, 'a', 'b')
        await harness.snapshot()
        expect(await read(topic)).toEqual(['a', 'b'])
      })
    })

    describe('exactly once', () => {
      it('shows records when their checkpoint is complete', async () => {
        const topic = await newTopic()
        const harness = await exactlyOnce(topic)
        write(harness, 'a')
        await harness.snapshot()
        write(harness, 'b')
        expect(await read(topic)).toEqual([])
        await harness.notifyCheckpointComplete()
        expect(await read(topic)).toEqual(['a'])
        await harness.snapshot()
        await harness.notifyCheckpointComplete()
        expect(await read(topic)).toEqual(['a', 'b'])
      })

      it('prepares nothing when nothing was written', async () => {
        const topic = await newTopic()
        const harness = await exactlyOnce(topic)
        for (let i = 0; i < 3; i++) {
          await harness.snapshot()
          await harness.notifyCheckpointComplete()
        }
        write(harness, 'a')
        await harness.snapshot()
        await harness.notifyCheckpointComplete()
        expect(await kafka().readCommitted(topic)).toMatchObject([{ offset: 0 }])
      })

      it.each([
        ['before its checkpoint is complete', false],
        ['after it was committed', true],
      ])('goes on from a snapshot of a job that died %s', async (_, committed) => {
        const topic = await newTopic()
        const first = await exactlyOnce(topic)
        write(first, 'a')
        const snapshot = await first.snapshot()
        if (committed) await first.notifyCheckpointComplete()
        write(first, 'lost')
        await first.snapshot()
        write(first, 'lost too')
        await first.close()
        const second = await exactlyOnce(topic, { restore: snapshot })
        expect(await read(topic)).toEqual(['a'])
        write(second, 'b')
        await second.snapshot()
        await second.notifyCheckpointComplete()
        expect(await read(topic)).toEqual(['a', 'b'])
      })

      it('goes on from the same snapshot again and again', async () => {
        const topic = await newTopic()
        const first = await exactlyOnce(topic, { parallelism: 2 })
        write(first, 'a', 'b')
        const snapshot = await first.snapshot()
        await first.close()
        for (let attempt = 0; attempt < 5; attempt++) {
          const harness = await exactlyOnce(topic, { restore: snapshot, parallelism: 1 + (attempt % 3) })
          write(harness, 'lost', 'lost')
          if (attempt % 2 === 1) await harness.snapshot()
          write(harness, 'lost')
          await harness.close()
        }
        expect(await read(topic)).toEqual(['a', 'b'])
      })

      it('runs on one subtask, three and two, through a failure each time', async () => {
        const topic = await newTopic(2)
        const expected: string[] = []
        let snapshot: HarnessSnapshot | undefined
        for (const [step, parallelism] of [1, 3, 2, 1].entries()) {
          const harness = await exactlyOnce(topic, { parallelism, ...(snapshot && { restore: snapshot }) })
          for (let checkpoint = 0; checkpoint < 6; checkpoint++) {
            const values = Array.from({ length: 6 }, (_, i) => `${step} ${checkpoint} ${i}`)
            expected.push(...values)
            write(harness, ...values)
            snapshot = await harness.snapshot()
            if (checkpoint % 2 === 0) await harness.notifyCheckpointComplete()
          }
          write(harness, 'lost')
          await harness.close()
        }
        const last = await exactlyOnce(topic, { restore: snapshot! })
        expect(await read(topic)).toEqual(expected.sort())
        await last.close()
      })

      it('needs few ids, however many checkpoints there are', async () => {
        const topic = await newTopic()
        const harness = await exactlyOnce(topic)
        for (let i = 0; i < 30; i++) {
          write(harness, `${i}`)
          await harness.snapshot()
          await harness.notifyCheckpointComplete()
        }
        const listed = await kafka().admin(async () => idsOf(topic))
        expect(listed.length).toBeGreaterThan(1)
        expect(listed.length).toBeLessThanOrEqual(5)
        expect(await read(topic)).toHaveLength(30)
      })

      it('ends what an attempt has left open, of its own and of its prefix before, and nothing else', async () => {
        const topic = await newTopic()
        const old = await exactlyOnce(topic, { parallelism: 2 }, { transactionalIdPrefix: `old-${topic}` })
        write(old, 'a', 'b')
        const snapshot = await old.snapshot()
        await old.notifyCheckpointComplete()
        const others = await kafka().transaction(`old-${topic}-others-0-0`)
        // As a process that was killed leaves them.
        const ids = [`old-${topic}-5-2`, `old-${topic}-0.1-5-2`, `${topic}-1-9`, `${topic}-7.2-1-9`, `${topic}-0.0-0-1`]
        const left = await Promise.all(ids.map((id) => kafka().transaction(id)))
        for (const transaction of left) await transaction.send(topic, [{ value: 'left' }])
        await old.close()
        const harness = await exactlyOnce(topic, { restore: snapshot })
        write(harness, 'c')
        await harness.snapshot()
        await harness.notifyCheckpointComplete()
        expect(await read(topic)).toEqual(['a', 'b', 'c'])
        await others.send(topic, [{ value: 'from others' }])
        await others.commit()
        expect(await read(topic)).toEqual(['a', 'b', 'c', 'from others'])
      })

      it('ends what comes to the brokers after it has looked', async () => {
        const topic = await newTopic()
        const harness = await exactlyOnce(topic)
        for (const id of [`${topic}-7.7-0-1`, `${topic}-0.0-0-17`]) {
          const late = await kafka().transaction(id)
          await late.send(topic, [{ value: 'late' }])
        }
        write(harness, 'a')
        await harness.snapshot()
        await harness.notifyCheckpointComplete()
        expect(await read(topic)).toEqual([])
        harness.advance(1_001)
        await expect.poll(() => read(topic), { timeout: 10_000 }).toEqual(['a'])
      })

      it('fails when a transaction that it must commit was taken over, and says so', async () => {
        const topic = await newTopic()
        const harness = await exactlyOnce(topic)
        write(harness, 'a')
        const snapshot = await harness.snapshot()
        const thief = await kafka().transaction(`${topic}-0.0-0-0`)
        await thief.send(topic, [{ value: 'thief' }])
        await thief.abort()
        await harness.close()
        await expect(exactlyOnce(topic, { restore: snapshot })).rejects.toMatchObject({
          code: 'TR-SINK-002',
          message: expect.stringContaining(`the transaction of "${topic}-0.0-0-0"`),
        })
        const allowed = await exactlyOnce(topic, {
          restore: snapshot,
          options: { 'tailrace.allow-lost-transactions': 'true' },
        })
        write(allowed, 'b')
        await allowed.snapshot()
        await allowed.notifyCheckpointComplete()
        expect(await read(topic)).toEqual(['b'])
      })

      it('commits what is left when the input ends without checkpoints', async () => {
        const topic = await newTopic()
        const harness = await exactlyOnce(topic, { checkpointing: false })
        write(harness, 'a')
        await harness.endInput()
        expect(await read(topic)).toEqual(['a'])
      })
    })

    describe('what it refuses', () => {
      it.each([
        [{ topic: '' }, /"topic" must be a name/],
        [{ topic: 't', value: undefined }, /"value" must be a message format/],
        [{ topic: 't', deliveryGuarantee: 'EXACTLY_ONCE' }, /without a "transactionalIdPrefix"/],
        [{ topic: 't', deliveryGuarantee: 'sometimes' }, /"sometimes" as "deliveryGuarantee"/],
        [{ topic: 't', properties: { acks: '1', 'enable.idempotence': true } }, /acks: all/],
        [{ topic: 't', properties: { 'compression.type': 'brotli' } }, /one of none, gzip, snappy, lz4, zstd/],
        [{ topic: 't', transactionalIdPrefix: 'x'.repeat(64_001) }, /64000 at most/],
      ] as [any, RegExp][])('%j', (options, message) => {
        expect(() => kafkaSink({ bootstrapServers: 'kafka:9092', value: textLines(), ...options })).toThrow(message)
      })

      it('a record that is larger than max.request.size', async () => {
        const harness = await start({ topic: await newTopic(), properties: { 'max.request.size': 1000 } })
        expect(() => harness.processElement('x'.repeat(2000))).toThrow(
          /record of 20\d\d bytes to topic "out-\d+": max.request.size is 1000/,
        )
      })

      it('a partition that the topic does not have', async () => {
        const harness = await start({ topic: await newTopic(), partitioner: () => 7 })
        expect(() => harness.processElement('x')).toThrow(/partition 7 of topic "out-\d+": it has partitions 0 to 0/)
      })

      it('a time-out of transactions that the brokers do not allow', async () => {
        await expect(
          exactlyOnce(await newTopic(), {}, { properties: { 'transaction.timeout.ms': 3_600_000 } }),
        ).rejects.toMatchObject({
          code: 'TR-KAFKA-011',
          message: expect.stringMatching(/3600000: the brokers allow 900000/),
        })
      })
    })

    /** Of all ids that the broker knows under a prefix. */
    async function idsOf(prefix: string): Promise<string[]> {
      const { KafkaClient } = await import('../client/client.ts')
      const { connectionSettings } = await import('../client/connection-settings.ts')
      const { listTransactionsProtocol } = await import('../client/list-transactions.ts')
      const { Properties } = await import('../properties.ts')
      const { backgroundSchedule, systemClock } = await import('../../../core/clock.ts')
      const client = new KafkaClient(connectionSettings(new Properties(), kafka().bootstrapServers, {}), {
        clock: systemClock,
        schedule: backgroundSchedule,
        random: Math.random,
        warn: console.warn,
      })
      try {
        const answers = await Promise.all(
          (await client.nodes()).map((node) => client.send(node, listTransactionsProtocol())),
        )
        return answers
          .flatMap(({ transactions }) => transactions.map((one: any) => one.transactionalId))
          .filter((id: string) => id.startsWith(`${prefix}-`))
      } finally {
        await client.close()
      }
    }
  },
  { proxied: true },
)
