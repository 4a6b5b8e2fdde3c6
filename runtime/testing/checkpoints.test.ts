/** Jobs that fail behind checkpoints, in slot threads: the whole way over store, restart and restore. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MiniCluster, type RunOptions } from './mini-cluster.ts'

const RECORDS = 30_000
const KEYS = 50

/** Sums per key, printed at the end; dies when it comes to a record named in `die`, if the mark file is not there yet. */
const PROGRAM = `import { existsSync, writeFileSync } from 'node:fs'
import { KeyedProcessFunction, type StreamExecutionEnvironment, ValueStateDescriptor, WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'
class Sums extends KeyedProcessFunction {
  open(context) {
    this.sum = context.getState(new ValueStateDescriptor('sum'))
    this.mark = context.parameters.mark
    this.how = context.parameters.how
    this.at = Number(context.parameters.at)
  }
  processElement(n, context, out) {
    if (n === this.at && !existsSync(this.mark)) {
      writeFileSync(this.mark, '')
      if (this.how === 'throw') throw new Error('once')
      process.exit(3)
    }
    const sum = this.sum.value() ?? { n: 0, sum: 0 }
    sum.n++
    sum.sum += n
    this.sum.update(sum)
    context.timerService.registerEventTimeTimer(1e9)
  }
  onTimer(_, context, out) {
    const { n, sum } = this.sum.value()
    out.collect([context.getCurrentKey(), n, sum].join(' '))
  }
}
export default async function main(env: StreamExecutionEnvironment) {
  env.setParallelism(2)
  const source = dataGenSource({ generate: (i: number) => i, count: ${RECORDS}, recordsPerSecond: ${RECORDS} })
  env
    .fromSource(source, WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((n) => n), 'numbers')
    .uid('numbers')
    .keyBy((n) => n % ${KEYS})
    .process(new Sums())
    .uid('sums')
    .print()
  await env.execute('sums')
}
`

function expected(): string[] {
  const sums = Array.from({ length: KEYS }, (_, key) => ({ key, n: 0, sum: 0 }))
  for (let i = 0; i < RECORDS; i++) {
    const sum = sums[i % KEYS]!
    sum.n++
    sum.sum += i
  }
  return sums.map(({ key, n, sum }) => `${key} ${n} ${sum}`).sort()
}

const bare = (printed: string[]) => printed.map((line) => line.replace(/^\d+> /, '')).sort()

describe('a job with checkpoints', () => {
  let dir: string
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'tailrace-checkpoints-'))
    writeFileSync(join(dir, 'job.ts'), PROGRAM)
  })
  afterAll(() => rmSync(dir, { recursive: true }))

  const options = (name: string): RunOptions => ({
    parameters: { mark: join(dir, `${name}.mark`), how: name, at: String(Math.floor(RECORDS / 2)) },
    options: {
      'execution.checkpointing.interval': '50 ms',
      'execution.checkpointing.dir': join(dir, `checkpoints of ${name}`),
      'restart-strategy': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': '3',
      'restart-strategy.fixed-delay.delay': '10 ms',
    },
  })

  it.each(['throw', 'exit'])('gives the results of one that never failed, when a task ends by %s', async (how) => {
    const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
    let jobId = ''
    try {
      const { printed } = await cluster.runProgram(join(dir, 'job.ts'), {
        ...options(how),
        onJob: (id) => (jobId = id),
      })
      expect(bare(printed)).toEqual(expected())
      const { numRestarts, checkpoints } = cluster.job(jobId)!
      expect(numRestarts).toBe(1)
      expect(checkpoints!.numberOfCompletedCheckpoints).toBeGreaterThan(2)
    } finally {
      await cluster.stop()
    }
  })

  it('goes on from its newest checkpoint when another process runs it under the same deployment', async () => {
    const { parameters, options: base } = options('throw again')
    const run = {
      parameters: parameters!,
      options: {
        ...base,
        'tailrace.deployment.id': 'sums-1',
        'restart-strategy': 'none',
        'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION',
      },
    }
    const first = await MiniCluster.start({ slots: 2, host: 'worker' })
    await expect(
      first.runProgram(join(dir, 'job.ts'), { ...run, parameters: { ...run.parameters, how: 'throw' } }),
    ).rejects.toMatchObject({ code: 'TR-TASK-001' })
    await first.stop()
    const folder = join(base!['execution.checkpointing.dir']!, 'sums-1', 'sums')
    expect(readdirSync(folder).some((name) => name.startsWith('chk-'))).toBe(true)
    const second = await MiniCluster.start({ slots: 2, host: 'worker' })
    let jobId = ''
    try {
      const { printed } = await second.runProgram(join(dir, 'job.ts'), { ...run, onJob: (id) => (jobId = id) })
      expect(bare(printed)).toEqual(expected())
      const source = second.job(jobId)!
      expect(source.numRestarts).toBe(0)
    } finally {
      await second.stop()
    }
  })

  it('refuses a configuration that cannot hold, before anything runs', async () => {
    const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
    try {
      const { parameters } = options('throw')
      const wrong = cluster.runProgram(join(dir, 'job.ts'), {
        parameters: parameters!,
        options: { 'execution.checkpointing.interval': '5 ms' },
      })
      await expect(wrong).rejects.toMatchObject({ code: 'TR-CHECKPOINT-006' })
      const nowhere = cluster.runProgram(join(dir, 'job.ts'), {
        parameters: parameters!,
        options: { 'execution.checkpointing.interval': '50 ms', 'execution.checkpointing.dir': 'ftp://there' },
      })
      await expect(nowhere).rejects.toMatchObject({ code: 'TR-CHECKPOINT-006' })
    } finally {
      await cluster.stop()
    }
  })
})
