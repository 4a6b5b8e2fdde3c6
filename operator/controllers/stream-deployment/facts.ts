/** All that a decision is made of: what is wanted, what was decided, and what is there. Plain data, gathered at one moment. */
import type { DeploymentSpec } from '../../api/deployment-spec.ts'
import type { Identity } from '../../resources/names.ts'
import type { Rendering } from '../../resources/rendering.ts'
import type { RestoreDirective } from '../../resources/restore-directive.ts'
import type { Reconciliation } from './record.ts'

export interface KnownSpec {
  spec: DeploymentSpec
  /** Name of its ControllerRevision. */
  revision: string
  /** The same words under the defaults that the operator has now, where those are others than they were. */
  today?: DeploymentSpec
}

export interface Facts {
  identity: Identity
  /** Of the resource: rises with each edit of its spec. */
  resourceGeneration: number
  createdMs: number
  hasFinalizer: boolean
  deletion?: { sinceMs: number; force: boolean }
  wanted: KnownSpec | { invalid: string[] }
  warnings: string[]
  /** Of `record.revision`. */
  kept?: KnownSpec
  /** Of `record.previous`. */
  previous?: KnownSpec
  /** Of `record.rendering`. */
  rendering?: Rendering
  /** ControllerRevisions that the record tells of and that are not there. */
  lost?: ReadonlySet<string>
  record: Reconciliation
  jobManager?: WorkloadFacts
  taskManager?: WorkloadFacts
  /** What the Lease says now. */
  lease?: { restore?: RestoreDirective; parallelism?: number; holder?: string }
  pods: PodFacts[]
  /** Names of nodes that do not answer; undefined: they may not be asked for. */
  deadNodes?: ReadonlySet<string>
  /** Children of these names belong to a deployment that was deleted. */
  leftovers: string[]
  /** A service account that the spec names and that is not there. */
  missingServiceAccount?: string
  /** Why the API server has not taken what was applied last. */
  refusal?: string
  /** What the JobManager says, if one answers. */
  cluster?: ClusterView
  /** By trigger id. */
  operations: Readonly<Record<string, Operation>>
}

/** Of the Deployment or StatefulSet. */
export interface WorkloadFacts {
  /** As wanted. */
  replicas: number
  ready: number
  /** Its controller has seen what was applied last, and none of its pods is of an older template that it replaces itself. */
  settled: boolean
  /** Hash of its pod template. */
  template?: string
  /** Why it cannot make pods. */
  failure?: string
}

export interface PodFacts {
  name: string
  uid: string
  component: 'jobmanager' | 'taskmanager'
  /** Hash of the template that it was made of. */
  template?: string
  phase: string
  ready: boolean
  createdMs: number
  /** It is being deleted, and was to be gone then. */
  deletionMs?: number
  node?: string
  /** Its node has not answered for longer than it bears. */
  evicted?: boolean
  scheduling?: { reason: string; message: string }
  containers: ContainerFacts[]
  /** Warnings of its events, the newest first. */
  warnings?: { reason: string; message: string }[]
}

export interface ContainerFacts {
  name: string
  restarts: number
  waiting?: { reason: string; message: string }
  /** How it ended, now or before it was started again. */
  ended?: { reason: string; exitCode: number; message: string }
}

export type JobState =
  | 'INITIALIZING'
  | 'CREATED'
  | 'RUNNING'
  | 'FAILING'
  | 'FAILED'
  | 'CANCELLING'
  | 'CANCELED'
  | 'FINISHED'
  | 'RESTARTING'
  | 'SUSPENDED'
  | 'RECONCILING'

/** What `GET /tailrace/v1/changes` says. Times are milliseconds since 1970. */
export interface ClusterView {
  /** That of the JobManager which has answered. */
  generation: number | undefined
  jobs: JobView[]
  slots: { total: number; free: number; byTaskManager: { id: string; total: number; free: number }[] }
}

export interface JobView {
  id: string
  name: string
  state: JobState
  startTime: number
  parallelism: number
  restarts: number
  latestCheckpoint?: { id: number; path: string; time: number }
  latestSavepoint?: { path: string; time: number; triggerId?: string }
  exception?: { code: string; message: string }
}

export type Operation =
  | { state: 'IN_PROGRESS' }
  | { state: 'COMPLETED'; location: string }
  | { state: 'FAILED'; message: string }
  /** The JobManager does not know it (any more), or it was lost with the one that had begun it. */
  | { state: 'UNKNOWN' }

const ENDED: ReadonlySet<JobState> = new Set(['FINISHED', 'FAILED', 'CANCELED'])

export function hasEnded(job: JobView): boolean {
  return ENDED.has(job.state)
}

/** The job of the generation that is deployed: the one that runs, else the newest. undefined: no JobManager of it answers, or it has none yet. */
export function jobOf({ cluster, record }: Pick<Facts, 'cluster' | 'record'>): JobView | undefined {
  if (cluster === undefined || (cluster.generation !== undefined && cluster.generation !== record.generation)) return
  return cluster.jobs.find((job) => !hasEnded(job)) ?? cluster.jobs.toSorted((a, b) => b.startTime - a.startTime)[0]
}
