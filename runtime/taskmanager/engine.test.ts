/**
 * The whole engine against a naive oracle: whatever the parallelism, the size of batches and buffers and the chaining, a job gives the
 * same multiset of results.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dataGenSource } from '../connectors/datagen/index.ts'
import { ManualClock } from '../core/clock.ts'
import {
  type KeyedProcessContext,
  KeyedProcessFunction,
  OutputTag,
  StreamExecutionEnvironment,
  TumblingEventTimeWindows,
  WatermarkStrategy,
} from '../index.ts'
import { MiniCluster } from '../testing/index.ts'

interface Click {
  user: string
  at: number
  n: number
}

interface Shape {
  parallelism: number
  batch: number
  buffers: number
  chaining: boolean
}

const shape: fc.Arbitrary<Shape> = fc.record({
  parallelism: fc.integer({ min: 1, max: 4 }),
  batch: fc.constantFrom(1, 2, 7, 256),
  buffers: fc.constantFrom(1, 3, 128),
  chaining: fc.boolean(),
})

const clicks: fc.Arbitrary<Click[]> = fc.array(
  fc.record({
    user: fc.constantFrom('ann', 'bob', 'cy', 'dee', 'ève'),
    at: fc.integer({ min: -500, max: 2000 }),
    n: fc.integer({ min: 0, max: 9 }),
  }),
  { minLength: 1, maxLength: 300 },
)

function environment({ parallelism, batch, buffers, chaining }: Shape): StreamExecutionEnvironment {
  const env = StreamExecutionEnvironment.getExecutionEnvironment()
  env.setParallelism(parallelism)
  env.configure('tailrace.exchange.records-per-batch', batch)
  env.configure('tailrace.exchange.buffers-per-slot', buffers)
  if (!chaining) env.disableOperatorChaining()
  return env
}

const sorted = (values: unknown[]) => values.map((v) => JSON.stringify(v)).sort()

/** A watermark after every record: lateness depends on the order of the input alone. */
const punctuated = (boundMs: number) =>
  WatermarkStrategy.forGenerator<Click>(() => {
    let max = -Infinity
    return {
      onEvent(_, timestampMs, output) {
        max = Math.max(max, timestampMs)
        output.emitWatermark(max - boundMs - 1)
      },
      onPeriodicEmit() {},
    }
  }).withTimestampAssigner((click) => click.at)

describe('a job', () => {
  it('of windows over out-of-order and late clicks gives what the oracle gives (property)', async () => {
    const sizeMs = 100
    await fc.assert(
      fc.asyncProperty(clicks, shape, fc.constantFrom(0, 50, 300), async (input, how, boundMs) => {
        const sums = new Map<string, number>()
        const tooLate: Click[] = []
        let watermark = -Infinity
        for (const click of input) {
          const start = Math.floor(click.at / sizeMs) * sizeMs
          if (start + sizeMs - 1 <= watermark) tooLate.push(click)
          else sums.set(`${click.user} ${start}`, (sums.get(`${click.user} ${start}`) ?? 0) + click.n)
          watermark = Math.max(watermark, click.at - boundMs - 1)
        }
        const wanted = [...sums].map(([key, sum]) => ({
          user: key.split(' ')[0],
          start: Number(key.split(' ')[1]),
          sum,
        }))

        const late = new OutputTag<Click>('late')
        const windows = environment(how)
          .fromCollection(input)
          .setParallelism(1)
          .assignTimestampsAndWatermarks(punctuated(boundMs))
          .setParallelism(1)
          .keyBy((click) => click.user)
          .window(TumblingEventTimeWindows.of(sizeMs))
          .sideOutputLateData(late)
          .aggregate(
            {
              createAccumulator: () => ({ sum: 0 }),
              add: (click, a) => ({ sum: a.sum + click.n }),
              getResult: (a) => a.sum,
            },
            (user, window, [sum]) => [{ kind: 'window', user, start: window.start, sum: sum! }],
          )
        const lateOnes = windows
          .getSideOutput(late)
          .map((click) => ({ kind: 'late', user: click.user, start: click.at, sum: click.n }))
        const results = await windows.union(lateOnes).executeAndCollect()

        expect(
          sorted(results.filter((r) => r.kind === 'window').map(({ user, start, sum }) => ({ user, start, sum }))),
        ).toEqual(sorted(wanted))
        expect(
          sorted(results.filter((r) => r.kind === 'late').map((r) => ({ user: r.user, at: r.start, n: r.sum }))),
        ).toEqual(sorted(tooLate))
      }),
      { numRuns: 60 },
    )
  })

  it('of rolling sums over shuffles ends at the sums of the oracle (property)', async () => {
    await fc.assert(
      fc.asyncProperty(
        clicks,
        shape,
        fc.constantFrom('rebalance', 'shuffle', 'rescale' as const),
        async (input, how, partition) => {
          const env = environment(how)
          const source = env.fromCollection(input)
          const spread =
            partition === 'rebalance'
              ? source.rebalance()
              : partition === 'shuffle'
                ? source.shuffle()
                : source.rescale()
          const results = await spread
            .map((click) => ({ ...click, n: click.n + 1 }))
            .flatMap((click) => [click, { ...click, n: 0 }])
            .filter((click) => click.user !== 'cy')
            .keyBy((click) => click.user)
            .reduce((a, b) => ({ user: a.user, at: 0, n: a.n + b.n }))
            .executeAndCollect()
          const last = new Map<string, number>()
          for (const { user, n } of results) last.set(user, Math.max(last.get(user) ?? 0, n))
          const wanted = new Map<string, number>()
          for (const { user, n } of input) if (user !== 'cy') wanted.set(user, (wanted.get(user) ?? 0) + n + 1)
          expect(sorted([...last])).toEqual(sorted([...wanted]))
          expect(results.length).toBe(2 * input.filter((c) => c.user !== 'cy').length)
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('processing time', () => {
  it('is the clock that a test moves, and moving it wakes a sleeping slot', async () => {
    const clock = new ManualClock(1000)
    const cluster = await MiniCluster.start({ slots: 1, clock })
    const fired: number[] = []
    let registered: () => void = () => {}
    const waiting = new Promise<void>((resolve) => {
      registered = resolve
    })
    class Alarm extends KeyedProcessFunction<string, string, number> {
      override processElement(_: string, context: KeyedProcessContext<string>): void {
        context.timerService.registerProcessingTimeTimer(context.timerService.currentProcessingTime() + 60_000)
        registered()
      }
      override onTimer(timestampMs: number): void {
        fired.push(timestampMs)
      }
    }
    const abort = new AbortController()
    const running = cluster.runProgram(
      async (env) => {
        const source = dataGenSource({ generate: () => 'key', recordsPerSecond: 1 })
        env
          .fromSource(source, WatermarkStrategy.noWatermarks(), 'ticks')
          .keyBy((key) => key)
          .process(new Alarm())
        await env.execute()
      },
      { signal: abort.signal },
    )
    const until = async (reached: () => boolean) => {
      while (!reached()) {
        clock.advance(10)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    let isRegistered = false
    void waiting.then(() => {
      isRegistered = true
    })
    await until(() => isRegistered)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(fired).toEqual([])
    clock.advance(60_001)
    await until(() => fired.length > 0)
    abort.abort()
    await running.catch(() => {})
    await cluster.stop()
    expect(fired[0]).toBeGreaterThanOrEqual(61_000)
  })
})
