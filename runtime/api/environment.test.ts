import { describe, expect, test } from 'vitest'
import { TailraceError } from '../core/errors.ts'
import { KeyedProcessFunction, ProcessFunction } from '../core/functions.ts'
import { OutputTag } from '../core/output-tag.ts'
import type { Sink } from '../core/sink.ts'
import { types } from '../core/types.ts'
import { WatermarkStrategy } from '../core/watermarks.ts'
import { TumblingEventTimeWindows, TumblingProcessingTimeWindows } from '../core/windows.ts'
import type { LogicalGraph, LogicalNode } from '../graph/model.ts'
import type { ExecutionContext, JobClient, SubmitOptions } from '../program/context.ts'
import type { JobResult } from '../rpc/program-messages.ts'
import { StreamExecutionEnvironment } from './environment.ts'

/** A cluster that does nothing by itself: the test hands over values and ends jobs. */
class FakeCluster implements ExecutionContext {
  readonly args = ['in.txt']
  readonly parameters = { speed: '2', day: 'monday' }
  readonly options: Record<string, string>
  readonly jobs: FakeJob[] = []
  readonly computed = new Map<string, unknown>()
  constructor(options: Record<string, string> = {}) {
    this.options = options
  }
  async submit(graph: LogicalGraph, options: SubmitOptions): Promise<JobClient> {
    const job = new FakeJob(graph, options)
    this.jobs.push(job)
    return job
  }
  async once<T>(name: string, compute: () => T | Promise<T>): Promise<T> {
    if (!this.computed.has(name)) this.computed.set(name, await compute())
    return this.computed.get(name) as T
  }
}

class FakeJob implements JobClient {
  readonly jobId = 'job'
  readonly graph: LogicalGraph
  readonly options: SubmitOptions
  cancelled = false
  readonly #ended = Promise.withResolvers<JobResult>()
  constructor(graph: LogicalGraph, options: SubmitOptions) {
    this.graph = graph
    this.options = options
  }
  async status(): Promise<'RUNNING'> {
    return 'RUNNING'
  }
  result(): Promise<JobResult> {
    return this.#ended.promise
  }
  async cancel(): Promise<void> {
    this.cancelled = true
    this.#ended.reject(new TailraceError('TR-CLUSTER-002', 'cancelled'))
  }
  finish(): void {
    this.#ended.resolve({ jobId: this.jobId, jobName: this.graph.config.jobName, netRuntimeMs: 1, accumulators: {} })
  }
  fail(error: unknown): void {
    this.#ended.reject(error)
  }
}

function setUp(options?: Record<string, string>) {
  const cluster = new FakeCluster(options)
  return { cluster, env: new StreamExecutionEnvironment(cluster) }
}

