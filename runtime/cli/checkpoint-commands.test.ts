/** `tailrace inspect` and `tailrace check` as a user runs them, on a savepoint that lies in a directory. */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeMetadata } from '../checkpoint/metadata.ts'
import type { CheckpointMetadata, OperatorMetadata, OperatorSnapshot } from '../checkpoint/model.ts'
import { startToyS3 } from '../checkpoint/toy-s3.suite.ts'
import type { LogicalNode } from '../graph/model.ts'
import { operatorIds } from '../graph/operator-ids.ts'

const command = fileURLToPath(new URL('./main.ts', import.meta.url))
let dir: string

const idOf = (uid: string) => operatorIds([{ id: 1, uid } as LogicalNode]).get(1)!

function operator(uid: string, name: string, snapshot: Partial<OperatorSnapshot> | null, over = {}): OperatorMetadata {
  const operatorId = idOf(uid)
  return {
    operatorId,
    name,
    uid,
    parallelism: 1,
    maxParallelism: 128,
    subtasks: [snapshot === null ? null : { operatorId, lists: [], ...snapshot }],
    finished: [false],
    ...over,
  }
}

const metadata: CheckpointMetadata = {
  formatVersion: 1,
  checkpointId: 7,
  kind: 'savepoint',
  timestampMs: Date.UTC(2026, 4, 1, 12, 30),
  jobId: 'ab12cd34ef56ab12cd34ef56ab12cd34',
  jobName: 'sums',
  epoch: 2,
  edgeTypes: {},
  operators: [
    operator('numbers', 'Source: numbers', null, { coordinator: { next: 100 } }),
    operator('sums', 'sum', {
      keyed: {
        tables: [
          {
            name: 'sum',
            kind: 'value',
            row: {
              kind: 'row',
              fields: [
                ['k', { kind: 'number' }],
                ['v', { kind: 'number' }],
              ],
            },
            settings: { ttl: 5000 },
          },
          {
            name: 'timers',
            kind: 'timers',
            row: {
              kind: 'row',
              fields: [
                ['k', { kind: 'number' }],
                ['t', { kind: 'number' }],
              ],
            },
          },
        ],
        totals: [
          { rows: 1_234_567, bytes: 12_300_000 },
          { rows: 1, bytes: 40 },
        ],
        chunks: [
          {
            handle: { file: 'state-1', offset: 0, length: 12_300_040 },
            firstGroup: 0,
            lastGroup: 127,
            rows: 1_234_568,
          },
        ],
      },
    }),
    operator('out', 'Sink: out', {
      lists: [{ name: 'transactions', mode: 'split', handle: { bytes: new Uint8Array(312) }, offsets: [0, 100] }],
    }),
  ],
}

const job = (uid: string) => `
  import type { StreamExecutionEnvironment } from 'tailrace'
  export default async function main(env: StreamExecutionEnvironment) {
    console.log('main runs')
    const from = await env.once('from', () => 1)
    env.fromSequence(from, Number(env.parameters.to)).uid('numbers').name('numbers')
      .keyBy((n) => n % 7).sum().uid('${uid}').name('sum')
      .map((n) => n + 1).name('add')
      .print().uid('out')
    await env.execute('sums again')
    console.log('main goes on')
  }`

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-inspect-'))
  mkdirSync(join(dir, 'sp'))
  writeFileSync(join(dir, 'sp', '_metadata'), encodeMetadata(metadata))
  writeFileSync(join(dir, 'job.ts'), job('sums'))
  writeFileSync(join(dir, 'renamed.ts'), job('sum-v2'))
})
afterAll(() => rmSync(dir, { recursive: true }))

