/**
 * Exactly once where jobs crash: nothing is said to the brokers any more, and what the next attempt finds is whatever was left [KK-04, KK-05, KK-10]. Each on brokers that can list
 * transactions, under other ids and under the same ones, and on some that cannot.
 */
import { describe, expect, it } from 'vitest'
import type { HarnessSnapshot } from '../../../testing/operator-harness.ts'
import { drivenSinks } from '../testing/driven-sinks.suite.ts'
import { describeOnKfake } from '../testing/kafka-broker.suite.ts'

describe.each([
  ['brokers that list transactions', undefined, false],
  ['brokers that list transactions, under the same ids', undefined, true],
  ['brokers before 3.0', '2.8', false],
])('a sink that has crashed, on %s', (_, asVersion, oneGeneration) => {
  describeOnKfake(
    'exactly once',
    (kafka) => {
      const { newTopic, exactlyOnce, read } = drivenSinks(kafka, { oneGeneration })

      it('goes on from the newest of several checkpoints that were under way', async () => {
        const topic = await newTopic()
        const first = await exactlyOnce(topic)
        first.write('a')
        await first.snapshot()
        first.write('b')
        const second = await first.snapshot()
        first.write('lost')
        await first.snapshot()
        first.write('lost, too')
        await first.complete(second.checkpointId)
        expect(await read(topic)).toEqual(['a', 'b'])
        await first.crash()
        const next = await exactlyOnce(topic, { restore: second })
        next.write('c')
        await next.checkpoint()
        expect(await read(topic)).toEqual(['a', 'b', 'c'])
      })

      it('aborts what belongs to checkpoints that were never complete', async () => {
        const topic = await newTopic()
        const first = await exactlyOnce(topic, { parallelism: 2 })
        first.write('a', 'b')
        const complete = await first.snapshot()
        for (let i = 0; i < 3; i++) {
          first.write('lost', 'lost')
          await first.snapshot()
        }
        await first.crash()
        const next = await exactlyOnce(topic, { restore: complete, parallelism: 2 })
        next.write('c', 'd')
        await next.checkpoint()
        expect(await read(topic)).toEqual(['a', 'b', 'c', 'd'])
      })

      it.each([1, 3, 6])('of 4 subtasks and no checkpoint begins anew on %i', async (parallelism) => {
        const topic = await newTopic(2)
        const first = await exactlyOnce(topic, { parallelism: 4 })
        first.write(...Array.from({ length: 8 }, () => 'lost'))
        await first.snapshot()
        first.write(...Array.from({ length: 8 }, () => 'lost, too'))
        await first.crash()
        const next = await exactlyOnce(topic, { parallelism })
        next.write('a')
        await next.checkpoint()
        expect(await read(topic)).toEqual(['a'])
      })

      it('runs on one subtask, three, two and one, with transactions of all kinds in flight', async () => {
        const topic = await newTopic(2)
        const expected: string[] = []
        let restore: HarnessSnapshot | undefined
        for (const [step, parallelism] of [1, 3, 2, 1].entries()) {
          const sink = await exactlyOnce(topic, { parallelism, ...(restore && { restore }) })
          for (let checkpoint = 0; checkpoint < 5; checkpoint++) {
            const values = Array.from({ length: 6 }, (_, i) => `${step} ${checkpoint} ${i}`)
            expected.push(...values)
            sink.write(...values)
            restore = await sink.snapshot()
            if (checkpoint % 2 === 1) await sink.complete()
          }
          sink.write(...Array.from({ length: 6 }, () => 'lost'))
          await sink.snapshot()
          sink.write(...Array.from({ length: 6 }, () => 'lost, too'))
          await sink.crash()
        }
        await exactlyOnce(topic, { restore: restore! })
        expect(await read(topic)).toEqual(expected.sort())
      })

      it.each([1, 2, 4])('on more subtasks than its checkpoint knows of goes on on %i', async (parallelism) => {
        const topic = await newTopic(2)
        const first = await exactlyOnce(topic, { parallelism: 2 })
        first.write('a', 'b')
        const restore = await first.snapshot()
        await first.crash()
        const wide = await exactlyOnce(topic, { parallelism: 6, restore })
        wide.write(...Array.from({ length: 12 }, () => 'lost'))
        await wide.snapshot()
        wide.write(...Array.from({ length: 12 }, () => 'lost, too'))
        await wide.crash()
        const next = await exactlyOnce(topic, { parallelism, restore })
        next.write('c')
        await next.checkpoint()
        expect(await read(topic)).toEqual(['a', 'b', 'c'])
      })

      it('goes on under another prefix and parallelism, and under the old one again', async () => {
        const topic = await newTopic(2)
        const old = { transactionalIdPrefix: `old-${topic}` }
        const first = await exactlyOnce(topic, { parallelism: 3 }, old)
        first.write('a', 'b', 'c')
        const restore = await first.snapshot()
        first.write('lost', 'lost', 'lost')
        await first.crash()
        const second = await exactlyOnce(topic, { parallelism: 2, restore })
        second.write('d')
        const snapshot = await second.snapshot()
        second.write('lost', 'lost')
        await second.crash()
        const third = await exactlyOnce(topic, { restore: snapshot }, old)
        third.write('e')
        await third.checkpoint()
        expect(await read(topic)).toEqual(['a', 'b', 'c', 'd', 'e'])
      })

      it('behind a commit uses ids again, and leaves none of them open', async () => {
        const topic = await newTopic()
        const expected: string[] = []
        let restore: HarnessSnapshot | undefined
        for (let attempt = 0; attempt < 3; attempt++) {
          const sink = await exactlyOnce(topic, restore && { restore })
          for (let i = 0; i < 5; i++) {
            expected.push(`${attempt} ${i}`)
            sink.write(expected.at(-1)!)
            restore = await sink.checkpoint()
          }
          sink.write('lost')
          await sink.crash()
        }
        const last = await exactlyOnce(topic, { restore: restore! })
        last.write('the end')
        expected.push('the end')
        await last.checkpoint()
        expect(await read(topic)).toEqual(expected.sort())
      })

      // An id that a checkpoint holds was left alone, though its transaction was committed long ago and what is open under it is another: readers stood still.
      it('goes on from an older checkpoint whose ids were used again since', async () => {
        const topic = await newTopic()
        const first = await exactlyOnce(topic)
        first.write('a')
        const older = await first.checkpoint()
        // Until the first id has its turn again, and is open.
        for (let i = 0; i < 9; i++) {
          first.write(`b${i}`)
          await first.checkpoint()
        }
        for (let i = 0; i < 9; i++) {
          first.write('lost')
          await first.snapshot()
        }
        await first.crash()
        const next = await exactlyOnce(topic, {
          restore: older,
          options: { 'tailrace.allow-lost-transactions': 'true' },
        })
        next.write('c')
        await next.checkpoint()
        expect(await read(topic)).toEqual(['a', ...Array.from({ length: 9 }, (_, i) => `b${i}`), 'c'])
      })
    },
    { proxied: true, brokers: 2, ...(asVersion && { asVersion }) },
  )
})
