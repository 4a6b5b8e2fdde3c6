/**
 * What a job may set of its committers, from its configuration keys.
 */
import { ConfigValues } from '../config/option.ts'
import { JOB } from '../config/options/job.ts'

export interface CommitterSettings {
  /** `sink.committer.retries`: how often a committable is asked for again before the job fails. */
  retries: number
  /** `tailrace.sink.committer.retry-interval`, between them. */
  retryIntervalMs: number
  /** `tailrace.allow-lost-transactions`: what can never be committed is reported and left out, instead of failing the job. */
  allowLost: boolean
}

/** Throws TR-CONFIG-001. */
export function committerSettings(options: Readonly<Record<string, string>>): CommitterSettings {
  const read = new ConfigValues(options, 'TR-CONFIG-001')
  return {
    retries: read.get(JOB.committerRetries),
    retryIntervalMs: read.get(JOB.committerRetryInterval),
    allowLost: read.get(JOB.allowLostTransactions),
  }
}

/** What holds when nobody sets anything. */
export const COMMITTER_SETTINGS: CommitterSettings = committerSettings({})
