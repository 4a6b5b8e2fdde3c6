import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Key } from '../core/functions.ts'
import { hashKey, lookupKey } from '../core/hash.ts'
import { subtaskOfKeyGroup } from '../core/key-groups.ts'
import { fakeContext } from '../testing/operator-context.ts'
import { barrier, beginSnapshot, restoredFrom } from '../testing/snapshots.ts'
import { BaseOperator, type SnapshotWriter } from './operator.ts'
import { type TimeDomain, type Timer, TimerQueue, Timers } from './timers.ts'

describe('TimerQueue', () => {
  const drain = (queue: TimerQueue, untilMs: number) => {
    const fired: [Key, number][] = []
    for (let timer = queue.takeUntil(untilMs); timer !== undefined; timer = queue.takeUntil(untilMs))
      fired.push([timer.key, timer.timestamp])
    return fired
  }

  it('holds a timer once per key and time [PF-03]', () => {
    const queue = new TimerQueue()
    for (const key of [1, '1', 1n, [1], [1], new Uint8Array([1]), Buffer.from([1]), -0, 0])
      queue.register(key, hashKey(key), 10)
    expect(queue.size).toBe(6)
    expect(queue.register(1, hashKey(1), 10)).toBe(false)
    expect(queue.register(1, hashKey(1), 11)).toBe(true)
    expect(queue.delete([1], hashKey([1]), 10)).toBe(true)
    expect(queue.delete([1], hashKey([1]), 10)).toBe(false)
    expect(queue.delete(2, hashKey(2), 10)).toBe(false)
    expect(queue.size).toBe(6)
  })

  it('keeps timers at any time a number can say', () => {
    const queue = new TimerQueue()
    for (const time of [Infinity, 2 ** 53, 0.5, 0, -1, -(2 ** 40), -Infinity]) queue.register('k', 7, time)
    expect(drain(queue, -Infinity)).toEqual([['k', -Infinity]])
    expect(drain(queue, 0).map(([, t]) => t)).toEqual([-(2 ** 40), -1, 0])
    expect(queue.firstMs).toBe(0.5)
    expect(drain(queue, Infinity).map(([, t]) => t)).toEqual([0.5, 2 ** 53, Infinity])
    expect(queue.firstMs).toBe(Infinity)
  })

  it('does what a sorted set of keys and times would do', () => {
    const key = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom('a', 'b', true, 3n), fc.constant([1, 'x']))
    const step = fc.record({
      op: fc.constantFrom('register', 'register', 'register', 'delete', 'take'),
      key,
      time: fc.integer({ min: -20, max: 20 }),
      // Few hashes, so that timers collide.
      hash: fc.constantFrom(0, 1, undefined),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), fc.boolean(), (steps, spread) => {
        const queue = new TimerQueue()
        const oracle = new Map<string, number>()
        const hashes = new Map<any, number>()
        for (const { op, key, time, hash } of steps) {
          const lookup = lookupKey(key)
          if (!hashes.has(lookup)) hashes.set(lookup, hash === undefined || spread ? hashKey(key) : hash)
          const keyHash = hashes.get(lookup)!
          const id = `${typeof lookup} ${String(lookup)} ${time}`
          if (op === 'register') {
            expect(queue.register(key, keyHash, time)).toBe(!oracle.has(id))
            oracle.set(id, time)
          } else if (op === 'delete') {
            expect(queue.delete(key, keyHash, time)).toBe(oracle.delete(id))
          } else {
            const fired = drain(queue, time)
            const times = [...oracle.values()].filter((t) => t <= time).sort((a, b) => a - b)
            expect(fired.map(([, t]) => t)).toEqual(times)
            for (const [firedKey, t] of fired) {
              const firedLookup = lookupKey(firedKey)
              expect(oracle.delete(`${typeof firedLookup} ${String(firedLookup)} ${t}`)).toBe(true)
            }
          }
          expect(queue.size).toBe(oracle.size)
          expect(queue.all()).toHaveLength(oracle.size)
          expect(queue.firstMs).toBe(Math.min(Infinity, ...oracle.values()))
        }
      }),
    )
  })

  it('holds and fires many', () => {
    const queue = new TimerQueue()
    for (let i = 0; i < 20_000; i++) queue.register(i % 5000, hashKey(i % 5000), (i * 7919) % 10_007)
    expect(queue.size).toBe(20_000)
    for (let i = 0; i < 20_000; i += 2) queue.delete(i % 5000, hashKey(i % 5000), (i * 7919) % 10_007)
    const times = drain(queue, Infinity).map(([, t]) => t)
    expect(times).toHaveLength(10_000)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })
})

