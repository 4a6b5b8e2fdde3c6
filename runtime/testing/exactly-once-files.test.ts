/** Jobs from a source to files whose tasks and threads die on the way: the files have each record once. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MiniCluster } from './mini-cluster.ts'

const COUNT = 3000

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tailrace-files-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

/** Dies once at each of these records. */
const program = (failure: string) => `
import { existsSync, writeFileSync } from 'node:fs'
import { type StreamExecutionEnvironment, WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'
import { fileSink } from 'tailrace/connectors/files'
import { jsonLines } from 'tailrace/formats/json'

export default async function main(env: StreamExecutionEnvironment) {
  const [out, marks] = env.args
  const source = dataGenSource({ generate: (index) => index, count: ${COUNT}, recordsPerSecond: 6000 })
  env
    .fromSource(source, WatermarkStrategy.noWatermarks(), 'numbers')
    .map((n) => {
      if (n % 700 === 699 && !existsSync(marks + n)) {
        writeFileSync(marks + n, '')
        ${failure}
      }
      return n
    })
    .rebalance()
    .sinkTo(
      fileSink<number>({
        path: out,
        format: jsonLines(),
        bucketAssigner: { getBucketId: (n) => 'rest=' + (n % 2) },
        rollingPolicy: { maxPartSize: '1kb' },
      }),
    )
  await env.execute('files')
}
`

it.each([
  ['functions that throw', `throw new Error('once')`],
  ['threads that end', 'process.exit(3)'],
])('a job to files gives each record once through %s', async (what, failure) => {
  const path = (name: string) => join(directory, what.replaceAll(' ', '-') + name)
  writeFileSync(path('.ts'), program(failure))
  const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
  let jobId = ''
  try {
    await cluster.runProgram(path('.ts'), {
      args: [path('-out'), path('-mark-')],
      options: {
        'parallelism.default': '2',
        'execution.checkpointing.interval': '20 ms',
        'restart-strategy.type': 'fixed-delay',
        'restart-strategy.fixed-delay.attempts': '10',
        'restart-strategy.fixed-delay.delay': '1 ms',
      },
      onJob: (id) => {
        jobId = id
      },
    })
    const { status, numRestarts } = cluster.job(jobId)!
    expect(status).toBe('FINISHED')
    expect(numRestarts).toBeGreaterThan(0)
  } finally {
    await cluster.stop()
  }
  const files = readdirSync(path('-out'), { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith('.'),
  )
  const records = files.flatMap((file) =>
    readFileSync(join(file.parentPath, file.name), 'utf8').trim().split('\n').map(Number),
  )
  expect(records.sort((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, i) => i))
})
