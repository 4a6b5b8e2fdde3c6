/**
 * Jobs that begin from what they must not, or cannot, go on from: the error names it, and no record is processed. And a job whose functions change what their state gave them.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataGenSource } from '../connectors/datagen/index.ts'
import type { Type } from '../core/types.ts'
import { types } from '../core/types.ts'
import {
  type Collector,
  type KeyedProcessContext,
  KeyedProcessFunction,
  MapStateDescriptor,
  type OnTimerContext,
  type RuntimeContext,
  type StreamExecutionEnvironment,
  ValueStateDescriptor,
  WatermarkStrategy,
} from '../index.ts'
import { MiniCluster } from './mini-cluster.ts'

const RECORDS = 3000
const KEYS = 7
const END = 1_000_000

interface Settings {
  type: Type<any>
  uid: string
  recordsPerSecond: number
  /** Sees each record before it is counted. */
  onRecord(n: number): void
  /** Sees each result. */
  onResult(result: [key: number, n: number, sum: number, odd: number]): void
}

const SUMS = types.row({ n: types.number, sum: types.number })

/** What is in state is changed in place: `update()` and `put()` are called once per key. */
class InPlace extends KeyedProcessFunction<number, number, [number, number, number, number]> {
  readonly #settings: Settings
  #total: any
  #parts: any

