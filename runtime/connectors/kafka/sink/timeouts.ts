/**
 * How long a transaction may be open [KK-12, KK-13]. It begins with the first record after a barrier and is committed when the next checkpoint is complete, perhaps after
 * a restart: a broker that gives it up before that has lost records of a checkpoint that is complete.
 */
import { TailraceError } from '../../../core/errors.ts'

/** Beside interval and time-out of checkpoints: for a restart in between. */
const RESTART_MS = 5 * 60_000
/** When brokers do not tell their maximum: the standard one. */
const BROKER_MAX_MS = 15 * 60_000
/** Without checkpoints a transaction is open as long as the input. */
const WITHOUT_CHECKPOINTS_MS = 60 * 60_000

export interface TransactionTimes {
  /** transaction.timeout.ms as the user gave it. */
  givenMs: number | undefined
  /** transaction.max.timeout.ms of the brokers. */
  brokerMaxMs: number | undefined
  /** Of the job; undefined: it takes no checkpoints. */
  checkpoints: { intervalMs: number; timeoutMs: number } | undefined
}

/** The time-out to ask for, and what the user should know. Throws TR-KAFKA-011. */
export function transactionTimeout({ givenMs, brokerMaxMs, checkpoints }: TransactionTimes): {
  timeoutMs: number
  warning?: string
} {
  const maxMs = brokerMaxMs ?? BROKER_MAX_MS
  if (givenMs !== undefined && brokerMaxMs !== undefined && givenMs > brokerMaxMs) {
    throw new TailraceError(
      'TR-KAFKA-011',
      `Cannot use transaction.timeout.ms ${givenMs}: the brokers allow ${brokerMaxMs} (transaction.max.timeout.ms); wanted is less, or another setting of the brokers`,
    )
  }
  if (checkpoints === undefined) return { timeoutMs: givenMs ?? Math.min(maxMs, WITHOUT_CHECKPOINTS_MS) }
  const { intervalMs, timeoutMs: checkpointMs } = checkpoints
  const timeoutMs = givenMs ?? Math.min(maxMs, intervalMs + checkpointMs + RESTART_MS)
  const where =
    givenMs === undefined
      ? `the brokers allow ${maxMs} (transaction.max.timeout.ms)`
      : `transaction.timeout.ms is ${givenMs}`
  if (timeoutMs <= intervalMs) {
    throw new TailraceError(
      'TR-KAFKA-011',
      `Cannot write to Kafka exactly once: a transaction is open for a checkpoint interval, ${intervalMs} ms (execution.checkpointing.interval), but ${where}; wanted is more than ${intervalMs + checkpointMs}, or a shorter interval`,
    )
  }
  if (timeoutMs > intervalMs + checkpointMs) return { timeoutMs }
  return {
    timeoutMs,
    warning:
      `Transactions of Kafka may be given up before they are committed: a checkpoint may take ${intervalMs} ms (execution.checkpointing.interval) and ` +
      `${checkpointMs} ms (execution.checkpointing.timeout) to complete, and ${where}. More than ${intervalMs + checkpointMs} is safe`,
  }
}
