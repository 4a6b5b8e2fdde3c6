/**
 * The life of what an author passed to a stream: a lambda has none, an object may have open, finish and close.
 *
 * Not hot: shared by all operators of a thread.
 */
import { TailraceError } from '../core/errors.ts'
import type { RichFunction, RuntimeContext } from '../core/functions.ts'
import type { OperatorContext } from './operator.ts'

/** Objects whose `open` ran in this thread and whose `close` did not. */
const opened = new WeakSet<object>()

/** One function of one operator; knows whether it was opened. */
export class UserFunction {
  readonly #fn: RichFunction | undefined
  #open = false

  constructor(fn: object) {
    this.#fn = typeof fn === 'function' ? undefined : (fn as RichFunction)
  }

  /**
   * Throws TR-TASK-001 when another subtask of this thread has the same object open: its fields, set by `open`, would be those of
   * the last one. That happens only where the program could not be run again for each slot. Keyed operators give a `runtime` that
   * knows their state.
   */
  open(context: OperatorContext, runtime: RuntimeContext = context.runtime): void | Promise<void> {
    const fn = this.#fn
    if (fn === undefined) return
    this.#open = true
    if (fn.open === undefined || doesNothing(fn.open)) return
    if (opened.has(fn)) {
      this.#open = false
      throw new TailraceError(
        'TR-TASK-001',
        `Cannot open ${nameOf(fn)} in ${context.task.operatorName} a second time: subtasks in one thread share the object; give the program as a file or as a main function, so that each slot builds its own, or use parallelism 1`,
      )
    }
    opened.add(fn)
    return fn.open(runtime)
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