/** Lets promises that have settled call those who wait. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

class Nothing extends ProcessFunction<number, number> {
  processElement(): void {}
}
class KeyedNothing extends KeyedProcessFunction<number, number, number> {
  processElement(): void {}
}
const sink: Sink<unknown> = {
  createWriter: () => ({ write() {}, flush() {}, close() {} }),
}

describe('settings', () => {
  test('have defaults, taken from the command line, set by the program', () => {
    expect(setUp().env.getConfig()).toEqual({
      jobName: 'Tailrace Streaming Job',
      parallelism: 1,
      maxParallelism: undefined,
      bufferTimeoutMs: 5,
      autoWatermarkIntervalMs: 200,
      chaining: true,
      autoGenerateUids: true,
      parameters: { speed: '2', day: 'monday' },
      options: {},
    })
    const { env } = setUp({ 'parallelism.default': '4', 'pipeline.max-parallelism': '-1', 'other.key': 'x' })
    expect(env.getConfig()).toMatchObject({ parallelism: 4, maxParallelism: undefined, options: { 'other.key': 'x' } })
    env.setParallelism(2)
    expect([env.getParallelism(), env.getConfig().options['parallelism.default']]).toEqual([2, '2'])
  })

  test('of the program win over those of the command line, by whatever name of a setting', () => {
    const { env } = setUp({ 'execution.checkpointing.dir': '/a', 'state.checkpoints.num-retained': '2' })
    env.configure('state.checkpoints.dir', '/b').configure('execution.checkpointing.num-retained', 3)
    expect(env.getConfig().options).toEqual({
      'state.checkpoints.dir': '/b',
      'execution.checkpointing.num-retained': '3',
    })
  })

  const keys: [key: string, value: string | number | boolean, field: string, parsed: unknown][] = [
    ['parallelism.default', 3, 'parallelism', 3],
    ['pipeline.max-parallelism', '256', 'maxParallelism', 256],
    ['execution.buffer-timeout', '10 ms', 'bufferTimeoutMs', 10],
    ['execution.buffer-timeout.interval', 0, 'bufferTimeoutMs', 0],
    ['execution.buffer-timeout.interval', '-1', 'bufferTimeoutMs', -1],
    ['execution.buffer-timeout.enabled', false, 'bufferTimeoutMs', -1],
    ['execution.buffer-timeout.enabled', true, 'bufferTimeoutMs', 5],
    ['pipeline.auto-watermark-interval', '1 s', 'autoWatermarkIntervalMs', 1000],
    ['pipeline.operator-chaining', 'false', 'chaining', false],
    ['pipeline.operator-chaining.enabled', 'FALSE', 'chaining', false],
    ['pipeline.auto-generate-uids', false, 'autoGenerateUids', false],
    ['pipeline.name', 'orders', 'jobName', 'orders'],
  ]
  test.each(keys)('configure(%s, %j)', (key, value, field, parsed) => {
    const config = setUp().env.configure(key, value).getConfig()
    expect(config).toMatchObject({ [field]: parsed })
    expect(config.options[key]).toBe(String(value))
  })

  test('have setters', () => {
    const { env } = setUp()
    env.setMaxParallelism(64).setBufferTimeout('1s').disableOperatorChaining()
    expect(env.getConfig()).toMatchObject({ maxParallelism: 64, bufferTimeoutMs: 1000, chaining: false })
  })

  const bad: [key: string, value: string | number, code: string][] = [
    ['parallelism.default', 'many', 'TR-CONFIG-001'],
    ['parallelism.default', 1.5, 'TR-CONFIG-001'],
    ['parallelism.default', 0, 'TR-GRAPH-005'],
    ['pipeline.max-parallelism', 40_000, 'TR-GRAPH-005'],
    ['execution.buffer-timeout', 'soon', 'TR-CONFIG-001'],
    ['execution.buffer-timeout', -2, 'TR-GRAPH-005'],
    ['pipeline.auto-watermark-interval', -5, 'TR-CONFIG-001'],
    ['pipeline.operator-chaining', 'yes', 'TR-CONFIG-001'],
  ]
  test.each(bad)('configure(%s, %j) throws %s', (key, value, code) => {
    expect(() => setUp().env.configure(key, value)).toThrow(expect.objectContaining({ code }))
    expect(() => setUp({ [key]: String(value) })).toThrow(expect.objectContaining({ code }))
  })

  test('parameters of the program replace those of the command line', () => {
    const { env } = setUp()
    env.setGlobalJobParameters({ day: 'sunday', n: 3 })
    expect(env.parameters).toEqual({ speed: '2', day: 'sunday', n: '3' })
    expect(env.args).toEqual(['in.txt'])
  })

  test('once() asks the cluster', async () => {
    const { env } = setUp()
    expect([await env.once('n', () => 1), await env.once('n', () => 2)]).toEqual([1, 1])
  })

  test('without a cluster execute says so', async () => {
    const env = new StreamExecutionEnvironment(undefined)
    env.fromData(1).print()
    await expect(env.execute('lonely')).rejects.toThrow(/Cannot execute "lonely": no cluster/)
  })
})

/** Parts of a node that a test wants to see. */
function show({ name, spec, inputs, isSource, isSink, ...node }: LogicalNode) {
  const options = Object.fromEntries(
    Object.entries(spec.options).filter(([, v]) => typeof v !== 'function' && v !== undefined),
  )
  const edges = inputs.map((e) => `${e.from}${e.tag === undefined ? '' : `/${e.tag}`} ${e.partitioner.kind}`)
  return { name, module: spec.module, options, edges, isSource, isSink, parallelism: node.parallelism }
}

