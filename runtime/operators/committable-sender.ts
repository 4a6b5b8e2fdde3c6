/**
 * Sends what a subtask's writer has prepared to the global committer (global-committer.ts): for every checkpoint that the subtask has taken part in a
 * {@link Report}, also of nothing, so that the receiver knows when it has all.
 *
 * What was not sent yet is pending, and so in the snapshot of the sender; what was sent before a barrier is in the receiver's. A report goes out at once
 * when there is a turn (before the barrier, at the end of the input), else at the next one.
 */
import type { Prepared } from './commit-request.ts'
import type { OperatorContext, Receiver } from './operator.ts'

/** The record between a sink and its global committer. */
export interface Report {
  subtask: number
  /** Of the writers. */
  parallelism: number
  /** It has sent all up to this checkpoint; null: and there will be no more, so these belong to the next checkpoint that the receiver takes part in. */
  upTo: number | null
  prepared: Prepared[]
}

export class CommittableSender {
  readonly #next: Receiver
  readonly #context: OperatorContext
  #waiting: Report[] = []
  #timer: number | undefined

  constructor(next: Receiver, context: OperatorContext) {
    this.#next = next
    this.#context = context
  }

  get pending(): Prepared[] {
    return this.#waiting.flatMap((report) => report.prepared)
  }

  /** Takes a report for the next turn. */
  add(upTo: number | null, prepared: readonly Prepared[]): void {
    const { subtaskIndex: subtask, parallelism } = this.#context.task
    this.#waiting.push({ subtask, parallelism, upTo, prepared: [...prepared] })
    if (this.#timer !== undefined) return
    this.#timer = this.#context.registerTimer(this.#context.clock.now(), () => {
      this.#timer = undefined
      this.send()
    })
    this.#context.wake()
  }

  /** On the task's turn. */
  send(): void {
    for (const report of this.#waiting.splice(0)) this.#next.process(report, Number.NEGATIVE_INFINITY)
    if (this.#timer !== undefined) this.#context.cancelTimer(this.#timer)
    this.#timer = undefined
  }
}
