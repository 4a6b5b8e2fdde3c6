/**
 * What an onlooker may know of a cluster: plain data, made anew at each call, never a live object of the JobManager. REST, the
 * metrics reader and the page are built on these types.
 *
 * Times are milliseconds since 1970; -1 is "not yet", as in Flink's REST.
 */
import type { CheckpointNumbers, CheckpointsView, CheckpointView } from '../checkpoint/coordinator/statistics-model.ts'
import type { CheckpointSettings } from '../checkpoint/settings.ts'
import type { ErrorData } from '../core/errors.ts'
import type { TypeDescription } from '../core/types.ts'
import type { Plan } from '../graph/model.ts'
import type { MetricName } from '../metrics/page.ts'
import type { JobStatus } from './program-messages.ts'

/** Task states of Flink [D-07], as the JobManager sees them: a slot reports the ones from INITIALIZING on. */
export type ExecutionState =
  | 'CREATED'
  | 'SCHEDULED'
  | 'DEPLOYING'
  | 'INITIALIZING'
  | 'RUNNING'
  | 'FINISHED'
  | 'CANCELING'
  | 'CANCELED'
  | 'FAILED'
  | 'RECONCILING'

export const JOB_STATUSES: readonly JobStatus[] = [
  'INITIALIZING',
  'CREATED',
  'RUNNING',
  'FAILING',
  'FAILED',
  'CANCELLING',
  'CANCELED',
  'FINISHED',
  'RESTARTING',
  'SUSPENDED',
  'RECONCILING',
]

export const EXECUTION_STATES: readonly ExecutionState[] = [
  'CREATED',
  'SCHEDULED',
  'DEPLOYING',
  'INITIALIZING',
  'RUNNING',
  'FINISHED',
  'CANCELING',
  'CANCELED',
  'FAILED',
  'RECONCILING',
]

export interface SubtaskView {
  index: number
  attempt: number
  state: ExecutionState
  /** Number of the cluster's slot that hosts it; -1 before scheduling. */
  slot: number
  /** Id of the slot's TaskManager, and where that is; both '' before scheduling, the host also where all share one process. */
  taskManager: string
  host: string
  /** When it was deployed. */
  startTime: number
  endTime: number
  /** To the end, or to now. */
  duration: number
  /** When it entered each state; absent states are -1. */
  timestamps: Record<ExecutionState, number>
  /** What it counted, once it has ended. */
  accumulators: Readonly<Record<string, number>>
  error?: ErrorData
}

export interface VertexView {
  id: string
  name: string
  parallelism: number
  maxParallelism: number
  /** One word for all subtasks: the worst of them, see jobmanager/task-states.ts. */
  state: ExecutionState
  startTime: number
  endTime: number
  duration: number
  /** How many subtasks are in each state. */
  tasks: Record<ExecutionState, number>
  subtasks: SubtaskView[]
}

/** A failure. In a job's list, one that ended an attempt or the job. */
export interface ExceptionView {
  timestamp: number
  error: ErrorData
  /** Name of the vertex with the subtask, `Map -> Sink (2/4)`; absent when it did not come from a task. */
  taskName?: string
  vertexId?: string
  subtask?: number
  slot?: number
  /** Of that slot, as of a subtask. */
  taskManager?: string
  host?: string
  /** For filters: Flink's `type` (USER or SYSTEM), and `code`. */
  labels: Record<string, string>
  /** What else failed while tasks ended because of it; these have none themselves. */
  concurrent: ExceptionView[]
}

/** Metrics of one slot of a job: `new Float64Array(page)[name.index]`. The page outlives the job in history. */
export interface MetricsPageView {
  /** Number of the cluster's slot. */
  slot: number
  page: SharedArrayBuffer
  names: readonly MetricName[]
}

export interface JobView {
  id: string
  name: string
  status: JobStatus
  startTime: number
  /** -1 while it runs. */
  endTime: number
  duration: number
  /** When it entered each status; 0 is "never", as in Flink's REST. */
  timestamps: Record<JobStatus, number>
  /** Milliseconds spent in each status, in all. */
  totalMs: Record<JobStatus, number>
  plan: Plan
  vertices: VertexView[]
  metrics: MetricsPageView[]
  /** Types agreed at run time and declared ones, by edge id. */
  edgeTypes: Record<number, TypeDescription>
  /** Summed over finished subtasks. */
  accumulators: Record<string, number>
  /** What ended its attempts and, at last, the job. Oldest first, bounded. */
  exceptions: ExceptionView[]
  /** In words. */
  restartStrategy: string
  /** Attempts but the first, and those for another parallelism. */
  numRestarts: number
  numRescales: number
  /** For metrics; absent when it takes no checkpoints. */
  checkpoints?: CheckpointNumbers
  /** Completes "The job is not restarted: …", once it failed for good. */
  notRestarted?: string
}

