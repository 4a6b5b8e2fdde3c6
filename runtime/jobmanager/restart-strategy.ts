/**
 * Whether a job that failed runs again, and when.
 *
 * `decideRestart` is pure: what happened so far is a {@link RestartHistory} that goes in and comes out. What must hold: a failure that running the job again
 * cannot mend ends it at once, whatever the strategy; failures before a restart that is due belong to that restart and are not counted again.
 */
import { ConfigValues } from '../config/option.ts'
import { RESTARTS } from '../config/options/restarts.ts'
import { ERRORS, type ErrorCode } from '../core/errors.ts'

export type RestartStrategy =
  | { kind: 'none' }
  | { kind: 'fixed-delay'; attempts: number; delayMs: number }
  /** Gives up at more than `maxFailures` within `intervalMs`. */
  | { kind: 'failure-rate'; maxFailures: number; intervalMs: number; delayMs: number }
  | {
      kind: 'exponential-delay'
      initialMs: number
      maxMs: number
      multiplier: number
      /** After so long without a failure the delay begins at `initialMs` again. */
      resetAfterMs: number
      /** Share of the delay by which it is made longer or shorter at random. */
      jitter: number
      /** Restarts in a row until it gives up. */
      attempts: number
    }

/** Times are those of a clock that never goes back, milliseconds. */
export interface RestartHistory {
  /** Restarts that were decided on. */
  readonly restarts: number
  /** For exponential-delay: restarts since the delay was last at its beginning. */
  readonly inRow: number
  /** When the last restart was, or is, due. */
  readonly dueMs: number
  /** For failure-rate: the last failures, no more than count. */
  readonly failuresMs: readonly number[]
}

export const NO_RESTARTS: RestartHistory = { restarts: 0, inRow: 0, dueMs: -Infinity, failuresMs: [] }

export interface RestartFacts {
  strategy: RestartStrategy
  code: ErrorCode
  /** Now, by the clock of the history. */
  nowMs: number
  history: RestartHistory
  /** From 0 to 1: moves the restarts of many jobs apart. */
  random: number
}

export type RestartDecision =
  | { action: 'restart'; delayMs: number; history: RestartHistory }
  /** `why` completes "The job is not restarted: …". */
  | { action: 'fail'; why: string }

/** Whether running the same job again can mend what went wrong. What has no code of its own may be anything, so it is tried again. */
export function canRetry(code: ErrorCode): boolean {
  const { domain, retry } = ERRORS[code]
  return retry || domain === 'internal'
}

export function decideRestart({ strategy, code, nowMs, history, random }: RestartFacts): RestartDecision {
  if (!canRetry(code)) return { action: 'fail', why: `${code} comes again however often the job runs` }
  if (strategy.kind === 'none') return { action: 'fail', why: 'restart-strategy.type is none' }
  if (nowMs < history.dueMs) return { action: 'restart', delayMs: history.dueMs - nowMs, history }
  const restart = (delayMs: number, more: Partial<RestartHistory> = {}): RestartDecision => ({
    action: 'restart',
    delayMs,
    history: { ...history, restarts: history.restarts + 1, dueMs: nowMs + delayMs, ...more },
  })
  switch (strategy.kind) {
    case 'fixed-delay':
      if (history.restarts >= strategy.attempts)
        return { action: 'fail', why: `it was restarted ${times(history.restarts)} already` }
      return restart(strategy.delayMs)
    case 'failure-rate': {
      const failuresMs = [...history.failuresMs.filter((at) => nowMs - at <= strategy.intervalMs), nowMs]
      if (failuresMs.length > strategy.maxFailures)
        return { action: 'fail', why: `it failed ${times(failuresMs.length)} within ${strategy.intervalMs} ms` }
      return restart(strategy.delayMs, { failuresMs })
    }
    case 'exponential-delay': {
      const inRow = nowMs - history.dueMs >= strategy.resetAfterMs ? 0 : history.inRow
      if (inRow >= strategy.attempts)
        return { action: 'fail', why: `it was restarted ${times(inRow)} in a row already` }
      const backOffMs = backOff(strategy, inRow, random)
      if (!isLoss(code)) return restart(backOffMs, { inRow: inRow + 1 })
      const delayMs = Math.max(0, history.dueMs + backOffMs - nowMs)
      return restart(delayMs, { inRow: delayMs > 0 ? inRow + 1 : inRow })
    }
  }
}

