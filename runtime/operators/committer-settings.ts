/**
 * What a job may set of its committers, from its configuration keys.
 */
import { OptionReader } from '../core/option-reader.ts'

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
  const read = new OptionReader(options, 'TR-CONFIG-001')
  const { retries, retryIntervalMs, allowLost } = COMMITTER_SETTINGS
  return {
    retries: read.integer(retries, { atLeast: 0 }, 'sink.committer.retries'),
    retryIntervalMs: read.duration(retryIntervalMs, { atLeastMs: 1 }, 'tailrace.sink.committer.retry-interval'),
    allowLost: read.boolean(allowLost, 'tailrace.allow-lost-transactions'),
  }
}