/** A line of `/jobs/overview`. */
export interface JobSummary {
  id: string
  name: string
  status: JobStatus
  startTime: number
  endTime: number
  duration: number
  lastModified: number
  /** Subtasks by state. */
  tasks: Record<ExecutionState, number>
}

export interface SlotView {
  index: number
  /** `starting`: its thread is loading; `free`: can be deployed to at once. */
  state: 'starting' | 'free' | 'busy'
  /** Id of its TaskManager. */
  taskManager: string
  jobId?: string
}

/** A TaskManager in a process of its own, as it registered. */
export interface TaskManagerView {
  id: string
  host: string
  slots: number
  memory: { processBytes: number; slotHeapBytes: number; slotNetworkBytes: number }
  cpus: number
  version: string
  nodeVersion: string
  /** Milliseconds since 1970. */
  startedMs: number
  registeredMs: number
  lastHeardMs: number
  /** Metrics of the process by Flink's names, as told last. */
  process: Readonly<Record<string, number>>
}

export interface LogView {
  name: string
  /** Bytes. */
  size: number
  /** Milliseconds since 1970. */
  modifiedMs: number
}

/** What a process tells of itself when it is asked. */
export interface ProcessInspection {
  /** A text for each thread. */
  threadDump(): Promise<{ name: string; text: string }[]>
  listLogs(): Promise<LogView[]>
  /** A piece of a log from `offset` on, or from so many bytes before its end when that is negative; undefined: there is none of this name. `size` is that of the whole. */
  readLog(name: string, offset: number, length: number): Promise<LogPiece | undefined>
}

export interface LogPiece {
  bytes: Uint8Array
  /** Where they begin. */
  offset: number
  size: number
}

/** `/overview`. */
export interface ClusterView {
  startTime: number
  slots: SlotView[]
}

export type {
  CheckpointNumbers,
  CheckpointStatus,
  CheckpointsView,
  CheckpointType,
  CheckpointView,
  RestoredView,
  SubtaskCheckpointView,
  SummaryView,
  TaskCheckpointView,
} from '../checkpoint/coordinator/statistics-model.ts'

/** What takes its time. */
export type OperationKind = 'checkpoint' | 'savepoint' | 'stop' | 'rescale' | 'disposal'

/** `triggerId` makes it harmless to ask again; `directory` is that of the configuration when it is absent. */
export type OperationRequest =
  | { kind: 'checkpoint'; triggerId?: string }
  | { kind: 'savepoint'; triggerId?: string; directory?: string; cancelJob?: boolean }
  | { kind: 'stop'; triggerId?: string; directory?: string; drain: boolean }
  /** The whole job; ends when it runs so. */
  | { kind: 'rescale'; triggerId?: string; parallelism: number }

/** What was taken, and where it is. */
export interface OperationResult {
  checkpointId: number
  path: string
}

export interface OperationView {
  status: 'IN_PROGRESS' | 'COMPLETED'
  /** Absent for a disposal and a rescale. */
  result?: OperationResult
  /** Why nothing was. */
  error?: ErrorData
  /** Milliseconds since it has ended. */
  endedAgoMs?: number
}

/** The code of what was lost with the JobManager that had begun it. */
export const LOST = 'TR-HA-010'

/** Whoever asks again under its id has it begin again. */
export function isLost({ error }: OperationView): boolean {
  return error?.code === LOST
}

/** A job's checkpoints, with what its configuration says of them. */
export interface JobCheckpointsView extends CheckpointsView {
  settings: CheckpointSettings
}

export interface ParallelismBounds {
  lowerBound: number
  upperBound: number
}

/** What a job wants: bounds for the parallelism of each vertex, by id. */
export type Requirements = Readonly<Record<string, ParallelismBounds>>

/** Why a job gets a parallelism, in Flink's words. */
export type RescaleCause = 'INITIAL_SCHEDULE' | 'UPDATE_REQUIREMENT' | 'NEW_RESOURCE_AVAILABLE' | 'RECOVERABLE_FAILOVER'

/** How it ended, and why. */
export interface RescaleEnd {
  state: 'COMPLETED' | 'FAILED' | 'IGNORED'
  reason:
    | 'SUCCEEDED'
    | 'EXCEPTION_OCCURRED'
    | 'RESOURCE_REQUIREMENTS_UPDATED'
    | 'NO_RESOURCES_OR_PARALLELISMS_CHANGE'
    | 'JOB_FINISHED'
    | 'JOB_FAILED'
    | 'JOB_CANCELED'
    | 'JOB_FAILOVER_RESTARTING'
  atMs: number
}

