/** A job's checkpoints as REST shows them. Pure. */
import type {
  CheckpointsView,
  CheckpointView,
  JobCheckpointsView,
  RestoredView,
  SubtaskCheckpointView,
  SummaryView,
  TaskCheckpointView,
} from '../rpc/views.ts'
import type {
  CheckpointConfig,
  CheckpointingStatistics,
  CheckpointStatistics,
  RestoredCheckpoint,
  StatsSummary,
  TaskCheckpoint,
  TaskCheckpointDetails,
} from './checkpoints-schemas.ts'

const NOTHING: StatsSummary = { min: 0, max: 0, avg: 0, p50: 0, p90: 0, p95: 0, p99: 0, p999: 0 }
/** No data overtakes barriers. */
const NO_CHANNEL_DATA = { alignment_buffered: 0, processed_data: 0, persisted_data: 0 }

export function statisticsOf({ counts, history, latest, summary }: CheckpointsView): CheckpointingStatistics {
  const { restored, total, inProgress, completed, failed } = counts
  return {
    counts: { restored, total, in_progress: inProgress, completed, failed },
    summary: {
      checkpointed_size: summaryOf(summary.checkpointedSize),
      state_size: summaryOf(summary.stateSize),
      end_to_end_duration: summaryOf(summary.durationMs),
      alignment_buffered: NOTHING,
      processed_data: NOTHING,
      persisted_data: NOTHING,
    },
    latest: {
      completed: latest.completed === undefined ? null : lineOf(latest.completed),
      savepoint: latest.savepoint === undefined ? null : lineOf(latest.savepoint),
      failed: latest.failed === undefined ? null : lineOf(latest.failed),
      restored: latest.restored === undefined ? null : restoredOf(latest.restored),
    },
    history: history.map(lineOf),
  }
}

/** With its tasks. */
export function detailsOf(view: CheckpointView): CheckpointStatistics {
  const tasks = view.tasks.map((task) => [task.vertexId, taskOf(view.id, task)])
  return { ...lineOf(view), tasks: Object.fromEntries(tasks) }
}

export function taskDetailsOf(checkpointId: number, task: TaskCheckpointView): TaskCheckpointDetails {
  const acks = task.subtasks.filter((one) => one !== null)
  const over = (of: (one: SubtaskCheckpointView) => number) => summarize(acks.map(of))
  return {
    ...taskOf(checkpointId, task),
    summary: {
      checkpointed_size: over((one) => one.checkpointedSize),
      state_size: over((one) => one.stateSize),
      end_to_end_duration: over((one) => one.durationMs),
      checkpoint_duration: { sync: over((one) => one.syncMs), async: over((one) => one.asyncMs) },
      alignment: {
        buffered: NOTHING,
        processed: NOTHING,
        persisted: NOTHING,
        duration: over((one) => one.alignmentMs),
      },
      start_delay: over((one) => one.startDelayMs),
    },
    subtasks: task.subtasks.map((one, index) =>
      one === null ? { className: 'pending', index, status: 'pending_or_failed' } : subtaskOf(one),
    ),
  }
}

export function configOf({ settings }: JobCheckpointsView): CheckpointConfig {
  const { directory, retention, savepointDirectory } = settings
  return {
    mode: settings.mode,
    interval: settings.intervalMs ?? -1,
    timeout: settings.timeoutMs,
    min_pause: settings.minPauseMs,
    max_concurrent: settings.maxConcurrent,
    externalization: {
      enabled: retention !== 'NO_EXTERNALIZED_CHECKPOINTS',
      delete_on_cancellation: retention !== 'RETAIN_ON_CANCELLATION',
    },
    // Flink's words for state on the heap, and for checkpoints in a directory or in memory.
    state_backend: 'HashMapStateBackend',
    checkpoint_storage: directory === undefined ? 'JobManagerCheckpointStorage' : 'FileSystemCheckpointStorage',
    unaligned_checkpoints: settings.unaligned,
    tolerable_failed_checkpoints: settings.tolerableFailures,
    aligned_checkpoint_timeout: 0,
    checkpoints_after_tasks_finish: true,
    state_changelog_enabled: false,
    changelog_storage: '',
    changelog_periodic_materialization_interval: -1,
    checkpoint_directory: directory ?? null,
    savepoint_directory: savepointDirectory ?? null,
  }
}

