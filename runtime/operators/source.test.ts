import { describe, expect, it } from 'vitest'
import { NO_TIMESTAMP } from '../core/clock.ts'
import type { PollStatus, ReaderContext, ReaderOutput, Source, SourceReader, SourceSplit } from '../core/source.ts'
import { type WatermarkOutput, WatermarkStrategy } from '../core/watermarks.ts'
import { WatermarkValve } from '../network/valve.ts'
import { type FakeContextOptions, openOperator } from '../testing/operator-context.ts'
import { Operator } from './source.ts'

/** A reader that does what the test says at its next polls. */
class ScriptedReader implements SourceReader<number> {
  splits: string[] = []
  closed = 0
  events: unknown[] = []
  readonly script: ((output: ReaderOutput<number>) => PollStatus)[] = []
  readonly context: ReaderContext
  constructor(context: ReaderContext) {
    this.context = context
  }
  start(): void {
    this.context.requestSplit()
  }
  poll(output: ReaderOutput<number>): PollStatus {
    return this.script.shift()?.(output) ?? 'idle'
  }
  addSplits(splits: SourceSplit[]): void {
    this.splits.push(...splits.map((s) => s.id))
  }
  noMoreSplits(): void {}
  snapshot(): SourceSplit[] {
    return []
  }
  handleEvent(event: unknown): void {
    this.events.push(event)
  }
  close(): void {
    this.closed++
  }
}

async function open(strategy: WatermarkStrategy<number>, options: FakeContextOptions & { intervalMs?: number } = {}) {
  let reader!: ScriptedReader
  const source: Source<number> = {
    boundedness: 'unbounded',
    createEnumerator: () => {
      throw new Error('not on this side')
    },
    createReader: (context) => (reader = new ScriptedReader(context)),
  }
  const { operator, context, out } = await openOperator(
    new Operator<number>({ source, strategy, autoWatermarkIntervalMs: options.intervalMs ?? 200 }),
    options,
  )
  const run = (step: (output: ReaderOutput<number>) => PollStatus | undefined) => {
    reader.script.push((output) => step(output) ?? 'more')
    return operator.poll(100)
  }
  const emit = (split: string, ...timestamps: number[]) =>
    run((output) => {
      const to = output.split(split)
      for (const ts of timestamps) to.collect(ts, ts)
      return 'more'
    })
  return { operator, context, out, reader, run, emit }
}

const assign = (splits: string[]) => splits.map((id) => ({ id }))
const bounded = (ms: number) => WatermarkStrategy.forBoundedOutOfOrderness<number>(ms)