export interface RescaleView {
  /** A UUID, as is that of the requirements. */
  id: string
  requirementsId: string
  /** From 1. */
  number: number
  cause: RescaleCause
  startMs: number
  vertices: {
    id: string
    name: string
    slotSharingGroup: string
    maxParallelism: number
    bounds: ParallelismBounds
    /** What it had; undefined: nothing. */
    before: number | undefined
    /** What it has got; undefined: it does not run yet. */
    after: number | undefined
  }[]
  /** Of the scheduler, in Flink's words. */
  states: { name: string; fromMs: number; untilMs?: number; exception?: string }[]
  /** undefined: it is in progress. */
  end: RescaleEnd | undefined
}

export interface RescalesView {
  /** The oldest first, bounded. */
  rescales: RescaleView[]
  /** All of them. */
  counts: Readonly<Record<RescaleEnd['state'], number>>
  settings: {
    historyMax: number
    cooldownMs: number
    stabilizationMs: number
    startStabilizationMs: number
    checkpointFailuresMax: number
    slotsTimeoutMs: number
  }
}

/** What was taken, when it was complete. */
export interface TakenView {
  id: number
  path: string
  time: number
}

/** A job, as far as whoever watches a cluster from outside has to know. */
export interface JobChangesView {
  id: string
  name: string
  state: JobStatus
  startTime: number
  endTime: number
  /** Of its widest vertex, as it is deployed. */
  parallelism: number
  /** Subtasks, and how many of them run. */
  tasks: { total: number; running: number }
  /** Attempts but the first, and those for another parallelism. */
  restarts: number
  rescales: number
  /** Under this JobManager, which may have begun with `restored`. */
  checkpoints: { completed: number; failed: number }
  restored: Omit<TakenView, 'time'> | null
  latestCheckpoint: TakenView | null
  latestSavepoint: TakenView | null
  /** The newest failure. */
  exception: { time: number; code: string; message: string } | null
}

/** Slots without a job are free, those that are starting too. */
export interface SlotCounts {
  total: number
  free: number
}

/** What is worth telling whoever watches a cluster: another answer when, and only when, something has happened. */
export interface ClusterChanges {
  jobs: JobChangesView[]
  slots: SlotCounts & { byTaskManager: Record<string, SlotCounts> }
}

/** What an onlooker may ask of a cluster, and what it may do. The Dispatcher is one. */
export interface Cluster {
  cluster(): ClusterView
  /** Those that have registered; undefined where the only one shares the JobManager's process. */
  taskManagers(): readonly TaskManagerView[] | undefined
  /** What is asked of a TaskManager in its own process; undefined: there is none of this id. */
  taskManagerProcess(id: string): ProcessInspection | undefined
  /** All jobs that it remembers, the newest first. */
  list(): JobSummary[]
  /** Resolves when the version is another than `since`, or after `waitMs`; undefined: too many wait. */
  changes(
    since: number | undefined,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<{ version: number; value: ClusterChanges } | undefined>
  /** Undefined when there is no job of this id. */
  view(jobId: string): JobView | undefined
  /** Undefined when there is no job of this id; without any when it takes none. */
  checkpoints(jobId: string): JobCheckpointsView | undefined
  /** Undefined when there is none, or it is not remembered any more. */
  checkpoint(jobId: string, checkpointId: number): CheckpointView | undefined
  /** Undefined when there is no job of this id. */
  requirements(jobId: string): Requirements | undefined
  /** Undefined when there is no job of this id. */
  rescales(jobId: string): RescalesView | undefined
  /** False when there is no job of this id. Throws TR-CLUSTER-004 when the job cannot have these. */
  setRequirements(jobId: string, wanted: Requirements): boolean
  /** Asks a job to cancel and returns at once; a job that is unknown or at its end stays as it is. */
  cancel(jobId: string): void
  /** Begins an operation and gives its trigger id; undefined when there is no job of this id. */
  trigger(jobId: string, request: OperationRequest): string | undefined
  /** Undefined when there is none of this id, or its result is older than `rest.async.store-duration`. */
  operation(jobId: string, kind: OperationKind, triggerId: string): OperationView | undefined
  /** Begins to delete a savepoint with its bytes, whoever took it, and gives the trigger id. */
  disposeSavepoint(path: string, triggerId?: string): string
  /** As {@link operation}. */
  disposal(triggerId: string): OperationView | undefined
}
