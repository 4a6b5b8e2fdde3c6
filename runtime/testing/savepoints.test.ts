/** Savepoints, stops and checkpoints that users ask for, on jobs that run in this process. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { dataGenSource } from '../connectors/datagen/index.ts'
import { type Meter, metered } from '../connectors/metered.suite.ts'
import { type StreamExecutionEnvironment, WatermarkStrategy } from '../index.ts'
import type { OperationRequest, OperationView } from '../rpc/views.ts'
import { MiniCluster } from './mini-cluster.ts'

const RECORDS = 400
/** Sums of 0…n-1 by remainder: what each key has seen last is its sum. The job does not end before its meter lets all records pass. */
function sums(env: StreamExecutionEnvironment, seen: Map<number, number>, meter: Meter) {
  env.setParallelism(2)
  env
    .fromSource(
      metered(dataGenSource({ generate: (n) => n, count: RECORDS }), meter),
      WatermarkStrategy.noWatermarks<number>(),
      'numbers',
    )
    .uid('numbers')
    .map((n) => ({ key: n % 5, sum: n }))
    .keyBy((record) => record.key)
    .sum('sum')
    .uid('sum')
    .map(({ key, sum }) => void seen.set(key, Math.max(sum, seen.get(key) ?? 0)))
    .filter(() => false)
    .print()
}
const EXPECTED = new Map(
  [0, 1, 2, 3, 4].map((key) => {
    let sum = 0
    for (let n = key; n < RECORDS; n += 5) sum += n
    return [key, sum]
  }),
)
const sorted = (map: Map<number, number>) => [...map].sort(([a], [b]) => a - b)

describe('savepoints of a running job', () => {
  let dir: string
  let cluster: MiniCluster
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'tailrace-savepoints-'))
  })
  afterAll(() => rmSync(dir, { recursive: true }))
  beforeEach(async () => {
    cluster = await MiniCluster.start({ slots: 2 })
  })
  afterEach(() => cluster.stop())

  async function operation(jobId: string, request: OperationRequest): Promise<OperationView> {
    const triggerId = cluster.view.trigger(jobId, request)!
    for (;;) {
      const view = cluster.view.operation(jobId, request.kind, triggerId)!
      if (view.status === 'COMPLETED') return view
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Returns when each key was seen; `goOn` lets the job run to its end. */
  async function begin(seen: Map<number, number>, options: Record<string, string>) {
    const started = Promise.withResolvers<string>()
    const meter: Meter = { allowed: RECORDS / 2 }
    const main = async (env: StreamExecutionEnvironment) => {
      sums(env, seen, meter)
      await env.execute('sums')
    }
    const ended = cluster.runProgram(main, { options, onJob: started.resolve })
    ended.catch(() => {})
    const jobId = await started.promise
    while (seen.size < 5) await new Promise((resolve) => setTimeout(resolve, 5))
    const goOn = () => {
      meter.allowed = Number.POSITIVE_INFINITY
      return ended
    }
    return { ended, jobId, goOn }
  }

  it.each([
    ['with periodic checkpoints', { 'execution.checkpointing.interval': '20' }],
    ['without', {}],
  ])('stop it, and another goes on from there: %s', async (_, options) => {
    const seen = new Map<number, number>()
    const { ended, jobId } = await begin(seen, options)
    const { error, result } = await operation(jobId, { kind: 'stop', drain: false, directory: dir })
    expect(error).toBeUndefined()
    await ended
    expect(cluster.job(jobId)!.status).toBe('FINISHED')
    const before = sorted(seen)
    expect(before).not.toEqual(sorted(EXPECTED))
    const next = await begin(seen, { ...options, 'execution.state-recovery.path': result!.path })
    await next.goOn()
    expect(sorted(seen)).toEqual(sorted(EXPECTED))
    expect(cluster.view.checkpoints(next.jobId)!.latest.restored).toMatchObject({ isSavepoint: true })
  })

  it.each([
    ['with periodic checkpoints', { 'execution.checkpointing.interval': '20' }],
    ['without', {}],
  ])('drain it: %s', async (_, options) => {
    const seen = new Map<number, number>()
    const { ended, jobId } = await begin(seen, options)
    const { error, result } = await operation(jobId, { kind: 'stop', drain: true, directory: dir })
    expect([error, result?.path]).toEqual([undefined, expect.stringContaining(dir)])
    await ended
    expect(cluster.job(jobId)!.status).toBe('FINISHED')
    // It did not read to its end.
    expect(sorted(seen)).not.toEqual(sorted(EXPECTED))
    expect(cluster.view.checkpoints(jobId)!.latest.savepoint).toMatchObject({ type: 'SYNC_SAVEPOINT' })
  })

  it('are taken of a job without periodic checkpoints', async () => {
    const seen = new Map<number, number>()
    const { jobId, goOn } = await begin(seen, {})
    const { error, result } = await operation(jobId, { kind: 'savepoint', directory: dir })
    expect(error).toBeUndefined()
    await goOn()
    const again = new Map<number, number>()
    await (await begin(again, { 'execution.state-recovery.path': result!.path })).goOn()
    expect(sorted(again)).toEqual(sorted(EXPECTED))
  })

  it('leave it running, and do not count as checkpoints', async () => {
    const seen = new Map<number, number>()
    const { jobId, goOn } = await begin(seen, { 'execution.checkpointing.interval': '1 h' })
    const savepoint = await operation(jobId, { kind: 'savepoint', directory: dir })
    const checkpoint = await operation(jobId, { kind: 'checkpoint' })
    expect([savepoint.error, checkpoint.error]).toEqual([undefined, undefined])
    await goOn()
    expect(sorted(seen)).toEqual(sorted(EXPECTED))
    const { counts, history } = cluster.view.checkpoints(jobId)!
    expect(history.map((c) => c.type)).toEqual(['CHECKPOINT', 'CHECKPOINT', 'SAVEPOINT'])
    expect(counts).toMatchObject({ completed: 3, failed: 0 })
  })

  it('are refused without a place, with the reason', async () => {
    const { jobId, goOn } = await begin(new Map(), {})
    const { error } = await operation(jobId, { kind: 'savepoint' })
    expect(error).toMatchObject({ code: 'TR-CHECKPOINT-006' })
    await goOn()
  })
})