const MAX_PARALLELISM = 16

/** One that has nothing but timers. */
function operatorOf(timers: Timers): BaseOperator {
  return new (class extends BaseOperator {
    override process(): void {}
    override snapshot(writer: SnapshotWriter): void {
      timers.snapshot(writer)
    }
  })()
}

describe('Timers', () => {
  const open = (onTimer?: (timer: Timer, domain: TimeDomain, timers: Timers) => void) => {
    const context = fakeContext()
    const fired: string[] = []
    let woken = 0
    const timers: Timers = new Timers(
      context,
      (timer, domain) => {
        fired.push(`${domain} ${String(timer.key)} ${timer.timestamp}`)
        onTimer?.(timer, domain, timers)
      },
      () => {
        woken++
        while (!timers.fire());
      },
    )
    return { context, timers, fired, woken: () => woken }
  }

  it('arms one physical timer, 1 ms after the earliest [PF-05]', () => {
    const { context, timers, fired } = open()
    timers.registerProcessing('k', 1, 20)
    timers.registerProcessing('k', 1, 30)
    expect(context.timers).toEqual([21])
    timers.registerProcessing('k', 1, 10)
    expect(context.timers).toEqual([11])
    context.advanceTo(10)
    expect(fired).toEqual([])
    context.advanceTo(11)
    expect(fired).toEqual(['processing k 10'])
    expect(context.timers).toEqual([21])
    context.advanceTo(40)
    expect(fired).toEqual(['processing k 10', 'processing k 20', 'processing k 30'])
    expect(context.timers).toEqual([])
    timers.registerProcessing('k', 1, 50)
    expect(context.timers).toEqual([51])
  })

  it('fires what is over when the clock jumps, in one wake-up', () => {
    const { context, timers, fired, woken } = open()
    for (const time of [5, 3, 4, 100]) timers.registerProcessing('k', 1, time)
    context.clock.set(50)
    context.advanceTo(50)
    expect(fired).toEqual(['processing k 3', 'processing k 4', 'processing k 5'])
    expect(woken()).toBe(1)
    expect(context.timers).toEqual([101])
  })

  it('wakes nobody for a timer that was deleted', () => {
    const { context, timers, fired, woken } = open()
    timers.registerProcessing('k', 1, 10)
    timers.registerProcessing('k', 1, 20)
    timers.deleteProcessing('k', 1, 10)
    context.advanceTo(15)
    expect([fired, woken(), context.timers]).toEqual([[], 0, [21]])
    timers.deleteProcessing('k', 1, 20)
    context.advanceTo(30)
    expect([fired, woken(), context.timers]).toEqual([[], 0, []])
  })

  it('keeps event and processing timers of one time apart', () => {
    const { context, timers, fired } = open()
    timers.event.register('k', 1, 10)
    timers.registerProcessing('k', 1, 10)
    timers.event.delete('k', 1, 10)
    context.advanceTo(100)
    timers.watermark = 100
    expect(timers.fire()).toBe(true)
    expect(fired).toEqual(['processing k 10'])
  })

  it('rests when the output is blocked, and goes on where it stopped', () => {
    const { context, timers, fired } = open()
    for (let i = 0; i < 1000; i++) timers.event.register(i, hashKey(i), i)
    timers.watermark = 899
    context.blocked = true
    expect(timers.fire()).toBe(false)
    expect(fired.length).toBeGreaterThan(0)
    expect(fired.length).toBeLessThan(100)
    context.blocked = false
    expect(timers.fire()).toBe(true)
    expect(fired).toEqual(Array.from({ length: 900 }, (_, i) => `event ${i} ${i}`))
  })

  it('rests after a while when many are due', () => {
    const { timers, fired } = open()
    for (let i = 0; i < 5000; i++) timers.event.register(i, hashKey(i), i)
    timers.watermark = Infinity
    let turns = 1
    while (!timers.fire()) turns++
    expect(fired).toHaveLength(5000)
    expect(turns).toBeGreaterThan(1)
  })

  it('ends exactly when the last due timer has fired', () => {
    const { timers, fired } = open()
    for (let i = 0; i < 2048; i++) timers.event.register(i, hashKey(i), i)
    timers.watermark = 5000
    expect(timers.fire()).toBe(true)
    expect(fired).toHaveLength(2048)
  })

  it('arms nothing any more once closed', () => {
    const { context, timers } = open()
    timers.registerProcessing('k', 1, 10)
    timers.close()
    expect(context.timers).toEqual([])
  })

  it('come back as they were at the barrier, each once, to the subtask of its key group, at any parallelism (property)', async () => {
    const key = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constantFrom('a', true, 3n), fc.constant([1, 'x']))
    const timer = fc.record({
      domain: fc.constantFrom<TimeDomain>('event', 'processing'),
      key,
      time: fc.integer({ min: -20, max: 20 }),
    })
    const scale = fc.integer({ min: 1, max: 5 })
    const subtasks = (parallelism: number) => Array.from({ length: parallelism }, () => open())
    const ownerOf = (of: Key, parallelism: number) =>
      subtaskOfKeyGroup(MAX_PARALLELISM, parallelism, (hashKey(of) >>> 0) % MAX_PARALLELISM)
    const nameOf = ({ domain, key, time }: { domain: TimeDomain; key: Key; time: number }) =>
      `${domain} ${typeof key} ${String(key)} ${time}`
    const heldBy = ({ timers }: ReturnType<typeof open>) =>
      (['event', 'processing'] as const).flatMap((domain) =>
        timers[domain].all().map(({ key, timestamp }) => nameOf({ domain, key, time: timestamp })),
      )

    await fc.assert(
      fc.asyncProperty(
        fc.array(timer, { maxLength: 100 }),
        fc.array(timer),
        scale,
        scale,
        async (first, later, p, q) => {
          const before = subtasks(p)
          for (const { domain, key, time } of first)
            before[ownerOf(key, p)]!.timers[domain].register(key, hashKey(key), time)
          const takenAt = barrier(1)
          const underWay = before.map(({ timers }) => beginSnapshot(operatorOf(timers), takenAt, MAX_PARALLELISM))
          // Not in it: some fire, others come.
          for (const { timers } of before) timers.event.takeUntil(5)
          for (const { domain, key, time } of later)
            before[ownerOf(key, p)]!.timers[domain].register(key, hashKey(key), time)
          const snapshots = underWay.map((snapshot) => snapshot.endNow())

          const after = subtasks(q)
          for (const [i, { timers }] of after.entries())
            await timers.restore(restoredFrom(snapshots, i, q, { maxParallelism: MAX_PARALLELISM }))
          const held = after.map((subtask) => heldBy(subtask).sort())
          const wanted = after.map((_, i) => [...new Set(first.filter(({ key }) => ownerOf(key, q) === i).map(nameOf))])
          expect(held).toEqual(wanted.map((names) => names.sort()))
          for (const { timers, fired } of after) {
            // It is there already.
            for (const { key, keyHash, timestamp } of timers.event.all())
              expect(timers.event.register(key, keyHash, timestamp)).toBe(false)
            timers.watermark = 100
            timers.fire()
            const times = fired.map((text) => Number(text.split(' ').at(-1)))
            expect(times).toEqual(times.toSorted((a, b) => a - b))
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
