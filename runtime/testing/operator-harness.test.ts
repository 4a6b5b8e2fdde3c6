/** The harness that users test operators with: that it does what a job does, at any parallelism, and says in words what it cannot. */
import { describe, expect, expectTypeOf, it, test } from 'vitest'
import {
  type AggregateFunction,
  type BroadcastWriteContext,
  type Collector,
  type DataStream,
  durationMs,
  type InitializationContext,
  KeyedBroadcastProcessFunction,
  type KeyedBroadcastReadContext,
  KeyedCoProcessFunction,
  type KeyedProcessContext,
  KeyedProcessFunction,
  MapStateDescriptor,
  type OnTimerContext,
  type OperatorListState,
  OutputTag,
  type ProcessContext,
  ProcessFunction,
  type RuntimeContext,
  StateTtlConfig,
  type StreamExecutionEnvironment,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
  type ValueState,
  ValueStateDescriptor,
} from '../index.ts'
import { Ledger } from '../operators/ledger.suite.ts'
import { type HarnessOptions, MiniCluster, OperatorHarness } from './index.ts'

interface Visit {
  user: string
  at: number
}
const visit = (user: string, at = 0): Visit => ({ user, at })
const firstVisit = new OutputTag<string>('first')

/** Counts visits; says when a user has been away for 1000 ms of event time, or for 500 ms by the clock. */
class Visits extends KeyedProcessFunction<string, Visit, string> {
  #n!: ValueState<number>
  override open(context: RuntimeContext) {
    this.#n = context.getState(new ValueStateDescriptor<number>('n'))
  }
  override processElement({ user, at }: Visit, context: KeyedProcessContext<string>, out: Collector<string>) {
    const n = (this.#n.value() ?? 0) + 1
    this.#n.update(n)
    if (n === 1) context.output(firstVisit, user)
    out.collect(`${user} ${n}`)
    context.timerService.registerEventTimeTimer(at + 1000)
    context.timerService.registerProcessingTimeTimer(context.timerService.currentProcessingTime() + 500)
  }
  override onTimer(atMs: number, context: OnTimerContext<string>, out: Collector<string>) {
    out.collect(`${context.getCurrentKey()} away, ${context.timeDomain} ${atMs}`)
  }
}
const visits = (stream: DataStream<Visit>) => stream.keyBy(({ user }) => user).process(new Visits())
const openVisits = (options?: HarnessOptions) => OperatorHarness.open(visits, options)

describe('a harness of a keyed function', () => {
  it('gives what it emits, with timestamps, in order, and the types of the function', async () => {
    const harness = await openVisits()
    harness.processElement(visit('ann', 5), 5)
    harness.processElement(visit('ann'))
    expect(harness.records).toEqual([
      { value: 'ann 1', timestamp: 5, subtask: 0 },
      { value: 'ann 2', timestamp: null, subtask: 0 },
    ])
    expect(harness.getSideOutput(firstVisit)).toEqual(['ann'])
    expect([harness.take(), harness.values, harness.take(firstVisit), harness.getSideOutput(firstVisit)]).toEqual([
      ['ann 1', 'ann 2'],
      [],
      ['ann'],
      [],
    ])
    expect(harness.getSideOutput(new OutputTag('nothing goes here'))).toEqual([])
    expectTypeOf(harness.values).toEqualTypeOf<string[]>()
    expectTypeOf(harness.processElement).parameter(0).toEqualTypeOf<Visit>()
    await harness.close()
  })

  it('fires event timers by the watermark, which follows them', async () => {
    const harness = await openVisits()
    harness.processElement(visit('ann', 30), 30)
    harness.processElement(visit('bob', 10), 10)
    harness.take()
    expect(harness.watermark).toBe(-Infinity)
    harness.processWatermark(1029)
    expect([harness.take(), harness.watermark]).toEqual([['bob away, event 1010'], 1029])
    harness.processWatermark(1030)
    expect(harness.take()).toEqual(['ann away, event 1030'])
    expect(harness.processingTime).toBe(0)
  })

  it('fires timers of processing time when the clock has passed them, each at its own time', async () => {
    const harness = await openVisits({ processingTimeMs: 10_000 })
    harness.processElement(visit('ann'))
    harness.advance(100)
    harness.processElement(visit('bob'))
    harness.take()
    harness.setProcessingTime(10_500)
    expect(harness.take()).toEqual([])
    harness.advance(1)
    expect(harness.take()).toEqual(['ann away, processing 10500'])
    harness.advance(100_000)
    expect([harness.take(), harness.processingTime]).toEqual([['bob away, processing 10600'], 110_501])
  })

  it('does bursts of more timers than a turn of a task takes', async () => {
    const harness = await openVisits()
    for (let i = 0; i < 5000; i++) harness.processElement(visit(`${i}`, i))
    harness.take()
    harness.processWatermark(10_000)
    expect(harness.take()).toHaveLength(5000)
    harness.advance(501)
    expect(harness.take()).toHaveLength(5000)
  })

  it('lets state expire by the clock', async () => {
    class Since extends KeyedProcessFunction<string, Visit, number> {
      #n!: ValueState<number>
      override open(context: RuntimeContext) {
        const descriptor = new ValueStateDescriptor<number>('n')
        descriptor.enableTimeToLive(StateTtlConfig.newBuilder('1 min').build())
        this.#n = context.getState(descriptor)
      }
      override processElement(_: Visit, _context: KeyedProcessContext<string>, out: Collector<number>) {
        this.#n.update((this.#n.value() ?? 0) + 1)
        out.collect(this.#n.value()!)
      }
    }
    const since = (stream: DataStream<Visit>) => stream.keyBy(({ user }) => user).process(new Since())
    const harness = await OperatorHarness.open(since)
    harness.processElement(visit('ann'))
    harness.advance(durationMs('59 s'))
    harness.processElement(visit('ann'))
    harness.advance(durationMs('30 s'))
    const snapshot = await harness.snapshot()
    harness.advance(durationMs('30 s'))
    harness.processElement(visit('ann'))
    expect(harness.values).toEqual([1, 2, 1])

    // The time goes on from the snapshot, and so does what is left of the time to live.
    const restored = await OperatorHarness.open(since, { restore: snapshot })
    expect(restored.processingTime).toBe(89_000)
    restored.processElement(visit('ann'))
    expect(restored.values).toEqual([3])
  })

  it('lets what a function throws through, and goes on', async () => {
    class Picky extends ProcessFunction<number, number> {
      override processElement(n: number, _: ProcessContext, out: Collector<number>) {
        if (n < 0) throw new RangeError(`${n} is no length`)
        out.collect(n)
      }
    }
    const harness = await OperatorHarness.open((stream: DataStream<number>) => stream.process(new Picky()))
    expect(() => harness.processElement(-1)).toThrow(new RangeError('-1 is no length'))
    harness.processElement(1)
    expect(harness.values).toEqual([1])
  })

  it('opens functions with parameters, finishes and closes them', async () => {
    const calls: string[] = []
    class Life {
      open({ parameters, task }: RuntimeContext) {
        calls.push(`open ${parameters.name} ${task.subtaskIndex + 1}/${task.parallelism}`)
      }
      map(n: number) {
        return n
      }
      finish() {
        calls.push('finish')
      }
      close() {
        calls.push('close')
      }
    }
    const harness = await OperatorHarness.open((stream: DataStream<number>) => stream.map(new Life()), {
      parallelism: 2,
      parameters: { name: 'x' },
    })
    await harness.endInput()
    expect(harness.watermark).toBe(Infinity)
    await harness.close()
    await harness.close()
    expect(calls).toEqual(['open x 1/2', 'open x 2/2', 'finish', 'finish', 'close', 'close'])
  })

  it('does what a job does with the same records', async () => {
    const records = Array.from({ length: 200 }, (_, i) => visit(`user ${i % 7}`, i * 10))
    const cluster = await MiniCluster.start()
    const fromJob: string[] = []
    await cluster.runProgram(async (env: StreamExecutionEnvironment) => {
      fromJob.push(...(await visits(env.fromData(records)).executeAndCollect()))
    })
    await cluster.stop()
    const harness = await openVisits()
    for (const record of records) harness.processElement(record)
    await harness.endInput()
    expect(harness.values.filter((text) => !text.includes('processing'))).toEqual(fromJob)
    expect(fromJob).toHaveLength(400)
  })
})

describe('a snapshot of a harness', () => {
  const users = Array.from({ length: 30 }, (_, i) => `user ${i}`)
  const scales = [
    [1, 1],
    [1, 3],
    [3, 1],
    [2, 5],
    [5, 2],
  ]
  test.each(scales)('moves keyed state and timers from %i to %i subtasks', async (from, to) => {
    const before = await openVisits({ parallelism: from })
    for (const user of users) before.processElement(visit(user, 1))
    before.advance(200)
    const snapshot = await before.snapshot()
    expect(snapshot).toMatchObject({ checkpointId: 1, parallelism: from, maxParallelism: 128, processingTimeMs: 200 })
    // Not in it.
    for (const user of users) before.processElement(visit(user, 2))

    const after = await openVisits({ parallelism: to, restore: snapshot })
    for (const user of users) after.processElement(visit(user, 1))
    expect(after.take().sort()).toEqual(users.map((user) => `${user} 2`).sort())
    expect(new Set(after.records.map(({ subtask }) => subtask)).size).toBeLessThanOrEqual(to)
    after.processWatermark(1001)
    expect(after.take().sort()).toEqual(users.map((user) => `${user} away, event 1001`).sort())
    after.setProcessingTime(501)
    expect(after.records).toHaveLength(users.length)
    expect(new Set(after.records.map(({ subtask }) => subtask)).size).toBe(to)
  })

  it('fires timers that are overdue as soon as it is opened', async () => {
    const before = await openVisits()
    before.processElement(visit('ann'))
    const after = await openVisits({ restore: await before.snapshot(), processingTimeMs: 9000 })
    expect(after.values).toEqual(['ann away, processing 500'])
  })

  class Listed {
    readonly #kind: 'list' | 'union'
    #seen!: OperatorListState<number>
    constructor(kind: 'list' | 'union') {
      this.#kind = kind
    }
    initializeState({ operatorState }: InitializationContext) {
      this.#seen = this.#kind === 'list' ? operatorState.getListState('seen') : operatorState.getUnionListState('seen')
    }
    snapshotState() {}
    map(n: number) {
      const before = [...this.#seen.get()]
      this.#seen.add(n)
      return before
    }
  }
  test.each([
    ['list', [[1, 2], [3, 4], [5]]],
    ['union', Array(3).fill([1, 3, 5, 2, 4])],
  ] as const)('deals %s state out to more subtasks', async (kind, wanted) => {
    const listed = (stream: DataStream<number>) => stream.map(new Listed(kind))
    const before = await OperatorHarness.open(listed, { parallelism: 2 })
    // In turn: 1, 3 and 5 to the first subtask.
    for (const n of [1, 2, 3, 4, 5]) before.processElement(n)
    const after = await OperatorHarness.open(listed, { parallelism: 3, restore: await before.snapshot() })
    for (const n of [7, 8, 9]) after.processElement(n)
    const flat = (lists: readonly (readonly number[])[]) => lists.map((list) => [...list])
    if (kind === 'union') expect(after.values).toEqual(flat(wanted))
    else expect(after.values.flat().sort()).toEqual(flat(wanted).flat())
    expect(after.values.map((list) => list.length)).toEqual(wanted.map((list) => list.length))
  })
})

describe('a harness of an operator with two inputs', () => {
  interface Order {
    id: string
    amount: number
  }
  class Match extends KeyedCoProcessFunction<string, Order, string, string> {
    #amount!: ValueState<number>
    override open(context: RuntimeContext) {
      this.#amount = context.getState(new ValueStateDescriptor<number>('amount'))
    }
    override processElement1({ amount }: Order, context: KeyedProcessContext<string>) {
      this.#amount.update(amount)
      context.timerService.registerEventTimeTimer(100)
    }
    override processElement2(id: string, _: KeyedProcessContext<string>, out: Collector<string>) {
      out.collect(`${id} paid ${this.#amount.value() ?? 'nothing'}`)
      this.#amount.clear()
    }
    override onTimer(_: number, context: OnTimerContext<string>, out: Collector<string>) {
      if (this.#amount.value() !== undefined) out.collect(`${context.getCurrentKey()} open`)
    }
  }
  const match = (orders: DataStream<Order>, payments: DataStream<string>) =>
    orders
      .keyBy(({ id }) => id)
      .connect(payments.keyBy((id) => id))
      .process(new Match())

  it('shares state by key, also after a restore at another parallelism', async () => {
    const harness = await OperatorHarness.open(match, { parallelism: 3 })
    const [orders, payments] = harness.inputs
    orders.processElement({ id: 'a', amount: 5 }, 1)
    orders.processElement({ id: 'b', amount: 7 }, 2)
    payments.processElement('a', 3)
    expect(harness.take()).toEqual(['a paid 5'])
    const restored = await OperatorHarness.open(match, { parallelism: 2, restore: await harness.snapshot() })
    restored.inputs[1].processElement('b')
    restored.inputs[1].processElement('a')
    expect(restored.values).toEqual(['b paid 7', 'a paid nothing'])
    expectTypeOf(payments.processElement).parameter(0).toEqualTypeOf<string>()
  })

  it('goes by the watermarks of both inputs, and leaves out an idle one', async () => {
    const harness = await OperatorHarness.open(match)
    const [orders, payments] = harness.inputs
    orders.processElement({ id: 'a', amount: 5 })
    orders.processWatermark(500)
    expect([harness.values, harness.watermark]).toEqual([[], -Infinity])
    payments.processWatermarkStatus('idle')
    expect([harness.values, harness.watermark]).toEqual([['a open'], 500])
    payments.processWatermarkStatus('active')
    harness.processWatermark(600)
    expect(harness.watermark).toBe(600)
  })
})

describe('a harness of a broadcast function', () => {
  const limits = new MapStateDescriptor<string, number>('limits')
  class Limit extends KeyedBroadcastProcessFunction<string, Visit, [string, number], string> {
    override processElement({ user, at }: Visit, context: KeyedBroadcastReadContext<string>, out: Collector<string>) {
      const limit = context.getBroadcastState(limits).get(user)
      if (limit !== undefined && at > limit) out.collect(`${user} ${at} > ${limit}`)
    }
    override processBroadcastElement([user, limit]: [string, number], context: BroadcastWriteContext) {
      context.getBroadcastState(limits).put(user, limit)
    }
  }
  const limited = (stream: DataStream<Visit>, rules: DataStream<[string, number]>) =>
    stream
      .keyBy(({ user }) => user)
      .connect(rules.broadcast(limits))
      .process(new Limit())

  test.each([
    [1, 4],
    [4, 1],
    [2, 3],
  ])('gives rules to all of %i subtasks, and their copies to %i', async (from, to) => {
    const users = Array.from({ length: 20 }, (_, i) => `user ${i}`)
    const before = await OperatorHarness.open(limited, { parallelism: from })
    for (const user of users) before.inputs[1].processElement([user, 10])
    for (const user of users) before.inputs[0].processElement(visit(user, 11))
    expect(before.values).toHaveLength(users.length)
    const after = await OperatorHarness.open(limited, { parallelism: to, restore: await before.snapshot() })
    for (const user of users) for (const at of [10, 11]) after.inputs[0].processElement(visit(user, at))
    expect(after.values).toEqual(users.map((user) => `${user} 11 > 10`))
  })
})

describe('a harness of a window', () => {
  const sum: AggregateFunction<Visit, { n: number }, number> = {
    createAccumulator: () => ({ n: 0 }),
    add: (_, { n }) => ({ n: n + 1 }),
    getResult: ({ n }) => n,
  }
  const late = new OutputTag<Visit>('late')
  const perSecond = (stream: DataStream<Visit>) =>
    stream
      .keyBy(({ user }) => user)
      .window(TumblingEventTimeWindows.of('1 s'))
      .sideOutputLateData(late)
      .aggregate(sum, (user, window, [n]) => [`${user} ${window.start} ${n}`])

  it('fires by the watermark, and gives late records to the side output', async () => {
    const harness = await OperatorHarness.open(perSecond)
    for (const at of [0, 999, 1000]) harness.processElement(visit('ann', at), at)
    harness.processWatermark(999)
    expect(harness.records).toEqual([{ value: 'ann 0 2', timestamp: 999, subtask: 0 }])
    harness.processElement(visit('ann', 500), 500)
    expect(harness.getSideOutput(late)).toEqual([visit('ann', 500)])
    await harness.endInput()
    expect(harness.values).toEqual(['ann 0 2', 'ann 1000 1'])
  })

  it('goes on with open windows at another parallelism', async () => {
    const users = Array.from({ length: 20 }, (_, i) => `user ${i}`)
    const before = await OperatorHarness.open(perSecond, { parallelism: 2 })
    for (const user of users) before.processElement(visit(user, 5), 5)
    const after = await OperatorHarness.open(perSecond, { parallelism: 3, restore: await before.snapshot() })
    for (const user of users) after.processElement(visit(user, 6), 6)
    after.processWatermark(999)
    expect(after.values.sort()).toEqual(users.map((user) => `${user} 0 2`).sort())
  })

  it('fires windows of processing time by the clock', async () => {
    const harness = await OperatorHarness.open((numbers: DataStream<number>) =>
      numbers
        .keyBy(() => 'all')
        .window(TumblingProcessingTimeWindows.of('10 s'))
        .reduce((a, b) => a + b),
    )
    harness.processElement(1)
    harness.advance(9000)
    harness.processElement(2)
    expect(harness.values).toEqual([])
    harness.advance(1000)
    expect(harness.values).toEqual([3])
  })
})

describe('a harness of a sink', () => {
  const open = (ledger: Ledger, options?: HarnessOptions, kind: { global?: boolean } = {}) =>
    OperatorHarness.open((stream: DataStream<string>) => stream.sinkTo(ledger.sink(kind)), options)

  it('commits what was prepared when its checkpoint is complete', async () => {
    const ledger = new Ledger()
    const harness = await open(ledger)
    harness.processElement('a')
    await harness.snapshot()
    harness.processElement('b')
    expect(ledger.visible).toEqual([])
    await harness.notifyCheckpointComplete()
    expect(ledger.visible).toEqual(['a'])
    await harness.snapshot()
    harness.notifyCheckpointAborted()
    await harness.snapshot()
    await harness.notifyCheckpointComplete(3)
    expect(ledger.visible).toEqual(['a', 'b'])
    expectTypeOf(harness.values).toEqualTypeOf<never[]>()
  })

  it('commits again after a restore what nobody knows to be committed, and deals out the writers’ state', async () => {
    const ledger = new Ledger()
    const before = await open(ledger, { parallelism: 2 })
    for (const value of ['a', 'b', 'c']) before.processElement(value)
    const snapshot = await before.snapshot()
    await before.close()
    await open(ledger, { restore: snapshot })
    expect(ledger.visible).toEqual(['a', 'c', 'b'])
    expect(ledger.calls.at(-1)).toBe('restore 2,1')
  })

  it('commits the end of the input with a checkpoint, or without checkpoints at once', async () => {
    const ledger = new Ledger()
    const harness = await open(ledger)
    harness.processElement('a')
    await harness.endInput()
    expect(ledger.visible).toEqual([])
    const last = await harness.snapshot()
    await harness.notifyCheckpointComplete()
    expect(ledger.visible).toEqual(['a'])
    const ended = await open(ledger, { restore: last })
    expect(() => ended.processElement('b')).toThrow(
      'Cannot process a record in "Writer": its input has ended before the snapshot was taken',
    )

    const without = await open(ledger, { checkpointing: false })
    without.processElement('z')
    await without.endInput()
    expect(ledger.visible).toEqual(['a', 'z'])
  })

  it('asks a committer again by the clock', async () => {
    const ledger = new Ledger()
    ledger.answer = (request) => {
      if (request.retries < 2) request.retryLater('busy')
      return request.retries < 2
    }
    const harness = await open(ledger, { options: { 'tailrace.sink.committer.retry-interval': '5 s' } })
    harness.processElement('a')
    await harness.snapshot()
    let done = false
    const committed = harness.notifyCheckpointComplete().then(() => {
      done = true
    })
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
    for (const [ms, calls] of [
      [4999, 1],
      [1, 2],
      [5000, 3],
    ]) {
      await turn()
      harness.advance(ms!)
      await turn()
      expect(ledger.calls.filter((call) => call.startsWith('commit'))).toHaveLength(calls!)
    }
    await committed
    expect([done, ledger.visible]).toEqual([true, ['a']])
  })

  it('commits in one place with a global committer, also what a checkpoint of another parallelism holds', async () => {
    const ledger = new Ledger()
    const harness = await open(ledger, { parallelism: 3 }, { global: true })
    for (const value of ['a', 'b', 'c']) harness.processElement(value)
    const first = await harness.snapshot()
    await harness.notifyCheckpointComplete()
    const globalCalls = () => ledger.calls.filter((call) => call.startsWith('global'))
    expect(globalCalls()).toEqual(['global 1: a b c'])

    const restored = await open(ledger, { parallelism: 2, restore: first }, { global: true })
    restored.processElement('d')
    await restored.snapshot()
    await restored.notifyCheckpointComplete()
    expect(globalCalls().slice(1)).toEqual(['global 1: a b c', 'global 2: d'])
    expect(ledger.visible).toEqual(['a', 'b', 'c', 'd'])
  })

  it.each(['snapshot', 'endInput'] as const)(
    '%s() rejects when the writer fails with its flush under way',
    async (what) => {
      const failure = new Error('disk full')
      const harness = await OperatorHarness.open((stream: DataStream<string>) =>
        stream.sinkTo({
          createWriter: (context) => ({
            write() {},
            flush: () => {
              setImmediate(() => context.fail(failure))
              return new Promise(() => {})
            },
            close() {},
          }),
        }),
      )
      harness.processElement('a')
      await expect(harness[what]()).rejects.toBe(failure)
      await harness.close()
    },
  )

  it('says when a sink is full, and fails with what the sink fails with', async () => {
    const failure = new Error('disk full')
    let full = false
    const harness = await OperatorHarness.open((stream: DataStream<string>) =>
      stream.sinkTo({
        createWriter: (context) => ({
          write: (value) => {
            full = true
            if (value === 'bad') context.fail(failure)
          },
          pending: () => full,
          flush() {},
          close() {},
        }),
      }),
    )
    harness.processElement('a')
    expect(harness.pending).toBe(true)
    expect(() => harness.processElement('b')).toThrow(/^Cannot process a record in "Writer": it is full/)
    full = false
    expect(() => harness.processElement('bad')).toThrow(failure)
  })
})

describe('a harness that cannot', () => {
  const map = (stream: DataStream<number>) => stream.map((n) => n)
  const openMap = (options?: HarnessOptions) => OperatorHarness.open(map, options)

  test.each<[string, (numbers: DataStream<number>, others: DataStream<number>) => any, string | RegExp]>([
    [
      'two operators',
      (numbers, _) => numbers.map((n) => n).filter((n) => n > 0),
      /^Cannot open a harness: it drives one operator, and the function builds 2: Map, Filter; test several/,
    ],
    ['no operator', (numbers, _) => numbers, /and the function builds none;/],
    [
      'a stream that goes nowhere',
      (numbers, _) => numbers.map((n) => n),
      'Cannot open a harness of "Map": each stream of the function must be one input of the operator, and the second is none',
    ],
    ['united streams', (numbers, others) => numbers.union(others).map((n) => n), /the first is united with another$/],
    ['a stream that is not keyed', (numbers, _) => numbers.process(new Visits() as any), /not keyed.*call keyBy\(\)/],
    ['a job', (numbers, _) => numbers.map((n) => n).executeAndCollect() as any, /the function gives a promise/],
    ['an unawaited result', async (numbers, _) => numbers.map((n) => n), /the function gives a promise/],
  ])('drive %s says so', async (_, build, message) => {
    await expect(OperatorHarness.open(build)).rejects.toThrow(message)
  })

  it('find another source in the function says so', async () => {
    const source = (stream: DataStream<number>) => stream.environment.fromData(1)
    await expect(OperatorHarness.open(source)).rejects.toThrow(/each stream of the function must be one input/)
  })

  it('find keyed state on a stream without keys says so', async () => {
    class Stateful extends ProcessFunction<number, number> {
      override open(context: RuntimeContext) {
        context.getState(new ValueStateDescriptor<number>('n'))
      }
      override processElement() {}
    }
    const open = OperatorHarness.open((stream: DataStream<number>) => stream.process(new Stateful()))
    await expect(open).rejects.toMatchObject({
      code: 'TR-STATE-002',
      message:
        'Cannot use keyed state in "Process": its stream is not keyed. Call keyBy() before it and use a KeyedProcessFunction',
    })
  })

  it('process after the end or close says so', async () => {
    const harness = await openMap()
    await harness.endInput()
    const ended = 'its input has ended with endInput()'
    expect(() => harness.processElement(1)).toThrow(`Cannot process a record in "Map": ${ended}`)
    expect(() => harness.processWatermark(1)).toThrow(`Cannot process a watermark in "Map": ${ended}`)
    await expect(harness.endInput()).rejects.toThrow(`Cannot end the input in "Map": ${ended}`)
    await harness.close()
    const closed = 'its harness is closed'
    expect(() => harness.processElement(1)).toThrow(`Cannot process a record in "Map": ${closed}`)
    expect(() => harness.advance(1)).toThrow(`Cannot move the time in "Map": ${closed}`)
    await expect(harness.snapshot()).rejects.toThrow(`Cannot take a snapshot in "Map": ${closed}`)
    await expect(harness.notifyCheckpointComplete()).rejects.toThrow(`Cannot complete a checkpoint in "Map": ${closed}`)
  })

  it('go back in time says so', async () => {
    const harness = await openMap({ processingTimeMs: 5 })
    harness.processWatermark(10)
    expect(() => harness.processWatermark(9)).toThrow(
      'Cannot process watermark 9 in "Map": one of 10 has come, and watermarks do not go back',
    )
    expect(() => harness.setProcessingTime(4)).toThrow(
      'Cannot set the processing time to 4: it is 5, and does not go back',
    )
    expect(() => harness.advance(Number.NaN)).toThrow('Cannot set the processing time to NaN')
  })

  it('name an input, a tag, a checkpoint or a parallelism says so', async () => {
    const harness = await openMap()
    expect(() => harness.getSideOutput('late' as any)).toThrow(
      'Cannot read the side output "late": an OutputTag is wanted',
    )
    await expect(harness.notifyCheckpointComplete()).rejects.toThrow(
      'Cannot complete checkpoint 0 of "Map": none was taken; call snapshot() first',
    )
    const snapshot = await harness.snapshot()
    expect(() => harness.notifyCheckpointAborted(2)).toThrow('Cannot abort checkpoint 2 of "Map": the last one is 1')
    await expect(openMap({ parallelism: 200 })).rejects.toThrow(
      'Cannot open a harness of parallelism 200: 1 to 128 is wanted, the maximum parallelism',
    )
    await expect(openMap({ maxParallelism: 0 })).rejects.toThrow('Cannot open a harness of maximum parallelism 0')
    await expect(openMap({ maxParallelism: 64, restore: snapshot })).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-004',
      message:
        'Cannot open a harness of maximum parallelism 64 from a snapshot: it was taken at 128, and keys would belong to other groups',
    })
    const two = await OperatorHarness.open((a: DataStream<number>, b: DataStream<number>) =>
      a.connect(b).map(
        (n) => n,
        (n) => n,
      ),
    )
    expect(() => (two as any).processElement(1)).toThrow(
      'Cannot process a record in "Co-Map": it has two inputs; use harness.inputs[0] or [1]',
    )
  })

  it('take a snapshot rejects with the reason, and closes what it had opened when it cannot open', async () => {
    class Failing {
      initializeState() {}
      snapshotState() {
        throw new Error('cannot be flushed')
      }
      map(n: number) {
        return n
      }
    }
    const harness = await OperatorHarness.open((stream: DataStream<number>) => stream.map(new Failing()))
    await expect(harness.snapshot()).rejects.toThrow('cannot be flushed')

    const calls: string[] = []
    class SecondFails {
      open({ task }: RuntimeContext) {
        if (task.subtaskIndex === 1) throw new Error('no connection')
      }
      map(n: number) {
        return n
      }
      close() {
        calls.push('close')
      }
    }
    const open = OperatorHarness.open((stream: DataStream<number>) => stream.map(new SecondFails()), { parallelism: 3 })
    await expect(open).rejects.toThrow('no connection')
    expect(calls).toEqual(['close', 'close'])
  })

  it('have one function object for several subtasks says so', async () => {
    const shared = new Visits()
    const build = (stream: DataStream<Visit>) => stream.keyBy(({ user }) => user).process(shared)
    await expect(OperatorHarness.open(build, { parallelism: 2 })).rejects.toMatchObject({ code: 'TR-TASK-001' })
  })
})