describe('a job with checkpoints', () => {
  it('gives the results of a job that never failed', async () => {
    const cluster = await MiniCluster.start({ slots: 2 })
    const seen = new Map<number, number>()
    let failures = 0
    let jobId = ''
    try {
      await cluster.runProgram(
        async (env) => {
          env.enableCheckpointing(10)
          env.configure('restart-strategy.type', 'fixed-delay').configure('restart-strategy.fixed-delay.attempts', 9)
          env.configure('restart-strategy.fixed-delay.delay', 1)
          env.setParallelism(2)
          env
            .fromSource(
              dataGenSource({ generate: (n) => n, count: RECORDS, recordsPerSecond: 1000 }),
              WatermarkStrategy.noWatermarks<number>(),
              'numbers',
            )
            .map((n) => {
              if (n === 150 + 100 * failures && failures < 2) {
                failures++
                throw new Error(`failure ${failures}`)
              }
              return { key: n % 5, sum: n }
            })
            .keyBy((record) => record.key)
            .sum('sum')
            .map(({ key, sum }) => void seen.set(key, Math.max(sum, seen.get(key) ?? 0)))
            .filter(() => false)
            .print()
          await env.execute('sums')
        },
        { onJob: (id) => (jobId = id) },
      )
      expect([failures, sorted(seen)]).toEqual([2, sorted(EXPECTED)])
      const { exceptions, numRestarts } = cluster.job(jobId)!
      expect([numRestarts, exceptions.length]).toEqual([2, 2])
      expect(cluster.view.checkpoints(jobId)!.counts.restored).toBe(2)
    } finally {
      await cluster.stop()
    }
  })
})