describe('streams build', () => {
  test('every operator', () => {
    const { env } = setUp()
    const strategy = WatermarkStrategy.noWatermarks<number>()
    const late = new OutputTag<number>('late')
    const numbers = env.fromSequence(1, 9).assignTimestampsAndWatermarks(strategy)
    numbers
      .map((n) => n)
      .filter((n) => n > 1)
      .flatMap((n) => [n])
      .process(new Nothing())
      .getSideOutput(late)
      .print('p')
    const keyed = numbers.keyBy((n) => n % 3)
    keyed.process(new KeyedNothing()).printToErr()
    keyed.reduce((a, b) => a + b).sinkTo(sink)
    keyed
      .window(TumblingProcessingTimeWindows.of('1s'))
      .allowedLateness('2s')
      .sideOutputLateData(late)
      .reduce(Math.max, (_key, _window, [n]) => [n])
    keyed.window(TumblingEventTimeWindows.of('1s')).process((key) => [key])
    const nodes = env.getStreamGraph().nodes.map(show)
    const rest = { isSource: false, isSink: false, parallelism: undefined }
    expect(nodes).toMatchObject([
      { name: 'Sequence Source', module: 'source', edges: [], isSource: true, isSink: false },
      { name: 'Timestamps/Watermarks', module: 'timestamps', options: { strategy }, edges: ['1 auto'], ...rest },
      { name: 'Map', module: 'map', edges: ['2 auto'], ...rest },
      { name: 'Filter', module: 'filter', edges: ['3 auto'], ...rest },
      { name: 'Flat Map', module: 'flat-map', edges: ['4 auto'], ...rest },
      { name: 'Process', module: 'process', edges: ['5 auto'], ...rest },
      { module: 'print', options: { stream: 'stdout', prefix: 'p' }, edges: ['6/late auto'], isSink: true },
      { name: 'KeyedProcess', module: 'keyed-process', edges: ['2 key'], ...rest },
      { module: 'print', options: { stream: 'stderr' }, edges: ['8 auto'], isSink: true },
      { name: 'Keyed Reduce', module: 'keyed-reduce', edges: ['2 key'], ...rest },
      { name: 'Writer', module: 'sink', options: { sink }, edges: ['10 auto'], isSink: true },
      {
        name: 'TumblingProcessingTimeWindows',
        module: 'window',
        options: { kind: 'reduce', allowedLatenessMs: 2000, lateTag: 'late' },
        edges: ['2 key'],
      },
      { name: 'TumblingEventTimeWindows', options: { kind: 'process', allowedLatenessMs: 0 }, edges: ['2 key'] },
    ])
  })

  test('every partitioner', () => {
    const { env } = setUp()
    const s = env.fromSequence(1, 9)
    const streams = [
      s.forward(),
      s.rebalance(),
      s.rescale(),
      s.shuffle(),
      s.broadcast(),
      s.global(),
      s.partitionCustom(
        (n) => n + 1,
        (key, channels) => key % channels,
      ),
      s.union(s.rebalance()),
      // What was chosen last holds.
      s.union(s.rebalance()).shuffle(),
      s.keyBy((n) => n).broadcast(),
    ]
    for (const stream of streams) stream.print()
    expect(
      env
        .getStreamGraph()
        .nodes.slice(1)
        .map((node) => show(node).edges),
    ).toEqual([
      ['1 forward'],
      ['1 rebalance'],
      ['1 rescale'],
      ['1 shuffle'],
      ['1 broadcast'],
      ['1 global'],
      ['1 custom'],
      ['1 auto', '1 rebalance'],
      ['1 shuffle', '1 shuffle'],
      ['1 broadcast'],
    ])
  })

  test('settings of an operator and of a sink', () => {
    const { env } = setUp()
    env
      .fromData({ n: 1 })
      .map((row) => row)
      .name('m')
      .uid('u')
      .setDescription('d')
      .setParallelism(2)
      .setMaxParallelism(4)
      .slotSharingGroup('g')
      .startNewChain()
      .setBufferTimeout('1 s')
      .returns(types.row({ n: types.number }))
      .print()
      .name('out')
      .uid('v')
      .setDescription('e')
      .setParallelism(3)
      .setMaxParallelism(5)
      .slotSharingGroup('h')
      .disableChaining()
    const [source, map, out] = env.getStreamGraph().nodes
    expect(source!.parallelism).toBe(1)
    expect(map).toMatchObject({
      name: 'm',
      uid: 'u',
      description: 'd',
      parallelism: 2,
      maxParallelism: 4,
      slotSharingGroup: 'g',
      chaining: 'head',
      bufferTimeoutMs: 1000,
      outputType: { kind: 'row' },
    })
    expect(out).toMatchObject({
      name: 'out',
      uid: 'v',
      description: 'e',
      parallelism: 3,
      maxParallelism: 5,
      slotSharingGroup: 'h',
      chaining: 'never',
    })
  })

  test('sources from values', () => {
    const { env } = setUp()
    const descriptions = [
      env.fromData('a', 'b'),
      env.fromData(['a', 'b', 'c']),
      env.fromData([1], [2]),
      env.fromElements(['a', 'b']),
      env.fromCollection(new Set([1, 2, 3, 4])),
    ].map((s) => s.inputs[0]!.node.spec.options.source.describe())
    expect(descriptions).toEqual([2, 3, 2, 1, 4].map((n) => `collection(${n} values)`))
  })

  test('sources of text', () => {
    const { env } = setUp()
    env.readTextFile('/data/book.txt')
    env.socketTextStream('localhost', 9000, { retries: 2 })
    const nodes = env.getStreamGraph().nodes
    expect(nodes.map((n) => [n.spec.options.source.describe(), n.parallelism])).toEqual([
      ['files(/data/book.txt)', undefined],
      ['socket(localhost:9000)', 1],
    ])
  })

  const refused: [what: string, build: (env: StreamExecutionEnvironment) => void, code: string, text: RegExp][] = [
    ['parallelism 0', (env) => env.fromData(1).name('in').setParallelism(0), 'TR-GRAPH-005', /operator "in".* 0/],
    ['a max parallelism of a half', (env) => env.fromData(1).setMaxParallelism(0.5), 'TR-GRAPH-005', /0\.5/],
    ['a buffer timeout below -1', (env) => env.fromData(1).setBufferTimeout(-2), 'TR-GRAPH-005', /-2/],
    ['an empty uid', (env) => env.fromData(1).uid(''), 'TR-GRAPH-005', /empty uid/],
    ['an empty group', (env) => env.fromData(1).print().slotSharingGroup(''), 'TR-GRAPH-005', /slot sharing group/],
    [
      'streams of two environments',
      (env) => env.fromData(1).union(setUp().env.fromData(2)),
      'TR-GRAPH-004',
      /two environments/,
    ],
    [
      'timers without a key',
      (env) => env.fromData(1).process(new KeyedNothing() as unknown as Nothing),
      'TR-STATE-002',
      /KeyedNothing.*keyBy\(\)/,
    ],
    [
      'a negative lateness',
      (env) =>
        env
          .fromData(1)
          .keyBy((n) => n)
          .window(TumblingEventTimeWindows.of(5))
          .allowedLateness(-1),
      'TR-GRAPH-005',
      /lateness of -1/,
    ],
  ]
  test.each(refused)('nothing of %s', (_, build, code, text) => {
    expect(() => build(setUp().env)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(text) }))
  })

  test('no window aggregates with a life', () => {
    const windowed = setUp()
      .env.fromData(1)
      .keyBy((n) => n)
      .window(TumblingEventTimeWindows.of(5))
    const rich = { open() {}, reduce: (a: number) => a }
    expect(() => windowed.reduce(rich)).toThrow(TypeError)
    const aggregate = { close() {}, createAccumulator: () => 0, add: (n: number) => n, getResult: (n: number) => n }
    expect(() => windowed.aggregate(aggregate)).toThrow(/open\(\), finish\(\) or close\(\)/)
  })
})

