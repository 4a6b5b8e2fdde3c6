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
 * Time, storage and ways to others are arguments. All calls are made in one thread, in order.
 */
import type { Barrier } from '../../core/checkpoint.ts'
import type { Clock } from '../../core/clock.ts'
import { type ErrorData, errorFromData, isTailraceError, TailraceError } from '../../core/errors.ts'
import type { TypeDescription } from '../../core/types.ts'
import type { Plan } from '../../graph/model.ts'
import type { CheckpointStore, CompletedCheckpoint } from '../checkpoint-store.ts'
import type { CheckpointMetadata, SnapshotStats, StateHandle, SubtaskSnapshot } from '../model.ts'
import { nameOfOperator, partOfUnion } from '../operator-state.ts'
import type { CheckpointSettings } from '../settings.ts'
import { AttemptTasks } from './attempt-tasks.ts'
import type { TaskPlace } from './checkpoint-plan.ts'
import { collectMetadata } from './collect-metadata.ts'
import { decideFailure, type FailureReason } from './decide-failure.ts'
import { decideTrigger, type TriggerKind } from './decide-trigger.ts'
import { handlesOfSubtask, PendingCheckpoint } from './pending-checkpoint.ts'
import { type CheckpointResult, Requests, type Stop } from './requests.ts'
import { CheckpointStatistics } from './statistics.ts'

/** How the coordinator reaches others. Nothing of it answers in the same call. */
export interface CheckpointOutlet {
  /** Answered by {@link CheckpointCoordinator.enumeratorStates}. */
  snapshotEnumerators(checkpointId: number): void
  trigger(place: TaskPlace, barrier: Barrier): void
  /** A source shall end its data. */
  drain(place: TaskPlace): void
  /** To all slots and the program. */
  complete(checkpointId: number): void
  /** To all slots. */
  abort(checkpointId: number): void
  /** The job's attempt cannot go on. */
  fail(error: TailraceError): void
}

export interface CoordinatorOptions {
  jobId: string
  plan: Plan
  settings: CheckpointSettings
  store: CheckpointStore
  clock: Clock
  /** Runs `callback` once after `ms`; returns how to prevent it. */
  schedule(ms: number, callback: () => void): () => void
  outlet: CheckpointOutlet
  /** Types agreed so far by edge id. */
  edgeTypes(): Readonly<Record<number, TypeDescription>>
  /** Writes a savepoint that stands by itself into a folder of its own below `directory`, and gives its path. */
  writeSavepoint(metadata: CheckpointMetadata, directory: string): Promise<WrittenSavepoint>
  /** The transactions of a savepoint are committed: whoever begins from it must not commit them again. Resolves, whatever happens. */
  markCommitted(path: string): Promise<void>
}

export type WrittenSavepoint = Pick<CompletedCheckpoint, 'path' | 'metadataBytes'>

/** What a job goes back to. */
export interface RestorePoint extends Pick<CompletedCheckpoint, 'metadata' | 'path'> {
  /** Of a savepoint: its transactions were committed by the job that took it. */
  committed?: boolean
}

export class CheckpointCoordinator {
  readonly statistics: CheckpointStatistics
  readonly #options: CoordinatorOptions
  #tasks: AttemptTasks
  /** As the attempt was deployed. */
  #plan: Plan
  readonly #requests = new Requests()
  readonly #pending = new Map<number, PendingCheckpoint>()
  #nextId: number
  #lastBeginMs = Number.NEGATIVE_INFINITY
  #lastCompletedMs = Number.NEGATIVE_INFINITY
  #finalNotBeforeMs = Number.NEGATIVE_INFINITY
  /** Sources that work off a backlog, by vertex id. */
  readonly #backlogs = new Set<string>()
  #failuresInRow = 0
  #restorePoint: RestorePoint | undefined
  /** Completes one after the other. */
  #completing: Promise<void> = Promise.resolve()
  #stopTimer: () => void = () => {}
  /** It is over, and nobody was told yet. */
  #stopped: Stop | undefined
  /** An attempt runs. */
  #active = false
  /** The job has ended. */
  #closed = false
  /** Another owner has taken over. */
  #deposed = false

  constructor(options: CoordinatorOptions) {
    const { plan, store, settings, clock } = options
    this.#options = options
    this.#tasks = new AttemptTasks(plan)
    this.#plan = plan
    this.#nextId = store.nextCheckpointId
    const newest = store.completed.at(-1)
    if (newest !== undefined) this.#restorePoint = { metadata: newest.metadata, path: newest.path }
    this.statistics = new CheckpointStatistics({ clock, historyMax: settings.historyMax })
  }

