/**
 * Exactly once where kfake is not Kafka: a broker that dies between a checkpoint and its commit, transactions that are given up, taken over or used again, markers that come later than the
 * answer [KK-04, KK-10, KK-11].
 */
import { expect, it } from 'vitest'
import { drivenSinks } from '../testing/driven-sinks.suite.ts'
import { describeOnKafka } from '../testing/kafka-broker.suite.ts'

const RESTART_MS = 60_000
const ALLOW_LOST = { options: { 'tailrace.allow-lost-transactions': 'true' } }

describeOnKafka(
  'exactly once',
  (kafka) => {
    const { newTopic, exactlyOnce, read } = drivenSinks(kafka)
    /** Markers are written behind the answer of a commit. */
    const shows = (topic: string, ...values: string[]) =>
      expect.poll(() => read(topic), { timeout: 15_000 }).toEqual(values)

    it('commits when the broker has died since the checkpoint, and writes on', { timeout: RESTART_MS }, async () => {
      const topic = await newTopic(2)
      const sink = await exactlyOnce(topic, { parallelism: 2 })
      sink.write('a', 'b')
      await sink.snapshot()
      sink.write('c', 'd')
      await kafka().kill()
      await kafka().start()
      const committed = sink.complete()
      let done = false
      void committed.finally(() => {
        done = true
      })
      // Retries of commits are timers of the task, whose time stands still.
      while (!done) {
        sink.advance(1_000)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      await committed
      await shows(topic, 'a', 'b')
      await sink.checkpoint()
      await shows(topic, 'a', 'b', 'c', 'd')
    })

    it('goes on from an older checkpoint whose ids were used again since', { timeout: RESTART_MS }, async () => {
      const topic = await newTopic()
      const first = await exactlyOnce(topic)
      first.write('a')
      const older = await first.checkpoint()
      for (let i = 0; i < 9; i++) {
        first.write(`b${i}`)
        await first.checkpoint()
      }
      for (let i = 0; i < 9; i++) {
        first.write('lost')
        await first.snapshot()
      }
      await first.crash()
      const next = await exactlyOnce(topic, { restore: older, ...ALLOW_LOST })
      next.write('c')
      await next.checkpoint()
      await shows(topic, 'a', ...Array.from({ length: 9 }, (_, i) => `b${i}`), 'c')
    })

    it('fails when the broker has given up a transaction of a checkpoint', { timeout: RESTART_MS }, async () => {
      const topic = await newTopic()
      const properties = { 'transaction.timeout.ms': 1_000 }
      const first = await exactlyOnce(topic, { checkpointing: false }, { properties })
      first.write('a')
      const snapshot = await first.snapshot()
      await kafka().produce(topic, [{ value: 'behind it' }])
      // It is seen when the transaction before it is over.
      await shows(topic, 'behind it')
      await first.crash()
      await expect(exactlyOnce(topic, { restore: snapshot })).rejects.toMatchObject({
        code: 'TR-SINK-002',
        message: expect.stringMatching(
          /transaction of "driven-\d+-0\.\d-0-0".*open for longer than transaction.timeout.ms/,
        ),
      })
      const next = await exactlyOnce(topic, { restore: snapshot, ...ALLOW_LOST })
      next.write('b')
      await next.checkpoint()
      await shows(topic, 'b', 'behind it')
    })

    // It said only that the broker refuses: a writer learns of it when it adds partitions.
    it('lets no writer write on that another one has fenced', { timeout: RESTART_MS }, async () => {
      const topic = await newTopic()
      const zombie = await exactlyOnce(topic)
      zombie.write('a')
      const snapshot = await zombie.snapshot()
      zombie.write('lost')
      const next = await exactlyOnce(topic, { restore: snapshot })
      zombie.write('lost, too')
      // A job would fail now; the checkpoint never ends.
      void zombie.snapshot().catch(() => {})
      const failure = () => {
        try {
          zombie.advance(1)
        } catch (error) {
          return error
        }
      }
      let failed: unknown
      await expect.poll(() => (failed ??= failure()), { timeout: 15_000 }).toBeDefined()
      expect(failed).toMatchObject({
        code: 'TR-KAFKA-010',
        message: expect.stringMatching(/driven-\d+-0\.\d-0-1/),
      })
      next.write('b')
      await next.checkpoint()
      await shows(topic, 'a', 'b')
    })
  },
  { proxied: true, config: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500' } },
)