describe('execute', () => {
  test('submits what was built since the last one, with all that feeds it', async () => {
    const { env, cluster } = setUp()
    const numbers = env.fromSequence(1, 9)
    numbers.map((n) => n).print()
    const first = env.execute('one')
    env.fromData(1).print()
    numbers.filter(() => true).print()
    const second = await env.executeAsync('two')
    for (const job of cluster.jobs) job.finish()
    expect([(await first).jobName, (await second.result()).jobName]).toEqual(['one', 'two'])
    const modules = cluster.jobs.map((job) => job.graph.nodes.map((n) => n.spec.module))
    expect(modules).toEqual([
      ['source', 'map', 'print'],
      ['source', 'source', 'print', 'filter', 'print'],
    ])
    expect(cluster.jobs[1]!.graph.nodes.map((n) => n.id)).toEqual([1, 4, 5, 6, 7])
  })

  test('takes its name from the configuration where none is given', async () => {
    const { env, cluster } = setUp({ 'pipeline.name': 'configured' })
    env.fromData(1).print()
    await env.executeAsync()
    expect(cluster.jobs[0]!.graph.config.jobName).toBe('configured')
  })

  test('rejects when the job fails', async () => {
    const { env, cluster } = setUp()
    env.fromData(1).print()
    const done = env.execute()
    await settle()
    cluster.jobs[0]!.fail(new Error('broken'))
    await expect(done).rejects.toThrow('broken')
  })
})

