/**
 * The input of a task whose head is a source: asks it for records when it has some, and hands it what its enumerator says, in order with the task's checkpoints.
 */
import type { SourceSplit } from '../core/source.ts'
import type { SourceOperator } from '../operators/operator.ts'
import type { Task } from './task.ts'

/** Records that a source may emit in one turn. */
const SOURCE_RECORDS_PER_TURN = 512

export class TaskSource {
  readonly operator: SourceOperator
  /** It has nothing until someone wakes it. */
  isIdle = false
  /** When to ask it again though nobody has woken it, by clock.monotonic(); Infinity: never. */
  wakeAtMs = Number.POSITIVE_INFINITY
  /** It was told to end for a savepoint. */
  isDrained = false
  readonly #task: Task
  #ended: boolean

  /** `ended`: it had read everything when the task's state was taken. */
  constructor(task: Task, operator: SourceOperator, ended: boolean) {
    this.#task = task
    this.operator = operator
    this.#ended = ended
  }

  /** Takes some records; true when there were any, or the last have come. */
  poll(nowMs: number): boolean {
    if (this.#ended) {
      this.#task.end.begin()
      return true
    }
    if (this.isIdle) {
      if (nowMs < this.wakeAtMs) return false
      this.isIdle = false
    }
    if (nowMs >= this.wakeAtMs) this.wakeAtMs = Number.POSITIVE_INFINITY
    const status = this.operator.poll(SOURCE_RECORDS_PER_TURN)
    if (status === 'idle') {
      this.isIdle = this.wakeAtMs > nowMs
      return false
    }
    if (status === 'end') this.#ended = true
    return true
  }

  /** Only a callback of the event loop can bring records. */
  get waitsForCallback(): boolean {
    return this.isIdle && this.wakeAtMs === Number.POSITIVE_INFINITY
  }

  addSplits(splits: SourceSplit[]): void {
    this.#task.checkpoints.inOrder(() => this.operator.addSplits(splits))
  }
  noMoreSplits(): void {
    this.#task.checkpoints.inOrder(() => this.operator.noMoreSplits())
  }
  handleEvent(event: unknown): void {
    this.#task.checkpoints.inOrder(() => this.operator.handleEvent(event))
  }
  /** It reads no more: its input ends here (stop-with-savepoint that drains). */
  drain(): void {
    this.#task.checkpoints.inOrder(() => {
      if (this.#task.end.phase !== 'no') return
      this.operator.end()
      this.#ended = true
      this.isDrained = true
    })
  }
}
