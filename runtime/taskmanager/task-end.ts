/**
 * How a task whose input has ended comes to its own end:
 *
 *     operators (their `finish`) → data ended (with checkpoints: until one that holds the end is complete) → outputs → FINISHED
 *
 * It is FINISHED when all output has left, and its operators are closed.
 */
import { attributeError } from './attribute-error.ts'
import type { Task } from './task.ts'

export class TaskEnd {
  phase: 'no' | 'operators' | 'data ended' | 'outputs' = 'no'
  readonly #task: Task

  constructor(task: Task) {
    this.#task = task
  }

  /** The input has ended. */
  begin(): void {
    const task = this.#task
    this.phase = 'operators'
    this.#finishOperators().then(
      () => {
        if (task.state !== 'RUNNING') return
        const { writers, post, wakeSlot } = task.options
        for (const writer of writers) writer.flushAll()
        if (this.#waitsForCheckpoint()) {
          for (const writer of writers) writer.dataEnd()
          this.phase = 'data ended'
          post({ type: 'dataEnded', vertexId: task.vertexId, subtask: task.subtask })
        } else this.endOutputs()
        wakeSlot()
      },
      (error) => task.fail(error),
    )
  }

  async #finishOperators(): Promise<void> {
    const task = this.#task
    if (task.options.restored?.finished === true) return
    for (const link of task.links) {
      try {
        await link.operator.finish()
      } catch (error) {
        throw attributeError(error, task, link)
      }
    }
  }

  /** For one that holds the end: where any are taken, and behind a source that was told to end for a savepoint. */
  #waitsForCheckpoint(): boolean {
    const { source, options } = this.#task
    const { checkpointing, gate } = options
    return checkpointing || source?.isDrained === true || (gate !== undefined && !gate.ended)
  }

  /** Nothing is waited for any more. */
  endOutputs(): void {
    const { writers, wakeSlot } = this.#task.options
    for (const writer of writers) writer.end()
    this.phase = 'outputs'
    wakeSlot()
  }

  /** A turn of a task that ends, with nothing left in its overflow; true when there was work. */
  step(): boolean {
    const task = this.#task
    if (this.phase === 'data ended') return task.takeInput() || task.checkpoints.takeTrigger()
    if (this.phase !== 'outputs') return false
    task.finish()
    this.phase = 'operators'
    return true
  }
}