describe('source operator', () => {
  it('emits maxTimestamp - bound - 1 on the timer only, soon after the start and then every interval', async () => {
    const { operator, context, out, emit } = await open(bounded(10))
    operator.addSplits(assign(['a']))
    emit('a', 100, 90, 120)
    expect(out.watermarks).toEqual([])
    context.advance(20)
    expect(out.watermarks).toEqual([109])
    emit('a', 500)
    context.advance(199)
    expect(out.watermarks).toEqual([109])
    context.advance(1)
    expect(out.watermarks).toEqual([109, 489])
    expect(out.records.map((r) => r.timestamp)).toEqual([100, 90, 120, 500])
  })

  it('rounds a watermark down, so that no record within the bound is late', async () => {
    const { operator, context, out, emit } = await open(bounded(0))
    operator.addSplits(assign(['a']))
    emit('a', 10.5)
    context.advance(20)
    expect(out.watermarks).toEqual([9])
  })

  it('emits the least over its splits, pending ones included, and goes on when one is released', async () => {
    const { operator, context, out, emit, run } = await open(WatermarkStrategy.forMonotonousTimestamps())
    operator.addSplits(assign(['a', 'b']))
    emit('a', 100)
    context.advance(20)
    expect(out.watermarks).toEqual([])
    emit('b', 50)
    context.advance(200)
    expect(out.watermarks).toEqual([49])
    run((output) => {
      output.split('b').collect(60, 60)
      output.release('b')
      return 'more'
    })
    // The last watermark of b, then that of a alone.
    expect(out.watermarks).toEqual([49, 59, 99])
    expect(context.metric('numSplitsProcessed')).toBe(1)
  })

  it('never goes back when a split with older records comes', async () => {
    const { operator, context, out, emit } = await open(bounded(0))
    operator.addSplits(assign(['a']))
    emit('a', 100)
    context.advance(20)
    operator.addSplits(assign(['b']))
    emit('b', 10)
    emit('a', 300)
    context.advance(400)
    expect(out.watermarks).toEqual([99])
  })

  it('uses the assigner, which sees the timestamp of the source', async () => {
    const seen: number[] = []
    const strategy = WatermarkStrategy.noWatermarks<number>().withTimestampAssigner((value, ts) => {
      seen.push(ts)
      return value * 2
    })
    const { context, out, run } = await open(strategy)
    run((output) => {
      output.collect(5, 77)
      output.collect(6, NO_TIMESTAMP)
      return 'more'
    })
    expect(seen).toEqual([77, NO_TIMESTAMP])
    expect(out.records).toEqual([
      { type: 'record', value: 5, timestamp: 10 },
      { type: 'record', value: 6, timestamp: 12 },
    ])
    context.advance(1000)
    expect(out.watermarks).toEqual([])
  })

  it('puts a watermark of onEvent out at once, after its record, and periodic ones on the timer', async () => {
    const strategy = WatermarkStrategy.forGenerator<number>(() => ({
      onEvent: (value: number, ts: number, output: WatermarkOutput) => {
        if (value % 2 === 0) output.emitWatermark(ts)
      },
      onPeriodicEmit: (output: WatermarkOutput) => output.emitWatermark(1000),
    }))
    const { operator, context, out, emit } = await open(strategy)
    operator.addSplits(assign(['a']))
    emit('a', 1, 2, 3)
    expect(out.take().map((e) => (e.type === 'record' ? e.value : e))).toEqual([
      1,
      2,
      { type: 'watermark', timestamp: 2 },
      3,
    ])
    context.advance(20)
    expect(out.watermarks).toEqual([1000])
    emit('a', 4)
    expect(out.watermarks).toEqual([1000])
  })

  it('lets a generator mark its split idle and active', async () => {
    const strategy = WatermarkStrategy.forGenerator<number>(() => ({
      onEvent: (value: number, ts: number, output: WatermarkOutput) => {
        if (value < 0) output.markIdle()
        else output.emitWatermark(ts)
      },
      onPeriodicEmit: () => {},
    }))
    const { operator, out, emit } = await open(strategy)
    operator.addSplits(assign(['a', 'b']))
    emit('a', 10)
    emit('b', -1)
    expect(out.watermarks).toEqual([10])
    emit('b', 5)
    emit('a', 20)
    expect(out.watermarks).toEqual([10])
  })

  it.each([
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['null', null],
    ['a text', '2020-01-01'],
    ['a number as text', '5'],
    ['a Date', new Date(5)],
    ['a bigint', 5n],
    ['Infinity', Infinity],
  ])('refuses %s as a timestamp', async (_name, bad) => {
    for (const strategy of [
      WatermarkStrategy.noWatermarks<number>(),
      bounded(5),
      WatermarkStrategy.forGenerator<number>(() => ({ onEvent() {}, onPeriodicEmit() {} })),
    ]) {
      const { run } = await open(strategy.withTimestampAssigner((value) => (value === 1 ? (bad as number) : 10)))
      const two = (value: number) =>
        run((output) => {
          output.collect(value, NO_TIMESTAMP)
          return 'more'
        })
      two(0)
      expect(() => two(1)).toThrow(expect.objectContaining({ code: 'TR-RECORD-003' }))
    }
  })

  it('refuses NaN from a source, and takes records without a timestamp', async () => {
    const { run, out } = await open(bounded(5))
    run((output) => {
      output.collect(1, NO_TIMESTAMP)
      return 'more'
    })
    expect(out.records).toHaveLength(1)
    expect(() =>
      run((output) => {
        output.collect(1, Number.NaN)
        return 'more'
      }),
    ).toThrow(/Cannot use NaN as the timestamp/)
  })

  it('emits a last periodic watermark and Infinity once at the end', async () => {
    const { operator, out, run, context } = await open(bounded(0))
    operator.addSplits(assign(['a']))
    expect(
      run((output) => {
        output.split('a').collect(1, 100)
        return 'end'
      }),
    ).toBe('end')
    expect(out.watermarks).toEqual([99, Infinity])
    expect(operator.poll(100)).toBe('end')
    context.advance(1000)
    expect(out.watermarks).toEqual([99, Infinity])
    expect(context.metric('currentOutputWatermark')).toBe(Infinity)
  })

  it('emits no periodic watermark with interval 0, but the last one', async () => {
    const { context, out, emit, run } = await open(bounded(0), { intervalMs: 0 })
    emit('a', 100)
    context.advance(10_000)
    expect(out.watermarks).toEqual([])
    run(() => 'end')
    expect(out.watermarks).toEqual([99, Infinity])
  })

  it('counts records and reports the lag of the watermark', async () => {
    const { operator, context, emit } = await open(bounded(0), { startMs: 5000 })
    operator.addSplits(assign(['a']))
    emit('a', 4001, 4001)
    operator.publish()
    emit('a', 4001)
    operator.publish()
    expect(context.metric('numRecordsOut')).toBe(3)
    context.advance(20)
    expect(context.metric('currentOutputWatermark')).toBe(4000)
    expect(context.metric('watermarkLag')).toBe(1020)
  })

  it.each([
    ['bounded', bounded(0)],
    ['bounded, with an assigner', bounded(0).withTimestampAssigner((value: number) => value)],
    ['none', WatermarkStrategy.noWatermarks<number>()],
    ['none, with an assigner', WatermarkStrategy.noWatermarks<number>().withTimestampAssigner((value) => value)],
    ['custom', WatermarkStrategy.forGenerator<number>(() => ({ onEvent() {}, onPeriodicEmit() {} }))],
  ])(
    'reports how old records are when it emits them, and for how long it has emitted none: %s',
    async (_, strategy) => {
      const { operator, context, emit } = await open(strategy, { startMs: 5000 })
      const gauge = (name: string) => context.metrics.group.gauge(name).value()
      operator.addSplits(assign(['a']))
      emit('a', 4000, 4000)
      operator.publish()
      expect(gauge('currentEmitEventTimeLag')).toBe(1000)
      context.advance(20)
      expect(gauge('sourceIdleTime')).toBe(0)
      context.advance(400)
      operator.publish()
      expect(gauge('sourceIdleTime')).toBe(400)
      expect(gauge('currentEmitEventTimeLag')).toBe(1000)
      emit('a', 5400, 5400)
      operator.publish()
      expect(gauge('currentEmitEventTimeLag')).toBe(20)
      context.advance(200)
      expect(gauge('sourceIdleTime')).toBe(0)
    },
  )

  it('forwards bad records to a side output that is consumed', async () => {
    const { context, run } = await open(bounded(0), { sideOutputs: ['bad'] })
    const answers: (boolean | undefined)[] = []
    run((output) => {
      answers.push(output.sideOutput?.('bad', 'x'), output.sideOutput?.('other', 'y'))
      return 'more'
    })
    expect(answers).toEqual([true, false])
    expect(context.sideOutput('bad')?.values).toEqual(['x'])
    expect(context.metric('numRecordsSideOutput')).toBe(1)
  })

  it('hands events to the reader and closes it once', async () => {
    const { operator, context, reader } = await open(bounded(0))
    expect(context.splitRequests).toBe(0)
    operator.poll(1)
    expect(context.splitRequests).toBe(1)
    operator.handleEvent({ hello: 1 })
    expect(reader.events).toEqual([{ hello: 1 }])
    await operator.close()
    await operator.close()
    expect(reader.closed).toBe(1)
    expect(context.timers).toEqual([])
  })
})