function tailrace(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1' }
    execFile(process.execPath, [command, ...args], { cwd: dir, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

describe('tailrace inspect', () => {
  it('shows operators and states with kind, type, rows and bytes', async () => {
    const { code, stdout, stderr } = await tailrace('inspect', 'sp')
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.split('\n')).toEqual([
      'savepoint 7 of "sums", 2026-05-01 12:30:00 UTC',
      join(dir, 'sp', '_metadata'),
      'job ab12cd34ef56ab12cd34ef56ab12cd34 · 12.3 MB of state in 1 file',
      '',
      'Source: numbers  uid numbers · parallelism 1 of 128',
      '  enumerator  enumerator  12 B',
      '',
      'sum  uid sums · parallelism 1 of 128',
      '  sum     value   number → number  1,234,567 rows  12.3 MB  {"ttl":5000}',
      '  timers  timers  number → times   1 row           40 B',
      '',
      'Sink: out  uid out · parallelism 1 of 128',
      '  transactions  split  2 elements  312 B',
      '',
    ])
  })

  it('gives the same as JSON, and leaves nothing behind where it looked', async () => {
    cpSync(join(dir, 'sp'), join(dir, 'looked-at', 'sp'), { recursive: true })
    writeFileSync(join(dir, 'looked-at', 'sp', '_committed'), '')
    const { code, stdout } = await tailrace('inspect', `file://${dir}/looked-at/sp/_metadata`, '--json')
    expect(code).toBe(0)
    const { operators, ...facts } = JSON.parse(stdout)
    expect(facts).toEqual({
      path: join(dir, 'looked-at', 'sp', '_metadata'),
      metadataBytes: encodeMetadata(metadata).length,
      committed: true,
      kind: 'savepoint',
      checkpointId: 7,
      timestampMs: metadata.timestampMs,
      jobId: metadata.jobId,
      jobName: 'sums',
      epoch: 2,
      stateBytes: 12_300_352,
      files: 1,
    })
    expect(operators[1]).toEqual({
      operatorId: idOf('sums'),
      name: 'sum',
      uid: 'sums',
      parallelism: 1,
      maxParallelism: 128,
      finished: 'none',
      stateBytes: 12_300_040,
      states: [
        {
          name: 'sum',
          kind: 'value',
          type: 'number → number',
          rows: 1_234_567,
          bytes: 12_300_000,
          settings: { ttl: 5000 },
        },
        { name: 'timers', kind: 'timers', type: 'number → times', rows: 1, bytes: 40 },
      ],
    })
    expect(readdirSync(join(dir, 'looked-at'))).toEqual(['sp'])
  })

  it('looks into S3, and says when the bucket is not there', async () => {
    const toy = await startToyS3()
    const config = [
      `-Ds3.endpoint=${toy.endpoint}`,
      `-Ds3.access-key=${toy.accessKeyId}`,
      `-Ds3.secret-key=${toy.secretAccessKey}`,
    ]
    toy.objects.set('saved/sp/_metadata', encodeMetadata(metadata))
    const { code, stdout } = await tailrace('inspect', `s3a://${toy.bucket}/saved/sp/`, ...config)
    expect(code).toBe(0)
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      'savepoint 7 of "sums", 2026-05-01 12:30:00 UTC',
      `s3://${toy.bucket}/saved/sp/_metadata`,
    ])
    const refused = await tailrace('inspect', 's3://another/saved/sp', ...config)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/TR-CHECKPOINT-005: .*s3:\/\/another\/saved\/sp\/_metadata/)
    await toy.close()
  })

  it('says what is wrong with a path, exit code 1', async () => {
    const { code, stdout, stderr } = await tailrace('inspect', 'nowhere/at/all')
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain(
      `TR-CHECKPOINT-003: Cannot read the checkpoint or savepoint "nowhere/at/all": there is no file "${dir}/nowhere/at/all/_metadata"`,
    )
    expect(readdirSync(dir)).not.toContain('nowhere')
  })
})

describe('tailrace check', () => {
  it('says what goes on with what, exit code 0', async () => {
    const { code, stdout, stderr } = await tailrace('check', '--savepoint', 'sp', 'job.ts', '-p', '3', '--to', '100')
    expect(stderr).toBe('')
    expect(stdout.split('\n')).toEqual([
      'savepoint 7 of "sums" for "sums again" (job.ts)',
      '',
      '✔ Source: numbers          uid numbers  goes on with its state, parallelism 1 → 3',
      '✔ sum                      uid sums     goes on with 12.3 MB of state, parallelism 1 → 3',
      '+ add                      no uid       is new and begins empty',
      '✔ Sink: Print to Std. Out  uid out      goes on with 312 B of state, parallelism 1 → 3',
      '',
      '✔ The job can go on from it.',
      '',
    ])
    expect(code).toBe(0)
  })

  it('names what is missing and what may be meant, exit code 3', async () => {
    const { code, stdout } = await tailrace('check', '-s', 'sp', 'renamed.ts', '--to', '9')
    expect(code).toBe(3)
    expect(stdout).toContain('has state of 12.3 MB and is not in the job: is it "sum" (uid "sum-v2")?')
    expect(stdout).toContain('did you mean "sum" (uid "sum-v2")?')
    expect(stdout).toContain('✘ The job cannot go on from it: 1 problem.')
  })

  it('gives the same as JSON, with state left behind where that is allowed', async () => {
    const { code, stdout } = await tailrace('check', '-s', 'sp', '-n', '--json', 'renamed.ts', '--to', '9')
    expect(code).toBe(0)
    const { fits, operators, warnings, savepoint } = JSON.parse(stdout)
    expect([fits, savepoint.checkpointId, warnings.length]).toEqual([true, 7, 1])
    expect(operators.map((o: { name: string; outcome: string }) => [o.name, o.outcome])).toEqual([
      ['Source: numbers', 'restored'],
      ['sum', 'new'],
      ['add', 'new'],
      ['Sink: Print to Std. Out', 'restored'],
      ['sum', 'left behind'],
    ])
  })

  it.each([
    [2, 'TR-CLI-001', ['job.ts']],
    [2, 'TR-CLI-001', ['-s', 'sp', 'no-job.ts']],
    [2, 'TR-CONFIG-001', ['-s', 'sp', '-D', 'execution.state-recovery.claim-mode=MINE', 'job.ts']],
    [1, 'TR-CHECKPOINT-003', ['-s', 'job.ts', 'job.ts']],
  ])('ends with %i and %s for %j', async (exit, text, args) => {
    const { code, stdout, stderr } = await tailrace('check', ...args)
    expect([code, stdout]).toEqual([exit, ''])
    expect(stderr).toContain(text)
  })
})
