/**
 * Partitions and topics that come, go, stay empty, stand still or are far apart in time, and what a source remembers of them [KS-03..KS-08, KS-11].
 */
import { afterEach, describe, expect, it } from 'vitest'
import { OutputTag } from '../../../core/output-tag.ts'
import { WatermarkStrategy } from '../../../core/watermarks.ts'
import { textLines } from '../../../formats/text/index.ts'
import { TumblingEventTimeWindows } from '../../../index.ts'
import { MiniCluster } from '../../../testing/mini-cluster.ts'
import { type DriverOptions, SourceDriver } from '../../source-driver.ts'
import { describeOnKfake } from '../testing/kafka-broker.suite.ts'
import { type KafkaSourceOptions, kafkaSource } from './kafka-source.ts'

describeOnKfake(
  'kafkaSource()',
  (kafka) => {
    let topics = 0
    const drivers: SourceDriver<string>[] = []
    afterEach(async () => {
      for (const driver of drivers.splice(0)) await driver.close()
    })
    const newTopic = async (partitions = 1, name = `time-${topics++}`): Promise<string> => {
      await kafka().createTopic(name, partitions)
      return name
    }
    const produce = (topic: string, partition: number, ...values: string[]) =>
      kafka().produce(
        topic,
        values.map((value) => ({ value, partition })),
      )
    const sourceOf = (options: Record<string, unknown>) =>
      kafkaSource<string>({
        bootstrapServers: kafka().bootstrapServers,
        value: textLines(),
        ...options,
        properties: { 'fetch.max.wait.ms': 20, ...(options.properties as object) },
      } as KafkaSourceOptions<string>)
    const drive = (options: Record<string, unknown>, driving?: DriverOptions) => {
      const driver = new SourceDriver(sourceOf(options), driving)
      drivers.push(driver)
      return driver
    }
    const soon = { 'partition.discovery.interval.ms': 20 }
    const read = (driver: SourceDriver<string>, ...values: string[]) =>
      driver.until(() => driver.values.length >= values.length).then(() => expect(driver.values.sort()).toEqual(values))

    describe('partitions', () => {
      it.each([1, 5])('are read to their ends by %i readers, also where some are empty', async (parallelism) => {
        const [empty, some] = [await newTopic(2), await newTopic(3)]
        await produce(some, 1, 'a', 'b')
        const driver = drive({ topics: [empty, some], bounded: 'latest' }, { parallelism })
        await driver.untilEnd()
        expect(driver.values).toEqual(['a', 'b'])
      })

      it('of topics that come later and match are read from their beginning', async () => {
        const prefix = `late-${topics++}`
        // No topic is there at first, and that was the first look.
        const driver = drive({ topicPattern: new RegExp(`${prefix}-.*`), startingOffsets: 'latest', properties: soon })
        await driver.settle()
        await produce(await newTopic(1, `${prefix}-a`), 0, 'a')
        await read(driver, 'a')
        await produce(await newTopic(2, `${prefix}-b`), 1, 'b')
        await read(driver, 'a', 'b')
        await produce(`${prefix}-a`, 0, 'c')
        await read(driver, 'a', 'b', 'c')
      })

      it('that came while the job was down are found, and read from their beginning', async () => {
        const topic = await newTopic()
        await produce(topic, 0, 'old')
        const first = drive({ topics: topic, startingOffsets: 'latest' })
        await first.until(() => first.snapshot().splits.length === 1)
        const restore = first.snapshot()
        await first.close()
        await kafka().admin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }))
        await produce(topic, 0, 'a')
        await produce(topic, 2, 'b')
        const second = drive({ topics: topic, startingOffsets: 'latest' }, { restore, parallelism: 2 })
        await read(second, 'a', 'b')
        const { splits } = second.snapshot()
        expect(splits.map(({ id }) => id).sort()).toEqual([`${topic}-0`, `${topic}-1`, `${topic}-2`])
      })

      it('are looked for once when there is no interval, and not again by a job that goes on', async () => {
        const topic = await newTopic()
        const properties = { 'partition.discovery.interval.ms': 0 }
        const first = drive({ topics: topic, properties })
        await first.until(() => first.snapshot().splits.length === 1)
        const restore = first.snapshot()
        await first.close()
        await kafka().admin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] }))
        await produce(topic, 1, 'never')
        await produce(topic, 0, 'a')
        const second = drive({ topics: topic, properties }, { restore })
        await read(second, 'a')
        expect(second.snapshot().splits.map(({ id }) => id)).toEqual([`${topic}-0`])
      })

      it('that were deleted while the job was down do not hold up the others', async () => {
        const [kept, gone] = [await newTopic(), await newTopic()]
        await produce(kept, 0, 'a')
        await produce(gone, 0, 'b')
        const first = drive({ topics: [kept, gone] })
        await read(first, 'a', 'b')
        const restore = first.snapshot()
        await first.close()
        await kafka().admin((admin) => admin.deleteTopics({ topics: [gone] }))
        await produce(kept, 0, 'c')
        await read(drive({ topics: [kept, gone] }, { restore }), 'c')
      })

      it('are paused and go on where they were, and ones that are not there are no matter', async () => {
        const topic = await newTopic(2)
        await produce(topic, 0, 'a')
        await produce(topic, 1, 'b')
        const driver = drive({ topics: topic })
        await read(driver, 'a', 'b')
        const { reader } = driver.readers[0]!
        reader.pauseOrResumeSplits!([`${topic}-0`, 'elsewhere-7'], [])
        await produce(topic, 0, 'c')
        await produce(topic, 1, 'd')
        await read(driver, 'a', 'b', 'd')
        expect(driver.snapshot().splits).toMatchObject([{ offset: 1 }, { offset: 2 }])
        reader.pauseOrResumeSplits!([], [`${topic}-0`, 'elsewhere-7'])
        await read(driver, 'a', 'b', 'c', 'd')
      })
    })

    describe('offsets of the group', () => {
      const committed = async (groupId: string, topic: string) => {
        const [found] = await kafka().admin((admin) => admin.fetchOffsets({ groupId, topics: [topic] }))
        return found!.partitions.toSorted((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset))
      }
      const counted = (driver: SourceDriver<string>, what: string) =>
        driver.counters.get(`KafkaSourceReader.commits${what}`) ?? 0

      it('are those of the newest checkpoint that is complete, for partitions with and without records', async () => {
        const topic = await newTopic(2)
        await produce(topic, 0, 'a', 'b', 'c')
        const groupId = `group-${topic}`
        const driver = drive({ topics: topic, groupId }, { max: 1 })
        const { reader } = driver.readers[0]!
        for (let id = 1; id <= 3; id++) {
          await driver.until(() => driver.values.length >= id && driver.snapshot().splits.length === 2)
          reader.snapshot(id)
        }
        reader.notifyCheckpointComplete!(2)
        await expect.poll(() => counted(driver, 'Succeeded')).toBe(1)
        expect(await committed(groupId, topic)).toEqual([2, 0])
        // Older than what is committed.
        reader.notifyCheckpointComplete!(1)
        reader.notifyCheckpointComplete!(3)
        await expect.poll(() => counted(driver, 'Succeeded')).toBe(2)
        expect(await committed(groupId, topic)).toEqual([3, 0])
      })

      it('are told when all partitions have ended', async () => {
        const topic = await newTopic(2)
        await produce(topic, 1, 'a', 'b')
        const groupId = `group-${topic}`
        const driver = drive({ topics: topic, groupId, bounded: 'latest' })
        await driver.untilEnd()
        const { reader } = driver.readers[0]!
        expect(reader.snapshot(5)).toEqual([])
        reader.notifyCheckpointComplete!(5)
        await expect.poll(() => committed(groupId, topic)).toEqual([0, 2])
      })

      it.each([
        ['without a group', {}],
        ['when it is not wanted', { groupId: 'unwanted', properties: { 'commit.offsets.on.checkpoint': false } }],
      ])('are not committed %s', async (_, options) => {
        const topic = await newTopic()
        await produce(topic, 0, 'a')
        const driver = drive({ topics: topic, ...options })
        await read(driver, 'a')
        const { reader } = driver.readers[0]!
        reader.snapshot(1)
        reader.notifyCheckpointComplete!(1)
        // Waits for commits that are under way.
        await reader.close()
        expect([counted(driver, 'Succeeded'), counted(driver, 'Failed')]).toEqual([0, 0])
        // Nobody has ever committed to it.
        await expect(committed('unwanted', topic)).rejects.toThrow('group id was not found')
      })

      it('that cannot be committed are counted, and records flow on', async () => {
        const topic = await newTopic()
        await produce(topic, 0, 'a')
        const groupId = `group-${topic}`
        const properties = { 'retry.backoff.ms': 5, 'default.api.timeout.ms': 1e9 }
        const driver = drive({ topics: topic, groupId, properties })
        await read(driver, 'a')
        const { reader } = driver.readers[0]!
        reader.snapshot(1)
        for (const proxy of kafka().proxies) proxy.down()
        reader.notifyCheckpointComplete!(1)
        await expect.poll(() => counted(driver, 'Failed')).toBe(1)
        for (const proxy of kafka().proxies) proxy.up()
        await produce(topic, 0, 'b')
        const timer = setInterval(() => {
          driver.clock.advance(200)
          driver.readers[0]!.woken = true
        }, 5)
        try {
          while (driver.values.length < 2) {
            driver.step()
            await new Promise((resolve) => setTimeout(resolve, 1))
          }
        } finally {
          clearInterval(timer)
        }
        reader.snapshot(2)
        reader.notifyCheckpointComplete!(2)
        await expect.poll(() => counted(driver, 'Succeeded')).toBe(1)
        expect(await committed(groupId, topic)).toEqual([2])
      })

      it('do not matter to a job that goes on from a checkpoint', async () => {
        const topic = await newTopic()
        await produce(topic, 0, 'a', 'b', 'c')
        const options = { topics: topic, groupId: `group-${topic}`, startingOffsets: { committed: 'earliest' } }
        const first = drive(options, { max: 1 })
        await first.until(() => first.values.length >= 1)
        const restore = first.snapshot()
        await first.until(() => first.values.length >= 3)
        const { reader } = first.readers[0]!
        reader.snapshot(2)
        reader.notifyCheckpointComplete!(2)
        await expect.poll(() => counted(first, 'Succeeded')).toBe(1)
        await first.close()
        await read(drive(options, { restore }), 'b', 'c')
      })
    })

    describe('watermarks', () => {
      /** Runs until a count of a window has come, or the input ends; counts of windows, and late records. */
      const windows = async (options: Record<string, unknown>, times: WatermarkStrategy<string>, enough = Infinity) => {
        const cluster = await MiniCluster.start({ slots: 1 })
        const stop = new AbortController()
        const found: [endMs: number, records: number][] = []
        const late: string[] = []
        const tag = new OutputTag<string>('late')
        const run = cluster.runProgram(
          async (env) => {
            env.setParallelism(1)
            const counts = env
              .fromSource(sourceOf(options), times, 'values')
              .keyBy(() => 'all')
              .window(TumblingEventTimeWindows.of('1s'))
              .sideOutputLateData(tag)
              .aggregate(
                { createAccumulator: () => 0, add: (_, n) => n + 1, getResult: (n) => n },
                (_, window, [n]): [number, number][] => [[window.end, n!]],
              )
            counts
              .getSideOutput(tag)
              .map((value) => late.push(value))
              .print()
            counts
              .map((one) => {
                found.push(one)
                if (found.length >= enough) stop.abort()
                return one
              })
              .print()
            await env.execute('windows')
          },
          { signal: stop.signal },
        )
        // Ended by hand it is cancelled.
        await run.catch((error) => {
          if (!stop.signal.aborted) throw error
        })
        await cluster.stop()
        return { found: found.sort(([a], [b]) => a - b), late }
      }
      const at = (topic: string, partition: number, ...timesMs: number[]) =>
        kafka().produce(
          topic,
          timesMs.map((timestampMs) => ({ value: `${timestampMs}`, partition, timestampMs })),
        )

      it('are those of each partition: one that is ahead makes no record of another late', async () => {
        const topic = await newTopic(3)
        // More than one turn reads.
        const early = Array.from({ length: 3_000 }, (_, i) => 1_000 + i)
        await at(topic, 0, ...Array.from({ length: 3_000 }, (_, i) => 50_000 + i))
        await at(topic, 1, ...early)
        await at(topic, 2, ...early)
        const { found, late } = await windows(
          { topics: topic, bounded: 'latest' },
          WatermarkStrategy.forMonotonousTimestamps(),
        )
        expect(late).toEqual([])
        expect(found).toEqual([2, 3, 4, 51, 52, 53].map((s) => [s * 1000, s > 50 ? 1000 : 2000]))
      })

      it('go on without partitions that stand still, when these may be idle', async () => {
        const topic = await newTopic(2)
        await at(topic, 1, 1_000, 1_500, 3_000)
        const { found } = await windows(
          { topics: topic },
          WatermarkStrategy.forMonotonousTimestamps<string>().withIdleness('50ms'),
          1,
        )
        expect(found).toEqual([[2_000, 2]])
      })
    })
  },
  { proxied: true },
)
