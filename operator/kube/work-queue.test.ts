import { describe, expect, it } from 'vitest'
import { SeededTime } from '../../runtime/checkpoint/seeded-time.suite.ts'
import { WorkQueue, type WorkQueueOptions } from './work-queue.ts'

/** Runs a story in its own time. */
async function inTime(story: (time: SeededTime) => Promise<void>, seed = 1): Promise<void> {
  const time = new SeededTime(seed)
  const done = story(time)
  await time.run(done)
  await done
}

function queueIn(time: SeededTime, options: Partial<WorkQueueOptions> & Pick<WorkQueueOptions, 'work'>) {
  const failures: { key: string; failures: number; waitMs: number }[] = []
  const queue = new WorkQueue({
    concurrency: 2,
    clock: time,
    schedule: time.schedule,
    random: time.random,
    failed: (key, _, count, waitMs) => failures.push({ key, failures: count, waitMs }),
    ...options,
  })
  return { queue, failures }
}

describe('WorkQueue', () => {
  it('works on each key one at a time, on so many at once, and again on what was added meanwhile', () =>
    inTime(async (time) => {
      const active = new Set<string>()
      const done: string[] = []
      let most = 0
      const { queue } = queueIn(time, {
        work: async (key) => {
          expect(active.has(key)).toBe(false)
          active.add(key)
          most = Math.max(most, active.size)
          await time.wait(100)
          active.delete(key)
          done.push(key)
        },
      })
      for (const key of ['a', 'b', 'c', 'a', 'b', 'c']) queue.add(key)
      await time.wait(10)
      for (const key of ['a', 'a', 'c']) queue.add(key)
      expect([queue.depth, queue.active]).toEqual([2, 2])
      await time.wait(1_000)
      expect(done.toSorted()).toEqual(['a', 'a', 'b', 'c'])
      expect(most).toBe(2)
      expect([queue.depth, queue.active]).toEqual([0, 0])
    }))

  it('lets nothing that was added wait for what was added behind, each key still once', () =>
    inTime(async (time) => {
      const done: string[] = []
      const { queue } = queueIn(time, {
        concurrency: 1,
        work: async (key) => {
          await time.wait(100)
          done.push(key)
        },
      })
      for (const key of ['a', 'b', 'c', 'd']) queue.addBehind(key)
      await time.wait(10)
      for (const key of ['d', 'e']) queue.add(key)
      for (const key of ['d', 'e', 'b']) queue.addBehind(key)
      queue.addAfter('c', 5)
      expect([queue.depth, queue.active, queue.delayed]).toEqual([4, 1, 0])
      await time.wait(1_000)
      expect(done).toEqual(['a', 'd', 'e', 'b', 'c'])
    }))

  it('loses nothing, whatever the order (seeds)', async () => {
    for (let seed = 1; seed <= 30; seed++)
      await inTime(async (time) => {
        const wanted = new Map<string, number>()
        const seen = new Map<string, number>()
        const { queue } = queueIn(time, {
          concurrency: 1 + time.below(4),
          work: async (key) => {
            const value = wanted.get(key)!
            await time.wait(time.below(50))
            if (time.chance(0.3)) throw new Error('not now')
            seen.set(key, value)
            return time.chance(0.2) ? { afterMs: time.below(500) } : undefined
          },
        })
        for (let step = 0; step < 200; step++) {
          const key = `k${time.below(8)}`
          wanted.set(key, step)
          queue.add(key)
          if (time.chance(0.5)) await time.wait(time.below(40))
        }
        await time.wait(600_000)
        expect(seen).toEqual(wanted)
        await queue.drain(0)
      }, seed)
  })

  it('lets a key that fails wait longer and longer by itself, until it succeeds once', () =>
    inTime(async (time) => {
      let fails = true
      const at: number[] = []
      const { queue, failures } = queueIn(time, {
        firstWaitMs: 100,
        waitMaxMs: 5_000,
        work: async (key) => {
          if (key === 'good') return
          at.push(time.monotonic())
          if (fails) throw new Error('no')
        },
      })
      queue.add('bad')
      await time.wait(60_000)
      const waits = failures.map(({ waitMs }) => waitMs)
      for (const [i, waitMs] of waits.entries()) {
        const full = Math.min(5_000, 100 * 2 ** i)
        expect(waitMs).toBeGreaterThanOrEqual(full / 2)
        expect(waitMs).toBeLessThanOrEqual(full)
      }
      expect(new Set(waits.slice(-5)).size).toBeGreaterThan(1)
      fails = false
      // It need not wait when there is news.
      const before = at.length
      queue.add('bad')
      await time.wait(1)
      expect(at).toHaveLength(before + 1)
      expect([queue.failures('bad'), queue.delayed]).toEqual([0, 0])
    }))

  it('keeps to what an error says of when to come again', () =>
    inTime(async (time) => {
      const { queue, failures } = queueIn(time, {
        work: () => Promise.reject(Object.assign(new Error('busy'), { retryAfterMs: 7_000 })),
      })
      queue.add('a')
      await time.wait(1)
      expect(failures).toEqual([{ key: 'a', failures: 1, waitMs: 7_000 }])
      await queue.drain(0)
    }))

  it('comes at the earliest of the times that were asked for, once', () =>
    inTime(async (time) => {
      const at: number[] = []
      const startMs = time.monotonic()
      const { queue } = queueIn(time, { work: async () => void at.push(time.monotonic() - startMs) })
      queue.addAfter('a', 500)
      queue.addAfter('a', 200)
      queue.addAfter('a', 900)
      await time.wait(2_000)
      expect(at).toEqual([200])
      queue.addAfter('a', 500)
      queue.forget('a')
      await time.wait(2_000)
      expect(at).toEqual([200])
    }))

  it('drains: begins nothing, waits for what was begun, and says when time is up', () =>
    inTime(async (time) => {
      const begun: string[] = []
      let toldMs = 0
      const { queue } = queueIn(time, {
        concurrency: 1,
        work: async (key, signal) => {
          begun.push(key)
          await new Promise<void>((resolve) =>
            signal.addEventListener('abort', () => {
              toldMs = time.monotonic()
              time.schedule(50, resolve)
            }),
          )
        },
      })
      queue.add('a')
      queue.add('b')
      queue.addAfter('c', 10)
      await time.wait(1)
      const startMs = time.monotonic()
      const drained = queue.drain(1_000)
      queue.add('d')
      await drained
      expect(begun).toEqual(['a'])
      expect([toldMs - startMs, time.monotonic() - startMs]).toEqual([1_000, 1_050])
    }))
})
