/** Checkpoints through slots: barriers, snapshots, uploads, and what a job does that goes on from them. */
import { describe, expect, it } from 'vitest'
import { CHUNK_BYTES } from '../checkpoint/keyed-snapshot.ts'
import type { CheckpointMetadata } from '../checkpoint/model.ts'
import { sequenceSource } from '../connectors/sequence/index.ts'
import { KeyedProcessFunction, type OnTimerContext } from '../core/functions.ts'
import type { Source } from '../core/source.ts'
import { type ValueState, ValueStateDescriptor } from '../core/state.ts'
import { WatermarkStrategy } from '../core/watermarks.ts'
import { TumblingEventTimeWindows } from '../core/windows.ts'
import { type SlotPace, threadPace } from './slot-pace.ts'
import { type Build, TestJob, type TestJobOptions } from './test-job.suite.ts'

const COUNT = 100_000
const KEYS = 97

/** Records that the source may still emit. */
let allowance = Infinity

const numbers = () => ({
  source: metered(sequenceSource(1, COUNT)),
  strategy: WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((n) => n),
})

/** A source that stops where the allowance does, and looks again each millisecond. */
function metered(source: Source<number>): Source<number> {
  return {
    ...source,
    createReader: (context) => {
      const reader = source.createReader(context)
      const poll = reader.poll.bind(reader)
      reader.poll = (output, max) => {
        if (allowance <= 0) {
          context.wakeAt(context.clock.monotonic() + 1)
          return 'idle'
        }
        const most = Math.min(max, 100)
        allowance -= most
        return poll(output, most)
      }
      return reader
    },
  }
}

/** Sum per key, emitted by a timer at the end of time as well. */
class Sums extends KeyedProcessFunction<number, number, any> {
  #sum!: ValueState<{ n: number; sum: number }>
  override open(context: any) {
    this.#sum = context.getState(new ValueStateDescriptor('sum'))
  }
  processElement(value: number, context: any) {
    const acc = this.#sum.value() ?? { n: 0, sum: 0 }
    acc.n++
    acc.sum += value
    this.#sum.update(acc)
    context.timerService.registerEventTimeTimer(10 * COUNT)
  }
  override onTimer(_: number, context: OnTimerContext<number>, out: any) {
    const { n, sum } = this.#sum.value()!
    out.collect({ key: context.getCurrentKey(), n, sum })
  }
}

const keyOf = (n: number) => n % KEYS

/** source → (shuffle) → sums, and → windows, both collected. */
const build: Build = (add) => {
  const source = add('numbers', 'source', numbers())
  const sums = add('sums', 'keyed-process', { fn: new Sums(), keyOf }, source, { kind: 'key', keyOf })
  add('collect sums', 'collect', { collectId: 'sums' }, sums, { kind: 'global' }, true)
  const windows = add(
    'windows',
    'window',
    {
      assigner: TumblingEventTimeWindows.of(5000),
      allowedLatenessMs: 0,
      kind: 'aggregate',
      keyOf,
      aggregate: {
        createAccumulator: () => ({ n: 0 }),
        add: (_: number, acc: { n: number }) => ({ n: acc.n + 1 }),
        getResult: (acc: { n: number }) => acc.n,
      },
      windowFn: (key: number, window: { start: number }, [n]: number[]) => [{ key, start: window.start, n }],
    },
    source,
    { kind: 'key', keyOf },
  )
  add('collect windows', 'collect', { collectId: 'windows' }, windows, { kind: 'global' }, true)
}

function expected() {
  const sums = new Map<number, { key: number; n: number; sum: number }>()
  const windows = new Map<string, number>()
  for (let n = 1; n <= COUNT; n++) {
    const key = keyOf(n)
    const acc = sums.get(key) ?? { key, n: 0, sum: 0 }
    acc.n++
    acc.sum += n
    sums.set(key, acc)
    const name = `${key}/${Math.floor(n / 5000) * 5000}`
    windows.set(name, (windows.get(name) ?? 0) + 1)
  }
  return { sums: [...sums.values()].sort((a, b) => a.key - b.key), windows }
}