describe('executeAndCollect()', () => {
  test('adds a sink at parallelism 1 and gives its values', async () => {
    const { env, cluster } = setUp()
    const values = env
      .fromData(1, 2, 3)
      .map((n) => n)
      .executeAndCollect('named')
    await settle()
    const [job] = cluster.jobs
    const collect = job!.graph.nodes.at(-1)!
    expect(show(collect)).toMatchObject({ module: 'collect', isSink: true, parallelism: 1 })
    expect(job!.graph.config.jobName).toBe('named')
    job!.options.onCollected!([1, 2])
    job!.options.onCollected!([3])
    job!.finish()
    expect(await values).toEqual([1, 2, 3])
  })

  test('cancels at its limit and gives no more', async () => {
    const { env, cluster } = setUp()
    const values = env.fromData(1, 2, 3).executeAndCollect(2)
    await settle()
    cluster.jobs[0]!.options.onCollected!([1, 2, 3])
    expect(await values).toEqual([1, 2])
    expect(cluster.jobs[0]!.cancelled).toBe(true)
  })

  test('with limit 0 runs nothing for long; a job that ends below its limit is done', async () => {
    const { env, cluster } = setUp()
    expect(await env.fromData(1).executeAndCollect(0)).toEqual([])
    expect(cluster.jobs[0]!.cancelled).toBe(true)
    const values = env.fromData(1).executeAndCollect(5)
    await settle()
    cluster.jobs[1]!.options.onCollected!([1])
    cluster.jobs[1]!.finish()
    expect(await values).toEqual([1])
    await expect(env.fromData(1).executeAndCollect(-1)).rejects.toThrow(RangeError)
  })

  test('rejects when the job fails, also while it is being cancelled', async () => {
    const { env, cluster } = setUp()
    const failing = env.fromData(1).executeAndCollect()
    await settle()
    cluster.jobs[0]!.fail(new Error('broken'))
    await expect(failing).rejects.toThrow('broken')
    const limited = env.fromData(1).executeAndCollect(1)
    await settle()
    cluster.jobs[1]!.fail(new Error('broken'))
    cluster.jobs[1]!.options.onCollected!([1])
    await expect(limited).rejects.toThrow('broken')
  })
})

describe('collectAsync()', () => {
  test('starts with the first read, and acknowledges a batch when it has been read', async () => {
    const { env, cluster } = setUp()
    const stream = env.fromData(1, 2, 3).collectAsync('reader')
    await settle()
    expect(cluster.jobs).toHaveLength(0)
    const iterator = stream[Symbol.asyncIterator]()
    const first = iterator.next()
    await settle()
    const [job] = cluster.jobs
    expect(job!.graph.config.jobName).toBe('reader')
    let taken = false
    void Promise.resolve(job!.options.onCollected!([1, 2])).then(() => {
      taken = true
    })
    expect(await first).toEqual({ value: 1, done: false })
    expect(await iterator.next()).toEqual({ value: 2, done: false })
    await settle()
    expect(taken).toBe(false)
    const third = iterator.next()
    await settle()
    expect(taken).toBe(true)
    job!.options.onCollected!([3])
    expect(await third).toEqual({ value: 3, done: false })
    job!.finish()
    expect((await iterator.next()).done).toBe(true)
  })

  test('gives what came before the end, cancels when the loop is left, rejects when the job fails', async () => {
    const { env, cluster } = setUp()
    const all: number[] = []
    const reading = (async () => {
      for await (const value of env.fromData(1).collectAsync()) all.push(value)
    })()
    await settle()
    cluster.jobs[0]!.options.onCollected!([1, 2])
    cluster.jobs[0]!.finish()
    await reading
    expect(all).toEqual([1, 2])

    const leaving = (async () => {
      for await (const value of env.fromData(1).collectAsync()) return value
      return undefined
    })()
    await settle()
    const taken = cluster.jobs[1]!.options.onCollected!([7, 8])
    expect(await leaving).toBe(7)
    await taken
    // The job waits for what it sent before it was cancelled.
    await cluster.jobs[1]!.options.onCollected!([9])
    expect(cluster.jobs[1]!.cancelled).toBe(true)

    const failing = env.fromData(1).collectAsync()[Symbol.asyncIterator]().next()
    await settle()
    cluster.jobs[2]!.fail(new Error('broken'))
    await expect(failing).rejects.toThrow('broken')
  })
})
