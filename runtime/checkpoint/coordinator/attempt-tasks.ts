/**
 * The tasks of a job's attempt as far as checkpoints care: which run, which have ended their data, which have finished and what they leave behind.
 *
 *     starting ──▶ running ──▶ ended ──(a completed checkpoint holds its end: leaving)──▶ finished
 *
 * A task that leaves is waited for: a checkpoint that counted on it would lack its acknowledgement.
 */
import { assert } from '../../core/errors.ts'
import type { Plan } from '../../graph/model.ts'
import type { SubtaskSnapshot } from '../model.ts'
import {
  type CheckpointPlan,
  placesOf,
  planCheckpoint,
  type TaskPhase,
  type TaskPlace,
  type TasksState,
  tasksState,
} from './checkpoint-plan.ts'
import { leftBy } from './collect-metadata.ts'

export class AttemptTasks {
  readonly places: readonly TaskPlace[]
  readonly #plan: Plan
  readonly #numbers = new Map<string, number>()
  readonly #phases: TaskPhase[]
  /** What tasks that have finished leave in later checkpoints. */
  readonly #left = new Map<number, SubtaskSnapshot>()
  /** Tasks that leave, with what they will leave. */
  readonly #leaving = new Map<number, SubtaskSnapshot>()
  #leavingUntilMs = Number.NEGATIVE_INFINITY

  constructor(plan: Plan) {
    this.#plan = plan
    this.places = placesOf(plan)
    for (const [task, { vertexId, subtask }] of this.places.entries()) this.#numbers.set(`${vertexId}/${subtask}`, task)
    this.#phases = this.places.map(() => 'starting')
  }

  get state(): TasksState {
    return tasksState(this.#phases)
  }
  /** How many run or have run to their end. */
  get running(): number {
    return this.#phases.filter((phase) => phase !== 'starting' && phase !== 'gone').length
  }
  /** Tasks leave, and are waited for until then. */
  get leavingUntilMs(): number {
    return this.#leaving.size > 0 ? this.#leavingUntilMs : Number.NEGATIVE_INFINITY
  }
  get left(): ReadonlyMap<number, SubtaskSnapshot> {
    return this.#left
  }

  number(vertexId: string, subtask: number): number {
    const task = this.#numbers.get(`${vertexId}/${subtask}`)
    assert(task !== undefined, `the job has no subtask ${subtask} of vertex ${vertexId}`)
    return task
  }

  /** For messages: `task "Map" (1/2)`. */
  name(task: number): string {
    const { vertexId, subtask } = this.places[task]!
    const { name, parallelism } = this.#plan.vertices.find(({ id }) => id === vertexId)!
    return `task "${name}" (${subtask + 1}/${parallelism})`
  }

  /** For messages: the first few of them. */
  names(tasks: readonly number[]): string {
    const few = tasks.slice(0, 3).map((task) => this.name(task))
    return `${few.join(', ')}${tasks.length > few.length ? ` and ${tasks.length - few.length} more` : ''}`
  }

  plan(): CheckpointPlan {
    return planCheckpoint(this.places, this.#phases)
  }

  /** Source tasks that still read. */
  readingSources(): TaskPlace[] {
    return this.places.filter(({ inputs }, task) => inputs.length === 0 && this.#phases[task] === 'running')
  }

  runs(task: number): void {
    this.#phases[task] = 'running'
  }
  /** It was cancelled, or has failed. */
  isGone(task: number): void {
    this.#phases[task] = 'gone'
  }
  dataEnded(task: number): void {
    if (this.#phases[task] === 'running') this.#phases[task] = 'ended'
  }
  finished(task: number): void {
    this.#phases[task] = 'finished'
    const left = this.#leaving.get(task)
    if (left !== undefined) this.#left.set(task, left)
    this.#leaving.delete(task)
  }

  /** A checkpoint with these snapshots is complete: those whose end it holds leave. */
  letGo(snapshots: ReadonlyMap<number, SubtaskSnapshot>, untilMs: number): void {
    for (const [task, snapshot] of snapshots)
      if (snapshot.finished && this.#phases[task] === 'ended') this.#leaving.set(task, leftBy(snapshot))
    this.#leavingUntilMs = untilMs
  }
}
