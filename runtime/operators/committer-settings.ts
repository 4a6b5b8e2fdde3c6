/**
 * What a job may set of its committers, from its configuration keys.
 */
import { durationMs } from '../core/duration.ts'
import { TailraceError } from '../core/errors.ts'

export interface CommitterSettings {
  /** `sink.committer.retries`: how often a committable is asked for again before the job fails. */
  retries: number
  /** `tailrace.sink.committer.retry-interval`, between them. */
  retryIntervalMs: number
  /** `tailrace.allow-lost-transactions`: what can never be committed is reported and left out, instead of failing the job. */
  allowLost: boolean
}

export const COMMITTER_SETTINGS: CommitterSettings = { retries: 10, retryIntervalMs: 1000, allowLost: false }

/** Throws TR-CONFIG-001. */
export function committerSettings(options: Readonly<Record<string, string>>): CommitterSettings {
  const settings = { ...COMMITTER_SETTINGS }
  read(options, 'sink.committer.retries', 'a whole number of 0 or more', (text) => {
    settings.retries = /^\d+$/.test(text) ? Number(text) : Number.NaN
    return Number.isSafeInteger(settings.retries)
  })
  read(options, 'tailrace.sink.committer.retry-interval', 'a duration above 0, such as "1 s"', (text) => {
    settings.retryIntervalMs = durationMs(text)
    return settings.retryIntervalMs > 0 && settings.retryIntervalMs < Infinity
  })
  read(options, 'tailrace.allow-lost-transactions', 'true or false', (text) => {
    settings.allowLost = /^true$/i.test(text)
    return settings.allowLost || /^false$/i.test(text)
  })
  return settings
}

function read(
  options: Readonly<Record<string, string>>,
  key: string,
  wanted: string,
  apply: (text: string) => boolean,
): void {
  const text = options[key]
  if (text === undefined) return
  let cause: unknown
  try {
    if (apply(text.trim())) return
  } catch (error) {
    cause = error
  }
  throw new TailraceError('TR-CONFIG-001', `Cannot set ${key} to "${text}": wanted ${wanted}`, { cause })
}