  constructor(settings: Settings) {
    super()
    this.#settings = settings
  }
  override open(context: RuntimeContext): void {
    this.#total = context.getState(new ValueStateDescriptor<any>('total', this.#settings.type))
    this.#parts = context.getMapState(new MapStateDescriptor<string, any>('parts'))
  }
  processElement(n: number, context: KeyedProcessContext<number>): void {
    this.#settings.onRecord(n)
    const total = this.#total.value()
    const odd = this.#parts.get('odd')
    if (total === undefined) {
      this.#total.update({ n: 1, sum: n })
      this.#parts.put('odd', { n: n % 2 })
      context.timerService.registerEventTimeTimer(END)
    } else {
      total.n++
      total.sum += n
      odd.n += n % 2
    }
  }
  override onTimer(_: number, context: OnTimerContext<number>, out: Collector<any>): void {
    const { n, sum } = this.#total.value()
    out.collect([context.getCurrentKey(), n, sum, this.#parts.get('odd').n])
  }
}

function counting(env: StreamExecutionEnvironment, settings: Settings): void {
  env.setParallelism(2)
  const source = dataGenSource({ generate: (n) => n, count: RECORDS, recordsPerSecond: settings.recordsPerSecond })
  env
    .fromSource(
      source,
      WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((n) => n),
      'numbers',
    )
    .uid('numbers')
    .keyBy((n) => n % KEYS)
    .process(new InPlace(settings))
    .name(`counts of ${settings.uid}`)
    .uid(settings.uid)
    .map((result) => void settings.onResult(result))
    .filter(() => false)
    .print()
}

const expected = Array.from({ length: KEYS }, (_, key) => {
  const own = Array.from({ length: RECORDS }, (_, n) => n).filter((n) => n % KEYS === key)
  return [key, own.length, own.reduce((a, b) => a + b, 0), own.filter((n) => n % 2 === 1).length]
})

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-hazards-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

async function run(options: Record<string, string>, over: Partial<Settings> = {}) {
  const cluster = await MiniCluster.start({ slots: 2 })
  const results: unknown[] = []
  const seen = { records: 0 }
  const settings: Settings = {
    type: types.any(),
    uid: 'counts',
    recordsPerSecond: 20_000,
    onRecord: () => {},
    onResult: (result) => results.push(result),
    ...over,
  }
  let jobId = ''
  try {
    const ended = cluster.runProgram(
      async (env) => {
        counting(env, {
          ...settings,
          onRecord: (n) => {
            seen.records++
            settings.onRecord(n)
          },
        })
        await env.execute('counts')
      },
      { options, onJob: (id) => (jobId = id) },
    )
    const error = await ended.then(
      () => undefined,
      (thrown) => thrown,
    )
    return {
      error,
      results: results.sort(),
      seen,
      job: cluster.job(jobId)!,
      checkpoints: cluster.view.checkpoints(jobId)!,
    }
  } finally {
    await cluster.stop()
  }
}

describe('state that is mutated without update() after the barrier', () => {
  it('is in the checkpoint as it was at the barrier', async () => {
    let failures = 0
    const { results, error, job, checkpoints } = await run(
      {
        'execution.checkpointing.interval': '10 ms',
        'restart-strategy.type': 'fixed-delay',
        'restart-strategy.fixed-delay.attempts': '9',
        'restart-strategy.fixed-delay.delay': '1 ms',
      },
      {
        recordsPerSecond: 10_000,
        onRecord(n) {
          if (n < 700 * (failures + 1) || failures === 4) return
          failures++
          throw new Error(`failure ${failures}`)
        },
      },
    )
    expect([error, results]).toEqual([undefined, expected])
    expect(job.numRestarts).toBe(4)
    expect(checkpoints.counts.restored).toBeGreaterThan(0)
  })
})

describe('a savepoint', () => {
  let savepoint: string
  let broken = 0
  beforeAll(async () => {
    const cluster = await MiniCluster.start({ slots: 2 })
    try {
      let jobId = ''
      const begun = Promise.withResolvers<void>()
      const ended = cluster.runProgram(
        async (env) => {
          const onRecord = (n: number) => void (n > RECORDS / 4 && begun.resolve())
          counting(env, { type: SUMS, uid: 'counts', recordsPerSecond: 3000, onRecord, onResult: () => {} })
          await env.execute('counts')
        },
        { onJob: (id) => (jobId = id) },
      )
      await begun.promise
      const triggerId = cluster.view.trigger(jobId, { kind: 'stop', drain: false, directory: dir })!
      await ended
      savepoint = cluster.view.operation(jobId, 'stop', triggerId)!.result!.path
    } finally {
      await cluster.stop()
    }
  })

  /** A copy that is broken: its path. */
  function copy(breakIt: (path: string) => void): string {
    const path = join(dir, `broken-${broken++}`)
    cpSync(savepoint, path, { recursive: true })
    breakIt(path)
    return path
  }
  const refused = async (path: string, over: Partial<Settings> = {}) => {
    // A strategy that would restart it for ever, were it of use.
    const restarts = { 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.attempts': '1000' }
    const { error, seen, results, job } = await run({ 'execution.state-recovery.path': path, ...restarts }, over)
    expect([seen.records, results, job.numRestarts]).toEqual([0, [], 0])
    return `${error?.code} ${error?.message}`
  }
  const metadataOf = (path: string) => join(path, '_metadata')

  it('that is whole is gone on from', async () => {
    const { results, seen } = await run({ 'execution.state-recovery.path': savepoint }, { type: SUMS })
    expect(results).toEqual(expected)
    expect(seen.records).toBeLessThan(RECORDS)
  })

  it.each([
    ['cut in the middle', (path: string) => truncateSync(metadataOf(path), readFileSync(metadataOf(path)).length / 2)],
    ['short of one byte', (path: string) => truncateSync(metadataOf(path), readFileSync(metadataOf(path)).length - 1)],
    ['empty', (path: string) => truncateSync(metadataOf(path), 0)],
    ['of another program', (path: string) => writeFileSync(metadataOf(path), 'PK\u0003\u0004 this is a zip file')],
    ['of a later version', (path: string) => flip(metadataOf(path), 4)],
    ['with a byte that was changed', (path: string) => flip(metadataOf(path), 40)],
    ['not there', (path: string) => rmSync(metadataOf(path))],
  ])('whose metadata is %s is refused with its path, before a record is processed', async (_, breakIt) => {
    const path = copy(breakIt)
    const refusal = await refused(path)
    expect(refusal).toMatch(/^TR-CHECKPOINT-003 Cannot /)
    expect(refusal).toContain(`${path}`)
  })

  it('of another job is refused: its operators are named, and those that may be meant', async () => {
    const refusal = await refused(savepoint, { uid: 'countz' })
    expect(refusal).toMatch(/^TR-CHECKPOINT-004 .*"counts of counts"/s)
    expect(refusal).toContain('countz')
  })

  it.each([
    [
      'a field of another type',
      types.row({ n: types.number, sum: types.string }),
      /field "sum" is number, and string is/,
    ],
    ['a field less', types.row({ n: types.number }), /has a field "sum", which is not declared/],
    ['something else', types.string, /it is row, and string is declared/],
  ])('whose schema was mutated, %s, is refused with operator, state and both types', async (_, type, difference) => {
    const refusal = await refused(savepoint, { type })
    expect(refusal).toMatch(/^TR-CHECKPOINT-004 Cannot restore state "total" of operator "counts of counts": /)
    expect(refusal).toMatch(difference)
  })
})

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = bytes[at]! ^ 0x40
  writeFileSync(file, bytes)
}