/** The folder of a checkpoint or savepoint: what a user restores from. */
export function folderOf(path: string): string {
  return path.replace(/\/_metadata$/, '')
}

const CLASS = { IN_PROGRESS: 'in_progress', COMPLETED: 'completed', FAILED: 'failed' } as const

function lineOf(view: CheckpointView): CheckpointStatistics {
  const isSavepoint = view.type !== 'CHECKPOINT'
  const { discarded = false, externalPath, failureMessage, failureTimestamp, metadataSize } = view
  return {
    className: CLASS[view.status],
    id: view.id,
    status: view.status,
    is_savepoint: isSavepoint,
    savepointFormat: isSavepoint ? 'CANONICAL' : null,
    trigger_timestamp: view.triggerTimestamp,
    latest_ack_timestamp: view.latestAckTimestamp,
    checkpointed_size: view.checkpointedSize,
    state_size: view.stateSize,
    end_to_end_duration: view.durationMs,
    ...NO_CHANNEL_DATA,
    num_subtasks: view.numSubtasks,
    num_acknowledged_subtasks: view.numAcknowledged,
    checkpoint_type: view.type,
    tasks: {},
    ...(externalPath === undefined ? {} : { external_path: folderOf(externalPath), discarded }),
    ...(metadataSize === undefined ? {} : { metadata_size: metadataSize }),
    ...(failureMessage === undefined ? {} : { failure_message: failureMessage, failure_timestamp: failureTimestamp! }),
  }
}

function restoredOf({ id, restoreTimestamp, isSavepoint, externalPath }: RestoredView): RestoredCheckpoint {
  return {
    id,
    restore_timestamp: restoreTimestamp,
    is_savepoint: isSavepoint,
    external_path: folderOf(externalPath),
  }
}

function taskOf(checkpointId: number, task: TaskCheckpointView): TaskCheckpoint {
  return {
    id: checkpointId,
    status: task.status,
    latest_ack_timestamp: task.latestAckTimestamp,
    checkpointed_size: task.checkpointedSize,
    state_size: task.stateSize,
    end_to_end_duration: task.durationMs,
    ...NO_CHANNEL_DATA,
    num_subtasks: task.numSubtasks,
    num_acknowledged_subtasks: task.numAcknowledged,
  }
}

function subtaskOf(one: SubtaskCheckpointView): TaskCheckpointDetails['subtasks'][number] {
  return {
    className: 'completed',
    index: one.index,
    status: 'completed',
    ack_timestamp: one.ackTimestamp,
    end_to_end_duration: one.durationMs,
    checkpointed_size: one.checkpointedSize,
    state_size: one.stateSize,
    checkpoint: { sync: Math.round(one.syncMs), async: Math.round(one.asyncMs) },
    alignment: { buffered: 0, processed: 0, persisted: 0, duration: Math.round(one.alignmentMs) },
    start_delay: Math.round(one.startDelayMs),
    unaligned_checkpoint: false,
    aborted: false,
  }
}

function summaryOf(view: SummaryView): StatsSummary {
  // Without a value there is no least one either; JSON has no word for that, and Flink's contract wants a number.
  if (Number.isNaN(view.min)) return NOTHING
  const { min, max, avg, ...quantiles } = view
  return { min: Math.round(min), max: Math.round(max), avg: Math.round(avg), ...quantiles }
}

function summarize(values: readonly number[]): StatsSummary {
  if (values.length === 0) return NOTHING
  const sorted = values.toSorted((a, b) => a - b)
  // The smallest that so many of them do not exceed.
  const quantile = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
  return {
    min: Math.round(sorted[0]!),
    max: Math.round(sorted.at(-1)!),
    avg: Math.round(values.reduce((sum, value) => sum + value, 0) / values.length),
    p50: quantile(0.5),
    p90: quantile(0.9),
    p95: quantile(0.95),
    p99: quantile(0.99),
    p999: quantile(0.999),
  }
}
