/** Checkpoints of a job, in Flink's spelling. Sizes are bytes; no data overtakes barriers, so none is `processed` or `persisted` with them. */
import { z } from 'zod'

/** Over completed checkpoints, or over subtasks; all 0 when there are none. Quantiles are of the last thousand. */
export const statsSummary = z.object({
  min: z.number(),
  max: z.number(),
  avg: z.number(),
  p50: z.number(),
  p90: z.number(),
  p95: z.number(),
  p99: z.number(),
  p999: z.number(),
})
export type StatsSummary = z.infer<typeof statsSummary>

const checkpointStatus = z.enum(['IN_PROGRESS', 'COMPLETED', 'FAILED'])

export const taskCheckpoint = z.object({
  /** Of the checkpoint. */
  id: z.number(),
  status: checkpointStatus,
  latest_ack_timestamp: z.number(),
  checkpointed_size: z.number(),
  state_size: z.number(),
  end_to_end_duration: z.number(),
  alignment_buffered: z.number(),
  processed_data: z.number(),
  persisted_data: z.number(),
  num_subtasks: z.number(),
  num_acknowledged_subtasks: z.number(),
})
export type TaskCheckpoint = z.infer<typeof taskCheckpoint>

export const checkpointStatistics = taskCheckpoint.extend({
  className: z.enum(['in_progress', 'completed', 'failed']),
  is_savepoint: z.boolean(),
  savepointFormat: z.string().nullable(),
  trigger_timestamp: z.number(),
  checkpoint_type: z.enum(['CHECKPOINT', 'UNALIGNED_CHECKPOINT', 'SAVEPOINT', 'SYNC_SAVEPOINT']),
  /** By vertex; in lists empty. */
  tasks: z.record(z.string(), taskCheckpoint),
  /** Of a completed one: its folder. */
  external_path: z.string().optional(),
  /** Its files are deleted. */
  discarded: z.boolean().optional(),
  /** Ours: bytes of its `_metadata`. */
  metadata_size: z.number().optional(),
  failure_timestamp: z.number().optional(),
  failure_message: z.string().optional(),
})
export type CheckpointStatistics = z.infer<typeof checkpointStatistics>

export const restoredCheckpoint = z.object({
  id: z.number(),
  restore_timestamp: z.number(),
  is_savepoint: z.boolean(),
  external_path: z.string(),
})
export type RestoredCheckpoint = z.infer<typeof restoredCheckpoint>

export const checkpointingStatistics = z.object({
  counts: z.object({
    restored: z.number(),
    total: z.number(),
    in_progress: z.number(),
    completed: z.number(),
    failed: z.number(),
  }),
  summary: z.object({
    checkpointed_size: statsSummary,
    state_size: statsSummary,
    end_to_end_duration: statsSummary,
    alignment_buffered: statsSummary,
    processed_data: statsSummary,
    persisted_data: statsSummary,
  }),
  latest: z.object({
    completed: checkpointStatistics.nullable(),
    savepoint: checkpointStatistics.nullable(),
    failed: checkpointStatistics.nullable(),
    restored: restoredCheckpoint.nullable(),
  }),
  history: z.array(checkpointStatistics),
})
export type CheckpointingStatistics = z.infer<typeof checkpointingStatistics>

const phases = z.object({ sync: z.number(), async: z.number() })
const alignment = z.object({
  buffered: z.number(),
  processed: z.number(),
  persisted: z.number(),
  duration: z.number(),
})

const pendingSubtask = z.object({
  className: z.literal('pending'),
  index: z.number(),
  status: z.literal('pending_or_failed'),
})
const completedSubtask = z.object({
  className: z.literal('completed'),
  index: z.number(),
  status: z.literal('completed'),
  ack_timestamp: z.number(),
  end_to_end_duration: z.number(),
  checkpointed_size: z.number(),
  state_size: z.number(),
  checkpoint: phases,
  alignment,
  start_delay: z.number(),
  unaligned_checkpoint: z.boolean(),
  aborted: z.boolean(),
})

export const taskCheckpointDetails = taskCheckpoint.extend({
  summary: z.object({
    checkpointed_size: statsSummary,
    state_size: statsSummary,
    end_to_end_duration: statsSummary,
    checkpoint_duration: z.object({ sync: statsSummary, async: statsSummary }),
    alignment: z.object({
      buffered: statsSummary,
      processed: statsSummary,
      persisted: statsSummary,
      duration: statsSummary,
    }),
    start_delay: statsSummary,
  }),
  subtasks: z.array(z.union([completedSubtask, pendingSubtask])),
})
export type TaskCheckpointDetails = z.infer<typeof taskCheckpointDetails>

/** Durations in milliseconds; -1 is none. */
export const checkpointConfig = z.object({
  mode: z.enum(['EXACTLY_ONCE', 'AT_LEAST_ONCE']),
  interval: z.number(),
  timeout: z.number(),
  min_pause: z.number(),
  max_concurrent: z.number(),
  externalization: z.object({ enabled: z.boolean(), delete_on_cancellation: z.boolean() }),
  state_backend: z.string(),
  checkpoint_storage: z.string(),
  unaligned_checkpoints: z.boolean(),
  tolerable_failed_checkpoints: z.number(),
  aligned_checkpoint_timeout: z.number(),
  checkpoints_after_tasks_finish: z.boolean(),
  state_changelog_enabled: z.boolean(),
  changelog_storage: z.string(),
  changelog_periodic_materialization_interval: z.number(),
  /** Ours: where checkpoints are stored and where savepoints go, null when the configuration does not say. */
  checkpoint_directory: z.string().nullable(),
  savepoint_directory: z.string().nullable(),
})
export type CheckpointConfig = z.infer<typeof checkpointConfig>