describe('source operator, idleness', () => {
  it('marks a silent split idle after the timeout, and active before its next record', async () => {
    const { operator, context, out, emit } = await open(bounded(0).withIdleness(500))
    operator.addSplits(assign(['a', 'b']))
    emit('a', 100)
    context.advance(820)
    // Both are silent: what b held back is flushed, then the stream is idle.
    expect(out.watermarks).toEqual([99])
    expect(out.statuses).toEqual([true])
    out.take()
    emit('b', 200)
    expect(out.take().map((e) => e.type)).toEqual(['status', 'record'])
  })

  it('does not hold back for an idle split while others go on', async () => {
    const { operator, context, out, emit } = await open(bounded(0).withIdleness(500))
    operator.addSplits(assign(['a', 'b']))
    for (let i = 1; i <= 10; i++) {
      emit('a', i * 100)
      context.advance(200)
    }
    expect(out.watermarks.at(-1)).toBe(999)
    expect(out.statuses).toEqual([])
  })

  it('does not count the time in which the output was blocked', async () => {
    const { operator, context, out, emit } = await open(bounded(0).withIdleness(500))
    operator.addSplits(assign(['a']))
    emit('a', 100)
    context.advance(420)
    // Blocked for long: told afterwards, as the task does, and in force while it lasts.
    context.blocked = true
    context.advance(5000)
    context.blocked = false
    operator.blockedFor(5000)
    context.advance(200)
    expect(out.statuses).toEqual([])
    context.advance(600)
    expect(out.statuses).toEqual([true])
  })

  it('is idle by itself after an interval without any split, active again before the first record of one', async () => {
    const { operator, context, out, emit } = await open(bounded(0))
    operator.poll(100)
    operator.addSplits([])
    context.advance(20)
    expect(out.statuses).toEqual([])
    context.advance(200)
    expect(out.statuses).toEqual([true])
    operator.addSplits(assign(['a']))
    emit('a', 100)
    expect(out.events.map((e) => e.type)).toEqual(['status', 'status', 'record'])
    expect(out.statuses).toEqual([true, false])
  })

  it('is not idle in a short gap between two splits', async () => {
    const { operator, context, out, run } = await open(bounded(0))
    operator.addSplits(assign(['a']))
    context.advance(210)
    run((output) => {
      output.release('a')
      return 'more'
    })
    context.advance(100)
    operator.addSplits(assign(['b']))
    context.advance(300)
    expect(out.statuses).toEqual([])
    run((output) => {
      output.release('b')
      return 'more'
    })
    // It has not been asked since, so it could not ask for another one.
    context.advance(400)
    expect(out.statuses).toEqual([])
    operator.poll(100)
    context.advance(400)
    expect(out.statuses).toEqual([true])
  })

  it('is not idle while it waits for the answer to its request for a split, however long', async () => {
    const { operator, context, out, reader } = await open(bounded(0))
    operator.poll(100)
    context.advance(60_000)
    expect(out.statuses).toEqual([])
    // There is none now.
    operator.addSplits([])
    expect(reader.splits).toEqual([])
    context.advance(400)
    expect(out.statuses).toEqual([true])
  })

  it('holds the watermark back until its request is answered, so that what comes then is not late', async () => {
    const readers = [await open(bounded(0)), await open(bounded(0), { subtask: 1 })]
    const valve = new WatermarkValve(2, { watermark: () => {}, status: () => {} })
    const late: number[] = []
    const pass = () => {
      for (const [channel, { out }] of readers.entries()) {
        for (const event of out.take()) {
          if (event.type === 'watermark') valve.inputWatermark(channel, event.timestamp)
          else if (event.type === 'status') valve.inputStatus(channel, event.idle)
          else if (event.timestamp <= valve.watermarkMs) late.push(event.timestamp)
        }
      }
    }
    const advance = (ms: number) => {
      for (const { context } of readers) context.advance(ms)
      pass()
    }
    const read = (subtask: number, split: string, ...timestamps: number[]) => {
      readers[subtask]!.operator.addSplits(assign([split]))
      readers[subtask]!.emit(split, ...timestamps)
      pass()
    }
    read(0, 'first', 1000, 1500)
    read(1, 'second', 2000, 2500)
    advance(20)
    // Both have come to the end of their splits; their coordinator does not answer for a while, as when no JobManager leads.
    for (const [subtask, { run, reader }] of readers.entries()) {
      run((output) => {
        output.release(['first', 'second'][subtask]!)
        reader.context.requestSplit()
        return 'idle'
      })
    }
    advance(1000)
    // The later split comes to its reader before the earlier one does.
    read(1, 'fourth', 4000, 4500)
    advance(200)
    read(0, 'third', 3000, 3500)
    advance(200)
    expect(late).toEqual([])
    expect(valve.watermarkMs).toBe(3499)
  })

  it('is never idle by itself when records come without splits', async () => {
    const { context, out, run } = await open(bounded(0))
    run((output) => {
      output.collect(1, 100)
      return 'more'
    })
    context.advance(2000)
    expect(out.statuses).toEqual([])
    expect(out.watermarks).toEqual([99])
  })

  it('follows a reader that marks splits idle, and wakes by a record', async () => {
    const { operator, out, run, emit } = await open(bounded(0))
    operator.addSplits(assign(['a', 'b']))
    emit('a', 50)
    run((output) => {
      output.split('b').markIdle()
      output.split('a').markIdle()
      return 'more'
    })
    expect(out.watermarks).toEqual([49])
    expect(out.statuses).toEqual([true])
    out.take()
    emit('b', 60)
    expect(out.take().map((e) => e.type)).toEqual(['status', 'record'])
    run((output) => {
      output.split('a').markActive()
      output.markIdle()
      output.markActive()
      return 'more'
    })
    expect(out.statuses).toEqual([])
  })

  it('is active at the end', async () => {
    const { operator, context, out, run } = await open(bounded(0))
    operator.poll(100)
    operator.addSplits([])
    context.advance(1000)
    expect(out.statuses).toEqual([true])
    out.take()
    run(() => 'end')
    expect(out.take()).toEqual([
      { type: 'status', idle: false },
      { type: 'watermark', timestamp: Infinity },
    ])
  })
})
