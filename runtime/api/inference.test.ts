/**
 * Types infer from end to end: no lambda in here has an annotation. The checks are made by `tsc --noEmit`; running the file shows
 * only that the graph can be built.
 */
import { expect, expectTypeOf, test } from 'vitest'
import { collectionSource } from '../connectors/collection/index.ts'
import {
  type Collector,
  type DataStream,
  type KeyedProcessContext,
  KeyedProcessFunction,
  OutputTag,
  type ProcessContext,
  ProcessFunction,
  type ProcessWindowContext,
  ProcessWindowFunction,
  StreamExecutionEnvironment,
  TumblingEventTimeWindows,
  types,
  WatermarkStrategy,
} from '../index.ts'

interface Click {
  user: string
  page: string
  at: number
  cost?: bigint
}

type Of<S> = S extends DataStream<infer T> ? T : never

function build() {
  const env = new StreamExecutionEnvironment(undefined)
  const clicks = env.fromData<Click>({ user: 'u', page: 'p', at: 1 })
  return { env, clicks }
}

test('sources give their record type', () => {
  const { env } = build()
  const words = env.fromData('a', 'b')
  expectTypeOf<Of<typeof words>>().toEqualTypeOf<string>()
  const rows = env.fromData([{ n: 1 }, { n: 2 }])
  expectTypeOf<Of<typeof rows>>().toEqualTypeOf<{ n: number }>()
  const fromSource = env.fromSource(collectionSource([{ n: 1 }]), WatermarkStrategy.noWatermarks(), 'rows')
  expectTypeOf<Of<typeof fromSource>>().toEqualTypeOf<{ n: number }>()
  const timed = env.fromSource(
    collectionSource<Click>([]),
    WatermarkStrategy.forBoundedOutOfOrderness<Click>('5s').withTimestampAssigner((click) => click.at),
    'clicks',
  )
  expectTypeOf<Of<typeof timed>>().toEqualTypeOf<Click>()
  const numbers = env.fromSequence(1, 3)
  expectTypeOf<Of<typeof numbers>>().toEqualTypeOf<number>()
})

test('map, filter, flatMap and union carry types on', () => {
  const { clicks } = build()
  const pairs = clicks
    .filter((click) => click.page !== '')
    .map((click) => ({ page: click.page, n: 1 }))
    .flatMap((pair) => [pair.page, pair.n])
  expectTypeOf<Of<typeof pairs>>().toEqualTypeOf<string | number>()
  const numbers = pairs.filter((value) => typeof value === 'number')
  expectTypeOf<Of<typeof numbers>>().toEqualTypeOf<number>()
  const rich = clicks.map({ open() {}, map: (click) => click.at })
  expectTypeOf<Of<typeof rich>>().toEqualTypeOf<number>()
  const richFlat = clicks.flatMap({ flatMap: (click) => [click.at] })
  expectTypeOf<Of<typeof richFlat>>().toEqualTypeOf<number>()
  const collected = clicks.flatMap<string>((click, out) => {
    out.collect(click.page)
  })
  expectTypeOf<Of<typeof collected>>().toEqualTypeOf<string>()
  const both = numbers.union(rich)
  expectTypeOf<Of<typeof both>>().toEqualTypeOf<number>()
  // @ts-expect-error a stream of numbers is not one of clicks
  clicks.union(numbers)
})

class CountPerUser extends KeyedProcessFunction<string, Click, { user: string; n: number }> {
  processElement(_: Click, context: KeyedProcessContext<string>, out: Collector<{ user: string; n: number }>): void {
    out.collect({ user: context.getCurrentKey(), n: 1 })
  }
}
class Ages extends ProcessFunction<Click, number> {
  processElement(click: Click, context: ProcessContext, out: Collector<number>): void {
    out.collect(context.timerService.currentWatermark() - click.at)
  }
}

test('keyBy keeps the key type, process takes that of its function', () => {
  const { clicks } = build()
  const keyed = clicks.keyBy((click) => click.user)
  expectTypeOf(keyed.keyOf).returns.toEqualTypeOf<string>()
  const tupled = clicks.keyBy((click) => [click.user, click.at])
  expectTypeOf(tupled.keyOf).returns.toEqualTypeOf<readonly [string, number]>()
  const counts = keyed.process(new CountPerUser())
  expectTypeOf<Of<typeof counts>>().toEqualTypeOf<{ user: string; n: number }>()
  const ages = clicks.process(new Ages())
  expectTypeOf<Of<typeof ages>>().toEqualTypeOf<number>()
  const reduced = keyed.reduce((a, b) => ({ ...a, at: a.at + b.at }))
  expectTypeOf<Of<typeof reduced>>().toEqualTypeOf<Click>()
  // @ts-expect-error the function wants keys that are texts
  clicks.keyBy((click) => click.at).process(new CountPerUser())
  // @ts-expect-error a key is a value, not an object
  clicks.keyBy((click) => ({ user: click.user }))
})

