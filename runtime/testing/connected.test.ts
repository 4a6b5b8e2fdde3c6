/** Jobs with connected streams, end to end: inline, where a test can hold the sources, and in slot threads. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { metered } from '../connectors/metered.suite.ts'
import { sequenceSource } from '../connectors/sequence/index.ts'
import {
  BroadcastProcessFunction,
  type BroadcastReadContext,
  type BroadcastWriteContext,
  type Collector,
  KeyedBroadcastProcessFunction,
  type KeyedBroadcastReadContext,
  type KeyedBroadcastWriteContext,
  KeyedCoProcessFunction,
  type KeyedProcessContext,
  MapStateDescriptor,
  type OnTimerContext,
  type RuntimeContext,
  StreamExecutionEnvironment,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from '../index.ts'
import { MiniCluster } from './mini-cluster.ts'

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

const factors = new MapStateDescriptor<string, number>('factors')

describe('a control stream that changes rules while the job runs', () => {
  const PAYMENTS = 4000
  const KEYS = 7

  type Seen =
    | { payment: number; factor: number | undefined }
    | { rule: number; subtask: number }
    | { key: number; total: number; factor: number | undefined }

  /** Says with which factor each payment met, and at the end what each key and copy of the rules have come to. */
  class Factored extends KeyedBroadcastProcessFunction<number, number, number, Seen> {
    #total!: ValueState<number>
    #subtask = 0
    override open(context: RuntimeContext) {
      this.#total = context.getState(new ValueStateDescriptor<number>('total'))
      this.#subtask = context.task.subtaskIndex
    }
    processElement(payment: number, context: KeyedBroadcastReadContext<number>, out: Collector<Seen>) {
      this.#total.update((this.#total.value() ?? 0) + payment)
      context.timerService.registerEventTimeTimer(Number.MAX_SAFE_INTEGER)
      out.collect({ payment, factor: context.getBroadcastState(factors).get('now') })
    }
    /** Every third rule takes the factor away. */
    processBroadcastElement(rule: number, context: KeyedBroadcastWriteContext<number>, out: Collector<Seen>) {
      const state = context.getBroadcastState(factors)
      if (rule % 3 === 0) state.remove('now')
      else state.put('now', rule)
      out.collect({ rule, subtask: this.#subtask })
    }
    override onTimer(_: number, context: any, out: Collector<Seen>) {
      const factor = context.getBroadcastState(factors).get('now')
      out.collect({ key: context.getCurrentKey(), total: this.#total.value()!, factor })
    }
  }

  it.each([1, 2, 3])('every payment after a rule meets it, with parallelism %i', async (parallelism) => {
    const payments = { allowed: 0 }
    const rules = { allowed: 0 }
    const seen: Seen[] = []
    const cluster = await MiniCluster.start({ slots: parallelism })
    const job = cluster.runProgram(async (env) => {
      env.setParallelism(parallelism)
      const none = WatermarkStrategy.noWatermarks<number>()
      const control = env.fromSource(metered(sequenceSource(1, 4), rules), none, 'rules').setParallelism(1)
      env
        .fromSource(metered(sequenceSource(1, PAYMENTS), payments), none, 'payments')
        .setParallelism(1)
        .keyBy((n) => n % KEYS)
        .connect(control.broadcast(factors))
        .process(new Factored())
        .map((value) => seen.push(value))
        .filter(() => false)
        .print()
      await env.execute()
    })
    const paid = () => seen.flatMap((one) => ('payment' in one ? [one] : []))
    const heard = () => seen.filter((one) => 'rule' in one).length
    let expected = 0
    for (const [step, factor] of [undefined, 1, 2, undefined, 4].entries()) {
      if (step > 0) {
        rules.allowed = 1
        await until(() => heard() === step * parallelism)
      }
      const before = paid().length
      payments.allowed = step === 4 ? PAYMENTS - expected : 700
      expected += payments.allowed
      await until(() => paid().length === expected)
      expect(
        new Set(
          paid()
            .slice(before)
            .map((one) => one.factor),
        ),
      ).toEqual(new Set([factor]))
    }
    payments.allowed = rules.allowed = Infinity
    await job
    await cluster.stop()
    const totals = Array.from({ length: KEYS }, (_, key) => {
      let total = 0
      for (let n = 1; n <= PAYMENTS; n++) if (n % KEYS === key) total += n
      return { key, total, factor: 4 }
    })
    const ended = seen.flatMap((one) => ('key' in one ? [one] : []))
    expect(ended.sort((a, b) => a.key - b.key)).toEqual(totals)
  })

  it('without keys, too', async () => {
    class Allowed extends BroadcastProcessFunction<number, number, string> {
      processElement(n: number, context: BroadcastReadContext, out: Collector<string>) {
        if (!context.getBroadcastState(factors).contains(`${n % 3}`)) out.collect(`passed ${n}`)
      }
      processBroadcastElement(rest: number, context: BroadcastWriteContext, out: Collector<string>) {
        context.getBroadcastState(factors).put(`${rest}`, rest)
        out.collect(`blocked ${rest}`)
      }
    }
    const numbers = { allowed: 0 }
    const seen: string[] = []
    const cluster = await MiniCluster.start({ slots: 2 })
    const job = cluster.runProgram(async (env) => {
      const none = WatermarkStrategy.noWatermarks<number>()
      env
        .setParallelism(2)
        .fromSource(metered(sequenceSource(1, 90), numbers), none, 'numbers')
        .setParallelism(1)
        .rebalance()
        .connect(env.fromData(1, 2).broadcast(factors))
        .process(new Allowed())
        .map((text) => seen.push(text))
        .filter(() => false)
        .print()
      await env.execute()
    })
    await until(() => seen.length === 4)
    numbers.allowed = Infinity
    await job
    await cluster.stop()
    expect(seen.slice(0, 4).sort()).toEqual(['blocked 1', 'blocked 1', 'blocked 2', 'blocked 2'])
    const passed = Array.from({ length: 30 }, (_, i) => `passed ${3 * (i + 1)}`)
    expect(seen.slice(4).sort()).toEqual(passed.sort())
  })
})

describe('connected streams', () => {
  interface Left {
    k: string
    n: number
  }
  interface Right {
    id: string
    m: number
  }
  /** A full join of sums: what each key has of both. */
  class Sums extends KeyedCoProcessFunction<string, Left, Right, [key: string, left: number, right: number]> {
    #left!: ValueState<number>
    #right!: ValueState<number>
    override open(context: RuntimeContext) {
      this.#left = context.getState(new ValueStateDescriptor<number>('left'))
      this.#right = context.getState(new ValueStateDescriptor<number>('right'))
    }
    processElement1({ n }: Left, context: KeyedProcessContext<string>) {
      this.#left.update((this.#left.value() ?? 0) + n)
      context.timerService.registerEventTimeTimer(Number.MAX_SAFE_INTEGER)
    }
    processElement2({ m }: Right, context: KeyedProcessContext<string>) {
      this.#right.update((this.#right.value() ?? 0) + m)
      context.timerService.registerEventTimeTimer(Number.MAX_SAFE_INTEGER)
    }
    override onTimer(_: number, context: OnTimerContext<string>, out: Collector<[string, number, number]>) {
      out.collect([context.getCurrentKey(), this.#left.value() ?? 0, this.#right.value() ?? 0])
    }
  }
  const key = fc.constantFrom('ann', 'bob', 'cy', 'dee', 'ève')
  const number = fc.integer({ min: 0, max: 9 })
  const lefts = fc.array(fc.record({ k: key, n: number }), { minLength: 1, maxLength: 200 })
  const rights = fc.array(fc.record({ id: key, m: number }), { minLength: 1, maxLength: 200 })
  const shape = fc.record({
    parallelism: fc.integer({ min: 1, max: 3 }),
    batch: fc.constantFrom(1, 7, 256),
    buffers: fc.constantFrom(1, 128),
  })

  it('with keys end at what the oracle says, whatever the parallelism and the batches (property)', async () => {
    await fc.assert(
      fc.asyncProperty(lefts, rights, shape, async (left, right, { parallelism, batch, buffers }) => {
        const cluster = await MiniCluster.start({ slots: parallelism })
        let found: [string, number, number][] = []
        await cluster.runProgram(async (env) => {
          env.setParallelism(parallelism)
          env.configure('tailrace.exchange.records-per-batch', batch)
          env.configure('tailrace.exchange.buffers-per-slot', buffers)
          // Several channels into each input.
          const half = left.length >> 1
          found = await env
            .fromCollection(left.slice(0, half))
            .union(env.fromCollection(left.slice(half)))
            .connect(
              env
                .fromCollection(right)
                .rebalance()
                .filter(() => true),
            )
            .keyBy(
              (l) => l.k,
              (r) => r.id,
            )
            .process(new Sums())
            .executeAndCollect()
        })
        await cluster.stop()
        const wanted = new Map<string, [string, number, number]>()
        const of = (k: string) => wanted.get(k) ?? wanted.set(k, [k, 0, 0]).get(k)!
        for (const { k, n } of left) of(k)[1] += n
        for (const { id, m } of right) of(id)[2] += m
        const inOrder = (all: Iterable<[string, number, number]>) => [...all].sort((a, b) => (a[0] < b[0] ? -1 : 1))
        expect(inOrder(found)).toEqual(inOrder(wanted.values()))
      }),
      { numRuns: 25 },
    )
  })

  it('without keys give all records of both, each by its own function', async () => {
    const env = StreamExecutionEnvironment.getExecutionEnvironment().setParallelism(2)
    const results = await env
      .fromSequence(1, 1000)
      .connect(env.fromSequence(1, 500))
      .flatMap(
        (n) => [n],
        (n, out) => out.collect(-n),
      )
      .executeAndCollect()
    const wanted = [
      ...Array.from({ length: 1000 }, (_, i) => i + 1),
      ...Array.from({ length: 500 }, (_, i) => -(i + 1)),
    ]
    expect(results.sort((a, b) => a - b)).toEqual(wanted.sort((a, b) => a - b))
  })

  it('show their time: the least of both inputs for the operator, and each input’s own', async () => {
    const held = { allowed: 0 }
    const cluster = await MiniCluster.start({ slots: 1 })
    const stop = new AbortController()
    let jobId = ''
    const job = cluster.runProgram(
      async (env) => {
        env.configure('pipeline.auto-watermark-interval', 5)
        const byValue = WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((n) => n)
        env
          .fromSource(metered(sequenceSource(1, 1000), { allowed: 40 }), byValue, 'fast')
          .connect(env.fromSource(metered(sequenceSource(1, 1000), held), byValue, 'slow'))
          .map(
            (n) => n,
            (n) => n,
          )
          .print()
        await env.execute()
      },
      { signal: stop.signal, onJob: (id) => (jobId = id) },
    )
    const vertexId = () => cluster.job(jobId)!.vertices.find(({ name }) => name.startsWith('Co-Map'))!.id
    const metric = (name: string): number | undefined => {
      for (const { page, names } of cluster.job(jobId)?.metrics ?? []) {
        const found = names.find((one) => one.name === name && one.scope === 'operator' && one.vertexId === vertexId())
        if (found !== undefined) return new Float64Array(page)[found.index]
      }
      return undefined
    }
    const times = () => ['currentInputWatermark', 'currentInput1Watermark', 'currentInput2Watermark'].map(metric)
    await until(() => metric('currentInput1Watermark') === 39)
    expect(times()).toEqual([-Infinity, 39, -Infinity])
    held.allowed = 10
    await until(() => metric('currentInput2Watermark') === 9)
    expect(times()).toEqual([9, 39, 9])
    stop.abort()
    await job.catch(() => {})
    await cluster.stop()
  })
})

describe('in slot threads', () => {
  let dir: string
  let cluster: MiniCluster
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'tailrace-connected-'))
    cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
  })
  afterAll(async () => {
    await cluster.stop()
    rmSync(dir, { recursive: true })
  })

  it('rules change in their order, are the same in every subtask, and meet every key', async () => {
    const file = join(dir, 'job.ts')
    writeFileSync(
      file,
      `import { KeyedBroadcastProcessFunction, MapStateDescriptor, ValueStateDescriptor, type StreamExecutionEnvironment } from 'tailrace'
const rules = new MapStateDescriptor<string, { version: number }>('rules')
const sum = new ValueStateDescriptor<{ n: number; version: number }>('sum')
class Checked extends KeyedBroadcastProcessFunction<number, number, { id: string; version: number }, string> {
  #sum!: any
  open(context: any) { this.#sum = context.getState(sum) }
  processElement(n: number, context: any) {
    const version = context.getBroadcastState(rules).get('a')?.version ?? 0
    const before = this.#sum.value() ?? { n: 0, version: 0 }
    if (version < before.version) throw new Error('rule ' + version + ' after rule ' + before.version)
    this.#sum.update({ n: before.n + n, version })
    context.timerService.registerEventTimeTimer(Number.MAX_SAFE_INTEGER)
  }
  processBroadcastElement({ id, version }: any, context: any) {
    const state = context.getBroadcastState(rules)
    if (version < 0) state.remove(id)
    else state.put(id, { version })
  }
  onTimer(_: number, context: any, out: any) {
    const all = [...context.getBroadcastState(rules).entries()].map(([id, { version }]: any) => id + version)
    out.collect([context.getCurrentKey(), this.#sum.value().n, all.join(' ')].join(','))
  }
}
export default async function main(env: StreamExecutionEnvironment) {
  env.setParallelism(2)
  const changes = Array.from({ length: 300 }, (_, i) => ({ id: i % 2 === 0 ? 'a' : 'b', version: i === 299 ? -1 : i + 1 }))
  env.fromSequence(1, 20000).keyBy((n) => n % 10).connect(env.fromData(changes).broadcast(rules)).process(new Checked()).print()
  await env.execute()
}
`,
    )
    const { printed } = await cluster.runProgram(file)
    const lines = printed.map((line) => line.replace(/^\d> /, '')).sort()
    const wanted = Array.from({ length: 10 }, (_, key) => {
      let sum = 0
      for (let n = 1; n <= 20000; n++) if (n % 10 === key) sum += n
      return `${key},${sum},a299`
    })
    expect(lines).toEqual(wanted.sort())
    expect(new Set(printed.map((line) => line.slice(0, 3)))).toEqual(new Set(['1> ', '2> ']))
  })

  it('a write from the side that reads fails the job, with the operator and the state', async () => {
    const file = join(dir, 'writes.ts')
    writeFileSync(
      file,
      `import { BroadcastProcessFunction, MapStateDescriptor, type StreamExecutionEnvironment } from 'tailrace'
const rules = new MapStateDescriptor<string, number>('rules')
class Writes extends BroadcastProcessFunction<number, number, number> {
  processElement(n: number, context: any) { context.getBroadcastState(rules).put('n', n) }
  processBroadcastElement() {}
}
export default async function main(env: StreamExecutionEnvironment) {
  env.fromData(1).connect(env.fromData(2).broadcast(rules)).process(new Writes()).name('writes').print()
  await env.execute()
}
`,
    )
    await expect(cluster.runProgram(file)).rejects.toMatchObject({
      code: 'TR-STATE-004',
      operator: 'writes',
      message: expect.stringContaining('Cannot put into broadcast state "rules" of operator "writes" here'),
    })
  })
})