  // --- attempts

  /** What the next attempt goes on from; undefined: from nothing. Ask when {@link settled}. */
  get restorePoint(): RestorePoint | undefined {
    return this.#restorePoint
  }

  /** The job begins from a savepoint, as its own store has nothing. */
  beginFrom(point: RestorePoint): void {
    this.#restorePoint = point
    this.#nextId = Math.max(this.#nextId, point.metadata.checkpointId + 1)
  }

  /** An attempt is deployed: all tasks start. `plan` is the job's with the parallelism of this attempt. */
  attemptBegins(plan: Plan): void {
    this.#plan = plan
    this.#tasks = new AttemptTasks(plan)
    this.#backlogs.clear()
    this.#finalNotBeforeMs = Number.NEGATIVE_INFINITY
    this.#active = true
    if (this.#restorePoint === undefined) return
    const { metadata, path } = this.#restorePoint
    this.statistics.restored(metadata.checkpointId, metadata.kind, path)
  }

  /** The attempt's tasks are being ended. Gives an error for the job's history when it was stopping and its savepoint is there. */
  attemptEnds(why: ErrorData): TailraceError | undefined {
    if (!this.#active) return undefined
    const { stop } = this.#requests
    this.#ends(`the job failed: ${why.message}`, errorFromData(why))
    // One that is being written is told of when it is known whether it was.
    if (stop === undefined || this.#isWritten(stop)) return undefined
    this.#requests.stop = undefined
    const error = this.#stopFailed(stop, errorFromData(why))
    return stop.taken === undefined ? undefined : error
  }

  /** Resolves when nothing is being completed. */
  async settled(): Promise<void> {
    await this.#completing
  }

  /** All tasks have finished, but a job that was drained without checkpoints takes its savepoint before it ends. */
  get holdsEnd(): boolean {
    const { stop } = this.#requests
    return this.#active && stop?.drain === true && stop.taken === undefined
  }

  /** The job has ended, or is about to: nothing is taken any more. */
  jobEnds(finished: boolean): void {
    const { stop } = this.#requests
    this.#requests.stop = undefined
    this.#ends('the job has ended', undefined)
    this.#closed = true
    if (stop === undefined) return
    if (finished && stop.taken !== undefined) this.#stopped = stop
    else this.#stopFailed(stop, new TailraceError('TR-CHECKPOINT-001', 'the job has ended'))
  }

  /**
   * Answers whoever stopped the job, which has finished; after {@link settled}. `error`: the job could not be ended in its store, so another owner may have gone on with it, or
   * will: it was not stopped.
   */
  async stopEnds(error?: unknown): Promise<void> {
    const stop = this.#stopped
    this.#stopped = undefined
    if (stop?.taken === undefined) return
    if (error !== undefined) {
      this.#stopFailed(stop, cannot(`end ${this.#job} in its store`, messageOf(error), error))
      return
    }
    // Every task has committed before it finished.
    await this.#options.markCommitted(stop.taken.path)
    stop.result.resolve(stop.taken)
  }

  #ends(why: string, cause: unknown): void {
    this.#active = false
    this.#stopTimer()
    this.#requests.stop?.stopExpiry()
    for (const checkpoint of [...this.#pending.values()])
      if (checkpoint.phase !== 'completing') this.#giveUp(checkpoint, why, cause)
    this.#requests.failAll(cannot(`take a checkpoint or savepoint of ${this.#job}`, why, cause))
  }

  // --- what tasks and enumerators say

  taskState(vertexId: string, subtask: number, state: 'RUNNING' | 'FINISHED' | 'CANCELED' | 'FAILED'): void {
    const task = this.#tasks.number(vertexId, subtask)
    if (state === 'RUNNING') {
      this.#tasks.runs(task)
      if (this.#tasks.state === 'run') this.#lastBeginMs = this.#now()
    } else if (state === 'FINISHED') this.#taskFinished(task)
    else this.#tasks.isGone(task)
    this.#pump()
  }

  dataEnded(vertexId: string, subtask: number): void {
    this.#tasks.dataEnded(this.#tasks.number(vertexId, subtask))
    this.#pump()
  }

  enumeratorStates(checkpointId: number, states: Readonly<Record<string, unknown>>, error?: ErrorData): void {
    const checkpoint = this.#pending.get(checkpointId)
    if (checkpoint?.phase !== 'enumerators') return
    if (error !== undefined) {
      this.#fails(checkpoint, 'begin', error.message, errorFromData(error))
      return
    }
    const { trigger, acknowledge } = this.#tasks.plan()
    checkpoint.collect(states, acknowledge)
    this.statistics.expects(checkpointId, acknowledge)
    for (const task of trigger) this.#options.outlet.trigger(this.#tasks.places[task]!, checkpoint.barrier)
    if (checkpoint.isWhole) this.#complete(checkpoint)
    this.#pump()
  }

  acknowledged(part: TaskPart, snapshot: SubtaskSnapshot, stats: SnapshotStats): void {
    const { vertexId, subtask, checkpointId } = part
    const checkpoint = this.#pending.get(checkpointId)
    const handles = handlesOfSubtask(snapshot)
    this.#options.store.written(handles)
    // One that is collected is of the attempt that runs; others may have had other tasks.
    const task = checkpoint?.phase === 'collecting' ? this.#tasks.number(vertexId, subtask) : -1
    if (checkpoint?.acknowledge(task, snapshot) !== true) {
      // It was given up before these bytes were there.
      this.#discard(checkpointId, handles)
      return
    }
    this.statistics.acknowledged(checkpointId, task, stats)
    if (checkpoint.isWhole) this.#complete(checkpoint)
  }

  declined({ vertexId, subtask, checkpointId }: TaskPart, error: ErrorData | undefined): void {
    if (error?.code === 'TR-CHECKPOINT-002') {
      this.#takenOver(errorFromData(error))
      return
    }
    const checkpoint = this.#pending.get(checkpointId)
    if (checkpoint?.phase !== 'collecting') return
    const name = this.#tasks.name(this.#tasks.number(vertexId, subtask))
    if (error === undefined)
      this.#fails(checkpoint, 'overtaken', `${name} let a newer one go first, or was about to end`)
    else this.#fails(checkpoint, 'declined', `${name} could not take its part: ${error.message}`, errorFromData(error))
  }

  /** A source begins or ends to work off a backlog, in which checkpoints may be taken less often. */
  backlog(vertexId: string, has: boolean): void {
    if (has) this.#backlogs.add(vertexId)
    else this.#backlogs.delete(vertexId)
    this.#pump()
  }

  // --- what users ask for

  /** The next checkpoint, as soon as one may begin; several who ask get the same one. */
  takeCheckpoint(): Promise<CheckpointResult> {
    return this.#ask(`take a checkpoint of ${this.#job}`, () => this.#requests.checkpoint())
  }

  /** A savepoint in a folder of its own below `directory`. */
  takeSavepoint(directory: string): Promise<CheckpointResult> {
    return this.#ask(`take a savepoint of ${this.#job}`, () => this.#requests.savepoint(directory))
  }

  /** A savepoint behind which the job ends; `drain`: the sources end first, so that everything is flushed [SV-03]. Resolves when the job has finished. */
  stopWithSavepoint(directory: string, drain: boolean): Promise<CheckpointResult> {
    return this.#ask(`stop ${this.#job} with a savepoint`, () => {
      const { outlet, schedule, settings } = this.#options
      const result = Promise.withResolvers<CheckpointResult>()
      const stopExpiry = drain ? schedule(settings.timeoutMs, () => this.#notDrained()) : () => {}
      this.#requests.stop = { drain, directory, result, taken: undefined, stopExpiry }
      for (const checkpoint of [...this.#pending.values()])
        if (checkpoint.kind === 'checkpoint' && checkpoint.phase !== 'completing')
          this.#fails(checkpoint, 'stopping', 'the job is being stopped with a savepoint')
      if (drain) for (const place of this.#tasks.readingSources()) outlet.drain(place)
      return result.promise
    })
  }

  #ask(what: string, request: () => Promise<CheckpointResult>): Promise<CheckpointResult> {
    const why = this.#refusal()
    if (why !== undefined) return Promise.reject(cannot(what, why))
    const promise = request()
    this.#pump()
    return promise
  }

  /** Why nothing can be taken now. */
  #refusal(): string | undefined {
    if (this.#closed || this.#deposed) return 'it has ended'
    if (this.#requests.stop !== undefined) return 'it is being stopped with a savepoint'
    const state = this.#active ? this.#tasks.state : 'not all run'
    if (state === 'finished') return 'all of its tasks have finished'
    if (state !== 'not all run') return undefined
    const running = this.#active ? this.#tasks.running : 0
    return `${running} of its ${this.#tasks.places.length} tasks run, and all are wanted`
  }

  // --- begin

  #pump(): void {
    if (!this.#active || this.#closed || this.#deposed) return
    this.#stopTimer()
    const { settings, schedule } = this.#options
    const { stop, wantsCheckpoint, wantsSavepoint } = this.#requests
    // Nothing follows on the savepoint that stops the job.
    if (stop?.taken !== undefined) return
    const pending = [...this.#pending.values()]
    const decision = decideTrigger({
      nowMs: this.#now(),
      tasks: this.#tasks.state,
      leavingUntilMs: this.#tasks.leavingUntilMs,
      beginning: pending.some(({ phase }) => phase === 'enumerators'),
      pending: pending.length,
      savepointPending: pending.some(({ kind }) => kind !== 'checkpoint'),
      stop: stop === undefined ? 'no' : stop.drain ? 'drain' : 'suspend',
      wantsSavepoint,
      wantsCheckpoint,
      intervalMs: this.#intervalMs(),
      minPauseMs: settings.minPauseMs,
      maxConcurrent: settings.maxConcurrent,
      lastBeginMs: this.#lastBeginMs,
      lastCompletedMs: this.#lastCompletedMs,
      finalNotBeforeMs: this.#finalNotBeforeMs,
    })
    if ('begin' in decision) this.#begin(decision.begin)
    else if (decision.waitMs < Number.POSITIVE_INFINITY) this.#stopTimer = schedule(decision.waitMs, () => this.#pump())
  }

  #intervalMs(): number | undefined {
    const { intervalMs, intervalDuringBacklogMs } = this.#options.settings
    return this.#backlogs.size > 0 && intervalMs !== undefined ? (intervalDuringBacklogMs ?? intervalMs) : intervalMs
  }

  #begin(what: TriggerKind): void {
    const checkpoint = this.#newCheckpoint(what)
    if (what === 'periodic' || what === 'manual') this.#lastBeginMs = checkpoint.beganMs
    this.#pending.set(checkpoint.id, checkpoint)
    const { outlet, schedule, settings } = this.#options
    const { id, kind } = checkpoint
    const type = kind === 'checkpoint' ? 'CHECKPOINT' : kind === 'stop' ? 'SYNC_SAVEPOINT' : 'SAVEPOINT'
    this.statistics.begins(id, type, this.#tasks.places)
    checkpoint.stopExpiry = schedule(settings.timeoutMs, () => this.#expired(checkpoint))
    outlet.snapshotEnumerators(id)
  }

  #newCheckpoint(what: TriggerKind): PendingCheckpoint {
    const kind = what === 'savepoint' || what === 'stop' ? what : 'checkpoint'
    const { stop } = this.#requests
    if (kind === 'stop') stop!.stopExpiry()
    const savepoint = kind === 'savepoint' ? this.#requests.takeSavepoint() : undefined
    const then = what === 'final' ? 'end' : kind !== 'stop' ? 'go on' : stop!.drain ? 'end' : 'suspend'
    return new PendingCheckpoint({
      barrier: {
        checkpointId: this.#nextId++,
        timestampMs: this.#options.clock.now(),
        kind: kind === 'checkpoint' ? 'checkpoint' : 'savepoint',
        then,
      },
      kind,
      directory: kind === 'stop' ? stop!.directory : savepoint?.directory,
      askers:
        kind === 'checkpoint'
          ? this.#requests.takeCheckpointAskers()
          : savepoint === undefined
            ? []
            : [savepoint.asker],
      beganMs: this.#now(),
    })
  }

  #expired(checkpoint: PendingCheckpoint): void {
    const after = `after ${this.#options.settings.timeoutMs / 1000} s (execution.checkpointing.timeout)`
    const who =
      checkpoint.phase === 'enumerators'
        ? 'the source enumerators have not given their states'
        : `${this.#tasks.names(checkpoint.missing)} had not acknowledged it`
    this.#fails(checkpoint, 'expired', `${who} ${after}`)
  }

  #notDrained(): void {
    const after = `after ${this.#options.settings.timeoutMs / 1000} s (execution.checkpointing.timeout)`
    this.#options.outlet.fail(cannot(`drain ${this.#job}`, `its data had not ended ${after}`))
  }

  // --- complete

  #complete(checkpoint: PendingCheckpoint): void {
    const { jobId, store, writeSavepoint } = this.#options
    const plan = this.#plan
    const { places, left } = this.#tasks
    const edgeTypes = this.#options.edgeTypes()
    const metadata = collectMetadata({ checkpoint, plan, places, jobId, epoch: store.epoch, edgeTypes, left })
    const part = partOfUnion(metadata.operators)
    if (part !== undefined) {
      const state = `union state "${part.state}" of operator ${nameOfOperator(part.operator)}`
      this.#fails(checkpoint, 'store', `${state} is not whole, since some of its subtasks have finished`)
      return
    }
    checkpoint.stopExpiry()
    checkpoint.phase = 'completing'
    this.#completing = this.#completing.then(async () => {
      // A newer one may have been acknowledged and stored first.
      if (checkpoint.kind === 'checkpoint' && checkpoint.id < (this.#restorePoint?.metadata.checkpointId ?? -1)) {
        this.#fails(checkpoint, 'subsumed', 'a newer one is complete')
        return
      }
      try {
        if (checkpoint.kind === 'checkpoint') this.#completed(checkpoint, await store.complete(metadata))
        else {
          const written = await writeSavepoint(metadata, checkpoint.directory!)
          const stops = checkpoint.kind === 'stop' && this.#active
          this.#savepointTaken(
            checkpoint,
            written,
            stops ? await store.complete({ ...metadata, kind: 'checkpoint' }) : undefined,
          )
        }
      } catch (error) {
        this.#notCompleted(checkpoint, error)
      }
    })
  }

  #completed(checkpoint: PendingCheckpoint, done: CompletedCheckpoint): void {
    this.#restorePoint = { metadata: done.metadata, path: done.path }
    this.#failuresInRow = 0
    this.#done(checkpoint, done)
    this.statistics.keeps(this.#options.store.completed.map(({ metadata }) => metadata.checkpointId))
    if (!this.#active) return
    this.#options.outlet.complete(checkpoint.id)
    for (const older of [...this.#pending.values()])
      if (older.id < checkpoint.id && older.kind === 'checkpoint' && older.phase !== 'completing')
        this.#fails(older, 'subsumed', 'a newer one is complete')
    this.#letGo(checkpoint)
    this.#pump()
  }

  /**
   * `kept`: of a savepoint that stops the job, as a checkpoint of the store. Tasks are about to commit up to it, so it is fenced like any other, and what whoever comes next
   * goes on from: another attempt, or another process.
   */
  #savepointTaken(checkpoint: PendingCheckpoint, done: WrittenSavepoint, kept: CompletedCheckpoint | undefined): void {
    this.#done(checkpoint, done)
    if (kept === undefined) this.#discard(checkpoint.id, checkpoint.handles())
    else this.#restorePoint = { metadata: kept.metadata, path: kept.path }
    const stop = checkpoint.kind === 'stop' ? this.#requests.stop : undefined
    if (stop !== undefined) {
      stop.taken = { checkpointId: checkpoint.id, path: done.path }
      if (!this.#active) {
        this.#requests.stop = undefined
        this.#stopFailed(stop, cannot(`stop ${this.#job}`, 'a task failed meanwhile'))
        return
      }
      this.#options.outlet.complete(checkpoint.id)
      this.#letGo(checkpoint)
    }
    this.#pump()
  }

  #done(checkpoint: PendingCheckpoint, done: WrittenSavepoint): void {
    this.#pending.delete(checkpoint.id)
    this.#lastCompletedMs = this.#now()
    this.statistics.completed(checkpoint.id, done)
    for (const asker of checkpoint.askers) asker.complete({ checkpointId: checkpoint.id, path: done.path })
  }

  #letGo({ snapshots }: PendingCheckpoint): void {
    this.#tasks.letGo(snapshots, this.#now() + this.#options.settings.timeoutMs)
  }

  #taskFinished(task: number): void {
    this.#tasks.finished(task)
    for (const checkpoint of [...this.#pending.values()])
      if (checkpoint.waitsFor(task)) this.#fails(checkpoint, 'task finished', `${this.#tasks.name(task)} has finished`)
  }

  // --- failures

  #notCompleted(checkpoint: PendingCheckpoint, error: unknown): void {
    if (isTailraceError(error) && error.code === 'TR-CHECKPOINT-002') {
      this.#deposed = true
      this.#giveUp(checkpoint, error.message, error)
      this.#takenOver(error)
      return
    }
    const what = checkpoint.kind === 'checkpoint' ? 'its store could not complete it' : 'it could not be written'
    const message = messageOf(error)
    const reason = this.#active ? 'store' : 'failover'
    this.#fails(checkpoint, reason, `${what}: ${message}`, error)
    const { stop } = this.#requests
    if (reason !== 'failover' || checkpoint.kind !== 'stop' || stop === undefined) return
    this.#requests.stop = undefined
    this.#stopFailed(stop, cannot(`stop ${this.#job}`, `${what}: ${message}`, error))
  }

  /** Another owner goes on with the job: nothing may be told, changed or deleted any more. */
  #takenOver(error: TailraceError): void {
    if (this.#closed) return
    this.#deposed = true
    this.#stopTimer()
    this.#options.outlet.fail(error)
  }

  #fails(checkpoint: PendingCheckpoint, reason: FailureReason, why: string, cause?: unknown): void {
    const { settings, outlet } = this.#options
    const { askers, directory, kind, phase } = checkpoint
    const inRow = this.#failuresInRow
    const decision = decideFailure({ reason, kind, inRow, tolerable: settings.tolerableFailures })
    this.#failuresInRow = decision.inRow
    if (decision.again && this.#active) {
      checkpoint.askers = []
      this.#requests.again(askers, directory)
      if (reason === 'task finished') this.#lastBeginMs = Number.NEGATIVE_INFINITY
    } else if (checkpoint.barrier.then === 'end') {
      this.#finalNotBeforeMs = this.#now() + (this.#intervalMs() ?? 0)
    }
    this.#giveUp(checkpoint, why, cause)
    if (phase !== 'enumerators' && this.#active && !this.#deposed) {
      outlet.abort(checkpoint.id)
      // Tasks that wait for barriers of an older one give it up with this one.
      for (const older of [...this.#pending.values()])
        if (older.id < checkpoint.id && older.phase === 'collecting')
          this.#fails(older, 'overtaken', 'a newer one was given up')
    }
    if (decision.job === 'fails') outlet.fail(this.#jobFailure(checkpoint, why, cause))
    else this.#pump()
  }

  #giveUp(checkpoint: PendingCheckpoint, why: string, cause: unknown): void {
    checkpoint.stopExpiry()
    this.#pending.delete(checkpoint.id)
    this.statistics.failed(checkpoint.id, why)
    this.#discard(checkpoint.id, checkpoint.handles())
    const what = `take ${checkpoint.barrier.kind} ${checkpoint.id} of ${this.#job}`
    for (const asker of checkpoint.askers) asker.failed(cannot(what, why, cause))
    checkpoint.askers = []
  }

  #jobFailure({ id, kind }: PendingCheckpoint, why: string, cause: unknown): TailraceError {
    if (kind === 'stop') return cannot(`stop ${this.#job} with savepoint ${id}`, why, cause)
    const { tolerableFailures } = this.#options.settings
    const failed = this.#failuresInRow === 1 ? 'one failed' : `${this.#failuresInRow} failed in a row`
    const limit = `execution.checkpointing.tolerable-failed-checkpoints is ${tolerableFailures}`
    // The next attempt may fail as often.
    this.#failuresInRow = 0
    return cannot(`take checkpoints of ${this.#job}`, `${failed}, and ${limit}; checkpoint ${id}: ${why}`, cause)
  }

  #stopFailed({ taken, result }: Stop, cause: TailraceError): TailraceError {
    const why =
      taken === undefined
        ? cause.message
        : `savepoint ${taken.checkpointId} was taken at "${taken.path}", but the job had not stopped yet: ${cause.message}`
    const error = cannot(`stop ${this.#job} with a savepoint`, why, cause)
    result.reject(error)
    return error
  }

  /** The savepoint of the stop is on its way into its folder. */
  #isWritten({ taken }: Stop): boolean {
    return (
      taken === undefined &&
      [...this.#pending.values()].some(({ kind, phase }) => kind === 'stop' && phase === 'completing')
    )
  }

  // --- small things

  /** For messages. */
  get #job(): string {
    return `the job "${this.#options.plan.config.jobName}"`
  }

  #discard(checkpointId: number, handles: readonly StateHandle[]): void {
    const files = handles.filter((handle) => 'file' in handle)
    if (files.length === 0 || this.#deposed) return
    // What cannot be deleted now is found as an orphan when the store is opened the next time.
    this.#options.store.discard(checkpointId, files).catch(() => {})
  }

  #now(): number {
    return this.#options.clock.monotonic()
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function cannot(what: string, why: string, cause?: unknown): TailraceError {
  return new TailraceError('TR-CHECKPOINT-001', `Cannot ${what}: ${why}`, { cause })
}

/** A subtask's part of a checkpoint. */
export interface TaskPart {
  vertexId: string
  subtask: number
  checkpointId: number
}
