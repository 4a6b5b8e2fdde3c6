/**
 * The life of a job [D-07].
 *
 *                        ┌───────── RESTARTING ◀─────┐
 *                        ▼               ▲           │
 *     INITIALIZING ──▶ CREATED ──▶ RUNNING ──────────┼────▶ FINISHED
 *          │              │           │              │
 *          ├──────────────┼───────────┼──────────────┴──▶ FAILING ──▶ FAILED
 *          │              │           │                      │
 *          └──────────────┴───────────┴──────────────────────┴──▶ CANCELLING ──▶ CANCELED
 *
 * RESTARTING is from the failure of an attempt until the next one is deployed: its tasks end, the strategy's delay passes, slots are taken. A job that
 * cannot get its slots goes there from CREATED. A failing or restarting job can still be cancelled; a cancelled one does not fail. FINISHED, FAILED and
 * CANCELED are ends. SUSPENDED and RECONCILING belong to JobManagers that take over from another: nothing leads there.
 */
import { assert } from '../core/errors.ts'
import type { JobStatus } from '../rpc/program-messages.ts'
import { type ExecutionState, JOB_STATUSES } from '../rpc/views.ts'

const TRANSITIONS: Record<JobStatus, readonly JobStatus[]> = {
  INITIALIZING: ['CREATED', 'FAILING', 'CANCELLING'],
  CREATED: ['RUNNING', 'RESTARTING', 'FAILING', 'CANCELLING'],
  RUNNING: ['FINISHED', 'RESTARTING', 'FAILING', 'CANCELLING'],
  FAILING: ['FAILED', 'CANCELLING'],
  CANCELLING: ['CANCELED'],
  FINISHED: [],
  FAILED: [],
  CANCELED: [],
  RESTARTING: ['CREATED', 'FAILING', 'CANCELLING'],
  SUSPENDED: [],
  RECONCILING: [],
}

export type JobEndStatus = 'FINISHED' | 'FAILED' | 'CANCELED'

export function isEnd(status: JobStatus): status is JobEndStatus {
  return status === 'FINISHED' || status === 'FAILED' || status === 'CANCELED'
}

export function canMove(from: JobStatus, to: JobStatus): boolean {
  return TRANSITIONS[from].includes(to)
}

/** Where a job is and when it came there. Holds the table. */
export class StatusHistory {
  status: JobStatus = 'INITIALIZING'
  /** 0 is never, as in Flink's REST. */
  readonly timestamps = Object.fromEntries(JOB_STATUSES.map((s) => [s, 0])) as Record<JobStatus, number>
  readonly startTime: number
  /** Milliseconds spent in each status before the last time that it was entered. */
  readonly #earlierMs = Object.fromEntries(JOB_STATUSES.map((s) => [s, 0])) as Record<JobStatus, number>

  constructor(nowMs: number) {
    this.startTime = nowMs
    this.timestamps.INITIALIZING = nowMs
  }

  get ended(): boolean {
    return isEnd(this.status)
  }

  /** -1 before the end. */
  get endTime(): number {
    return this.ended ? this.timestamps[this.status] : -1
  }

  canMove(to: JobStatus): boolean {
    return canMove(this.status, to)
  }

  move(to: JobStatus, nowMs: number): void {
    assert(this.canMove(to), `a job cannot go from ${this.status} to ${to}`)
    this.#earlierMs[this.status] += Math.max(0, nowMs - this.timestamps[this.status])
    this.status = to
    this.timestamps[to] = nowMs
  }

  /** Milliseconds spent in each status in all, up to now. */
  totalMs(nowMs: number): Record<JobStatus, number> {
    const totals = { ...this.#earlierMs }
    if (!this.ended) totals[this.status] += Math.max(0, nowMs - this.timestamps[this.status])
    return totals
  }
}

/** Where a job goes once its tasks are in these states; undefined: it stays. */
export function decideEnd(status: JobStatus, tasks: readonly ExecutionState[]): JobEndStatus | undefined {
  if (!tasks.every(isTaskEnd)) return undefined
  if (status === 'CANCELLING') return 'CANCELED'
  if (status === 'FAILING') return 'FAILED'
  return status === 'RUNNING' && tasks.every((state) => state === 'FINISHED') ? 'FINISHED' : undefined
}

export function isTaskEnd(state: ExecutionState): state is 'FINISHED' | 'CANCELED' | 'FAILED' {
  return state === 'FINISHED' || state === 'CANCELED' || state === 'FAILED'
}
