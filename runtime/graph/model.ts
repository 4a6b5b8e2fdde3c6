/**
 * The three graphs, as data. logical: what the author wrote → job: operators chained into vertices → execution: subtasks in slots.
 *
 * Nodes and vertices hold closures (operator options, key selectors), so they never leave their thread; every thread that runs the
 * job rebuilds them from the program and compares the plan's hash (plan.ts). Everything else in here is plain JSON.
 */
import type { Key } from '../core/functions.ts'
import type { TypeDescription } from '../core/types.ts'
import type { OperatorSpec } from './operator-spec.ts'

/** How records of an edge find their subtask [P-01..P-04]. `auto`: forward if the parallelism is equal, else rebalance. */
export type Partitioner =
  | { readonly kind: 'auto' | 'forward' | 'rebalance' | 'rescale' | 'shuffle' | 'broadcast' | 'global' }
  | { readonly kind: 'key'; readonly keyOf: (value: any) => Key }
  | {
      readonly kind: 'custom'
      readonly keyOf: (value: any) => any
      readonly partition: (key: any, channels: number) => number
    }

/** Flink's ChainingStrategy. */
export type Chaining = 'always' | 'head' | 'never' | 'head-with-sources'

export interface LogicalEdge {
  readonly from: number
  /** Side output of `from`; undefined is its main output. */
  readonly tag: string | undefined
  readonly partitioner: Partitioner
  /** Which logical input of the receiver: 0, or 1 for the second of a two-input operator. */
  readonly inputIndex: number
}

export interface LogicalNode {
  /** From 1, in the order of building. */
  readonly id: number
  readonly spec: OperatorSpec
  readonly isSource: boolean
  readonly isSink: boolean
  readonly inputs: readonly LogicalEdge[]
  name: string
  uid: string | undefined
  description: string | undefined
  /** undefined: the environment's. */
  parallelism: number | undefined
  maxParallelism: number | undefined
  /** undefined: that of the inputs if they agree, else `default`. */
  slotSharingGroup: string | undefined
  chaining: Chaining
  /** undefined: the job's. Milliseconds; 0 after every record, -1 only full buffers. */
  bufferTimeoutMs: number | undefined
  /** Cannot run at another parallelism than 1 (windowAll). */
  readonly forceNonParallel: boolean
  /** Declared type of the main output (`returns`), if any. */
  outputType: TypeDescription | undefined
}

export interface LogicalGraph {
  readonly nodes: readonly LogicalNode[]
  readonly config: JobConfig
}

/** Settings of a job that the data plane and the coordinator need. JSON. */
export interface JobConfig {
  jobName: string
  parallelism: number
  maxParallelism: number | undefined
  /** `execution.buffer-timeout`, milliseconds. 5 here, 100 in Flink: batches are small already. */
  bufferTimeoutMs: number
  /** `pipeline.auto-watermark-interval`, milliseconds. */
  autoWatermarkIntervalMs: number
  chaining: boolean
  autoGenerateUids: boolean
  /** Job parameters (D-06), visible in REST. */
  parameters: Record<string, string>
  /** All other keys that the program or the command line set. */
  options: Record<string, string>
}

export interface ChainedOperator {
  /** 32 hex digits: from the uid, or from the operator's place in the graph. */
  readonly operatorId: string
  readonly node: LogicalNode
  readonly name: string
  /** Index in the vertex's `operators` of the operator that feeds it; -1 for the head. */
  readonly parent: number
  /** Side output of the parent that feeds it; undefined is the main output. */
  readonly tag: string | undefined
}

export interface JobVertex {
  /** 32 hex digits, the head's operator id. */
  readonly id: string
  /** Names of the chain joined by ` -> `. */
  readonly name: string
  readonly parallelism: number
  readonly maxParallelism: number
  /** False where it is the default for the parallelism: a restored job then takes over what its state has. */
  readonly maxParallelismSet: boolean
  readonly slotSharingGroup: string
  /** The head first, each after its parent. */
  readonly operators: readonly ChainedOperator[]
  /** Edges into the head. */
  readonly inputs: readonly JobEdge[]
  readonly outputs: readonly JobEdge[]
}

export interface JobEdge {
  /** From 0, unique in the job; names the edge in wiring, types and metrics. */
  readonly id: number
  readonly from: string
  /** Index in the producing vertex's `operators`. */
  readonly fromOperator: number
  readonly tag: string | undefined
  readonly to: string
  readonly inputIndex: number
  /** Never `auto`. */
  readonly partitioner: Partitioner
  readonly bufferTimeoutMs: number
  /** Declared type, if any; otherwise agreed at run time. */
  readonly type: TypeDescription | undefined
}

export interface JobGraph {
  readonly config: JobConfig
  /** Sources first, each after its inputs. */
  readonly vertices: readonly JobVertex[]
  readonly edges: readonly JobEdge[]
}

/** JSON of a job graph, for the coordinator, REST and the hash. */
export interface Plan {
  config: JobConfig
  vertices: PlanVertex[]
  edges: PlanEdge[]
  /** sha256 of the rest, 64 hex digits. */
  hash: string
}
export interface PlanVertex {
  id: string
  name: string
  parallelism: number
  maxParallelism: number
  /** False where it is the default for the parallelism. */
  maxParallelismSet: boolean
  /** It works on the whole stream in one place: no other parallelism than 1. */
  nonParallel?: true
  slotSharingGroup: string
  isSource: boolean
  operators: PlanOperator[]
}
export interface PlanOperator {
  operatorId: string
  name: string
  uid: string | null
  description: string | null
  module: string
  parent: number
  tag: string | null
  isSource: boolean
  isSink: boolean
  /** The operator's options by path, each as a short text; of functions and long texts a hash (fingerprint.ts). */
  settings: Record<string, string>
}
export interface PlanEdge {
  id: number
  from: string
  fromOperator: number
  tag: string | null
  to: string
  inputIndex: number
  partitioner: string
  /** Of the partitioner's functions, see {@link PlanOperator.settings}. */
  settings: Record<string, string>
  bufferTimeoutMs: number
  type: TypeDescription | null
}

/** Where each subtask of a vertex runs: `slots[subtask]` is an index into the job's slots. */
export interface ExecutionVertex {
  vertexId: string
  slots: number[]
}

/** Which subtasks of `to` a subtask of `from` sends to. */
export type Channels = 'all' | 'pointwise'
