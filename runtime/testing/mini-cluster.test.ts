/** Programs from files in slot threads, and functions inline: what a user's job may do and what happens when it goes wrong. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { errorToData } from '../core/errors.ts'
import { userFrameOf } from '../core/user-frame.ts'
import {
  type Collector,
  KeyedProcessFunction,
  type RuntimeContext,
  StreamExecutionEnvironment,
  types,
  type ValueState,
  ValueStateDescriptor,
} from '../index.ts'
import { MiniCluster, type RunOptions } from './mini-cluster.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-programs-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

function write(path: string, text: string): string {
  const file = join(dir, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

/** A program whose main has this body. */
const main = (body: string) =>
  `import { type StreamExecutionEnvironment } from 'tailrace'
import { threadId } from 'node:worker_threads'
export default async function main(env: StreamExecutionEnvironment) {
${body}
}
`

describe('a program in slot threads', () => {
  let cluster: MiniCluster
  beforeEach(async () => {
    cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
  })
  afterEach(() => cluster.stop())

  let files = 0
  const run = (body: string, options?: RunOptions) =>
    cluster.runProgram(write(`job-${files++}.ts`, main(body)), options)
  const failure = async (body: string, options?: RunOptions) => {
    const error = await run(body, options).then(
      () => undefined,
      (thrown) => thrown,
    )
    expect(error).toBeDefined()
    return error
  }

  it('runs in two slots, with enums, decorators and imports without extension', async () => {
    write('rich/words.ts', 'export const split = (line: string) => line.split(" ")')
    const job = write(
      'rich/job.ts',
      `import { type StreamExecutionEnvironment } from 'tailrace'
       import { split } from './words'
       enum Mark { Word = '*' }
       function loud(method: any, _context: unknown) { return function (this: any, w: string) { return method.call(this, w).toUpperCase() } }
       class Marker { constructor(private readonly mark: Mark) {} @loud write(w: string): string { return this.mark + w } }
       export async function main(env: StreamExecutionEnvironment) {
         const marker = new Marker(Mark.Word)
         env.setParallelism(2).fromData('to be', 'or not', 'to be').rebalance().flatMap(split).map((w) => marker.write(w)).print()
         await env.execute('marks')
       }`,
    )
    const { printed, results } = await cluster.runProgram(job)
    expect(printed.map((line) => line.slice(3)).sort()).toEqual(['*BE', '*BE', '*NOT', '*OR', '*TO', '*TO'])
    expect(new Set(printed.map((line) => line.slice(0, 3)))).toEqual(new Set(['1> ', '2> ']))
    expect(results).toMatchObject([{ jobName: 'marks' }])
  })

  it('gives main and functions the arguments and parameters', async () => {
    const { printed } = await run(
      `const { args, parameters: { by } } = env
       env.fromData(1, 2).map({
         open(context) { this.by = Number(context.parameters.by) },
         by: 0,
         map(n) { return [n * this.by, by, args[0], process.argv[2]].join() },
       }).print()
       await env.execute()`,
      { args: ['first', '--by', '10'], parameters: { by: '10' } },
    )
    expect(printed).toEqual(['10,10,first,first', '20,10,first,first'])
  })

  it('takes settings of the command line', async () => {
    const { printed } = await run(`env.fromSequence(1, 4).map(() => 'x').print()\n await env.execute()`, {
      options: { 'parallelism.default': '2' },
    })
    expect(printed).toEqual(expect.arrayContaining(['1> x', '2> x']))
  })

  it('computes env.once() in the program and replays it', async () => {
    const { printed } = await run(
      `const there = await env.once('thread', () => threadId)
       env.fromData(1).map(() => there !== threadId).print()
       await env.execute()`,
    )
    expect(printed).toEqual(['true'])
  })

  it('replays earlier executes, their values and their failures', async () => {
    const { printed, results } = await run(
      `const squares = await env.fromSequence(1, 3).map((n) => n * n).executeAndCollect('squares')
       let failed = ''
       env.fromData(1).map((): number => { throw new Error('on purpose') }).print()
       try { await env.execute('fails') } catch (error) { failed = (error as any).code }
       env.fromData(squares).map((n) => failed + ' ' + n).print()
       await env.execute('last')`,
    )
    expect(printed).toEqual(['TR-TASK-001 1', 'TR-TASK-001 4', 'TR-TASK-001 9'])
    expect(results.map((r) => r.jobName)).toEqual(['squares', 'last'])
  })

  it('may be a script whose module does not wait for its jobs', async () => {
    const job = write(
      'script.ts',
      `import { StreamExecutionEnvironment } from 'tailrace'
       async function go() {
         const env = StreamExecutionEnvironment.getExecutionEnvironment()
         for (const name of ['one', 'two']) {
           await new Promise((resolve) => setTimeout(resolve, 10))
           env.fromData(name).print()
           await env.execute(name)
         }
       }
       go()`,
    )
    expect(await cluster.runProgram(job)).toMatchObject({
      printed: ['one', 'two'],
      results: [{ jobName: 'one' }, { jobName: 'two' }],
    })
  })

  it('that builds another graph in a slot is refused with the first difference', async () => {
    const error = await failure(
      `env.fromData(1).map((n) => n).name('map of thread ' + threadId).print()\n await env.execute()`,
    )
    expect(error.code).toBe('TR-PROGRAM-001')
    expect(error.message).toMatch(/operator "map of thread \d+" of the first time is "map of thread \d+" the second/)
  })

  it('that ends in a slot before its execute is refused', async () => {
    const error = await failure(
      `if (await env.once('t', () => threadId) !== threadId) return
       env.fromData(1).print()
       await env.execute()`,
    )
    expect(error).toMatchObject({
      code: 'TR-PROGRAM-001',
      message: expect.stringContaining('called execute() 0 times'),
    })
  })

  it('that calls env.once() in a slot only is refused', async () => {
    const first = `const { mainThread } = await env.once('first', () => ({ mainThread: threadId }))`
    const error = await failure(
      `${first}
       if (mainThread !== threadId) await env.once('second', () => 1)
       env.fromData(1).print()
       await env.execute()`,
    )
    expect(error).toMatchObject({ code: 'TR-PROGRAM-004', message: expect.stringContaining('"second"') })
  })

  it('that waits in a slot for what does not come is given up', async () => {
    await cluster.stop()
    cluster = await MiniCluster.start({ slots: 1, host: 'worker', timeouts: { deployMs: 500 } })
    const error = await failure(
      `if (await env.once('t', () => threadId) !== threadId) await new Promise(() => {})
       env.fromData(1).print()
       await env.execute()`,
    )
    expect(error).toMatchObject({ code: 'TR-PROGRAM-001', message: expect.stringContaining('slot.deploy.timeout') })
  })

  it.each([
    ['never executes', 'TR-PROGRAM-003', 'env.fromData(1).print()'],
    ['throws', 'TR-PROGRAM-002', `throw new TypeError('in main')`],
    ['throws no error', 'TR-PROGRAM-002', `throw 'a text'`],
    ['ends its process', 'TR-PROGRAM-002', 'process.exit(3)'],
    [
      'loses a rejection',
      'TR-PROGRAM-002',
      `Promise.reject(new Error('lost'))\n await new Promise(() => setTimeout(() => {}, 1e6))`,
    ],
    [
      'wants too many slots',
      'TR-CLUSTER-001',
      'env.setParallelism(3).fromSequence(1, 2).print()\n await env.execute()',
    ],
    ['has nothing to run', 'TR-GRAPH-003', 'await env.execute()'],
  ])('that %s fails with %s', async (_, code, body) => {
    expect(await failure(body)).toMatchObject({ code })
  })

  it('names the line of main that threw', async () => {
    const error = await failure(`enum A { X }\n\n  throw new Error('in main' + A.X)`)
    expect(userFrameOf(errorToData(error))).toEqual({ file: join(dir, `job-${files - 1}.ts`), line: 6, column: 9 })
  })

  it('names the operator and the line of a function that threw', async () => {
    const error = await failure(
      `interface Row { inner?: { n: number } }
  const rows: Row[] = [{ inner: { n: 1 } }, {}]
  env.fromData(rows).map((row) => {
    return row.inner!.n
  }).name('take n').print()
  await env.execute()`,
    )
    expect(error).toMatchObject({ code: 'TR-TASK-001', operator: 'take n' })
    expect(userFrameOf(errorToData(error))).toMatchObject({ file: join(dir, `job-${files - 1}.ts`), line: 7 })
  })

  it('fails when a slot ends, and the slot is replaced', async () => {
    const body = `env.fromData(1).map((n): number => process.exit(7)).print()\n await env.execute()`
    expect(await failure(body)).toMatchObject({ code: 'TR-TASK-002', message: expect.stringContaining('exit code 7') })
    expect(
      (await run(`env.setParallelism(2).fromSequence(1, 2).map(() => 'on').print()\n await env.execute()`)).printed,
    ).toHaveLength(2)
  })

  it('fails when a slot runs out of memory, saying so', async () => {
    await cluster.stop()
    cluster = await MiniCluster.start({ slots: 1, host: 'worker', slotHeapMb: 32 })
    const error = await failure(
      `const kept: object[] = []
       env.fromSequence(1, 1e9).map((n) => kept.push({ n, list: [n] })).filter((n) => n < 0).print()
       await env.execute()`,
    )
    expect(error).toMatchObject({ code: 'TR-TASK-002', message: expect.stringContaining('ran out of memory') })
  })

  it('is cancelled: main sees its execute rejected and cleans up', async () => {
    const abort = new AbortController()
    const endless = run(
      `env.fromSequence(1, 1e15).filter((n) => n < 0).print()
       try { await env.execute() } finally { env.fromData('x').print(); await env.execute().catch(() => {}) }`,
      { onJob: () => abort.abort(), signal: abort.signal },
    )
    await expect(endless).rejects.toMatchObject({ code: 'TR-CLUSTER-002' })
    expect(cluster.view.list().map((job) => job.status)).toEqual(['CANCELED'])
  })

  it('is ended although its function never returns', async () => {
    await cluster.stop()
    cluster = await MiniCluster.start({ slots: 1, host: 'worker', timeouts: { cancelMs: 200 } })
    const abort = new AbortController()
    const hanging = run(`env.fromData(1).map(() => { for (;;); }).print()\n await env.execute()`, {
      onJob: () => setTimeout(() => abort.abort(), 300),
      signal: abort.signal,
    })
    await expect(hanging).rejects.toMatchObject({ code: 'TR-CLUSTER-002' })
  })

  it('can be seen while it runs and after', async () => {
    let jobId = ''
    await run(
      `env.setParallelism(2).fromSequence(1, 100).rebalance().map((n) => n).print()\n await env.execute('seen')`,
      {
        onJob: (id) => {
          jobId = id
          expect(cluster.job(id)).toMatchObject({ name: 'seen', status: 'INITIALIZING' })
        },
      },
    )
    const job = cluster.job(jobId)!
    expect(job).toMatchObject({ status: 'FINISHED', exceptions: [] })
    expect(job.vertices.map((v) => [v.state, v.parallelism])).toEqual([
      ['FINISHED', 2],
      ['FINISHED', 2],
    ])
    let emitted = 0
    const head = job.plan.vertices[0]!.operators[0]!.operatorId
    for (const { page, names } of job.metrics)
      for (const { name, operatorId, index } of names)
        if (name === 'numRecordsOut' && operatorId === head) emitted += new Float64Array(page)[index]!
    expect(emitted).toBe(100)
  })
})

