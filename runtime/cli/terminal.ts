/** Where a command writes, as an argument: what it is asked for goes to `out`, what went wrong to `error`. */
import type { ReportOptions } from './report-error.ts'
import { type Style, styleFor } from './style.ts'

export interface Terminal {
  readonly cwd: string
  out(text: string): void
  error(text: string): void
  /** Of `out`. */
  readonly outStyle: Style
  /** Of errors. */
  readonly report: ReportOptions
}

export function processTerminal({ stdout, stderr, env, cwd }: NodeJS.Process): Terminal {
  const debug = env.TAILRACE_DEBUG !== undefined && env.TAILRACE_DEBUG !== '0'
  return {
    cwd: cwd(),
    out: (text) => void stdout.write(text),
    error: (text) => void stderr.write(text),
    outStyle: styleFor(stdout, env),
    report: { style: styleFor(stderr, env), debug, cwd: cwd() },
  }
}
