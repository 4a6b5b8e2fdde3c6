/**
 * Begins a job's checkpoints and savepoints: looks whether one is due whenever something has changed, and when time has passed; decide-trigger.ts decides.
 */

import type { CoordinatorState } from './coordinator-state.ts'
import { decideTrigger, type TriggerKind } from './decide-trigger.ts'
import { PendingCheckpoint } from './pending-checkpoint.ts'

export class CheckpointTriggers {
  readonly #state: CoordinatorState
  readonly #expired: (checkpoint: PendingCheckpoint) => void
  #nextId: number
  #lastBeginMs = Number.NEGATIVE_INFINITY
  #lastCompletedMs = Number.NEGATIVE_INFINITY
  #finalNotBeforeMs = Number.NEGATIVE_INFINITY
  /** Sources that work off a backlog, by vertex id. */
  readonly #backlogs = new Set<string>()
  #stopTimer: () => void = () => {}

  /** `expired` hears of a checkpoint that takes too long. */
  constructor(state: CoordinatorState, expired: (checkpoint: PendingCheckpoint) => void) {
    this.#state = state
    this.#expired = expired
    this.#nextId = state.options.store.nextCheckpointId
  }

  /** Ids are greater than this one. */
  idsAfter(checkpointId: number): void {
    this.#nextId = Math.max(this.#nextId, checkpointId + 1)
  }
  attemptBegins(): void {
    this.#backlogs.clear()
    this.#finalNotBeforeMs = Number.NEGATIVE_INFINITY
  }
  /** The interval to the first checkpoint of the attempt begins. */
  allRun(): void {
    this.#lastBeginMs = this.#state.nowMs
  }
  completed(): void {
    this.#lastCompletedMs = this.#state.nowMs
  }
  /** The next one need not wait for its interval. */
  atOnce(): void {
    this.#lastBeginMs = Number.NEGATIVE_INFINITY
  }
  /** A checkpoint that was to hold the end has failed: the next such one waits. */
  finalFailed(): void {
    this.#finalNotBeforeMs = this.#state.nowMs + (this.#intervalMs() ?? 0)
  }
  backlog(vertexId: string, has: boolean): void {
    if (has) this.#backlogs.add(vertexId)
    else this.#backlogs.delete(vertexId)
    this.look()
  }

  /** Nothing begins by itself until {@link look} is called. */
  stop(): void {
    this.#stopTimer()
  }

  /** Begins what is due, or waits until it is. */
  look(): void {
    const state = this.#state
    if (!state.isActive || state.isClosed || state.isDeposed) return
    this.#stopTimer()
    const { settings, schedule } = state.options
    const { stop, wantsCheckpoint, wantsSavepoint } = state.requests
    // Nothing follows on the savepoint that stops the job.
    if (stop?.taken !== undefined) return
    const { pending, tasks } = state
    const decision = decideTrigger({
      nowMs: state.nowMs,
      tasks: tasks.state,
      leavingUntilMs: tasks.leavingUntilMs,
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
    else if (decision.waitMs < Number.POSITIVE_INFINITY) this.#stopTimer = schedule(decision.waitMs, () => this.look())
  }

  #intervalMs(): number | undefined {
    const { intervalMs, intervalDuringBacklogMs } = this.#state.options.settings
    return this.#backlogs.size > 0 && intervalMs !== undefined ? (intervalDuringBacklogMs ?? intervalMs) : intervalMs
  }

  #begin(what: TriggerKind): void {
    const state = this.#state
    const checkpoint = this.#newCheckpoint(what)
    if (what === 'periodic' || what === 'manual') this.#lastBeginMs = checkpoint.beganMs
    state.begins(checkpoint)
    const { outlet, schedule, settings } = state.options
    const { id, kind } = checkpoint
    const type = kind === 'checkpoint' ? 'CHECKPOINT' : kind === 'stop' ? 'SYNC_SAVEPOINT' : 'SAVEPOINT'
    state.statistics.begins(id, type, state.tasks.places)
    checkpoint.stopExpiry = schedule(settings.timeoutMs, () => this.#expired(checkpoint))
    outlet.snapshotEnumerators(id)
  }

  #newCheckpoint(what: TriggerKind): PendingCheckpoint {
    const kind = what === 'savepoint' || what === 'stop' ? what : 'checkpoint'
    const { clock } = this.#state.options
    const { requests, nowMs } = this.#state
    const { stop } = requests
    if (kind === 'stop') stop!.stopExpiry()
    const savepoint = kind === 'savepoint' ? requests.takeSavepoint() : undefined
    const then = what === 'final' ? 'end' : kind !== 'stop' ? 'go on' : stop!.drain ? 'end' : 'suspend'
    return new PendingCheckpoint({
      barrier: {
        checkpointId: this.#nextId++,
        timestampMs: clock.now(),
        kind: kind === 'checkpoint' ? 'checkpoint' : 'savepoint',
        then,
      },
      kind,
      directory: kind === 'stop' ? stop!.directory : savepoint?.directory,
      askers:
        kind === 'checkpoint' ? requests.takeCheckpointAskers() : savepoint === undefined ? [] : [savepoint.asker],
      beganMs: nowMs,
    })
  }
}
