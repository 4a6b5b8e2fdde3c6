/**
 * A job that counts and sums numbers per key, in state that it changes in place, and gives its results at its end: what tests do to checkpoints and stores shows in them.
 * It runs inline, so a test may look at its records and at the cluster.
 */

import type { CheckpointsView } from '../checkpoint/coordinator/statistics-model.ts'
import { dataGenSource } from '../connectors/datagen/index.ts'
import type { TailraceError } from '../core/errors.ts'
import type { Source } from '../core/source.ts'
import { type Type, types } from '../core/types.ts'
import {
  type Collector,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type MapState,
  MapStateDescriptor,
  type OnTimerContext,
  type RuntimeContext,
  type StreamExecutionEnvironment,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from '../index.ts'
import type { JobView } from '../rpc/views.ts'
import { MiniCluster } from './mini-cluster.ts'

export const RECORDS = 3000
const END = 1_000_000

export interface CountingSettings {
  keys: number
  /** Of the state "total". */
  type: Type<any>
  /** Of the operator. */
  uid: string
  recordsPerSecond: number
  /** Of the cluster; the job takes two. */
  slots: number
  /** While it is false each reader of an attempt gives some records and then waits, so that the job does not end. */
  mayEnd(): boolean
  /** Sees each record before it is counted. */
  onRecord(n: number): void
  /** Sees the cluster while the job runs, and cancels it. */
  during(cluster: MiniCluster, jobId: string, cancel: () => void): Promise<void>
}

/** Of one key: how many, their sum, how many odd ones. */
type Result = [key: number, n: number, sum: number, odd: number]

export interface Counted {
  /** Of the job, or what `during` has thrown. */
  error: TailraceError | undefined
  /** By key. */
  results: Result[]
  /** How many were processed, again or not. */
  records: number
  job: JobView
  checkpoints: CheckpointsView
}

/** Of {@link CountingSettings.type}. */
export const SUMS = types.row({ n: types.number, sum: types.number })

/** `update()` and `put()` are called once per key. */
class InPlace extends KeyedProcessFunction<number, number, Result> {
  readonly #settings: CountingSettings
  #total!: ValueState<{ n: number; sum: number }>
  #parts!: MapState<string, { n: number }>

  constructor(settings: CountingSettings) {
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
    if (total === undefined) {
      this.#total.update({ n: 1, sum: n })
      this.#parts.put('odd', { n: n % 2 })
      context.timerService.registerEventTimeTimer(END)
      return
    }
    total.n++
    total.sum += n
    this.#parts.get('odd')!.n += n % 2
  }
  override onTimer(_: number, context: OnTimerContext<number>, out: Collector<Result>): void {
    const { n, sum } = this.#total.value()!
    out.collect([context.getCurrentKey(), n, sum, this.#parts.get('odd')!.n])
  }
}

/** Per reader and attempt, while the job may not end. */
const HELD_RECORDS = 100

function held(source: Source<number>, { mayEnd }: CountingSettings): Source<number> {
  return {
    ...source,
    createReader: (context) => {
      const reader = source.createReader(context)
      const poll = reader.poll.bind(reader)
      let left = HELD_RECORDS
      reader.poll = (output, max) => {
        if (mayEnd()) return poll(output, max)
        if (left <= 0) {
          context.wakeAt(context.clock.monotonic() + 1)
          return 'idle'
        }
        const most = Math.min(max, left)
        left -= most
        return poll(output, most)
      }
      return reader
    },
  }
}

function build(env: StreamExecutionEnvironment, settings: CountingSettings, results: Result[]): void {
  env.setParallelism(2)
  const { keys, uid, recordsPerSecond } = settings
  const source = held(dataGenSource({ generate: (n) => n, count: RECORDS, recordsPerSecond }), settings)
  const times = WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((n) => n)
  env
    .fromSource(source, times, 'numbers')
    .uid('numbers')
    .keyBy((n) => n % keys)
    .process(new InPlace(settings))
    .name(`counts of ${uid}`)
    .uid(uid)
    .map((result) => void results.push(result))
    .filter(() => false)
    .print()
}

/** What a job gives that nothing has happened to. */
export function countsOf(keys: number): Result[] {
  return Array.from({ length: keys }, (_, key) => {
    const own = Array.from({ length: RECORDS }, (_, n) => n).filter((n) => n % keys === key)
    return [key, own.length, own.reduce((a, b) => a + b, 0), own.filter((n) => n % 2 === 1).length]
  })
}

/** Runs it to its end, of whatever kind. */
export async function runCounting(
  options: Record<string, string>,
  over: Partial<CountingSettings> = {},
): Promise<Counted> {
  const cluster = await MiniCluster.start({ slots: over.slots ?? 2 })
  const results: Result[] = []
  let records = 0
  const settings: CountingSettings = {
    ...{ keys: 7, type: types.any(), uid: 'counts', recordsPerSecond: 20_000, slots: 2 },
    mayEnd: () => true,
    onRecord: () => {},
    during: async () => {},
    ...over,
  }
  const onRecord = (n: number) => {
    records++
    settings.onRecord(n)
  }
  const main = async (env: StreamExecutionEnvironment) => {
    build(env, { ...settings, onRecord }, results)
    await env.execute('counts')
  }
  const submitted = Promise.withResolvers<string>()
  const abort = new AbortController()
  const cancel = () => abort.abort()
  try {
    const ended = cluster.runProgram(main, { options, onJob: submitted.resolve, signal: abort.signal })
    ended.catch(submitted.reject)
    const watched = submitted.promise.then((jobId) => settings.during(cluster, jobId, cancel))
    watched.catch(cancel)
    const outcomes = await Promise.allSettled([watched, ended])
    const error = outcomes.find((outcome) => outcome.status === 'rejected')?.reason
    const jobId = await submitted.promise
    return {
      error,
      results: results.sort(([a], [b]) => a - b),
      records,
      job: cluster.job(jobId)!,
      checkpoints: cluster.view.checkpoints(jobId)!,
    }
  } finally {
    await cluster.stop()
  }
}

/** Looks every few milliseconds; the test's time-out ends it otherwise. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2))
}
