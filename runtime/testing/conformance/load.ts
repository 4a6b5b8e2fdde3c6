/**
 * Cases of the conformance data: inputs and results that nobody of this project wrote, read from outside of the repository.
 *
 * Where: the directory in TAILRACE_CONFORMANCE, else `../shared/conformance` beside the repository. When it is absent the runner
 * is skipped with a line that says so; with TAILRACE_REQUIRE_ALL=1 it fails instead, so that a build cannot pass without it.
 *
 * Runners are written over the format of a file (its `header`), never over single cases: the other half of the cases is run
 * against releases. Each case gives one line, and each file a summary; the reasons to skip are the closed list below.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface ConformanceCase {
  id: string
  [field: string]: any
}

export interface ConformanceFile {
  header: Record<string, any>
  cases: ConformanceCase[]
}

/** Why a case may be left out. A reason that is not listed here does not exist. */
export const SKIP_REASONS = {
  'operator-not-built': 'the operator, assigner, trigger or evictor is not part of Tailrace yet',
  'needs-snapshot': 'the case restarts from a snapshot; checkpoints are not part of Tailrace yet',
  'inner-value': 'the step looks at an inner value that Tailrace has no view of',
  'other-hash': 'the vector binds engines that hash keys as the JVM does',
  'beyond-2^53': 'the case tells times apart that are equal as JavaScript numbers',
  'integer-helper': 'arithmetic on 32-bit or 64-bit integers that Tailrace has no function for',
  'not-measured-yet': 'the metric belongs to a part that is not built yet',
  'jvm-only': 'the metric describes a part of the JVM that V8 does not have or does not show',
  'other-engine': 'the metric belongs to a store, connector or switch that Tailrace does not have',
  'not-a-number': 'the metric is a text, which Prometheus cannot hold; REST has it',
  'path-not-served': 'the REST path belongs to a part that is not built yet',
} as const
export type SkipReason = keyof typeof SKIP_REASONS

export type Outcome = { status: 'pass' } | { status: 'fail'; error: unknown } | { status: 'skip'; reason: SkipReason }

/** Thrown by a driver that meets something it may leave out. */
export class Skip extends Error {
  readonly reason: SkipReason
  constructor(reason: SkipReason) {
    super(`skip: ${reason}`)
    this.reason = reason
  }
}

/** Where the cases are; the directory need not exist. */
export function conformanceDirectory(): string {
  return process.env.TAILRACE_CONFORMANCE ?? fileURLToPath(new URL('../../../../shared/conformance', import.meta.url))
}

/**
 * The header and cases of a file such as `windows.json`; undefined, and one line that says so, when the data is absent.
 *
 * Throws when the data is absent and TAILRACE_REQUIRE_ALL=1.
 */
export function loadCases(file: string): ConformanceFile | undefined {
  const path = `${conformanceDirectory()}/${file}`
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8'))
  const text = `conformance ${file}: no data at ${path}; set TAILRACE_CONFORMANCE to its directory`
  if (process.env.TAILRACE_REQUIRE_ALL === '1') throw new Error(text)
  console.log(`${text} (skipped)`)
  return undefined
}

/**
 * Runs `drive` on each case and writes one line per case and a summary. A driver passes by returning, fails by throwing, and
 * leaves a case out by throwing {@link Skip}.
 */
export async function runCases(
  title: string,
  cases: readonly ConformanceCase[],
  drive: (one: ConformanceCase) => void | Promise<void>,
): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>()
  const lines: string[] = []
  const skips = new Map<SkipReason, number>()
  let passed = 0
  for (const one of cases) {
    let outcome: Outcome = { status: 'pass' }
    try {
      await drive(one)
    } catch (error) {
      outcome = error instanceof Skip ? { status: 'skip', reason: error.reason } : { status: 'fail', error }
    }
    outcomes.set(one.id, outcome)
    if (outcome.status === 'pass') passed++
    if (outcome.status === 'skip') skips.set(outcome.reason, (skips.get(outcome.reason) ?? 0) + 1)
    const why =
      outcome.status === 'skip'
        ? ` ${outcome.reason}`
        : outcome.status === 'fail'
          ? ` ${String((outcome.error as Error)?.message ?? outcome.error).split('\n')[0]}`
          : ''
    lines.push(`${one.id} ${outcome.status}${why}`)
  }
  const left = [...skips].map(([reason, n]) => `${reason} ${n}`).join(', ')
  const skipped = [...skips.values()].reduce((a, b) => a + b, 0)
  lines.push(`${title}: ${passed}/${cases.length - skipped} passed${left === '' ? '' : `; skipped: ${left}`}`)
  console.log(lines.join('\n'))
  return outcomes
}

/** A time of the data: numbers beyond 2^53 are texts, and the ends of int64 stand for no time and the end of time. */
export function caseTime(value: number | string): number {
  if (value === '-9223372036854775808') return -Infinity
  if (value === '9223372036854775807') return Infinity
  return Number(value)
}
