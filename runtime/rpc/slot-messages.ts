/**
 * Messages between the JobManager and a slot. They pass its TaskManager, which adds the memory that its slots share and keeps for itself what is about the bytes of state. Within a
 * process they are posted as they are (structured clone; shared buffers stay shared); the inline host passes them by call.
 */

import type { SnapshotStats, SubtaskRestore, SubtaskSnapshot } from '../checkpoint/model.ts'
import type { Barrier } from '../core/checkpoint.ts'
import type { ErrorData } from '../core/errors.ts'
import type { CheckpointTimes } from '../core/sink.ts'
import type { SourceSplit } from '../core/source.ts'
import type { TypeDescription } from '../core/types.ts'
import type { Plan } from '../graph/model.ts'
import type { MetricName } from '../metrics/page.ts'
import type { Host } from './host.ts'

/** Where a program is and what it needs to build the same graph again. JSON. */
export interface ProgramRef {
  /** file: URL of the module that exports `main`, or builds its graph at the top level. */
  url: string
  /** Arguments after the job file. */
  args: string[]
  /** Job parameters of the command line. */
  parameters: Record<string, string>
  /** Configuration of the command line (`-D key=value`). */
  options: Record<string, string>
  /** The export that is run; `main`, else the default one, unless given. */
  main?: string
  /** What `url` is a copy of, where processes do not share files: each fetches it and has a copy of its own. */
  artifact?: ArtifactRef
}

/** Names an artifact by what is in it. */
export interface ArtifactRef {
  /** Of its bytes, 64 hex digits. */
  sha256: string
  /** As it was given: its ending says what it is. */
  name: string
  /** Module to run, of a package. */
  entry?: string
}

/** What earlier parts of the program already gave: replayed in slots. Structured-cloneable. */
export interface ProgramReplay {
  /** Which execute() of the program this job is, from 0. */
  executeIndex: number
  /** Results of the executes before it, as their promises resolved. */
  results: unknown[]
  /** Values of env.once() by name. */
  once: Record<string, unknown>
}

/** Memory that the slots of one attempt share in one process: made by their TaskManager. What belongs to slots of other processes is undefined. */
export interface Wiring {
  /** By slot of the job: [sequence, sleeping] (network/doorbell.ts). */
  doorbells: (SharedArrayBuffer | undefined)[]
  /** The buffer pool of each slot of the job (network/buffer-pool.ts). */
  pools: (SharedArrayBuffer | undefined)[]
  /** Control blocks and exclusive buffers of the input channels of a subtask: `gates[vertexId][subtask]` (network/channel.ts). */
  gates: Record<string, (SharedArrayBuffer | undefined)[]>
}

/** Where a TaskManager in a process of its own writes the state of a job. */
export interface StateStorage {
  /** undefined: the memory of the JobManager. */
  directory: string | undefined
  /** Of the deployment, below it. */
  folder: string
  /** Of the deployment's owner. */
  epoch: number
}

/** Where a slot of a job is. */
export interface SlotPlace {
  /** Id of its TaskManager: slots of the same one share memory. */
  taskManager: string
  /** Where it takes data of slots in other processes; absent where there are none. */
  data?: { host: string; port: number }
}

export interface SubtaskRef {
  vertexId: string
  subtask: number
}

export interface Deployment {
  jobId: string
  attempt: number
  /** Index of this slot in the job. */
  slotIndex: number
  program: ProgramRef
  replay: ProgramReplay
  /** As submitted; the slot compares the plan that it builds. */
  plan: Plan
  subtasks: SubtaskRef[]
  /** `places[vertexId][subtask]`: index of the slot that hosts it. */
  places: Record<string, number[]>
  /** By index. */
  slots: SlotPlace[]
  /** Secret of this attempt, by which its slots know each other. */
  token: string
  /** This slot's metrics page (metrics/page.ts). */
  page: SharedArrayBuffer
  /** Types agreed so far by edge id. */
  edgeTypes: Record<number, TypeDescription>
  /**
   * undefined: the job takes no checkpoints by itself, so a subtask that has ended its data is done. The barrier of a savepoint may come all the same; it is aligned
   * exactly once.
   */
  checkpointing: CheckpointingMode | undefined
  /** What the job goes on from; undefined: it begins. */
  restore: DeploymentRestore | undefined
  /** undefined: no snapshots are taken of this job. */
  storage: StateStorage | undefined
}

/** A deployment as it comes to the slot's thread. */
export interface SlotDeployment extends Deployment {
  wiring: Wiring
}

export interface CheckpointingMode {
  /** Channels whose barrier has come wait for the others [C-02]. */
  exactlyOnce: boolean
  /** For sinks whose systems give up what is prepared after a while. */
  times?: CheckpointTimes | undefined
}

export interface DeploymentRestore {
  checkpointId: number
  /** Of the subtasks of this slot: `state[vertexId][subtask]`. A file's bytes come by `readState`. */
  state: Record<string, Record<number, SubtaskRestore>>
  /** Subtasks that had finished before: they run nothing, and end at once. */
  finished: SubtaskRef[]
  /** A savepoint whose transactions were committed already: what sinks had prepared in it is done with. */
  committed?: boolean
}

export type TaskState = 'INITIALIZING' | 'RUNNING' | 'FINISHED' | 'CANCELED' | 'FAILED'