test('rolling aggregates take fields that hold what they need', () => {
  const { env, clicks } = build()
  const keyed = clicks.keyBy((click) => click.user)
  for (const summed of [keyed.sum('at'), keyed.sum((click) => click.at), keyed.minBy('page'), keyed.max('user')])
    expectTypeOf<Of<typeof summed>>().toEqualTypeOf<Click>()
  // @ts-expect-error a text cannot be summed
  keyed.sum('user')
  // @ts-expect-error there is no such field
  keyed.min('missing')
  const pairs = env.fromData<[string, number]>(['a', 1]).keyBy((pair) => pair[0])
  const summedPairs = pairs.sum(1)
  expectTypeOf<Of<typeof summedPairs>>().toEqualTypeOf<[string, number]>()
  // @ts-expect-error the first position is a text
  pairs.sum(0)
  const numbers = env
    .fromSequence(1, 9)
    .keyBy((n) => n % 2)
    .sum()
  expectTypeOf<Of<typeof numbers>>().toEqualTypeOf<number>()
  // @ts-expect-error records that are no numbers have no sum without a field
  keyed.sum()
})

class Longest extends ProcessWindowFunction<Click, number, string> {
  process(key: string, context: ProcessWindowContext, clicks: Iterable<Click>, out: Collector<number>): void {
    out.collect(key.length + context.window().end + [...clicks].length)
  }
}

test('windows infer accumulators, results and keys', () => {
  const { clicks } = build()
  const windowed = clicks.keyBy((click) => click.user).window(TumblingEventTimeWindows.of('1 min'))
  const plain = windowed.aggregate({
    createAccumulator: () => ({ n: 0 }),
    add: (click, acc) => ({ n: acc.n + click.at }),
    getResult: (acc) => acc.n,
  })
  expectTypeOf<Of<typeof plain>>().toEqualTypeOf<number>()
  const named = windowed.aggregate(
    {
      createAccumulator: () => ({ n: 0 }),
      add(click, acc) {
        acc.n += click.at
        return acc
      },
      getResult: (acc) => acc.n,
    },
    (user, window, [n]) => [{ user, from: window.start, n }],
  )
  expectTypeOf<Of<typeof named>>().toEqualTypeOf<{ user: string; from: number; n: number }>()
  const later = named.map((row) => row.user.length + row.n)
  expectTypeOf<Of<typeof later>>().toEqualTypeOf<number>()
  const all = windowed.process((user, _window, records) => [...records].map((click) => [user, click.page] as const))
  expectTypeOf<Of<typeof all>>().toEqualTypeOf<readonly [string, string]>()
  const longest = windowed.process(new Longest())
  expectTypeOf<Of<typeof longest>>().toEqualTypeOf<number>()
  const last = windowed.reduce(
    (a, b) => (a.at > b.at ? a : b),
    (_user, window, [click]) => [window.end - click!.at],
  )
  expectTypeOf<Of<typeof last>>().toEqualTypeOf<number>()
  const summed = windowed.sum('at')
  expectTypeOf<Of<typeof summed>>().toEqualTypeOf<Click>()
  // @ts-expect-error the late output holds clicks
  windowed.sideOutputLateData(new OutputTag<string>('late'))
})

test('side outputs, declared types and collected results', () => {
  const { clicks } = build()
  const late = new OutputTag<Click>('late')
  const side = clicks.process(new Ages()).getSideOutput(late)
  expectTypeOf<Of<typeof side>>().toEqualTypeOf<Click>()
  const typed = clicks.map((click) => ({ user: click.user })).returns(types.row({ user: types.string }))
  expectTypeOf<Of<typeof typed>>().toEqualTypeOf<{ user: string }>()
  expectTypeOf(typed.executeAndCollect).returns.resolves.toEqualTypeOf<{ user: string }[]>()
  expectTypeOf(typed.collectAsync).returns.toEqualTypeOf<AsyncIterable<{ user: string }>>()
  expect(typed).toBeDefined()
})
