/** What an onlooker may know of a job's checkpoints. Times are milliseconds since 1970, -1 is "not yet"; sizes are bytes. */

export type CheckpointStatus = 'IN_PROGRESS' | 'COMPLETED' | 'FAILED'

/** Flink's words: `SYNC_SAVEPOINT` is one that stops the job. */
export type CheckpointType = 'CHECKPOINT' | 'SAVEPOINT' | 'SYNC_SAVEPOINT'

/** A subtask's part, once it has acknowledged. */
export interface SubtaskCheckpointView {
  index: number
  ackTimestamp: number
  /** From the begin of the checkpoint. */
  durationMs: number
  startDelayMs: number
  alignmentMs: number
  syncMs: number
  asyncMs: number
  /** State in all, and the part that was written anew. */
  stateSize: number
  checkpointedSize: number
}

export interface TaskCheckpointView {
  vertexId: string
  status: CheckpointStatus
  numSubtasks: number
  numAcknowledged: number
  latestAckTimestamp: number
  durationMs: number
  stateSize: number
  checkpointedSize: number
  /** By subtask; null where nothing has come, or nothing is to come because it has finished. */
  subtasks: (SubtaskCheckpointView | null)[]
}

export interface CheckpointView {
  id: number
  status: CheckpointStatus
  type: CheckpointType
  triggerTimestamp: number
  latestAckTimestamp: number
  /** To its end, or to now. */
  durationMs: number
  stateSize: number
  checkpointedSize: number
  /** Subtasks that had to acknowledge. */
  numSubtasks: number
  numAcknowledged: number
  tasks: TaskCheckpointView[]
  /** Once completed. */
  externalPath?: string
  metadataSize?: number
  /** Its files are deleted, for there are newer ones or the job has ended. */
  discarded?: boolean
  /** Once failed. */
  failureTimestamp?: number
  failureMessage?: string
}

export interface RestoredView {
  id: number
  restoreTimestamp: number
  isSavepoint: boolean
  externalPath: string
}

/** Of completed checkpoints; all NaN when there are none. Quantiles are of the last ones. */
export interface SummaryView {
  min: number
  max: number
  avg: number
  p50: number
  p90: number
  p95: number
  p99: number
  p999: number
}

export interface CheckpointsView {
  counts: { restored: number; total: number; inProgress: number; completed: number; failed: number }
  summary: { durationMs: SummaryView; stateSize: SummaryView; checkpointedSize: SummaryView }
  latest: {
    completed?: CheckpointView
    savepoint?: CheckpointView
    failed?: CheckpointView
    restored?: RestoredView
  }
  /** The newest first. */
  history: CheckpointView[]
}

/** The numbers of {@link CheckpointsView} that metrics export; -1 is "none yet". */
export interface CheckpointNumbers {
  lastCheckpointDuration: number
  lastCheckpointSize: number
  lastCheckpointFullSize: number
  lastCheckpointMetadataSize: number
  lastCompletedCheckpointId: number
  lastCheckpointCompletedTimestamp: number
  lastCheckpointRestoreTimestamp: number
  numberOfInProgressCheckpoints: number
  numberOfCompletedCheckpoints: number
  numberOfFailedCheckpoints: number
  totalNumberOfCheckpoints: number
}

const NO_SUMMARY: SummaryView = {
  min: Number.NaN,
  max: Number.NaN,
  avg: Number.NaN,
  p50: Number.NaN,
  p90: Number.NaN,
  p95: Number.NaN,
  p99: Number.NaN,
  p999: Number.NaN,
}

/** Of a job that has taken none. */
export const NO_CHECKPOINTS: CheckpointsView = {
  counts: { restored: 0, total: 0, inProgress: 0, completed: 0, failed: 0 },
  summary: { durationMs: NO_SUMMARY, stateSize: NO_SUMMARY, checkpointedSize: NO_SUMMARY },
  latest: {},
  history: [],
}