export type ToSlot =
  | { type: 'deploy'; deployment: Deployment }
  /** A deployment of this program comes soon: it can be loaded, and its graph built, meanwhile. */
  | { type: 'prepare'; jobId: string; program: ProgramRef; replay: ProgramReplay }
  /** All slots of the job have deployed: begin. */
  | { type: 'start' }
  | { type: 'cancel' }
  /** None: the answer to its request is that there is no split now. */
  | { type: 'splits'; vertexId: string; subtask: number; splits: SourceSplit[] }
  | { type: 'noMoreSplits'; vertexId: string; subtask: number }
  | { type: 'sourceEvent'; vertexId: string; subtask: number; event: unknown }
  /** The type of an edge that all of its writers use from now on. */
  | { type: 'edgeType'; edgeId: number; edgeType: TypeDescription }
  /** The program has taken this many collected values (executeAndCollect). */
  | { type: 'collectAck'; collectId: string; subtask: number; count: number }
  /** A source (or a task whose inputs have all ended) starts this checkpoint. In order with `splits` and `sourceEvent`. */
  | { type: 'triggerCheckpoint'; vertexId: string; subtask: number; barrier: Barrier }
  /** The source reads no more: its input ends here. In order with `triggerCheckpoint`. */
  | { type: 'drain'; vertexId: string; subtask: number }
  /** To every slot: it is complete (and with it all before it), or given up. */
  | { type: 'checkpointComplete'; checkpointId: number }
  | { type: 'checkpointAborted'; checkpointId: number }
  /** The job has ended: write out what is buffered and end the thread. */
  | { type: 'retire' }

/** What a slot's thread gets of its TaskManager. */
export type ToSlotThread =
  | Exclude<ToSlot, { type: 'deploy' }>
  | { type: 'deploy'; deployment: SlotDeployment }
  /** The TaskManager has another leader: ends what runs, closes connections to other processes, and answers `handedOver`. */
  | { type: 'handOver' }
  /** Answers `readState`. */
  | { type: 'stateRead'; request: number; bytes?: Uint8Array; error?: ErrorData }
  /** The buffers of chunks that were taken over come back. */
  | { type: 'stateBuffer'; buffer: ArrayBuffer }

export type FromSlot =
  /**
   * The thread is up and has loaded the runtime; it takes data of other processes on this port. `loaded`: it has served an earlier leader, and has loaded this program for a job (loaded-program.ts); it may serve
   * no other job.
   */
  | { type: 'ready'; dataPort?: number; loaded?: string }
  /** Tasks are built; waits for `start`. */
  | { type: 'deployed' }
  /** The program, the plan or an operator could not be built; no task runs. */
  | { type: 'deployFailed'; error: ErrorData }
  | {
      type: 'taskState'
      vertexId: string
      subtask: number
      state: TaskState
      error?: ErrorData
      /** With FINISHED: values by accumulator name. */
      accumulators?: Record<string, number>
    }
  /** All data of the subtask is out; it waits for a checkpoint that holds its end before it says FINISHED. */
  | { type: 'dataEnded'; vertexId: string; subtask: number }
  | {
      type: 'checkpointAck'
      vertexId: string
      subtask: number
      checkpointId: number
      snapshot: SubtaskSnapshot
      stats: SnapshotStats
    }
  /** The subtask could not take it. With an error the checkpoint failed; without, it made way for a newer one. */
  | { type: 'checkpointDeclined'; vertexId: string; subtask: number; checkpointId: number; error?: ErrorData }
  | { type: 'splitRequest'; vertexId: string; subtask: number }
  | { type: 'sourceEvent'; vertexId: string; subtask: number; event: unknown }
  /** First type that a writer of this edge found; the JobManager answers all slots with `edgeType`, the first one wins. */
  | { type: 'proposeType'; edgeId: number; edgeType: TypeDescription }
  | { type: 'metricNames'; names: MetricName[] }
  | { type: 'collected'; collectId: string; subtask: number; values: unknown[] }
  /** Text of print(): the JobManager writes it, so that lines of several threads never mix. */
  | { type: 'print'; stream: 'stdout' | 'stderr'; text: string }

/** What a slot's thread says to its TaskManager. */
export type FromSlotThread =
  | FromSlot
  /**
   * Bytes of a snapshot, before the `checkpointAck` that names them by `{ file: '', offset: index, length }`: the TaskManager stores them and
   * puts real handles into the acknowledgement (taskmanager/snapshot-uploads.ts).
   */
  | {
      type: 'stateChunk'
      vertexId: string
      subtask: number
      checkpointId: number
      /** From 0, in order. */
      index: number
      buffer: ArrayBuffer
      length: number
    }
  /** For the inventory of a registration: a reader has begun these splits, and has read those with these ids to their end. */
  | { type: 'splitsHeld'; vertexId: string; subtask: number; begun: readonly SourceSplit[]; ended: readonly string[] }
  /** Answers `handOver`. `clean`: another attempt may run in the thread. */
  | { type: 'handedOver'; clean: boolean }
  /** Asks for bytes of the store. */
  | { type: 'readState'; request: number; file: string; offset: number; length: number; crc32?: number }

/** A slot, as the JobManager sees it. */
export type SlotHost = Host<ToSlot, FromSlot>
/** What runs a slot, as its TaskManager sees it. */
export type SlotThreadHost = Host<ToSlotThread, FromSlotThread>
