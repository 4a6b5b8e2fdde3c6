/**
 * Takes the checkpoints of one job, over all of its attempts: decides when one begins (decide-trigger.ts), asks enumerators and tasks, collects what they give, has it
 * stored, and tells everyone.
 *
 * Order of a checkpoint: enumerators give their states → tasks are triggered in the same turn, so that nothing an enumerator says slips between its state and the
 * barrier [C-06] → all tasks acknowledge → the store completes it → slots and program are told. What must hold:
 * - ids rise over attempts and owners [CC-06];
 * - nobody is told of a checkpoint before the store has it, nor after another owner has taken over;
 * - what has begun to complete is waited for before a restart ({@link CheckpointCoordinator.settled}): nobody else can tell whether the store has it;
 * - a savepoint is not gone back to, and nothing is committed at it [SV-04], but for the one that stops the job: once its commits begin, only it is consistent with them.
 *
 * Time, storage and ways to others are arguments. All calls are made in one thread, in order. Here is what others say; what comes of it has files of its own:
 * checkpoint-triggers.ts, checkpoint-completions.ts, checkpoint-failures.ts, stop-with-savepoint.ts.
 */
import { type ErrorData, errorFromData, type TailraceError } from '../../core/errors.ts'
import type { Plan } from '../../graph/model.ts'
import type { SnapshotStats, SubtaskSnapshot } from '../model.ts'
import { AttemptTasks } from './attempt-tasks.ts'
import { CheckpointCompletions } from './checkpoint-completions.ts'
import { CheckpointFailures } from './checkpoint-failures.ts'
import { CheckpointTriggers } from './checkpoint-triggers.ts'
import type { CoordinatorOptions, RestorePoint, TaskPart } from './coordinator-options.ts'
import { CoordinatorState, cannot } from './coordinator-state.ts'
import { handlesOfSubtask } from './pending-checkpoint.ts'
import type { CheckpointResult } from './requests.ts'
import type { CheckpointStatistics } from './statistics.ts'
import { StopWithSavepoint } from './stop-with-savepoint.ts'

export class CheckpointCoordinator {
  readonly #state: CoordinatorState
  readonly #triggers: CheckpointTriggers
  readonly #failures: CheckpointFailures
  readonly #stop: StopWithSavepoint
  readonly #completions: CheckpointCompletions

  constructor(options: CoordinatorOptions) {
    const state = new CoordinatorState(options)
    const triggers = new CheckpointTriggers(state, (checkpoint) => this.#failures.expired(checkpoint))
    const failures = new CheckpointFailures(state, triggers)
    const stop = new StopWithSavepoint(state)
    this.#state = state
    this.#triggers = triggers
    this.#failures = failures
    this.#stop = stop
    this.#completions = new CheckpointCompletions(state, { triggers, failures, stop })
  }

  get statistics(): CheckpointStatistics {
    return this.#state.statistics
  }

  // --- attempts

  /** What the next attempt goes on from; undefined: from nothing. Ask when {@link settled}. */
  get restorePoint(): RestorePoint | undefined {
    return this.#state.restorePoint
  }

  /** The job begins from a savepoint, or with nothing, whatever its own store has. */
  beginFrom(point: RestorePoint | undefined): void {
    this.#state.restorePoint = point
    if (point !== undefined) this.#triggers.idsAfter(point.metadata.checkpointId)
  }

  /** An attempt is deployed: all tasks start. `plan` is the job's with the parallelism of this attempt. */
  attemptBegins(plan: Plan): void {
    const state = this.#state
    state.plan = plan
    state.tasks = new AttemptTasks(plan)
    this.#triggers.attemptBegins()
    state.isActive = true
    if (state.restorePoint === undefined) return
    const { metadata, path } = state.restorePoint
    state.statistics.restored(metadata.checkpointId, metadata.kind, path)
  }

  /** The attempt's tasks are being ended. Gives an error for the job's history when it was stopping and its savepoint is there. */
  attemptEnds(why: ErrorData): TailraceError | undefined {
    if (!this.#state.isActive) return undefined
    const cause = errorFromData(why)
    this.#ends(`the job failed: ${why.message}`, cause)
    return this.#stop.attemptEnds(cause)
  }

  /** Resolves when nothing is being completed. */
  settled(): Promise<void> {
    return this.#completions.settled()
  }

  /** All tasks have finished, but a job that was drained without checkpoints takes its savepoint before it ends. */
  get holdsEnd(): boolean {
    const { isActive, requests } = this.#state
    return isActive && requests.stop?.drain === true && requests.stop.taken === undefined
  }

  /** The savepoint behind which the job ends, once that is there. */
  get stopTaken(): CheckpointResult | undefined {
    return this.#state.requests.stop?.taken
  }

  /** The job has ended, or is about to: nothing is taken any more. */
  jobEnds(finished: boolean): void {
    const { requests } = this.#state
    const { stop } = requests
    requests.stop = undefined
    this.#ends('the job has ended', undefined)
    this.#state.isClosed = true
    if (stop !== undefined) this.#stop.jobEnds(stop, finished)
  }

  /**
   * Answers whoever stopped the job, which has finished; after {@link settled}. `error`: the job could not be ended in its store, so another owner may have gone on with it, or
   * will: it was not stopped.
   */
  stopEnds(error?: unknown): Promise<void> {
    return this.#stop.ends(error)
  }

  #ends(why: string, cause: unknown): void {
    const state = this.#state
    state.isActive = false
    this.#triggers.stop()
    state.requests.stop?.stopExpiry()
    for (const checkpoint of state.pending)
      if (checkpoint.phase !== 'completing') this.#failures.giveUp(checkpoint, why, cause)
    state.requests.failAll(cannot(`take a checkpoint or savepoint of ${state.job}`, why, cause))
  }

  // --- what tasks and enumerators say

  taskState(vertexId: string, subtask: number, state: 'RUNNING' | 'FINISHED' | 'CANCELED' | 'FAILED'): void {
    const { tasks } = this.#state
    const task = tasks.number(vertexId, subtask)
    if (state === 'RUNNING') {
      tasks.runs(task)
      if (tasks.state === 'run') this.#triggers.allRun()
    } else if (state === 'FINISHED') this.#taskFinished(task)
    else tasks.isGone(task)
    this.#triggers.look()
  }

  #taskFinished(task: number): void {
    const { tasks, pending } = this.#state
    tasks.finished(task)
    for (const checkpoint of pending)
      if (checkpoint.waitsFor(task))
        this.#failures.fails(checkpoint, 'task finished', `${tasks.name(task)} has finished`)
  }