function check(values: any[]) {
  const { sums, windows } = expected()
  const found = values.filter((v) => 'sum' in v).sort((a, b) => a.key - b.key)
  expect(found).toEqual(sums)
  const seen = new Map<string, number>()
  for (const { key, start, n } of values.filter((v) => 'start' in v)) {
    // A window that fired after the checkpoint fires again; it must say the same.
    const name = `${key}/${start}`
    if (seen.has(name)) expect(n).toBe(seen.get(name))
    seen.set(name, n)
  }
  expect(seen).toEqual(windows)
}

const job = (options: Partial<TestJobOptions> = {}) =>
  new TestJob({ parallelism: 2, build, checkpointing: { exactlyOnce: true }, ...options })

/** Half of the records are in, and some windows have fired. */
async function halfWay(running: TestJob): Promise<void> {
  while (allowance > 0 || running.values.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Runs until the source is part of the way, takes a checkpoint, and lets the job die. */
async function interrupted(
  options: Partial<TestJobOptions> = {},
): Promise<{ metadata: CheckpointMetadata; first: TestJob }> {
  allowance = COUNT / 2
  const first = job(options)
  await halfWay(first)
  const metadata = await first.checkpoint(1)
  first.cancel()
  await first.ended
  allowance = Infinity
  return { metadata, first }
}

describe('a job that is interrupted behind a checkpoint', () => {
  it.each([1, 2, 3])(
    'goes on from it with parallelism %i and gives the results of one that never was',
    async (parallelism) => {
      const { metadata, first } = await interrupted()
      expect(first.error).toBeUndefined()
      const next = job({ parallelism, restore: { metadata, files: first.files } })
      await next.dataEnded
      await next.checkpoint(2, { then: 'end' })
      await next.ended
      expect(next.error).toBeUndefined()
      check([...first.values.filter((v) => 'start' in v), ...next.values])
    },
  )

  it('had state of keys, timers, windows and splits in the checkpoint', async () => {
    const { metadata } = await interrupted()
    const of = (uid: string) => metadata.operators.find((o) => o.uid === uid)!
    const tables = (name: string) => of(name).subtasks.flatMap((s) => s?.keyed?.tables.map((t) => t.name) ?? [])
    expect(tables('sums')).toEqual(expect.arrayContaining(['sum', 'tailrace:timers/event']))
    expect(tables('windows').some((name) => name.startsWith('tailrace:window/'))).toBe(true)
    expect(of('numbers').subtasks.every((s) => s!.lists[0]!.offsets.length > 0)).toBe(true)
    expect(of('numbers').coordinator).toBeDefined()
  })
})

describe('a job with checkpoints', () => {
  // A snapshot of a million keys took a second longer whenever a slot with nothing else to do fell asleep in the middle of it.
  it('wakes a slot that sleeps while its snapshot waits for buffers', async () => {
    const pace: SlotPace = {
      ...threadPace,
      // For ever, where nothing is due.
      sleep: (bell, sequence, ms, run) => threadPace.sleep(bell, sequence, ms > 900 ? 2 ** 30 : ms, run),
    }
    class Texts extends KeyedProcessFunction<number, number, never> {
      #text!: ValueState<string>
      override open(context: any) {
        this.#text = context.getState(new ValueStateDescriptor('text'))
      }
      processElement(n: number) {
        this.#text.update(`${n} `.repeat(100))
      }
    }
    const self = (n: number) => n
    const texts: Build = (add) => {
      const source = add('numbers', 'source', {
        source: sequenceSource(1, 3000),
        strategy: WatermarkStrategy.noWatermarks(),
      })
      add('texts', 'keyed-process', { fn: new Texts(), keyOf: self }, source, { kind: 'key', keyOf: self })
    }
    const one = job({ parallelism: 1, build: texts, slot: { pace, snapshotBuffersMax: 1 } })
    await one.dataEnded
    await one.checkpoint(1, { then: 'end' })
    await one.ended
    expect(one.error).toBeUndefined()
    expect(one.stats.reduce((n, { bytes }) => n + bytes, 0)).toBeGreaterThan(4 * CHUNK_BYTES)
  })

  it('waits at its end for one that holds it, and is over when that is complete', async () => {
    const one = job()
    await one.dataEnded
    expect(one.states).not.toContain('FINISHED')
    const metadata = await one.checkpoint(1, { then: 'end', notify: false })
    expect(metadata.operators.every((o) => o.finished.every(Boolean))).toBe(true)
    expect(one.states).not.toContain('FINISHED')
    one.notifyComplete(1)
    await one.ended
    check(one.values)
  })

  it('does nothing twice when it goes on from the checkpoint of its end', async () => {
    const one = job()
    await one.dataEnded
    const metadata = await one.checkpoint(1, { then: 'end' })
    await one.ended
    const next = job({ restore: { metadata, files: one.files } })
    await next.dataEnded
    await next.checkpoint(2, { then: 'end' })
    await next.ended
    expect(next.values).toEqual([])
  })

  it('stops behind a savepoint that suspends it, without firing anything', async () => {
    allowance = COUNT / 2
    const first = job()
    await halfWay(first)
    const metadata = await first.checkpoint(1, { then: 'suspend' })
    await first.ended
    allowance = Infinity
    expect(first.values.filter((v) => 'sum' in v)).toEqual([])
    expect(new Set(first.states)).toEqual(new Set(['RUNNING', 'FINISHED']))
    const next = job({ restore: { metadata, files: first.files } })
    await next.dataEnded
    await next.checkpoint(2, { then: 'end' })
    await next.ended
    check([...first.values, ...next.values])
  })

  it('reads nothing behind a savepoint that suspends it, though more is there in the same turn', async () => {
    const passed: Build = (add) => {
      const source = add('numbers', 'source', numbers())
      add('collect', 'collect', { collectId: 'numbers' }, source, { kind: 'global' }, true)
    }
    allowance = Infinity
    const first = job({ parallelism: 1, build: passed })
    while (first.values.length === 0) await new Promise((resolve) => setTimeout(resolve, 0))
    const metadata = await first.checkpoint(1, { then: 'suspend' })
    await first.ended
    const next = job({ parallelism: 1, build: passed, restore: { metadata, files: first.files } })
    await next.dataEnded
    await next.checkpoint(2, { then: 'end' })
    await next.ended
    expect(first.values.length).toBeLessThan(COUNT)
    expect([...first.values, ...next.values]).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1))
  })

  it('ends its input where it is when it is drained', async () => {
    allowance = COUNT / 2
    const first = job()
    await halfWay(first)
    first.drain()
    allowance = Infinity
    await first.dataEnded
    await first.checkpoint(1, { then: 'end' })
    await first.ended
    const total = first.values.filter((v) => 'sum' in v).reduce((n, v) => n + v.n, 0)
    expect(total).toBeGreaterThan(COUNT * 0.4)
    expect(total).toBeLessThan(COUNT)
    expect(first.values.filter((v) => 'start' in v).reduce((n, v) => n + v.n, 0)).toBe(total)
  })

  it('takes many in a row, and any of them will do', async () => {
    allowance = COUNT / 2
    const first = job()
    await halfWay(first)
    const taken: CheckpointMetadata[] = []
    for (let id = 1; id <= 5; id++) {
      taken.push(await first.checkpoint(id))
      allowance += 3000
    }
    first.cancel()
    await first.ended
    allowance = Infinity
    for (const metadata of [taken[0]!, taken[4]!]) {
      const next = job({ restore: { metadata, files: first.files } })
      await next.dataEnded
      await next.checkpoint(9, { then: 'end' })
      await next.ended
      check([...first.values.filter((v) => 'start' in v), ...next.values])
    }
  })
})
