/** What a coordinator of checkpoints is given: a job, time, storage, and ways to others. */
import type { Barrier } from '../../core/checkpoint.ts'
import type { Clock } from '../../core/clock.ts'
import type { TailraceError } from '../../core/errors.ts'
import type { TypeDescription } from '../../core/types.ts'
import type { Plan } from '../../graph/model.ts'
import type { CheckpointStore, CompletedCheckpoint } from '../checkpoint-store.ts'
import type { CheckpointMetadata } from '../model.ts'
import type { CheckpointSettings } from '../settings.ts'
import type { TaskPlace } from './checkpoint-plan.ts'

/** How the coordinator reaches others. Nothing of it answers in the same call. */
export interface CheckpointOutlet {
  /** Answered by `enumeratorStates` of checkpoint-coordinator.ts. */
  snapshotEnumerators(checkpointId: number): void
  trigger(place: TaskPlace, barrier: Barrier): void
  /** A source shall end its data. */
  drain(place: TaskPlace): void
  /** To all slots and the program. */
  complete(checkpointId: number): void
  /** To all slots. */
  abort(checkpointId: number): void
  /** The job's attempt cannot go on. */
  fail(error: TailraceError): void
}

export interface CoordinatorOptions {
  jobId: string
  plan: Plan
  settings: CheckpointSettings
  store: CheckpointStore
  clock: Clock
  /** Runs `callback` once after `ms`; returns how to prevent it. */
  schedule(ms: number, callback: () => void): () => void
  outlet: CheckpointOutlet
  /** Types agreed so far by edge id. */
  edgeTypes(): Readonly<Record<number, TypeDescription>>
  /** Writes a savepoint that stands by itself into a folder of its own below `directory`, and gives its path. */
  writeSavepoint(metadata: CheckpointMetadata, directory: string): Promise<WrittenSavepoint>
  /** The transactions of a savepoint are committed: whoever begins from it must not commit them again. Resolves, whatever happens. */
  markCommitted(path: string): Promise<void>
}

export type WrittenSavepoint = Pick<CompletedCheckpoint, 'path' | 'metadataBytes'>

/** What a job goes back to. */
export interface RestorePoint extends Pick<CompletedCheckpoint, 'metadata' | 'path'> {
  /** Of a savepoint: its transactions were committed by the job that took it. */
  committed?: boolean
}

/** A subtask's part of a checkpoint. */
export interface TaskPart {
  vertexId: string
  subtask: number
  checkpointId: number
}
