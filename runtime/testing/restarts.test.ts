/** Jobs that fail and run again, in slot threads and inline. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MiniCluster } from './mini-cluster.ts'

const options = {
  'restart-strategy': 'fixed-delay',
  'restart-strategy.fixed-delay.attempts': '1',
  'restart-strategy.fixed-delay.delay': '10 ms',
}

describe('a job with a restart strategy', () => {
  let dir: string
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'tailrace-restarts-'))
  })
  afterAll(() => rmSync(dir, { recursive: true }))

  it.each([
    ['a function that throws', `throw new Error('once')`, 'TR-TASK-001'],
    ['a thread that ends', 'process.exit(3)', 'TR-TASK-002'],
  ])('runs again from the beginning after %s', async (what, failure, code) => {
    const mark = join(dir, `${what}.mark`)
    const file = join(dir, `${what}.ts`)
    writeFileSync(
      file,
      `import { existsSync, writeFileSync } from 'node:fs'
import { type StreamExecutionEnvironment } from 'tailrace'
export default async function main(env: StreamExecutionEnvironment) {
  env.fromSequence(1, 3).map((n) => {
    if (n === 2 && !existsSync(env.args[0])) {
      writeFileSync(env.args[0], '')
      ${failure}
    }
    return n
  }).print()
  await env.execute('once')
}
`,
    )
    const cluster = await MiniCluster.start({ slots: 1, host: 'worker' })
    try {
      let jobId = ''
      const { printed, results } = await cluster.runProgram(file, {
        args: [mark],
        options,
        onJob: (id) => (jobId = id),
      })
      // What the first attempt printed before it failed may have come out too.
      expect([printed.slice(-3), results.length, existsSync(mark)]).toEqual([['1', '2', '3'], 1, true])
      const { exceptions, numRestarts, status } = cluster.job(jobId)!
      expect([status, numRestarts, exceptions.map((e) => e.error.code)]).toEqual(['FINISHED', 1, [code]])
    } finally {
      await cluster.stop()
    }
  })

  it('goes on from its last checkpoint when one thread of two ends, and the other thread serves again', async () => {
    const mark = join(dir, 'two.mark')
    const file = join(dir, 'two.ts')
    writeFileSync(
      file,
      `import { existsSync, writeFileSync } from 'node:fs'
import { type StreamExecutionEnvironment, WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'
export default async function main(env: StreamExecutionEnvironment) {
  env.enableCheckpointing(20).setParallelism(2)
  const source = dataGenSource({ generate: (n) => n, count: 1000, recordsPerSecond: 2000 })
  env.fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers').map((n) => {
    if (n === 700 && !existsSync(env.args[0])) {
      writeFileSync(env.args[0], '')
      process.exit(3)
    }
    return { key: n % 3, n: 1 }
  }).keyBy((one) => one.key).sum('n').map(({ key, n }) => key + ': ' + n).print()
  await env.execute('two')
}
`,
    )
    const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
    try {
      let jobId = ''
      const { printed } = await cluster.runProgram(file, { args: [mark], options, onJob: (id) => (jobId = id) })
      const last = (key: string) => printed.findLast((line) => line.replace(/^\d+> /, '').startsWith(`${key}: `))
      expect(['0', '1', '2'].map((key) => last(key)?.split(': ')[1])).toEqual(['334', '333', '333'])
      const { numRestarts, vertices } = cluster.job(jobId)!
      expect([numRestarts, vertices[0]!.subtasks.map((s) => s.attempt)]).toEqual([1, [1, 1]])
      expect(cluster.view.checkpoints(jobId)!.latest.restored).toBeDefined()
    } finally {
      await cluster.stop()
    }
  })

  it('fails when it fails too often, with the user’s error', async () => {
    const cluster = await MiniCluster.start({ slots: 1 })
    let runs = 0
    let jobId = ''
    try {
      const failed = cluster.runProgram(
        async (env) => {
          env
            .fromData(1)
            .map((): number => {
              throw new Error(`run ${++runs}`)
            })
            .print()
          await env.execute('always')
        },
        { options, onJob: (id) => (jobId = id) },
      )
      await expect(failed).rejects.toMatchObject({ code: 'TR-TASK-001', message: expect.stringContaining('run 2') })
      expect([runs, cluster.job(jobId)!.notRestarted]).toEqual([2, 'it was restarted once already'])
    } finally {
      await cluster.stop()
    }
  })
})
