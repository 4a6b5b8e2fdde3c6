/**
 * An error as the command line shows it: what failed, the author's own line with its text, the cause, and what to do. The stack of the
 * runtime is shown with TAILRACE_DEBUG=1 only.
 */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { ErrorCode, ErrorData } from '../core/errors.ts'
import { type UserFrame, userFrameOf } from '../core/user-frame.ts'
import type { Style } from './style.ts'

/** What to do, where the message does not say it. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  'TR-TASK-001': 'Fix the function, or catch the error in it and send the record to a side output.',
  'TR-PROGRAM-002': 'Fix the program, then run it again.',
  'TR-SOURCE-001': 'Check that the system can be reached and that the job may read it.',
  'TR-SINK-001': 'Check that the system can be reached and that the job may write to it.',
  'TR-INTERNAL-001': 'This is a bug of Tailrace. Please report it with the output under TAILRACE_DEBUG=1.',
}

export interface ReportOptions {
  style: Style
  debug: boolean
  cwd: string
}

export function reportError(error: ErrorData, { style, debug, cwd }: ReportOptions): string {
  const lines: string[] = []
  const operator = operatorOf(error)
  const where = operator === undefined ? '' : ` in operator "${operator}"`
  lines.push(`${style.red('✘')} ${style.bold(error.code)}${where}: ${error.message}`)
  const frame = userFrameOf(error)
  if (frame !== undefined) {
    lines.push(`  at ${style.cyan(`${shortPath(frame.file, cwd)}:${frame.line}:${frame.column}`)}`)
    const text = lineOf(frame)
    if (text !== undefined) lines.push(style.dim(`  ${frame.line} | ${text.trim()}`))
  }
  for (let cause = error.cause; cause !== undefined; cause = cause.cause) {
    // Most messages already hold their cause's.
    if (!error.message.includes(cause.message)) lines.push(`  caused by: ${cause.message}`)
  }
  const advice = ADVICE[error.code]
  if (advice !== undefined) lines.push(`  ${advice}`)
  if (debug) lines.push('', style.dim(stacks(error)))
  else lines.push(style.dim('  TAILRACE_DEBUG=1 shows the whole stack.'))
  return `${lines.join('\n')}\n`
}

function operatorOf(error: ErrorData): string | undefined {
  return error.operator ?? (error.cause === undefined ? undefined : operatorOf(error.cause))
}

function shortPath(file: string, cwd: string): string {
  const path = relative(cwd, file)
  return path.startsWith('..') ? file : path
}

function lineOf({ file, line }: UserFrame): string | undefined {
  try {
    return readFileSync(file, 'utf8').split('\n')[line - 1]
  } catch {
    return undefined
  }
}

function stacks(error: ErrorData): string {
  const own = error.stack === '' ? error.message : error.stack
  return error.cause === undefined ? own : `${own}\ncaused by ${stacks(error.cause)}`
}
