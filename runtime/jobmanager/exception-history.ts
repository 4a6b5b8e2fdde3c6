/**
 * Why a job failed, over its attempts: each entry is what ended an attempt, with what else went wrong while its tasks ended.
 *
 * Bounded twice: the oldest entries go, and of the failures that came with one the first are kept.
 */
import { ERRORS, type ErrorCode } from '../core/errors.ts'
import type { ExceptionView } from '../rpc/views.ts'

/** `web.exception-history-size`. */
export const EXCEPTIONS_MAX = 16

/** A failure as the job meets it. */
export type Failure = Omit<ExceptionView, 'timestamp' | 'labels' | 'concurrent'>

export class ExceptionHistory {
  readonly #max: number
  readonly #entries: ExceptionView[] = []

  constructor(max: number = EXCEPTIONS_MAX) {
    this.#max = max
  }

  /** A failure that ends an attempt, or the job. */
  add(failure: Failure, nowMs: number): void {
    this.#entries.push(view(failure, nowMs))
    if (this.#entries.length > this.#max) this.#entries.shift()
  }

  /** A failure while tasks end because of the one before; the first of all when there is none before. */
  addConcurrent(failure: Failure, nowMs: number): void {
    const root = this.#entries.at(-1)
    if (root === undefined) this.add(failure, nowMs)
    else if (root.concurrent.length < EXCEPTIONS_MAX) root.concurrent.push(view(failure, nowMs))
  }

  /** The oldest first. A copy. */
  views(): ExceptionView[] {
    return this.#entries.map((entry) => ({ ...entry, concurrent: [...entry.concurrent] }))
  }
}

function view(failure: Failure, timestamp: number): ExceptionView {
  return { timestamp, ...failure, labels: labelsOf(failure.error.code), concurrent: [] }
}

/** Flink's label `type` (USER or SYSTEM), and the code. */
export function labelsOf(code: ErrorCode): Record<string, string> {
  return { type: ERRORS[code].domain === 'user' ? 'USER' : 'SYSTEM', code }
}
