/** One attempt of one subtask, as the JobManager sees it: its state, when it entered it, and what a view of it says. */
import type { ErrorData } from '../core/errors.ts'
import type { PlanVertex } from '../graph/model.ts'
import { EXECUTION_STATES, type ExecutionState, type SubtaskView, type VertexView } from '../rpc/views.ts'
import { isTaskEnd } from './job-status.ts'
import { countStates, vertexState } from './task-states.ts'

export class Execution {
  readonly vertexId: string
  readonly subtask: number
  /** Index in the job's slots. */
  readonly slotIndex: number
  readonly attempt: number
  state: ExecutionState = 'CREATED'
  error: ErrorData | undefined
  accumulators: Readonly<Record<string, number>> = {}
  readonly #timestamps = Object.fromEntries(EXECUTION_STATES.map((state) => [state, -1])) as Record<
    ExecutionState,
    number
  >

  constructor(vertexId: string, subtask: number, slotIndex: number, attempt: number, nowMs: number) {
    this.vertexId = vertexId
    this.subtask = subtask
    this.slotIndex = slotIndex
    this.attempt = attempt
    this.#timestamps.CREATED = nowMs
  }

  get ended(): boolean {
    return isTaskEnd(this.state)
  }

  /** False when it has ended before: an end stands. */
  move(state: ExecutionState, nowMs: number, error?: ErrorData): boolean {
    if (this.ended || this.state === state) return false
    this.state = state
    this.error = error
    this.#timestamps[state] = nowMs
    return true
  }

  /** @param place of the slot that hosts it */
  view({ slot, taskManager, host }: Pick<SubtaskView, 'slot' | 'taskManager' | 'host'>, nowMs: number): SubtaskView {
    const startTime = this.#timestamps.DEPLOYING
    const endTime = this.ended ? this.#timestamps[this.state] : -1
    return {
      index: this.subtask,
      attempt: this.attempt,
      state: this.state,
      slot,
      taskManager,
      host,
      startTime,
      endTime,
      duration: startTime < 0 ? -1 : Math.max(0, (endTime < 0 ? nowMs : endTime) - startTime),
      timestamps: { ...this.#timestamps },
      accumulators: this.accumulators,
      ...(this.error === undefined ? {} : { error: this.error }),
    }
  }
}

/** A vertex from the views of its subtasks. */
export function vertexView(vertex: PlanVertex, subtasks: SubtaskView[], nowMs: number): VertexView {
  const { id, name, parallelism, maxParallelism } = vertex
  const tasks = countStates(subtasks.map((s) => s.state))
  const starts = subtasks.map((s) => s.startTime).filter((t) => t >= 0)
  const startTime = starts.length === 0 ? -1 : Math.min(...starts)
  const endTime = subtasks.every((s) => s.endTime >= 0) ? Math.max(...subtasks.map((s) => s.endTime)) : -1
  const duration = startTime < 0 ? -1 : Math.max(0, (endTime < 0 ? nowMs : endTime) - startTime)
  const state = vertexState(tasks)
  return { id, name, parallelism, maxParallelism, state, startTime, endTime, duration, tasks, subtasks }
}
