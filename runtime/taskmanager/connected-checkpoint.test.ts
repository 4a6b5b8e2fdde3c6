/** Checkpoints of jobs with two inputs: every record of either is in the state once, and copies of broadcast state stay equal, at any parallelism. */
import { describe, expect, it } from 'vitest'
import { metered } from '../connectors/metered.suite.ts'
import { sequenceSource } from '../connectors/sequence/index.ts'
import { KeyedBroadcastProcessFunction } from '../core/broadcast-functions.ts'
import { KeyedCoProcessFunction } from '../core/co-functions.ts'
import type { Collector, RuntimeContext } from '../core/functions.ts'
import { MapStateDescriptor, type ValueState, ValueStateDescriptor } from '../core/state.ts'
import { WatermarkStrategy } from '../core/watermarks.ts'
import { type Build, TestJob, type TestJobOptions } from './test-job.suite.ts'

const KEYS = 31
const COUNTS = { left: 40_000, right: 15_000, rules: 60 }
const AT_THE_END = Number.MAX_SAFE_INTEGER
const keyOf = (n: number) => n % KEYS
const byKey = { kind: 'key', keyOf } as const

/** How far each source may go. */
const meters = { left: { allowed: Infinity }, right: { allowed: Infinity }, rules: { allowed: Infinity } }