const LOSSES: ReadonlySet<ErrorCode> = new Set(['TR-CLUSTER-005', 'TR-EXCHANGE-001', 'TR-EXCHANGE-002'])

/**
 * A process or a connection was lost: not the doing of whoever tells of it. Waiting does not bring it back, and slots are waited for anyway, so with exponential-delay the delay counts from the
 * last restart instead of from the failure: a loss after a good while is mended at once, and processes that die in a row do not keep the cluster busy.
 */
export function isLoss(code: ErrorCode): boolean {
  return LOSSES.has(code)
}

function times(n: number): string {
  return n === 1 ? 'once' : `${n} times`
}

function backOff(
  { initialMs, maxMs, multiplier, jitter }: Extract<RestartStrategy, { kind: 'exponential-delay' }>,
  inRow: number,
  random: number,
): number {
  const delayMs = Math.min(maxMs, initialMs * multiplier ** inRow)
  return Math.min(maxMs, Math.max(initialMs, delayMs + (2 * random - 1) * jitter * delayMs))
}

/**
 * The strategy of a job's configuration, by Flink's keys in the spellings of 1.x and 2.x. Without one: exponential-delay when the job takes checkpoints, else none.
 * Throws TR-CHECKPOINT-006.
 *
 * @example
 * readRestartStrategy({ 'restart-strategy': 'fixed-delay' }, { checkpoints: false }) // { kind: 'fixed-delay', attempts: 1, delayMs: 1000 }
 */
export function readRestartStrategy(
  options: Readonly<Record<string, string>>,
  { checkpoints }: { checkpoints: boolean },
): RestartStrategy {
  const read = new ConfigValues(options, 'TR-CHECKPOINT-006')
  const kind = read.get(RESTARTS.type) ?? (checkpoints ? 'exponential-delay' : 'none')
  switch (kind) {
    case 'none':
      return { kind }
    case 'fixed-delay':
      return { kind, attempts: read.get(RESTARTS.fixedAttempts), delayMs: read.get(RESTARTS.fixedDelay) }
    case 'failure-rate':
      return {
        kind,
        maxFailures: read.get(RESTARTS.failuresPerInterval),
        intervalMs: read.get(RESTARTS.failureInterval),
        delayMs: read.get(RESTARTS.failureDelay),
      }
    case 'exponential-delay':
      return readExponential(read)
  }
}

function readExponential(read: ConfigValues): RestartStrategy {
  const initialMs = read.get(RESTARTS.initialBackoff)
  const max = read.find(RESTARTS.maxBackoff)
  const maxMs = read.get(RESTARTS.maxBackoff)
  if (max !== undefined && maxMs < initialMs)
    throw read.refusal(max, `no less than ${RESTARTS.initialBackoff.key} (${initialMs} ms)`)
  return {
    kind: 'exponential-delay',
    initialMs,
    maxMs: Math.max(maxMs, initialMs),
    multiplier: read.get(RESTARTS.backoffMultiplier),
    resetAfterMs: read.get(RESTARTS.resetThreshold),
    jitter: read.get(RESTARTS.jitter),
    attempts: read.get(RESTARTS.attemptsBeforeReset),
  }
}

/** In words, for REST. */
export function describeRestartStrategy(strategy: RestartStrategy): string {
  const seconds = (ms: number) => `${ms / 1000} s`
  switch (strategy.kind) {
    case 'none':
      return 'No restart'
    case 'fixed-delay':
      return `At most ${strategy.attempts} restarts, each after ${seconds(strategy.delayMs)}`
    case 'failure-rate':
      return `Restarts after ${seconds(strategy.delayMs)}, at most ${strategy.maxFailures} failures in ${seconds(strategy.intervalMs)}`
    case 'exponential-delay':
      return `Restarts after ${seconds(strategy.initialMs)}, then ${strategy.multiplier} times as long up to ${seconds(strategy.maxMs)}, reset after ${seconds(strategy.resetAfterMs)}`
  }
}