describe('a function inline', () => {
  it('runs in each slot, so that function objects are its own', async () => {
    class Count extends KeyedProcessFunction<string, string, string> {
      #count!: ValueState<number>
      override open(context: RuntimeContext) {
        this.#count = context.getState(new ValueStateDescriptor('count', types.number))
      }
      override processElement(value: string, _context: unknown, out: Collector<string>) {
        const count = (this.#count.value() ?? 0) + 1
        this.#count.update(count)
        out.collect(`${value}${count}`)
      }
    }
    const cluster = await MiniCluster.start({ slots: 2 })
    const { printed } = await cluster.runProgram(async (env: StreamExecutionEnvironment) => {
      env.setParallelism(2)
      env
        .fromData('a', 'b', 'c', 'a', 'b', 'a')
        .keyBy((word) => word)
        .process(new Count())
        .print()
      await env.execute()
    })
    await cluster.stop()
    expect(printed.map((line) => line.slice(3)).sort()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'c1'])
  })

  it('fails as in a thread', async () => {
    const cluster = await MiniCluster.start({ slots: 1 })
    await expect(cluster.runProgram(() => {})).rejects.toMatchObject({ code: 'TR-PROGRAM-003' })
    await expect(
      cluster.runProgram(async (env) => {
        env
          .fromData(1)
          .map((): number => {
            throw new Error('boom')
          })
          .print()
        await env.execute()
      }),
    ).rejects.toMatchObject({ code: 'TR-TASK-001' })
    const { printed } = await cluster.runProgram(async (env) => {
      env.fromData('still here').print()
      await env.execute()
    })
    await cluster.stop()
    expect(printed).toEqual(['still here'])
  })

  it('may be a file as well', async () => {
    const cluster = await MiniCluster.start({ slots: 2 })
    const job = write(
      'inline.ts',
      main(`env.fromData('x').print()\n await env.execute()\n env.fromData('y').print()\n await env.execute()`),
    )
    expect((await cluster.runProgram(job)).printed).toEqual(['x', 'y'])
    expect((await cluster.runProgram(job)).printed).toEqual(['x', 'y'])
    await cluster.stop()
  })

  it('is cancelled', async () => {
    const cluster = await MiniCluster.start({ slots: 1 })
    const abort = new AbortController()
    const endless = cluster.runProgram(
      async (env) => {
        env
          .fromSequence(1, 1e15)
          .filter((n) => n < 0)
          .print()
        await env.execute()
      },
      { onJob: () => abort.abort(), signal: abort.signal },
    )
    await expect(endless).rejects.toMatchObject({ code: 'TR-CLUSTER-002' })
    await cluster.stop()
  })
})