/** Sums of both sides per key, said at the end. */
class Sums extends KeyedCoProcessFunction<number, number, number, any> {
  #sums!: ValueState<{ left: number; right: number }>
  override open(context: RuntimeContext) {
    this.#sums = context.getState(new ValueStateDescriptor('sums'))
  }
  #add(side: 'left' | 'right', n: number, context: any) {
    const sums = this.#sums.value() ?? { left: 0, right: 0 }
    sums[side] += n
    this.#sums.update(sums)
    context.timerService.registerEventTimeTimer(AT_THE_END)
  }
  processElement1(n: number, context: any) {
    this.#add('left', n, context)
  }
  processElement2(n: number, context: any) {
    this.#add('right', n, context)
  }
  override onTimer(_: number, context: any, out: Collector<any>) {
    out.collect({ key: context.getCurrentKey(), ...this.#sums.value() })
  }
}

const rules = new MapStateDescriptor<number, number>('rules')
const seen = new ValueStateDescriptor<{ n: number; visits: number }>('seen')

/** How often each rule came to the copy of the key's subtask, and how often the key was visited by a rule. */
class Counted extends KeyedBroadcastProcessFunction<number, number, number, any> {
  #seen!: ValueState<{ n: number; visits: number }>
  override open(context: RuntimeContext) {
    this.#seen = context.getState(seen)
  }
  processElement(_: number, context: any) {
    const { n, visits } = this.#seen.value() ?? { n: 0, visits: 0 }
    this.#seen.update({ n: n + 1, visits })
    context.timerService.registerEventTimeTimer(AT_THE_END)
  }
  processBroadcastElement(rule: number, context: any) {
    const state = context.getBroadcastState(rules)
    state.put(rule, (state.get(rule) ?? 0) + 1)
    context.applyToKeyedState(seen, (_key: number, state: ValueState<{ n: number; visits: number }>) => {
      const { n, visits } = state.value()!
      state.update({ n, visits: visits + 1 })
    })
  }
  override onTimer(_: number, context: any, out: Collector<any>) {
    const times = [...context.getBroadcastState(rules).entries()]
    out.collect({ counted: context.getCurrentKey(), ...this.#seen.value(), times })
  }
}

const build: Build = (add) => {
  const source = (name: keyof typeof COUNTS) =>
    add(name, 'source', {
      source: metered(sequenceSource(1, COUNTS[name]), meters[name]),
      strategy: WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((n) => n),
    })
  const [left, right, control] = [source('left'), source('right'), source('rules')]
  const co = { kind: 'process', fn: new Sums(), keyOf1: keyOf, keyOf2: keyOf }
  const sums = add('sums', 'keyed-co-process', co, left, byKey, false, { from: right, partitioner: byKey })
  add('collect sums', 'collect', { collectId: 'sums' }, sums, { kind: 'global' }, true)
  const broadcast = { fn: new Counted(), keyOf, descriptors: [rules] }
  const all = { from: control, partitioner: { kind: 'broadcast' } } as const
  const counted = add('counted', 'keyed-broadcast-process', broadcast, left, byKey, false, all)
  add('collect counted', 'collect', { collectId: 'counted' }, counted, { kind: 'global' }, true)
}

function allow(part: number): void {
  for (const name of ['left', 'right', 'rules'] as const)
    meters[name].allowed = part === 1 ? Infinity : Math.floor(COUNTS[name] * part)
}

async function exhausted(): Promise<void> {
  while (Object.values(meters).some(({ allowed }) => allowed > 0)) await new Promise((resolve) => setImmediate(resolve))
}

function sumOf(count: number, key: number): { n: number; sum: number } {
  let n = 0
  let sum = 0
  for (let i = 1; i <= count; i++) {
    if (keyOf(i) !== key) continue
    n++
    sum += i
  }
  return { n, sum }
}

function check(values: any[]): void {
  const sums = values.filter((v) => 'left' in v).sort((a, b) => a.key - b.key)
  expect(sums).toEqual(
    Array.from({ length: KEYS }, (_, key) => ({
      key,
      left: sumOf(COUNTS.left, key).sum,
      right: sumOf(COUNTS.right, key).sum,
    })),
  )
  const counted = values.filter((v) => 'counted' in v).sort((a, b) => a.counted - b.counted)
  expect(counted.map(({ counted, n }) => [counted, n])).toEqual(
    Array.from({ length: KEYS }, (_, key) => [key, sumOf(COUNTS.left, key).n]),
  )
  for (const { times, visits } of counted) {
    expect(times.toSorted((a: number[], b: number[]) => a[0]! - b[0]!)).toEqual(
      Array.from({ length: COUNTS.rules }, (_, i) => [i + 1, 1]),
    )
    expect(visits).toBeLessThanOrEqual(COUNTS.rules)
  }
}

const job = (options: Partial<TestJobOptions> = {}) =>
  new TestJob({ parallelism: 2, build, checkpointing: { exactlyOnce: true }, ...options })

async function toItsEnd(running: TestJob): Promise<void> {
  await running.dataEnded
  await running.checkpoint(9, { then: 'end' })
  await running.ended
  expect(running.error).toBeUndefined()
}

describe('a job with two inputs', () => {
  it('gives the oracle’s results when nothing happens', async () => {
    allow(1)
    const one = job()
    await toItsEnd(one)
    check(one.values)
  })

  it.each([1, 2, 3])(
    'goes on from a checkpoint that was taken in the middle, with parallelism %i, as if it had never stopped',
    async (parallelism) => {
      allow(0.5)
      const first = job()
      await exhausted()
      const metadata = await first.checkpoint(1)
      first.cancel()
      await first.ended
      expect(first.values).toEqual([])
      const of = (uid: string) => metadata.operators.find((o) => o.uid === uid)!
      const copies = of('counted').subtasks.map((s) => s!.lists.find(({ name }) => name === 'rules')!)
      expect(copies.map(({ mode, offsets }) => [mode, offsets.length])).toEqual([
        ['broadcast', COUNTS.rules / 2],
        ['broadcast', COUNTS.rules / 2],
      ])
      allow(1)
      const next = job({ parallelism, restore: { metadata, files: first.files } })
      await toItsEnd(next)
      check(next.values)
    },
  )

  it('takes many checkpoints in a row while both inputs go on, and any of them will do', async () => {
    allow(0.2)
    const first = job({ options: { 'tailrace.exchange.records-per-batch': '16' } })
    await exhausted()
    const taken = []
    for (let id = 1; id <= 5; id++) {
      meters.left.allowed = 2000
      meters.rules.allowed = 3
      meters.right.allowed = id % 2 === 0 ? 0 : 1000
      taken.push(await first.checkpoint(id))
    }
    first.cancel()
    await first.ended
    allow(1)
    for (const metadata of [taken[1]!, taken[4]!]) {
      const next = job({ parallelism: 3, restore: { metadata, files: first.files } })
      await toItsEnd(next)
      check(next.values)
    }
  })
})
