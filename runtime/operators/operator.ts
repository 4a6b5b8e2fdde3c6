/**
 * The contract of operators, and the base class that gives the parts that are not hot.
 *
 * A chain is a line (or tree) of receivers that push synchronously: `process(value, timestamp)` of one calls `next.process`. Each
 * operator module exports a class `Operator` and is loaded once per operator of the job (core/hot-copy.ts), so that `this.next.process`
 * is monomorphic and inlined. Nothing in `process` may await, allocate beyond the user's own values, or read a clock.
 *
 * Order of calls: constructor → open (may be async) → process / watermark / status in any order → finish (end of input only) → close.
 */
import type { ListMode, StateTable } from '../checkpoint/model.ts'
import type { Barrier } from '../core/checkpoint.ts'
import type { Clock } from '../core/clock.ts'
import type { Key, RuntimeContext, TaskInfo } from '../core/functions.ts'
import type { CheckpointTimes } from '../core/sink.ts'
import type { PollStatus, SourceSplit } from '../core/source.ts'
import type { OperatorMetrics } from '../metrics/page.ts'

/** What an operator pushes into: the next operator of the chain, a tee, or a record writer at the end of the task. */
export interface Receiver {
  /** `keyHash` is given only to the head of a task behind keyBy: the hash that the sender computed. */
  process(value: any, timestamp: number, keyHash?: number): void
  /** A watermark; all output that it caused has been pushed before. Never goes back. */
  watermark(timestampMs: number): void
  /** Idle streams do not hold back watermarks downstream. */
  status(idle: boolean): void
}

/** What a task gives to each of its operators. */
export interface OperatorContext {
  readonly task: TaskInfo
  /** Unique in the job, stable across runs: the uid, or derived from the place in the graph. */
  readonly operatorId: string
  readonly clock: Clock
  readonly metrics: OperatorMetrics
  /** For user functions' `open`. */
  readonly runtime: RuntimeContext
  /** Copy number of this operator, for hot helpers of its own: `hotCopy('state/heap/table', copy)`. */
  readonly copy: number
  /** Receivers of side outputs by tag id; undefined when no one consumes it. */
  sideOutput(tagId: string): Receiver | undefined
  /**
   * Runs `callback` once on the task's turn when the clock reaches `timeMs` (clock.now()). Returns a handle for `cancelTimer`.
   * Never runs while the operator is in `process`.
   */
  registerTimer(timeMs: number, callback: (timeMs: number) => void): number
  cancelTimer(handle: number): void
  /**
   * The same for what is still to be committed: runs also when the input has ended, and behind a savepoint where nothing else does, until the task
   * ends. It must not push. Returns how to cancel it.
   */
  registerCommitTimer(timeMs: number, callback: () => void): () => void
  /** The task should take a turn soon: something became possible (a sink has room, data has come). */
  wake(): void
  /** Fails the task from a callback. */
  fail(error: unknown): void
  /** Takes a turn at this time of `clock.monotonic()` at the latest; the earliest of several holds, once. */
  wakeAt(monotonicMs: number): void
  /** The coordinator of this operator's source. */
  readonly coordinator: {
    requestSplit(): void
    sendEvent(event: unknown): void
    /** For the inventory of whoever leads next: these were begun, and those with these ids were read to their end. */
    splitsHeld(begun: readonly SourceSplit[], ended: readonly string[]): void
  }
  /** Ways out of the slot that are no channel. */
  readonly slot: {
    /** One or more whole lines. */
    print(stream: 'stdout' | 'stderr', text: string): void
    /** Values of a collect sink; `onAck` is called with the number of values that the program has taken. */
    collected(collectId: string, values: unknown[]): void
    onCollectAck(collectId: string, onAck: (count: number) => void): void
  }
  /** What the operator goes on from; undefined: it begins. */
  readonly restored: RestoredState | undefined
  /** Checkpoints are taken, so the end of the input is held by one, too. */
  readonly checkpointing: boolean
  /** Of the checkpoints that the job takes by itself, where they are known. */
  readonly checkpointTimes?: CheckpointTimes | undefined
  /** Of the process that owns the job's checkpoints; see core/sink.ts. */
  readonly ownerEpoch: number
  /** True while output exceeds the credit: resumable work should pause. Cheap; ask once per a few hundred records. */
  outputBlocked(): boolean
}

/** Takes the state of one operator for one checkpoint. */
export interface SnapshotWriter {
  readonly barrier: Barrier
  /** A table of keyed rows, under a name that is new in this snapshot. */
  table(table: StateTable): TableWriter
  /**
   * State that belongs to no key. For `broadcast` the elements are entries of a map. Encoded at once. May come late: until all that was handed to `wait`
   * has resolved.
   */
  list(name: string, mode: ListMode, elements: Iterable<unknown>): void
  /**
   * Work that is too long for one turn: called again and again between records until it returns true. Each call may take about a millisecond. What the
   * records between change must be taken before they do.
   */
  later(step: () => boolean): void
  /** The acknowledgement waits for it; a rejection declines the checkpoint. Records go on meanwhile. */
  wait(promise: Promise<void>): void
}