describe('env.execute() in a program of its own', () => {
  it('runs in this thread, with functions that close over anything', async () => {
    const env = StreamExecutionEnvironment.getExecutionEnvironment()
    const seen: number[] = []
    env
      .fromSequence(1, 5)
      .map((n) => seen.push(n))
      .filter(() => false)
      .print()
    const result = await env.execute('closures')
    expect([result.jobName, seen]).toEqual(['closures', [1, 2, 3, 4, 5]])
    expect(await env.fromSequence(1, 3).executeAndCollect()).toEqual([1, 2, 3])
    expect(await env.once('n', () => 7)).toBe(7)
  })

  it('runs jobs beside each other, and each tells how it ended', async () => {
    const env = StreamExecutionEnvironment.getExecutionEnvironment()
    env
      .fromSequence(1, 1e15)
      .filter((n) => n < 0)
      .print()
    const endless = await env.executeAsync('endless')
    env
      .fromData(1)
      .map((): number => {
        throw new Error('boom')
      })
      .print()
    await expect(env.execute('fails')).rejects.toMatchObject({ code: 'TR-TASK-001' })
    expect(await endless.status()).toBe('RUNNING')
    const ended = expect(endless.result()).rejects.toMatchObject({ code: 'TR-CLUSTER-002' })
    await endless.cancel()
    await ended
    expect(await endless.status()).toBe('CANCELED')
  })
})