  dataEnded(vertexId: string, subtask: number): void {
    const { tasks } = this.#state
    tasks.dataEnded(tasks.number(vertexId, subtask))
    this.#triggers.look()
  }

  enumeratorStates(checkpointId: number, states: Readonly<Record<string, unknown>>, error?: ErrorData): void {
    const { tasks, statistics, options } = this.#state
    const checkpoint = this.#state.pendingWith(checkpointId)
    if (checkpoint?.phase !== 'enumerators') return
    if (error !== undefined) {
      this.#failures.fails(checkpoint, 'begin', error.message, errorFromData(error))
      return
    }
    const { trigger, acknowledge } = tasks.plan()
    checkpoint.collect(states, acknowledge)
    statistics.expects(checkpointId, acknowledge)
    for (const task of trigger) options.outlet.trigger(tasks.places[task]!, checkpoint.barrier)
    if (checkpoint.isWhole) this.#completions.complete(checkpoint)
    this.#triggers.look()
  }

  acknowledged(part: TaskPart, snapshot: SubtaskSnapshot, stats: SnapshotStats): void {
    const { tasks, statistics, options } = this.#state
    const { vertexId, subtask, checkpointId } = part
    const checkpoint = this.#state.pendingWith(checkpointId)
    const handles = handlesOfSubtask(snapshot)
    options.store.written(handles)
    // One that is collected is of the attempt that runs; others may have had other tasks.
    const task = checkpoint?.phase === 'collecting' ? tasks.number(vertexId, subtask) : -1
    if (checkpoint?.acknowledge(task, snapshot) !== true) {
      // It was given up before these bytes were there.
      this.#state.discard(checkpointId, handles)
      return
    }
    statistics.acknowledged(checkpointId, task, stats)
    if (checkpoint.isWhole) this.#completions.complete(checkpoint)
  }

  declined({ vertexId, subtask, checkpointId }: TaskPart, error: ErrorData | undefined): void {
    if (error?.code === 'TR-CHECKPOINT-002') {
      this.#failures.takenOver(errorFromData(error))
      return
    }
    const { tasks } = this.#state
    const checkpoint = this.#state.pendingWith(checkpointId)
    if (checkpoint?.phase !== 'collecting') return
    const name = tasks.name(tasks.number(vertexId, subtask))
    if (error === undefined)
      this.#failures.fails(checkpoint, 'overtaken', `${name} let a newer one go first, or was about to end`)
    else {
      const why = `${name} could not take its part: ${error.message}`
      this.#failures.fails(checkpoint, 'declined', why, errorFromData(error))
    }
  }

  /** A source begins or ends to work off a backlog, in which checkpoints may be taken less often. */
  backlog(vertexId: string, has: boolean): void {
    this.#triggers.backlog(vertexId, has)
  }

  // --- what users ask for

  /** The next checkpoint, as soon as one may begin; several who ask get the same one. */
  takeCheckpoint(): Promise<CheckpointResult> {
    const { job, requests } = this.#state
    return this.#ask(`take a checkpoint of ${job}`, () => requests.checkpoint())
  }

  /** A savepoint in a folder of its own below `directory`. */
  takeSavepoint(directory: string): Promise<CheckpointResult> {
    const { job, requests } = this.#state
    return this.#ask(`take a savepoint of ${job}`, () => requests.savepoint(directory))
  }

  /** A savepoint behind which the job ends; `drain`: the sources end first, so that everything is flushed [SV-03]. Resolves when the job has finished. */
  stopWithSavepoint(directory: string, drain: boolean): Promise<CheckpointResult> {
    const { job, options, pending, tasks } = this.#state
    return this.#ask(`stop ${job} with a savepoint`, () => {
      const result = this.#stop.begin(directory, drain)
      for (const checkpoint of pending)
        if (checkpoint.kind === 'checkpoint' && checkpoint.phase !== 'completing')
          this.#failures.fails(checkpoint, 'stopping', 'the job is being stopped with a savepoint')
      if (drain) for (const place of tasks.readingSources()) options.outlet.drain(place)
      return result
    })
  }

  #ask(what: string, request: () => Promise<CheckpointResult>): Promise<CheckpointResult> {
    const why = this.#refusal()
    if (why !== undefined) return Promise.reject(cannot(what, why))
    const promise = request()
    this.#triggers.look()
    return promise
  }

  /** Why nothing can be taken now. */
  #refusal(): string | undefined {
    const { isActive, isClosed, isDeposed, requests, tasks } = this.#state
    if (isClosed || isDeposed) return 'it has ended'
    if (requests.stop !== undefined) return 'it is being stopped with a savepoint'
    const state = isActive ? tasks.state : 'not all run'
    if (state === 'finished') return 'all of its tasks have finished'
    if (state !== 'not all run') return undefined
    const running = isActive ? tasks.running : 0
    return `${running} of its ${tasks.places.length} tasks run, and all are wanted`
  }
}
