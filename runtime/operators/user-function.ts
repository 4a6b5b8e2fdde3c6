/**
 * The life of what an author passed to a stream: a lambda has none, an object may have open, finish and close, and state that belongs to
 * no key (CheckpointedFunction).
 *
 * Order of calls: initializeState → open → records, with snapshotState at each barrier → finish (end of input only) → close.
 *
 * Not hot: shared by all operators of a thread.
 */
import type { CheckpointedFunction, CheckpointListener } from '../core/checkpoint.ts'
import { TailraceError } from '../core/errors.ts'
import type { RichFunction, RuntimeContext } from '../core/functions.ts'
import type { OperatorContext, SnapshotWriter } from './operator.ts'
import { OperatorState } from './operator-state.ts'

type FunctionObject = RichFunction & Partial<CheckpointedFunction> & CheckpointListener

/** Objects whose `open` ran in this thread and whose `close` did not. */
const opened = new WeakSet<object>()

/** One function of one operator; knows whether it was opened. */
export class UserFunction {
  readonly #fn: FunctionObject | undefined
  #state: OperatorState | undefined
  #open = false

  constructor(fn: object) {
    this.#fn = typeof fn === 'function' ? undefined : (fn as FunctionObject)
  }

  /**
   * Throws TR-TASK-001 when another subtask of this thread has the same object open: its fields, set by `open`, would be those of
   * the last one. That happens only where the program could not be run again for each slot. Keyed operators give a `runtime` that
   * knows their state, and operators with a list or broadcast state of their own the `state` that the function shares with them.
   */
  open(
    context: OperatorContext,
    runtime: RuntimeContext = context.runtime,
    state?: OperatorState,
  ): void | Promise<void> {
    const fn = this.#fn
    this.#state = state
    // Lists that a function no longer asks for stay in the checkpoints.
    const hasLists = (context.restored?.lists.length ?? 0) > 0
    if (state !== undefined || (fn?.initializeState === undefined && !hasLists)) return this.#start(context, runtime)
    return OperatorState.restore(context).then((restored) => {
      this.#state = restored
      return this.#start(context, runtime)
    })
  }

  #start(context: OperatorContext, runtime: RuntimeContext): void | Promise<void> {
    const fn = this.#fn
    if (fn === undefined) return
    this.#open = true
    const opens = fn.open !== undefined && !doesNothing(fn.open)
    if (!opens && fn.initializeState === undefined) return
    if (opened.has(fn)) {
      this.#open = false
      throw new TailraceError(
        'TR-TASK-001',
        `Cannot open ${nameOf(fn)} in ${context.task.operatorName} a second time: subtasks in one thread share the object; give the program as a file or as a main function, so that each slot builds its own, or use parallelism 1`,
      )
    }
    opened.add(fn)
    fn.initializeState?.({
      isRestored: context.restored !== undefined,
      restoredCheckpointId: context.restored?.checkpointId,
      operatorState: this.#state!,
    })
    return fn.open?.(runtime)
  }

  /** At the barrier, first of all: the function brings its state up to date, and what is in it then is taken. */
  snapshot(writer: SnapshotWriter): void {
    this.#fn?.snapshotState?.(writer.barrier.checkpointId)
    this.#state?.snapshot(writer)
  }

  notifyCheckpointComplete(checkpointId: number): void | Promise<void> {
    return this.#fn?.notifyCheckpointComplete?.(checkpointId)
  }

  notifyCheckpointAborted(checkpointId: number): void {
    this.#fn?.notifyCheckpointAborted?.(checkpointId)
  }

  finish(): void {
    this.#fn?.finish?.()
  }

  /** Once, also when `open` threw half-way; not when it was never called. */
  close(): void | Promise<void> {
    if (!this.#open) return
    this.#open = false
    opened.delete(this.#fn!)
    return this.#fn!.close?.()
  }
}

/** The base classes have an `open` for authors to override. */
function doesNothing(open: Function): boolean {
  return /\{\s*\}$/.test(Function.prototype.toString.call(open))
}

function nameOf(fn: object): string {
  const name = fn.constructor?.name
  return name === undefined || name === 'Object' ? 'a function object' : name
}
