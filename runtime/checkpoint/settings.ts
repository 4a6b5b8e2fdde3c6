/**
 * What a job's configuration says of checkpoints, savepoints and restore: Flink's `execution.checkpointing.*` and `execution.state-recovery.*`, in the
 * spellings of 1.x and 2.x [CC-01, CC-07]. Where both are set the newer one holds.
 *
 * Checkpoints go on after some tasks have finished, whatever `execution.checkpointing.checkpoints-after-tasks-finish` says: without them the end of a bounded input could
 * not be held. Barriers do not overtake records yet, so `unaligned` changes nothing but what it forbids.
 */
import { OptionReader } from '../core/option-reader.ts'
import { RESTORE_KEYS, type RestoreSettings, restoreSettings } from './restore-settings.ts'

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
  /** State without an operator is left behind when the job goes on from a checkpoint or savepoint. */
  allowNonRestoredState: boolean
  /** `web.checkpoints.history`: how many are shown. */
  historyMax: number
}

/** The shortest interval [CC-01]. */
export const INTERVAL_MIN_MS = 10

const NS = 'execution.checkpointing.'
const INTERVAL = `${NS}interval`
const BACKLOG = `${NS}interval-during-backlog`
const MODE = `${NS}mode`
const CONCURRENT = `${NS}max-concurrent-checkpoints`
const UNALIGNED = [`${NS}unaligned.enabled`, `${NS}unaligned`]

/**
 * Throws TR-CHECKPOINT-006 for a value that cannot be read or is out of its range, and for two that contradict each other.
 *
 * @example
 * readCheckpointSettings({ 'execution.checkpointing.interval': '10s' }).intervalMs // 10000
 */
export function readCheckpointSettings(options: Readonly<Record<string, string>>): CheckpointSettings {
  const read = new OptionReader(options, 'TR-CHECKPOINT-006')
  const settings: CheckpointSettings = {
    intervalMs: read.duration(undefined, { atLeastMs: INTERVAL_MIN_MS }, INTERVAL),
    intervalDuringBacklogMs: readBacklogInterval(read),
    mode: read.word('EXACTLY_ONCE', ['EXACTLY_ONCE', 'AT_LEAST_ONCE'], MODE),
    timeoutMs: read.duration(600_000, { atLeastMs: INTERVAL_MIN_MS }, `${NS}timeout`),
    minPauseMs: read.duration(0, { atLeastMs: 0 }, `${NS}min-pause`),
    maxConcurrent: read.integer(1, { atLeast: 1 }, CONCURRENT),
    tolerableFailures: read.integer(0, { atLeast: 0 }, `${NS}tolerable-failed-checkpoints`),
    retained: read.integer(1, { atLeast: 1 }, `${NS}num-retained`, 'state.checkpoints.num-retained'),
    retention: read.word(
      'NO_EXTERNALIZED_CHECKPOINTS',
      ['NO_EXTERNALIZED_CHECKPOINTS', 'DELETE_ON_CANCELLATION', 'RETAIN_ON_CANCELLATION'],
      `${NS}externalized-checkpoint-retention`,
    ),
    unaligned: read.boolean(false, ...UNALIGNED),
    directory: read.text(`${NS}dir`, 'state.checkpoints.dir', 'state.backend.fs.checkpointdir'),
    savepointDirectory: read.text(`${NS}savepoint-dir`, 'state.savepoints.dir', 'savepoints.state.backend.fs.dir'),
    restore: restoreSettings(options),
    allowNonRestoredState: read.boolean(false, ...RESTORE_KEYS.allowNonRestoredState),
    historyMax: read.integer(10, { atLeast: 0 }, 'web.checkpoints.history', 'jobmanager.web.checkpoints.history'),
  }
  checkTogether(read, settings)
  return settings
}

function readBacklogInterval(read: OptionReader): number | undefined {
  const ms = read.duration(undefined, { atLeastMs: 0 }, BACKLOG)
  return ms === 0 ? Number.POSITIVE_INFINITY : ms
}

function checkTogether(read: OptionReader, settings: CheckpointSettings): void {
  const { intervalMs, intervalDuringBacklogMs, maxConcurrent, mode, unaligned } = settings
  if (intervalMs !== undefined && intervalDuringBacklogMs !== undefined && intervalDuringBacklogMs < intervalMs)
    throw read.refusal(read.find(BACKLOG)!, `0 (none), or no less than ${INTERVAL} (${intervalMs} ms)`)
  if (unaligned && mode === 'AT_LEAST_ONCE')
    throw read.refusal(read.find(...UNALIGNED)!, `false (as ${MODE} is ${mode})`)
  if (unaligned && maxConcurrent > 1)
    throw read.refusal(read.find(CONCURRENT)!, `1 (as ${read.find(...UNALIGNED)!.key} is true)`)
}
