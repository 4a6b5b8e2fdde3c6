/**
 * Runs the cases of windows.json that are about windows and timers, through operators driven by hand. Cases about watermarks and
 * idleness are run by event-time.test.ts; operators that Tailrace does not have yet are skipped by name.
 *
 * The data counts a processing timer as due when the clock reaches its time. Ours fires 1 ms later [PF-05], so a step
 * `processingTime t` runs the timers of the clock up to t + 1 and then sets the clock to t.
 */
import { deepStrictEqual } from 'node:assert'
import { describe, expect, it } from 'vitest'
import { hashKey } from '../../core/hash.ts'
import { TimeWindow, TumblingEventTimeWindows, TumblingProcessingTimeWindows } from '../../core/windows.ts'
import { type TimeDomain, type Timer, Timers } from '../../operators/timers.ts'
import { Operator, type WindowOptions } from '../../operators/window.ts'
import { FakeContext, openOperator } from '../operator-context.ts'
import { type ConformanceCase, caseTime, loadCases, runCases, Skip } from './load.ts'

const file = loadCases('windows.json')

/** Run by event-time.test.ts. */
const ELSEWHERE = new Set([
  'watermarkValve',
  'watermarkMultiplexer',
  'idlenessTimer',
  'boundedOutOfOrderness',
  'ascendingTimestamps',
])

const drivers: Record<string, (one: ConformanceCase) => void | Promise<void>> = {
  window: windowCase,
  assigner: assignerCase,
  trigger: triggerCase,
  timeWindow: timeWindowCase,
  timers: timersCase,
}

describe.skipIf(file === undefined)('conformance: windows and timers', () => {
  it('passes every case that applies', async () => {
    const cases = file!.cases.filter((one) => !ELSEWHERE.has(one.operator))
    const outcomes = await runCases('windows.json, windows and timers', cases, (one) => {
      const driver = drivers[one.operator]
      if (driver === undefined) throw new Skip('operator-not-built')
      return driver(one)
    })
    expect([...outcomes].filter(([, outcome]) => outcome.status === 'fail')).toEqual([])
    expect([...outcomes.values()].filter((outcome) => outcome.status === 'pass').length).toBeGreaterThan(10)
  })
})

function unknownStep(step: { op: string }): never {
  throw new Error(`no driver for the step "${step.op}"`)
}

function assignerOf({ type, time, size, offset = 0, stagger = 'ALIGNED' }: any): WindowOptions['assigner'] {
  if (type !== 'tumbling') throw new Skip('operator-not-built')
  const { of } = time === 'event' ? TumblingEventTimeWindows : TumblingProcessingTimeWindows
  return of(Number(size), Number(offset), stagger)
}

/** Numbers of the data that JavaScript cannot tell apart make a case meaningless. */
function refuseBigTimes(value: unknown): void {
  if (typeof value === 'string' && /^-?\d+$/.test(value) && Number.isFinite(caseTime(value))) {
    if (!Number.isSafeInteger(Number(value))) throw new Skip('beyond-2^53')
  } else if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) refuseBigTimes(part)
  }
}

/** Moves the clock as the data means it. */
function setClock(context: FakeContext, timeMs: number): void {
  context.advanceTo(timeMs + 1)
  context.clock.set(timeMs)
}

type Pair = [key: string, n: number]

function functionOf(name: string): WindowOptions['windowFn'] {
  const total = (pairs: Iterable<Pair>) => [...pairs].reduce((sum, [, n]) => sum + n, 0)
  switch (name) {
    case 'sum':
      return (key: string, _window: TimeWindow, pairs: Iterable<Pair>) => [[key, total(pairs)]]
    case 'passThrough':
      return (_key: string, _window: TimeWindow, pairs: Iterable<Pair>) => pairs
    case 'sumWithWindow':
      return (key: string, { start, end }: TimeWindow, pairs: Iterable<Pair>) => [
        [`${key}-${total(pairs)}`, start, end],
      ]
    case 'withWindow':
      return (_key: string, { start, end }: TimeWindow, pairs: Iterable<Pair>) =>
        [...pairs].map(([key, n]) => [`${key}-${n}`, start, end])
    case 'none':
      return () => {}
    default:
      throw new Error(`no driver for the function "${name}"`)
  }
}

