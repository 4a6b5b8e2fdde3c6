/** Slots under the least JobManager (test-job.suite.ts), everything in one thread. */
import { describe, expect, it } from 'vitest'
import { sequenceSource } from '../connectors/sequence/index.ts'
import type { RuntimeContext } from '../core/functions.ts'
import { hashKey } from '../core/hash.ts'
import { subtaskOfKeyGroup } from '../core/key-groups.ts'
import { WatermarkStrategy } from '../core/watermarks.ts'
import { planWithMaxParallelism } from '../graph/deployed-numbers.ts'
import type { Partitioner, Plan } from '../graph/model.ts'
import { threadPace } from './slot-pace.ts'
import { type Build, TestJob } from './test-job.suite.ts'

/** Runs a graph to its end. */
async function run(
  parallelism: number,
  build: Build,
  options: Record<string, string> = {},
  change: (plan: Plan) => Plan = (plan) => plan,
): Promise<TestJob> {
  const job = new TestJob({ parallelism, build, options, change })
  await job.ended
  return job
}

const numbers = (count: number) => ({ source: sequenceSource(1, count), strategy: WatermarkStrategy.noWatermarks() })
const sorted = (values: number[]) => [...values].sort((a, b) => a - b)

describe('Slot', () => {
  it('runs a chain to its end and closes what it opened', async () => {
    const life: string[] = []
    const outcome = await run(1, (add) => {
      const source = add('numbers', 'source', numbers(10))
      const map = add(
        'times ten',
        'map',
        {
          fn: {
            open: () => void life.push('open'),
            map: (n: number) => n * 10,
            finish: () => void life.push('finish'),
            close: () => void life.push('close'),
          },
        },
        source,
      )
      add('collect', 'collect', { collectId: 'c' }, map, { kind: 'auto' }, true)
    })
    expect(outcome.values).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100])
    expect(life).toEqual(['open', 'finish', 'close'])
    expect(outcome.states).toEqual(['RUNNING', 'FINISHED'])
  })

  it('begins the next attempt when a task of the one before that has failed is closed, however long that takes', async () => {
    const life: string[] = []
    const close = Promise.withResolvers<void>()
    const opened = Promise.withResolvers<void>()
    let lost = true
    const fn = {
      open() {
        life.push('open')
        if (!lost) opened.resolve()
      },
      map(n: number) {
        if (lost) throw new Error('the connection is gone')
        return n
      },
      async close() {
        await close.promise
        life.push('closed')
      },
    }
    const job = await run(1, (add) => {
      const source = add('numbers', 'source', numbers(10))
      const map = add('map', 'map', { fn }, source)
      add('collect', 'collect', { collectId: 'c' }, map, { kind: 'auto' }, true)
    })
    lost = false
    job.again()
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect([job.states, life]).toEqual([['RUNNING', 'FAILED'], ['open']])
    close.resolve()
    await opened.promise
    expect(life).toEqual(['open', 'closed', 'open'])
    job.cancel()
  })

  it('cuts keys into as many groups as the deployed plan says, on both sides of the edge', async () => {
    const build: Build = (add) => {
      const source = add('numbers', 'source', numbers(500))
      let task: { subtaskIndex: number; parallelism: number; maxParallelism: number }
      const fn = {
        open: (context: RuntimeContext) => void (task = context.task),
        map: (n: number) => [n, task.subtaskIndex, task.maxParallelism],
      }
      const map = add('where', 'map', { fn }, source, { kind: 'key', keyOf: (n: number) => n })
      add('collect', 'collect', { collectId: 'c' }, map, { kind: 'global' }, true)
    }
    const { values, error } = await run(2, build, {}, (plan) =>
      planWithMaxParallelism(plan, { [plan.vertices.find((v) => v.name.startsWith('where'))!.id]: 5 }),
    )
    expect(error).toBeUndefined()
    expect(values).toHaveLength(500)
    for (const [n, subtask, max] of values)
      expect([subtask, max]).toEqual([subtaskOfKeyGroup(5, 2, (hashKey(n) >>> 0) % 5), 5])
  })

  it.each([
    ['rebalance', { kind: 'rebalance' }],
    ['shuffle', { kind: 'shuffle' }],
    ['key', { kind: 'key', keyOf: (v: { n: number }) => v.n % 17 }],
    ['global', { kind: 'global' }],
  ] as [string, Partitioner][])('loses and doubles nothing across a %s edge', async (_, partitioner) => {
    const outcome = await run(3, (add) => {
      const source = add('numbers', 'source', numbers(20_000))
      const map = add('row', 'map', { fn: (n: number) => ({ n, text: `number ${n}` }) }, source)
      const back = add(
        'back',
        'map',
        { fn: (v: { n: number; text: string }) => (v.text === `number ${v.n}` ? v.n : -1) },
        map,
        partitioner,
      )
      add('collect', 'collect', { collectId: 'c' }, back, { kind: 'global' }, true)
    })
    expect(outcome.error).toBeUndefined()
    expect(sorted(outcome.values)).toEqual(Array.from({ length: 20_000 }, (_, i) => i + 1))
  })

  it('does not deadlock when one record becomes a million, over two shuffles, with one floating buffer', async () => {
    const n = 1_000_000
    const outcome = await run(
      2,
      (add) => {
        const source = add('one', 'source', numbers(1))
        const burst = add(
          'burst',
          'flat-map',
          {
            fn: function* () {
              for (let i = 0; i < n; i++) yield { i }
            },
          },
          source,
        )
        const again = add('again', 'map', { fn: (v: { i: number }) => ({ i: v.i, j: v.i * 2 }) }, burst, {
          kind: 'shuffle',
        })
        const counted = add(
          'count',
          'flat-map',
          {
            fn: {
              open(context: any) {
                this.counter = context.accumulator('count')
                this.sum = context.accumulator('sum')
              },
              flatMap(v: { i: number; j: number }) {
                this.counter.inc()
                this.sum.inc(v.j)
              },
            } as any,
          },
          again,
          { kind: 'key', keyOf: (v) => v.i },
        )
        add('collect', 'collect', { collectId: 'c' }, counted, { kind: 'auto' }, true)
      },
      { 'tailrace.exchange.buffers-per-slot': '1' },
    )
    expect(outcome.error).toBeUndefined()
    expect(outcome.accumulators).toEqual({ count: n, sum: n * (n - 1) })
  })

  it('names the operator and the line of a function that throws', async () => {
    const outcome = await run(1, (add) => {
      const source = add('numbers', 'source', numbers(5))
      const fine = add('fine', 'map', { fn: (n: number) => n }, source)
      const bad = add(
        'third fails',
        'map',
        {
          fn: (n: number) => {
            if (n === 3) throw new Error('three is too much')
            return n
          },
        },
        fine,
      )
      add('collect', 'collect', { collectId: 'c' }, bad, { kind: 'auto' }, true)
    })
    expect(outcome.error).toMatchObject({
      code: 'TR-TASK-001',
      operator: 'third fails',
      message: expect.stringContaining('three is too much'),
    })
    expect(JSON.stringify(outcome.error)).toContain('slot.test.ts')
    expect(outcome.states).toEqual(['RUNNING', 'FAILED'])
  })

  // Chaos found it: sinks that were opened behind the end of their attempt took over the transactions of the next one.
  it('opens nothing more once it is cancelled, and runs nothing of it', async () => {
    const opened: string[] = []
    let goOn!: () => void
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const job = new TestJob({
      parallelism: 1,
      build: (add) => {
        const fn = (name: string, open: () => void | Promise<void> = () => {}) => {
          const opens = () => {
            opened.push(name)
            return open()
          }
          return { map: (n: number) => n, open: opens }
        }
        const source = add('numbers', 'source', numbers(5))
        const upstream = add('upstream', 'map', { fn: fn('upstream') }, source)
        const key: Partitioner = { kind: 'key', keyOf: (n: number) => n }
        const chained = add('chained', 'map', { fn: fn('chained') }, upstream, key)
        const slow = add('slow', 'map', { fn: fn('slow', () => gate) }, chained)
        add('collect', 'collect', { collectId: 'c' }, slow, { kind: 'auto' }, true)
      },
    })
    await expect.poll(() => opened).toEqual(['slow'])
    job.cancel()
    await job.ended
    goOn()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(opened).toEqual(['slow'])
    expect(job.states).toEqual(['CANCELED', 'CANCELED'])
  })

  it('names the operator whose open() throws', async () => {
    const outcome = await run(1, (add) => {
      const source = add('numbers', 'source', numbers(5))
      add(
        'no start',
        'map',
        {
          fn: {
            open: () => {
              throw new Error('no database')
            },
            map: (n: number) => n,
          },
        },
        source,
      )
    })
    expect(outcome.error).toMatchObject({ code: 'TR-TASK-001', operator: 'no start' })
  })

  it('sleeps while its output waits for credit: it used to look for it again and again', async () => {
    let full = true
    let turns = 0
    let written = 0
    const taken = Promise.withResolvers<void>()
    const sink = {
      createWriter: () => ({
        write: () => void written++,
        pending() {
          turns++
          if (written > 0) taken.resolve()
          return full && written > 0
        },
        flush() {},
        close() {},
      }),
    }
    let sleeps = 0
    const pace: typeof threadPace = {
      ...threadPace,
      sleep(...how) {
        sleeps++
        return threadPace.sleep(...how)
      },
    }
    // More records than all buffers of the channels hold: the rest is in the overflow.
    const job = new TestJob({
      parallelism: 1,
      build: (add) => {
        const one = add('one', 'source', numbers(1))
        const many = { flatMap: (_: number, out: { collect(n: number): void }) => fill(out) }
        const all = add('many', 'flat-map', { fn: many }, one)
        add('sink', 'sink', { sink }, all, { kind: 'rebalance' }, true)
      },
      slot: { pace },
    })
    await taken.promise
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    const before = turns
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    expect(sleeps).toBeGreaterThan(0)
    expect(turns - before).toBeLessThan(50)
    full = false
    await job.ended
    expect(written).toBe(MANY)
  })
})

const MANY = 200_000
function fill(out: { collect(n: number): void }): void {
  for (let n = 0; n < MANY; n++) out.collect(n)
}
