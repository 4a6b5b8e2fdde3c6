/** What a committer had to do, and what became of it. */
import type { Counter, Gauge } from '../core/metrics.ts'
import type { OperatorContext } from './operator.ts'

/** Flink's names [K-06]. */
export const COMMITTER_METRICS = [
  'totalCommittables',
  'successfulCommittables',
  'alreadyCommittedCommittables',
  'retriedCommittables',
  'failedCommittables',
  'pendingCommittables',
] as const

export class CommitMetrics {
  readonly total: Counter
  readonly successful: Counter
  readonly already: Counter
  readonly retried: Counter
  readonly failed: Counter
  readonly pending: Gauge

  constructor({ metrics: { group } }: OperatorContext) {
    const [total, successful, already, retried, failed, pending] = COMMITTER_METRICS
    this.total = group.counter(total)
    this.successful = group.counter(successful)
    this.already = group.counter(already)
    this.retried = group.counter(retried)
    this.failed = group.counter(failed)
    this.pending = group.gauge(pending)
  }
}
