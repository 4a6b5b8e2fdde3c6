import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorToData, TailraceError } from '../core/errors.ts'
import { reportError } from './report-error.ts'
import { styleFor } from './style.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-report-'))
  writeFileSync(join(dir, 'job.ts'), 'one\ntwo\n   three(of, lines)\n')
})
afterAll(() => rmSync(dir, { recursive: true }))

const plain = styleFor({}, {})
const report = (error: unknown, debug = false) =>
  reportError(errorToData(error), { style: plain, debug, cwd: dir }).split('\n')

function thrownAt(place: string, message = 'no such field'): Error {
  return Object.assign(new Error(message), { stack: `Error: ${message}\n    at f (${place})` })
}

describe('reportError()', () => {
  it('shows the code, the operator, the user’s line and what to do', () => {
    const cause = thrownAt(`${join(dir, 'job.ts')}:3:4`)
    const error = new TailraceError('TR-TASK-001', 'A function threw no such field', { cause, operator: 'parse' })
    expect(report(error)).toEqual([
      '✘ TR-TASK-001 in operator "parse": A function threw no such field',
      '  at job.ts:3:4',
      '  3 | three(of, lines)',
      '  Fix the function, or catch the error in it and send the record to a side output.',
      '  TAILRACE_DEBUG=1 shows the whole stack.',
      '',
    ])
  })

  it('names causes that the message does not', () => {
    const cause = new Error('connection refused', { cause: new Error('port 9') })
    const lines = report(new TailraceError('TR-SINK-001', 'Cannot write', { cause }))
    expect(lines.filter((line) => line.startsWith('  caused'))).toEqual([
      '  caused by: connection refused',
      '  caused by: port 9',
    ])
  })

  it('keeps the whole path of a file elsewhere, and does without its text', () => {
    expect(report(new TailraceError('TR-TASK-001', 'x', { cause: thrownAt('/nowhere/job.ts:3:4', 'x') }))).toContain(
      '  at /nowhere/job.ts:3:4',
    )
  })

  it('shows all stacks in debug', () => {
    const lines = report(new TailraceError('TR-TASK-001', 'x', { cause: thrownAt('/nowhere/job.ts:3:4') }), true)
    expect(lines.filter((line) => line.includes('/nowhere/job.ts:3:4'))).toHaveLength(2)
    expect(lines.some((line) => line.includes('caused by Error: no such field'))).toBe(true)
  })

  it('has colours on a terminal', () => {
    expect(styleFor({ isTTY: true }, {}).red('x')).toBe('\x1b[31mx\x1b[39m')
    expect(styleFor({ isTTY: true }, { NO_COLOR: '1' }).red('x')).toBe('x')
    expect(styleFor({}, { FORCE_COLOR: '1' }).red('x')).toBe('\x1b[31mx\x1b[39m')
  })
})