export interface TableWriter {
  /** Encodes the row at once. `keyHash` is that of its key; `timestamp` travels with it (expiry), -Infinity for none. In the order of key groups. */
  put(row: any, keyHash: number, timestamp: number): void
  /** The same for rows that could not wait for their turn, as a record is about to change them. */
  putEarly(row: any, keyHash: number, timestamp: number): void
}

/** State of one operator as a checkpoint had it, dealt out for this subtask. */
export interface RestoredState {
  readonly checkpointId: number
  /** The operator had finished all of its data. */
  readonly finished: boolean
  /** What sinks had prepared by then is committed, and must not be committed again. */
  readonly committed?: boolean
  /**
   * Gives the rows of all keyed tables, each only if its key group is this subtask's, to what `take` returns for their table (undefined: passed over).
   * Resolves when all are given.
   */
  readTables(
    take: (table: StateTable) => ((row: any, keyHash: number, timestamp: number) => void) | undefined,
  ): Promise<void>
  /** List states that there are; each name once. */
  readonly lists: readonly { readonly name: string; readonly mode: ListMode }[]
  /** Elements of a list state; empty when there is none of that name. */
  list(name: string): Promise<unknown[]>
}

/** An operator at the head of a task behind keyBy. */
export interface KeyedOptions {
  readonly keyOf: (value: any) => Key
}

/**
 * Base class: forwards what it does not care about.
 *
 * `resume` is for heads with long work (window fires, timer bursts): `watermark` starts it and sets `busy`; while `busy` the
 * task takes no input and calls `resume` each turn; when the work is done the operator forwards the watermark itself and clears `busy`.
 */
export abstract class BaseOperator implements Receiver {
  next!: Receiver
  context!: OperatorContext
  /** Work begun by `watermark` or a timer is not finished; see `resume`. */
  busy = false

  /** Called once before records; `next` and side outputs are set. */
  open(context: OperatorContext): void | Promise<void> {
    this.context = context
  }
  abstract process(value: any, timestamp: number, keyHash?: number): void
  /**
   * Called before the records of a batch, if the operator has it and its input is partitioned by key: `bytes` of rows and text have come; `count` key
   * hashes lie from `at` on, `stride` bytes apart (none for a batch without a type). With much state per subtask this is the time to load what all
   * of the records will need: the processor then waits for many places of memory together.
   */
  beforeBatch?(hashes: DataView, at: number, stride: number, count: number, bytes: number): void
  watermark(timestampMs: number): void {
    this.next.watermark(timestampMs)
  }
  status(idle: boolean): void {
    this.next.status(idle)
  }
  /** Goes on with long work until it is done or output is blocked. */
  resume(): void {}
  /** True while the operator cannot take records (a sink's buffer is full). Asked once a turn. */
  pending(): boolean {
    return false
  }
  /** A barrier is about to pass: push what belongs before it. Must not wait. Called down the chain. */
  prepareBarrier(_barrier: Barrier): void {}
  /** The barrier has passed: take the state as it is now. Must not wait and takes a few milliseconds at most; the rest goes into `writer.later`. */
  snapshot(_writer: SnapshotWriter): void {}
  /**
   * The checkpoint and all before it are complete: what they hold may become visible. A rejection fails the task. The task goes on meanwhile; it ends
   * only when the promise of its last checkpoint has resolved.
   */
  notifyCheckpointComplete(_checkpointId: number): void | Promise<void> {}
  notifyCheckpointAborted(_checkpointId: number): void {}
  /** Once per turn at most: move per-record counters into the shared page. */
  publish(): void {}
  /** The input has ended: push what is left. Called down the chain, each after the one before has finished. */
  finish(): void | Promise<void> {}
  /** Frees resources; also after a failure. Must not throw for not having been opened. */
  close(): void | Promise<void> {}
}

/** The head of a source task: the task polls it instead of a gate. Its watermarks and status start here. */
export abstract class SourceOperator extends BaseOperator {
  /** Emits at most about `max` records. Periodic watermarks are timers of its own (`registerTimer`). */
  abstract poll(max: number): PollStatus
  abstract addSplits(splits: SourceSplit[]): void
  abstract noMoreSplits(): void
  abstract handleEvent(event: unknown): void
  /** Reads no more: the last watermarks go out, and `poll` answers 'end'. */
  abstract end(): void
  /** The task's output was blocked for this long (milliseconds); idleness timers must not count it [E-11]. */
  blockedFor(_ms: number): void {}
  override process(): void {
    throw new Error('A source takes no records')
  }
}