async function windowCase(one: ConformanceCase): Promise<void> {
  const assigner = assignerOf(one.assigner)
  const trigger = one.trigger?.type ?? `${assigner.time}Time`
  if (trigger !== `${assigner.time}Time` || one.evictor !== undefined) throw new Skip('operator-not-built')
  if (one.steps.some((step: any) => step.op === 'snapshot' || step.op === 'restart')) throw new Skip('needs-snapshot')
  refuseBigTimes(one)
  const { operator, context, out } = await openOperator(
    new Operator({
      assigner,
      keyOf: ([key]: Pair) => key,
      allowedLatenessMs: caseTime(one.allowedLateness ?? 0),
      lateTag: one.sideOutputLate ? 'late' : undefined,
      windowFn: functionOf(one.function),
      ...(one.reduce === undefined
        ? { kind: 'process' as const }
        : { kind: 'reduce' as const, reduce: (a: Pair, b: Pair): Pair => [a[0], a[1] + b[1]] }),
    }),
  )
  const finishWork = () => {
    while (operator.busy) operator.resume()
  }
  for (const step of one.steps) {
    switch (step.op) {
      case 'element':
        operator.process(step.value, caseTime(step.ts), hashKey(step.value[0]))
        break
      case 'watermark':
        operator.watermark(caseTime(step.ts))
        finishWork()
        break
      case 'processingTime':
        setClock(context, caseTime(step.t))
        finishWork()
        break
      case 'endInput':
        operator.watermark(Infinity)
        finishWork()
        operator.finish()
        break
      case 'expect':
        deepStrictEqual(runs(out.take(), step.exactOrder), runs(step.output, step.exactOrder))
        break
      case 'expectSide':
        deepStrictEqual(runs(context.sideOutput('late')!.take(), step.exactOrder), runs(step.output, step.exactOrder))
        break
      case 'note':
        break
      default:
        unknownStep(step)
    }
  }
}

/** Output as texts; records between two watermarks in any order. */
function runs(events: any[], exactOrder = false): string[] {
  const all: string[] = []
  let records: string[] = []
  const flush = () => {
    all.push(...(exactOrder ? records : records.sort()))
    records = []
  }
  for (const event of events) {
    const isWatermark = event.type === 'watermark' || 'watermark' in event
    if (!isWatermark) {
      records.push(JSON.stringify([event.value, String(event.timestamp ?? caseTime(event.ts))]))
      continue
    }
    flush()
    all.push(`watermark ${event.timestamp ?? caseTime(event.watermark)}`)
  }
  flush()
  return all
}

/** Windows are seen through the operator: each record is put into a window that fires. */
async function assignerCase(one: ConformanceCase): Promise<void> {
  const opened = new Map<string, Awaited<ReturnType<typeof openSingle>>>()
  const openSingle = (assigner: WindowOptions['assigner']) =>
    openOperator(
      new Operator({
        assigner,
        keyOf: () => 'k',
        allowedLatenessMs: Infinity,
        kind: 'process',
        windowFn: (_key, { start, end }) => [[start, end]],
      }),
    )
  for (const step of one.steps) {
    if (step.op === 'construct') {
      let refused = false
      try {
        assignerOf(step.assigner)
      } catch (error) {
        if (error instanceof Skip) throw error
        refused = true
      }
      deepStrictEqual(refused, step.error !== undefined)
    } else if (step.op === 'isEventTime') {
      deepStrictEqual(assignerOf(step.assigner).time === 'event', step.expect)
    } else if (step.op === 'assign') {
      const assigner = assignerOf(step.assigner)
      const id = JSON.stringify(step.assigner)
      // One instance for all steps of an assigner: NATURAL windows depend on its first record.
      const single = opened.get(id) ?? (await openSingle(assigner))
      opened.set(id, single)
      const { operator, context, out } = single
      if (step.processingTime !== undefined) context.clock.set(caseTime(step.processingTime))
      operator.process(step.element, caseTime(step.ts), hashKey('k'))
      // Past the end of its window; a record of a window that has fired fires at once.
      if (assigner.time === 'event') operator.watermark(caseTime(step.ts) + assigner.sizeMs)
      else context.advanceTo(context.clock.now() + assigner.sizeMs + 1)
      deepStrictEqual(out.values, step.expect)
      out.take()
    } else {
      // merge, and defaults of triggers that are no objects here.
      assignerOf(step.assigner)
      throw new Skip('operator-not-built')
    }
  }
}

