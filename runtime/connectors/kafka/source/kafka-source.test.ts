/** The source on a broker: the contract of sources, and what is Kafka's own [KS-01..KS-11]. */
import { afterEach, describe, expect, it } from 'vitest'
import { OutputTag } from '../../../core/output-tag.ts'
import { type MessageFormat, MessageNotReady } from '../../../formats/format.ts'
import { json } from '../../../formats/json/index.ts'
import { textLines } from '../../../formats/text/index.ts'
import { sourceSuite } from '../../source.suite.ts'
import { type DriverOptions, SourceDriver } from '../../source-driver.ts'
import { describeOnKfake } from '../testing/kafka-broker.suite.ts'
import { type KafkaSourceOptions, kafkaSource } from './kafka-source.ts'
import type { BadKafkaRecord } from './reader.ts'

describeOnKfake(
  'kafkaSource()',
  (kafka) => {
    let topics = 0
    const drivers: SourceDriver<any>[] = []
    afterEach(async () => {
      for (const driver of drivers.splice(0)) await driver.close()
    })
    const newTopic = async (partitions = 1): Promise<string> => {
      const topic = `topic-${topics++}`
      await kafka().createTopic(topic, partitions)
      return topic
    }
    const produce = (topic: string, ...values: string[]) =>
      kafka().produce(
        topic,
        values.map((value) => ({ value, partition: 0 })),
      )
    const drive = (options: Partial<KafkaSourceOptions<any>> & Record<string, unknown>, driving?: DriverOptions) => {
      const source = kafkaSource<any>({
        bootstrapServers: kafka().bootstrapServers,
        value: textLines(),
        ...options,
        properties: { 'fetch.max.wait.ms': 20, ...options.properties },
      } as KafkaSourceOptions<any>)
      const driver = new SourceDriver(source, driving)
      drivers.push(driver)
      return driver
    }
    /** Time passes for the source, as the driver's clock stands still. */
    const passing = async (driver: SourceDriver<any>, done: () => boolean): Promise<void> => {
      const timer = setInterval(() => {
        driver.clock.advance(200)
        for (const driven of driver.readers) driven.woken = true
      }, 5)
      try {
        while (!done()) {
          driver.step()
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
      } finally {
        clearInterval(timer)
      }
    }
    const read = async (options: Parameters<typeof drive>[0], driving?: DriverOptions): Promise<any[]> => {
      const driver = drive({ bounded: 'latest', ...options }, driving)
      await driver.untilEnd()
      return driver.values
    }

    sourceSuite('kafkaSource()', async () => {
      const topic = await newTopic(3)
      const expected = Array.from({ length: 40 }, (_, i) => `value ${i}`)
      await kafka().produce(
        topic,
        expected.map((value, i) => ({ value, partition: i % 3 })),
      )
      const source = kafkaSource({
        bootstrapServers: kafka().bootstrapServers,
        topics: topic,
        bounded: 'latest',
        value: textLines(),
      })
      return { source, expected, ordered: false }
    })

    describe('where it begins and ends', () => {
      it.each([
        ['earliest', ['a', 'b', 'c', 'd']],
        ['latest', []],
        [{ timestamp: 2000 }, ['b', 'c', 'd']],
        [{ timestamp: 9000 }, []],
        [{ offsets: { TOPIC: { 0: 2 } } }, ['c', 'd']],
        [{ offsets: { other: { 0: 2 } } }, ['a', 'b', 'c', 'd']],
        [{ offsets: { other: { 0: 2 } }, otherwise: 'latest' }, []],
        [{ committed: 'earliest' }, ['a', 'b', 'c', 'd']],
        [{ committed: 'latest' }, []],
      ] as const)('startingOffsets %j', async (startingOffsets, expected) => {
        const topic = await newTopic()
        await kafka().produce(
          topic,
          ['a', 'b', 'c', 'd'].map((value, i) => ({ value, timestampMs: 1000 * (i + 1) })),
        )
        const starting = JSON.parse(JSON.stringify(startingOffsets).replace('TOPIC', topic))
        expect(await read({ topics: topic, groupId: `group-${topic}`, startingOffsets: starting })).toEqual(expected)
      })

      it.each([
        [{ timestamp: 3000 }, ['a', 'b']],
        [{ offsets: { TOPIC: { 0: 1 } } }, ['a']],
        [{ offsets: { TOPIC: { 0: 0 } } }, []],
      ] as const)('bounded %j', async (bounded, expected) => {
        const topic = await newTopic()
        await kafka().produce(
          topic,
          ['a', 'b', 'c', 'd'].map((value, i) => ({ value, timestampMs: 1000 * (i + 1) })),
        )
        expect(
          await read({ topics: topic, bounded: JSON.parse(JSON.stringify(bounded).replace('TOPIC', topic)) }),
        ).toEqual(expected)
      })

      it('ends behind markers of transactions, where no record comes any more', async () => {
        const topic = await newTopic()
        const aborted = await kafka().transaction(`aborted-${topic}`)
        await aborted.send(topic, [{ value: 'never' }])
        await aborted.abort()
        expect(await read({ topics: topic, properties: { 'isolation.level': 'read_committed' } })).toEqual([])
        expect(await read({ topics: topic })).toEqual(['never'])
      })

      it('waits for transactions that are open when it begins', async () => {
        const topic = await newTopic()
        const open = await kafka().transaction(`open-${topic}`)
        await open.send(topic, [{ value: 'in it' }])
        await produce(topic, 'behind it')
        const driver = drive({ topics: topic, bounded: 'latest', properties: { 'isolation.level': 'read_committed' } })
        await driver.settle()
        driver.step()
        expect(driver.values).toEqual([])
        await open.commit()
        await driver.untilEnd()
        expect(driver.values).toEqual(['in it', 'behind it'])
      })

      it('fails when the group has committed nothing and no reset is given', async () => {
        const topic = await newTopic()
        await expect(read({ topics: topic, groupId: 'nobody', startingOffsets: 'committed' })).rejects.toMatchObject({
          code: 'TR-KAFKA-009',
          message: expect.stringMatching(/group "nobody".*partition 0 of topic "topic-\d+".*committed: 'earliest'/),
        })
      })

      it('begins where the group has stopped, when a checkpoint had told it', async () => {
        const topic = await newTopic()
        await produce(topic, 'a', 'b', 'c')
        const first = drive({ topics: topic, groupId: `group-${topic}` }, { max: 2 })
        await first.until(() => first.values.length === 2)
        const { reader } = first.readers[0]!
        reader.snapshot(7)
        reader.notifyCheckpointComplete!(7)
        await passing(first, () => first.counters.get('KafkaSourceReader.commitsSucceeded') === 1)
        expect(await read({ topics: topic, groupId: `group-${topic}`, startingOffsets: 'committed' })).toEqual(['c'])
      })

      it('reads partitions that come later from their beginning, wherever the first ones began', async () => {
        const topic = await newTopic()
        await produce(topic, 'old')
        const driver = drive({
          topics: topic,
          startingOffsets: 'latest',
          properties: { 'partition.discovery.interval.ms': 30 },
        })
        await driver.settle()
        await kafka().admin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] }))
        await kafka().produce(topic, [{ value: 'new', partition: 1 }])
        await driver.until(() => driver.values.length > 0)
        expect(driver.values).toEqual(['new'])
      })

      it('finds topics by a pattern of their whole name', async () => {
        for (const topic of ['event-a', 'event-b', 'an event-c']) await kafka().createTopic(topic.replace(' ', '.'), 1)
        await produce('event-a', 'a')
        await produce('event-b', 'b')
        await produce('an.event-c', 'c')
        expect((await read({ topicPattern: /event-./ })).sort()).toEqual(['a', 'b'])
      })

      it('reads the partitions that are named, and no others', async () => {
        const topic = await newTopic(2)
        await kafka().produce(topic, [
          { value: 'zero', partition: 0 },
          { value: 'one', partition: 1 },
        ])
        expect(await read({ partitions: [{ topic, partition: 1 }] })).toEqual(['one'])
        await expect(read({ partitions: [{ topic, partition: 2 }] })).rejects.toMatchObject({ code: 'TR-KAFKA-006' })
      })
    })

    describe('what it makes of records', () => {
      it('gives keys, values, headers and places', async () => {
        const topic = await newTopic()
        await kafka().produce(topic, [
          { key: 'k', value: '{"a":1}', headers: { h: 'x' }, timestampMs: 5 },
          { value: null, timestampMs: 6 },
        ])
        expect(await read({ topics: topic, value: undefined, record: { key: textLines(), value: json() } })).toEqual([
          {
            topic,
            partition: 0,
            offset: 0,
            timestamp: 5,
            key: 'k',
            value: { a: 1 },
            headers: [{ key: 'h', value: Uint8Array.from([120]) }],
          },
          { topic, partition: 0, offset: 1, timestamp: 6, key: null, value: null, headers: [] },
        ])
      })

      it('lets a deserializer make several values of a record, or none', async () => {
        const topic = await newTopic()
        await produce(topic, 'to be', '', 'or not')
        const deserializer = {
          deserialize({ value }: { value: Buffer | null }, out: { collect(word: string): void }) {
            for (const word of String(value).split(' ')) if (word !== '') out.collect(word)
          },
        }
        expect(await read({ topics: topic, value: undefined, deserializer })).toEqual(['to', 'be', 'or', 'not'])
      })

      it('counts records without a value', async () => {
        const topic = await newTopic()
        await kafka().produce(topic, [{ value: null, key: 'gone' }, { value: 'here' }])
        const driver = drive({ topics: topic, bounded: 'latest' })
        await driver.untilEnd()
        expect(driver.values).toEqual(['here'])
        expect(driver.counters.get('numRecordsWithoutValue')).toBe(1)
      })

      it('fails, skips or sets aside what its format cannot read', async () => {
        const topic = await newTopic()
        await kafka().produce(topic, [
          { value: '{"a":1}' },
          { key: 'k', value: '{', timestampMs: 9, headers: { h: Buffer.of(0, 255) } },
          { value: '{"a":3}' },
        ])
        await expect(read({ topics: topic, value: json() })).rejects.toMatchObject({
          code: 'TR-RECORD-004',
          message: expect.stringContaining(`offset 1 of partition 0 of topic "${topic}"`),
        })
        const skipping = drive({ topics: topic, value: json(), onError: 'skip', bounded: 'latest' })
        await skipping.untilEnd()
        expect(skipping.values).toEqual([{ a: 1 }, { a: 3 }])
        expect(skipping.counters.get('numRecordsInErrors')).toBe(1)
        const tag = new OutputTag<BadKafkaRecord>('bad')
        const driver = drive({ topics: topic, value: json(), onError: tag, bounded: 'latest' })
        await driver.untilEnd()
        expect(driver.counters.get('numRecordsInErrors')).toBe(1)
        expect(driver.sides).toEqual([
          {
            tagId: 'bad',
            value: {
              topic,
              partition: 0,
              offset: 1,
              timestamp: 9,
              key: Buffer.from('k'),
              value: Buffer.from('{'),
              headers: [{ key: 'h', value: Uint8Array.of(0, 255) }],
              error: expect.any(String),
            },
          },
        ])
      })

      it('says of a key that cannot be read that it is the key', async () => {
        const topic = await newTopic()
        await kafka().produce(topic, [{ key: '{', value: '1' }])
        const record = { key: json(), value: json() }
        await expect(read({ topics: topic, value: undefined, record })).rejects.toMatchObject({
          code: 'TR-RECORD-004',
          message: expect.stringMatching(
            /^Cannot read the record at offset 0 of partition 0 of topic "topic-\d+": its key: .*set onError to/,
          ),
        })
        const driver = drive({
          topics: topic,
          value: undefined,
          record,
          onError: new OutputTag('bad'),
          bounded: 'latest',
        })
        await driver.untilEnd()
        expect(driver.sides).toMatchObject([{ value: { offset: 0, key: Buffer.from('{'), value: Buffer.from('1') } }])
      })

      it('fails when a deserializer throws, whatever onError says: it can do better itself', async () => {
        const topic = await newTopic()
        await produce(topic, '{')
        const deserializer = {
          deserialize({ value }: { value: Buffer | null }, out: { collect(value: unknown): void }) {
            out.collect(JSON.parse(String(value)))
          },
        }
        await expect(read({ topics: topic, value: undefined, deserializer, onError: 'skip' })).rejects.toThrow(
          SyntaxError,
        )
      })

      it('holds a record whose format must load something first, and its place in snapshots', async () => {
        const topic = await newTopic()
        await produce(topic, 'a', 'b')
        let load: () => void = () => {}
        let loaded = false
        const ready = new Promise<void>((resolve) => {
          load = resolve
        })
        const slow: MessageFormat<string> = {
          ...textLines(),
          name: 'slow',
          createMessageDecoder: () => ({
            decode(bytes, start, end) {
              const text = bytes.toString('utf8', start, end)
              if (text === 'b' && !loaded) throw new MessageNotReady('a schema', ready)
              return text
            },
          }),
        }
        const driver = drive({ topics: topic, bounded: 'latest', value: slow })
        await driver.until(() => driver.values.length === 1)
        await driver.settle()
        driver.step()
        expect(driver.snapshot().splits).toMatchObject([{ offset: 1 }])
        loaded = true
        load()
        await driver.untilEnd()
        expect(driver.values).toEqual(['a', 'b'])
      })
    })

    describe('what goes wrong', () => {
      it('tells of an offset that is not there, or goes on where the user says', async () => {
        const topic = await newTopic()
        await produce(topic, 'a', 'b', 'c')
        await kafka().admin(async (admin) => {
          await admin.fetchTopicMetadata({ topics: [topic] })
          await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
        })
        const at0 = {
          topics: topic,
          startingOffsets: { offsets: { [topic]: { 0: 0 } } },
          bounded: { offsets: { [topic]: { 0: 3 } } },
        }
        await expect(read(at0)).rejects.toMatchObject({
          code: 'TR-KAFKA-009',
          message: expect.stringMatching(/at offset 0: .*auto.offset.reset/),
        })
        expect(await read({ ...at0, properties: { 'auto.offset.reset': 'earliest' } })).toEqual(['c'])
      })

      it('goes on without a partition that was deleted, and says so', async () => {
        const [kept, gone] = [await newTopic(), await newTopic()]
        await produce(gone, 'before')
        const driver = drive({ topics: [kept, gone] })
        await driver.until(() => driver.values.length === 1)
        await kafka().admin((admin) => admin.deleteTopics({ topics: [gone] }))
        await passing(driver, () => driver.counters.get('KafkaSourceReader.deletedPartitions') === 1)
        await passing(driver, () => driver.readers[0]!.output.released.includes(`${gone}-0`))
        await produce(kept, 'after')
        await passing(driver, () => driver.values.length === 2)
        expect(driver.values).toEqual(['before', 'after'])
      })

      it('fails when a partition that is to be read to its end was deleted', async () => {
        const topic = await newTopic()
        await produce(topic, 'a')
        const driver = drive({ topics: topic, bounded: { offsets: { [topic]: { 0: 5 } } } })
        await driver.until(() => driver.values.length === 1)
        await kafka().admin((admin) => admin.deleteTopics({ topics: [topic] }))
        await expect(passing(driver, () => false)).rejects.toMatchObject({
          code: 'TR-KAFKA-006',
          message: expect.stringContaining('it was deleted'),
        })
      })

      it('names a topic that is not there, and brokers that do not answer', async () => {
        const missing = drive({ topics: 'nowhere', properties: { 'default.api.timeout.ms': 1, 'retry.backoff.ms': 1 } })
        await expect(missing.until(() => false)).rejects.toMatchObject({
          code: 'TR-KAFKA-006',
          message: expect.stringContaining('topic "nowhere"'),
        })
        const nobody = drive({
          topics: 'any',
          bootstrapServers: '127.0.0.1:1',
          properties: { 'default.api.timeout.ms': 1, 'retry.backoff.ms': 1 },
        })
        await expect(nobody.until(() => false)).rejects.toMatchObject({
          code: 'TR-KAFKA-003',
          message: expect.stringContaining('127.0.0.1:1'),
        })
      })

      it('reads on when connections break in the middle of answers', async () => {
        const topic = await newTopic(2)
        const values = Array.from({ length: 2000 }, (_, i) => `value ${i} ${'x'.repeat(i % 200)}`)
        await kafka().produce(
          topic,
          values.map((value, i) => ({ value, partition: i % 2 })),
        )
        const [proxy] = kafka().proxies
        let cuts = 0
        proxy!.fault = () =>
          cuts++ % 3 === 2 ? undefined : { after: { bytes: 3_000 + 777 * (cuts % 7), of: 'answers', then: 'cut' } }
        try {
          const properties = {
            'max.partition.fetch.bytes': 20_000,
            'retry.backoff.ms': 5,
            'default.api.timeout.ms': 1e9,
          }
          expect((await read({ topics: topic, bounded: 'latest', properties })).sort()).toEqual(values.sort())
          expect(cuts).toBeGreaterThan(2)
        } finally {
          proxy!.fault = () => undefined
        }
      })

      it.each([
        [{ topics: 'a', topicPattern: /a/ }, /one of "topics", "topicPattern" and "partitions"/],
        [{}, /one of "topics", "topicPattern" and "partitions"/],
        [{ topics: 'a', startingOffsets: 'newest' }, /"newest" as "startingOffsets"/],
        [{ topics: 'a', startingOffsets: 'committed' }, /without a "groupId"/],
        [{ topics: 'a', value: undefined }, /one of "value", "record" and "deserializer"/],
        [{ topics: 'a', bootstrapServers: 'kafka' }, /"kafka" as a Kafka broker: host and port/],
      ] as [Record<string, unknown>, RegExp][])('refuses %j', (options, message) => {
        expect(() => drive(options)).toThrow(message)
      })
    })

    it('tells how far behind it is', async () => {
      const topic = await newTopic(2)
      await kafka().produce(
        topic,
        Array.from({ length: 10 }, (_, i) => ({ value: `${i}`, partition: i < 7 ? 0 : 1 })),
      )
      const driver = drive({ partitions: [{ topic, partition: 0 }] }, { max: 3 })
      await driver.until(() => driver.values.length === 3)
      expect(Object.fromEntries(driver.counters)).toMatchObject({
        pendingRecords: 4,
        'KafkaSourceReader.KafkaConsumer.records-lag-max': 4,
        'KafkaSourceReader.topic.partition.currentOffset': 2,
      })
    })
  },
  { proxied: true },
)
