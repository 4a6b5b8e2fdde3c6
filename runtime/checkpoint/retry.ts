/**
 * Trying again after a failure that may pass: how often, and how long to wait in between. Time and randomness are arguments.
 */

/** Calls back after so many milliseconds, unless the returned function is called before. */
export type Schedule = (ms: number, callback: () => void) => () => void

export interface RetryRules {
  /** Tries in all. */
  attemptsMax: number
  /** Wait after the first failure; it doubles with each one. */
  firstWaitMs: number
  waitMaxMs: number
}

export const RETRY_DEFAULTS: RetryRules = { attemptsMax: 8, firstWaitMs: 50, waitMaxMs: 5_000 }

/**
 * How long to wait after so many failures in a row. Half of it is random, so that many writers that met the same overload do not come back together.
 *
 * @param random from 0 up to 1
 */
export function backOffMs(failures: number, random: number, rules: RetryRules = RETRY_DEFAULTS): number {
  const full = Math.min(rules.waitMaxMs, rules.firstWaitMs * 2 ** (failures - 1))
  return Math.round(full / 2 + (full / 2) * random)
}

/** Resolves after so many milliseconds. */
export function wait(schedule: Schedule, ms: number): Promise<void> {
  return new Promise((resolve) => schedule(ms, resolve))
}

export interface Retrying {
  rules: RetryRules
  random(): number
  schedule: Schedule
  /** Whether the failure may pass. */
  passes(error: unknown): boolean
}

/** Does `work` until it succeeds, fails for good, or has failed as often as the rules allow; then throws what it threw last. */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  { rules, random, schedule, passes }: Retrying,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      if (attempt >= rules.attemptsMax || !passes(error)) throw error
      await wait(schedule, backOffMs(attempt, random(), rules))
    }
  }
}
