/**
 * What a job's configuration says of checkpoints, savepoints and restore: Flink's `execution.checkpointing.*` and `execution.state-recovery.*`, in the
 * spellings of 1.x and 2.x [CC-01, CC-07]. Where both are set the newer one holds.
 *
 * Checkpoints go on after some tasks have finished, whatever `execution.checkpointing.checkpoints-after-tasks-finish` says: without them the end of a bounded input could
 * not be held. Barriers do not overtake records yet, so `unaligned` changes nothing but what it forbids.
 */
import { ConfigValues } from '../config/option.ts'
import { CHECKPOINTING, RECOVERY } from '../config/options/checkpointing.ts'
import { REST } from '../config/options/rest.ts'
import { type LocalRecovery, localRecovery } from './local-recovery.ts'
import { type RestoreSettings, restoreSettings } from './restore-settings.ts'

export type CheckpointMode = 'EXACTLY_ONCE' | 'AT_LEAST_ONCE'

/** What becomes of completed checkpoints when the job ends; see coordinator/retention.ts. */
export type CheckpointRetention = 'NO_EXTERNALIZED_CHECKPOINTS' | 'DELETE_ON_CANCELLATION' | 'RETAIN_ON_CANCELLATION'

export interface CheckpointSettings {
  /** Between the begins of two checkpoints; undefined: none are taken but those that somebody asks for. */
  intervalMs: number | undefined
  /** Instead of it while a source has a backlog to work off; Infinity: none then. */
  intervalDuringBacklogMs: number | undefined
  mode: CheckpointMode
  timeoutMs: number
  /** From the end of one to the begin of the next. */
  minPauseMs: number
  maxConcurrent: number
  /** This many may fail in a row. */
  tolerableFailures: number
  /** Completed ones that are kept. */
  retained: number
  retention: CheckpointRetention
  unaligned: boolean
  /** Where they are stored; undefined: in memory. */
  directory: string | undefined
  /** Where savepoints go when nobody says another place. */
  savepointDirectory: string | undefined
  /** What the job begins with when its own store has nothing. */
  restore: RestoreSettings | undefined
  /** Copies on the disks of TaskManagers. */
  local: LocalRecovery
  /** State without an operator is left behind when the job goes on from a checkpoint or savepoint. */
  allowNonRestoredState: boolean
  /** `web.checkpoints.history`: how many are shown. */
  historyMax: number
}

/**
 * Throws TR-CHECKPOINT-006 for a value that cannot be read or is out of its range, and for two that contradict each other.
 *
 * @example
 * readCheckpointSettings({ 'execution.checkpointing.interval': '10s' }).intervalMs // 10000
 */
export function readCheckpointSettings(options: Readonly<Record<string, string>>): CheckpointSettings {
  const read = new ConfigValues(options, 'TR-CHECKPOINT-006')
  const backlogMs = read.get(CHECKPOINTING.intervalDuringBacklog)
  const settings: CheckpointSettings = {
    intervalMs: read.get(CHECKPOINTING.interval),
    intervalDuringBacklogMs: backlogMs === 0 ? Number.POSITIVE_INFINITY : backlogMs,
    mode: read.get(CHECKPOINTING.mode),
    timeoutMs: read.get(CHECKPOINTING.timeout),
    minPauseMs: read.get(CHECKPOINTING.minPause),
    maxConcurrent: read.get(CHECKPOINTING.maxConcurrent),
    tolerableFailures: read.get(CHECKPOINTING.tolerableFailures),
    retained: read.get(CHECKPOINTING.retained),
    retention: read.get(CHECKPOINTING.retention),
    unaligned: read.get(CHECKPOINTING.unaligned),
    directory: read.get(CHECKPOINTING.directory),
    savepointDirectory: read.get(CHECKPOINTING.savepointDirectory),
    restore: restoreSettings(options),
    local: localRecovery(options, read.get(CHECKPOINTING.directory)),
    allowNonRestoredState: read.get(RECOVERY.ignoreUnclaimed),
    historyMax: read.get(REST.checkpointHistory),
  }
  checkTogether(read, settings)
  return settings
}

function checkTogether(read: ConfigValues, settings: CheckpointSettings): void {
  const { intervalMs, intervalDuringBacklogMs, maxConcurrent, mode, unaligned } = settings
  if (intervalMs !== undefined && intervalDuringBacklogMs !== undefined && intervalDuringBacklogMs < intervalMs)
    throw read.refusal(
      read.find(CHECKPOINTING.intervalDuringBacklog)!,
      `0 (none), or no less than ${CHECKPOINTING.interval.key} (${intervalMs} ms)`,
    )
  const overtaking = read.find(CHECKPOINTING.unaligned)
  if (unaligned && mode === 'AT_LEAST_ONCE')
    throw read.refusal(overtaking!, `false (as ${CHECKPOINTING.mode.key} is ${mode})`)
  if (unaligned && maxConcurrent > 1)
    throw read.refusal(read.find(CHECKPOINTING.maxConcurrent)!, `1 (as ${overtaking!.key} is true)`)
}