/** Triggers are not objects of their own yet: the default of event time is seen through the operator. */
async function triggerCase(one: ConformanceCase): Promise<void> {
  const steps: any[] = one.steps
  if (one.trigger.type !== 'eventTime') throw new Skip('operator-not-built')
  if (steps.some(({ op }) => op === 'clear' || op === 'mergeWindows')) throw new Skip('operator-not-built')
  const [start, end] = steps.find((step) => step.window !== undefined).window
  const size = end - start
  const { operator, out } = await openOperator(
    new Operator({
      assigner: TumblingEventTimeWindows.of(size, start % size),
      keyOf: () => 'k',
      allowedLatenessMs: Infinity,
      kind: 'process',
      windowFn: (_key, window) => [window.start],
    }),
  )
  const fired = new Set<number>()
  let looked = 0
  for (const step of steps) {
    if (step.op.startsWith('num')) continue
    fired.clear()
    if (step.op === 'element') {
      if (step.window[1] - step.window[0] !== size) throw new Skip('operator-not-built')
      operator.process(step.value, step.window[0], hashKey('k'))
    } else if (step.op === 'watermark') operator.watermark(caseTime(step.ts))
    else unknownStep(step)
    for (const window of out.values) fired.add(window)
    out.take()
    if (step.expect === undefined) continue
    looked++
    deepStrictEqual(fired.has(step.window[0]) ? 'FIRE' : 'CONTINUE', step.expect)
  }
  if (looked === 0) throw new Skip('inner-value')
}

function timeWindowCase(one: ConformanceCase): void {
  const windowOf = ([start, end]: [number, number]) => new TimeWindow(start, end)
  const results = one.steps.map((step: any) =>
    step.op === 'intersects' ? windowOf(step.a).intersects(windowOf(step.b)) : unknownStep(step),
  )
  one.steps.forEach((step: any, i: number) => {
    if (step.expect === undefined) return
    deepStrictEqual(results[i], typeof step.expect === 'object' ? results[step.expect.ref] : step.expect)
  })
}

/** The service has keys only; a namespace is a part of the key here. */
function timersCase(one: ConformanceCase): void {
  if (one.steps.some((step: any) => step.op === 'snapshot' || step.op === 'restart')) throw new Skip('needs-snapshot')
  const context = new FakeContext()
  const fired: string[] = []
  let onNextFire: any
  const timers: Timers = new Timers(
    context,
    (timer, domain) => {
      const [key, namespace] = timer.key as string[]
      fired.push(JSON.stringify({ timer: domain, key, namespace, ts: timer.timestamp }))
      const next = onNextFire
      onNextFire = undefined
      if (next !== undefined) change('register', next.timer, key!, next.namespace, next.ts)
    },
    () => {
      while (!timers.fire());
    },
  )
  const change = (op: 'register' | 'delete', domain: TimeDomain, key: string, namespace: string, ts: any) => {
    const id = [key, namespace]
    const hash = hashKey(id)
    if (domain === 'event') timers.event[op](id, hash, caseTime(ts))
    else if (op === 'register') timers.registerProcessing(id, hash, caseTime(ts))
    else timers.deleteProcessing(id, hash, caseTime(ts))
  }
  let key = ''
  for (const step of one.steps) {
    const queue = step.timer === 'processing' ? timers.processing : timers.event
    const listed: Timer[] = queue.all()
    switch (step.op) {
      case 'key':
        key = step.key
        break
      case 'register':
      case 'delete':
        change(step.op, step.timer, key, step.namespace, step.ts)
        break
      case 'watermark':
        timers.watermark = caseTime(step.ts)
        while (!timers.fire());
        break
      case 'processingTime':
        setClock(context, caseTime(step.t))
        break
      case 'currentProcessingTime':
        deepStrictEqual(context.clock.now(), caseTime(step.expect))
        break
      case 'currentWatermark':
        deepStrictEqual(timers.watermark, caseTime(step.expect))
        break
      case 'count': {
        const counted = listed.filter(
          (timer) => step.namespace === undefined || (timer.key as string[])[1] === step.namespace,
        )
        deepStrictEqual(counted.length, step.expect)
        break
      }
      case 'nextPhysicalTimer':
        deepStrictEqual(context.timers.length === 0 ? null : context.timers[0]! - 1, step.expect)
        break
      case 'onNextFireRegister':
        onNextFire = step
        break
      case 'fired':
        deepStrictEqual(
          fired.toSorted(),
          step.expect
            .map((f: any) => JSON.stringify({ timer: f.timer, key: f.key, namespace: f.namespace, ts: caseTime(f.ts) }))
            .sort(),
        )
        break
      case 'listTimers':
        deepStrictEqual(
          listed.map((timer) => JSON.stringify([...(timer.key as string[]), timer.timestamp])).sort(),
          step.expect.map((t: any) => JSON.stringify([t[0], t[1], caseTime(t[2])])).sort(),
        )
        break
      case 'note':
        break
      default:
        unknownStep(step)
    }
  }
}
