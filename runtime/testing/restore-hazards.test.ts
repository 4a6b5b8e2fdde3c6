/**
 * Jobs that begin from what they must not, or cannot, go on from: the error names it, and no record is processed. And a job whose functions change what their state gave them.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { types } from '../core/types.ts'
import { type CountingSettings, countsOf, RECORDS, runCounting, SUMS, until } from './counting-job.suite.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-hazards-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

describe('state that is mutated without update() after the barrier', () => {
  it('is in the checkpoint as it was at the barrier', async () => {
    let failures = 0
    const { results, error, job, checkpoints } = await runCounting(
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
    expect([error, results]).toEqual([undefined, countsOf(7)])
    expect(job.numRestarts).toBe(4)
    expect(checkpoints.counts.restored).toBeGreaterThan(0)
  })
})

/** So many that state goes into files of its own, beside the metadata. */
const KEYS = 600

describe('a savepoint', () => {
  let savepoint: string
  let broken = 0
  beforeAll(async () => {
    const begun = Promise.withResolvers<void>()
    const { error } = await runCounting(
      {},
      {
        keys: KEYS,
        type: SUMS,
        recordsPerSecond: 3000,
        onRecord: (n) => void (n > RECORDS / 4 && begun.resolve()),
        async during({ view }, jobId) {
          await begun.promise
          const triggerId = view.trigger(jobId, { kind: 'stop', drain: false, directory: dir })!
          await until(() => view.operation(jobId, 'stop', triggerId)!.status === 'COMPLETED')
          savepoint = view.operation(jobId, 'stop', triggerId)!.result!.path
        },
      },
    )
    expect(error).toBe(undefined)
  })

  /** A copy that is broken: its path. */
  function copy(breakIt: (path: string) => void): string {
    const path = join(dir, `broken-${broken++}`)
    cpSync(savepoint, path, { recursive: true })
    breakIt(path)
    return path
  }
  const refused = async (path: string, over: Partial<CountingSettings> = {}) => {
    // A strategy that would restart it for ever, were it of use.
    const restarts = { 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.attempts': '1000' }
    const { error, records, results, job } = await runCounting(
      { 'execution.state-recovery.path': path, ...restarts },
      { keys: KEYS, ...over },
    )
    expect([records, results, job.numRestarts]).toEqual([0, [], 0])
    return `${error?.operator ?? 'the job'}: ${error?.code} ${error?.message}`
  }
  const metadataOf = (path: string) => join(path, '_metadata')

  it('that is whole is gone on from', async () => {
    const { results, records } = await runCounting(
      { 'execution.state-recovery.path': savepoint },
      { keys: KEYS, type: SUMS },
    )
    expect(results).toEqual(countsOf(KEYS))
    expect(records).toBeLessThan(RECORDS)
  })

  it.each([
    ['cut in the middle', (path: string) => truncateSync(metadataOf(path), readFileSync(metadataOf(path)).length >> 1)],
    ['short of one byte', (path: string) => truncateSync(metadataOf(path), readFileSync(metadataOf(path)).length - 1)],
    ['empty', (path: string) => truncateSync(metadataOf(path), 0)],
    ['of another program', (path: string) => writeFileSync(metadataOf(path), 'PK\u0003\u0004 this is a zip file')],
    ['of a later version', (path: string) => flip(metadataOf(path), 4)],
    ['with a byte that was changed', (path: string) => flip(metadataOf(path), 40)],
    ['not there', (path: string) => rmSync(metadataOf(path))],
  ])('whose metadata is %s is refused with its path, before a record is processed', async (_, breakIt) => {
    const path = copy(breakIt)
    const refusal = await refused(path)
    expect(refusal).toMatch(/^the job: TR-CHECKPOINT-003 Cannot /)
    expect(refusal).toContain(`${path}`)
  })

  it.each([
    ['missing', (file: string) => rmSync(file), 'it is missing'],
    ['cut off', (file: string) => truncateSync(file, 100), 'it has 100 bytes of'],
    ['another', (file: string) => writeFileSync(file, new Uint8Array(readFileSync(file).length)), 'its bytes '],
    // In a number of a row or in text: it decodes all the same, to something else.
    ...[0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999].map((part): [string, (file: string) => void, string] => [
      `changed in the byte at ${part} of it`,
      (file) => flip(file, Math.floor(part * readFileSync(file).length)),
      'its bytes ',
    ]),
  ])('of which a file is %s is refused with the file, the operator and the states', async (_, breakIt, found) => {
    const path = copy(() => {})
    const file = join(path, readdirSync(path).find((name) => name.startsWith('state-'))!)
    breakIt(file)
    const refusal = await refused(path, { type: SUMS })
    expect(refusal).toMatch(/^counts of counts: TR-CHECKPOINT-003 Cannot restore states "total", "parts": cannot read /)
    expect(refusal).toContain(`"${file}": ${found}`)
  })

  it('of another job is refused: its operators are named, and those that may be meant', async () => {
    const refusal = await refused(savepoint, { uid: 'countz' })
    expect(refusal).toMatch(/: TR-CHECKPOINT-004 .*"counts of counts"/s)
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
    expect(refusal).toMatch(/: TR-CHECKPOINT-004 Cannot restore state "total" of operator "counts of counts": /)
    expect(refusal).toMatch(difference)
  })
})

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = bytes[at]! ^ 0x40
  writeFileSync(file, bytes)
}
