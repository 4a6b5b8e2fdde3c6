/**
 * What stands behind `env.execute()`: the place in which a program runs. The same program runs in the coordinator's program thread
 * (submits jobs), in every slot (hands over the graph of one job), and by itself under `node` (starts an inline cluster).
 *
 * The context of a thread is set before the program is imported, under a global symbol, so that every copy of the library finds it.
 */
import type { LogicalGraph } from '../graph/model.ts'
import type { JobResult, JobStatus } from '../rpc/program-messages.ts'

/** A submitted job [D-01]. */
export interface JobClient {
  readonly jobId: string
  status(): Promise<JobStatus>
  /** Resolves when the job is cancelled. */
  cancel(): Promise<void>
  /** Resolves at FINISHED, rejects at FAILED and CANCELED (TR-CLUSTER-002). */
  result(): Promise<JobResult>
}

export interface SubmitOptions {
  /**
   * Given for executeAndCollect: takes the values of the collect sink in order; called before `result()` resolves. Values count
   * as taken (and the sink may send more) when the promise it returns resolves.
   */
  onCollected?: (values: unknown[]) => void | Promise<void>
}

export interface ExecutionContext {
  /** Arguments after the job file. */
  readonly args: readonly string[]
  /** Job parameters of the command line: `--name value`. */
  readonly parameters: Readonly<Record<string, string>>
  /** Configuration of the command line: `-D key=value`. */
  readonly options: Readonly<Record<string, string>>
  /**
   * Hands over the graph of the next execute of this program. In a slot, for the execute that it runs, it never resolves. Earlier
   * executes resolve with their replayed results; `replayed` values of a collect are given to `onCollected`.
   */
  submit(graph: LogicalGraph, options: SubmitOptions): Promise<JobClient>
  /** Computes once in the coordinator, replays in slots. */
  once<T>(name: string, compute: () => T | Promise<T>): Promise<T>
}

const KEY = Symbol.for('tailrace.execution-context')

export function currentContext(): ExecutionContext | undefined {
  return (globalThis as { [KEY]?: ExecutionContext })[KEY]
}

export function setContext(context: ExecutionContext | undefined): void {
  ;(globalThis as { [KEY]?: ExecutionContext | undefined })[KEY] = context
}

const DEFAULT = Symbol.for('tailrace.default-execution-context')

type ContextSource = { create: () => ExecutionContext; made?: ExecutionContext }

/** Sets what stands behind a program that is started by itself (`node job.ts`): called once, when such a program first needs it. */
export function setDefaultContext(create: () => ExecutionContext): void {
  ;(globalThis as { [DEFAULT]?: ContextSource })[DEFAULT] = { create }
}

/** The context of {@link setDefaultContext}; undefined when none is set. */
export function defaultContext(): ExecutionContext | undefined {
  const source = (globalThis as { [DEFAULT]?: ContextSource })[DEFAULT]
  if (source === undefined) return undefined
  source.made ??= source.create()
  return source.made
}
