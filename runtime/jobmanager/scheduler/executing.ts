/**
 * The job runs. When it should have another parallelism it takes a checkpoint, and goes on from that with the new one; slots and processes that stay serve on.
 */
import { errorToData, TailraceError } from '../../core/errors.ts'
import type { Requirements } from '../../rpc/views.ts'
import type { Failure } from '../exception-history.ts'
import { decideEnd } from '../job-status.ts'
import { decideParallelism, type Parallelism, sameParallelism, slotsWanted } from './decide-parallelism.ts'
import { decideRescale } from './decide-rescale.ts'
import { type JobContext, JobState } from './job-state.ts'

/** A checkpoint for a rescale that failed is tried again after this. */
const AGAIN_MS = 1000

export class Executing extends JobState {
  readonly status = 'RUNNING'
  readonly #parallelism: Parallelism
  /** As it was deployed for. */
  readonly #requirements: Requirements
  readonly #sinceMs: number
  /** What is possible, and since when. */
  #possible: Parallelism | undefined
  #possibleSinceMs = 0
  #rescaling = false
  /** A change of the parallelism waits for another checkpoint than `last`. */
  #awaited: { last: unknown; isThere(): void } | undefined
  #failedCheckpoints = 0
  #stopTimer: () => void = () => {}

  constructor(job: JobContext, parallelism: Parallelism) {
    super(job)
    this.#parallelism = parallelism
    this.#requirements = job.parallelism.requirements
    this.#sinceMs = job.clock.monotonic()
  }

  override enter(): void {
    this.job.attempt.deploy()
    // Slots that came meanwhile.
    if (!this.isLeft) this.#look()
  }

  override progress(): void {
    const { attempt, coordinator } = this.job
    if (this.#awaited !== undefined && coordinator?.restorePoint !== this.#awaited.last) this.#awaited.isThere()
    const status = decideEnd(
      this.status,
      attempt.executions.map((execution) => execution.state),
    )
    // A job that was drained takes its savepoint first.
    if (status !== undefined && coordinator?.holdsEnd !== true) this.job.goTo({ state: 'ended', status })
  }

  override failed(failure: Failure): void {
    this.restartOrFail(failure)
  }

  override resourcesChanged(): void {
    this.#look()
  }
  override requirementsChanged(): void {
    this.#look()
  }

  #look(): void {
    const { clock, coordinator, freeSlots, isObserved, program, settings, slots } = this.job
    const { requirements } = this.job.parallelism
    this.#stopTimer()
    // Without a checkpoint, or with results that were given away, another attempt would not be the same job.
    if (this.#rescaling || coordinator === undefined || isObserved || this.#isEnding()) return
    const nowMs = clock.monotonic()
    const possible = decideParallelism(program, requirements, slots.held + freeSlots())
    if (possible === undefined || this.#possible === undefined || !sameParallelism(possible, this.#possible))
      this.#possibleSinceMs = nowMs
    this.#possible = possible
    const decision = decideRescale({
      current: this.#parallelism,
      possible,
      wanted: decideParallelism(program, requirements, slotsWanted(program, requirements).most)!,
      changed: requirements !== this.#requirements,
      nowMs,
      sinceMs: this.#sinceMs,
      moreSinceMs: this.#possibleSinceMs,
      settings,
    })
    if (decision.action === 'wait') this.#stopTimer = this.after(decision.untilMs - nowMs, () => this.#look())
    if (decision.action === 'stay') this.job.parallelism.stays()
    if (decision.action === 'rescale') void this.#rescale(decision.to)
  }

  /** Subtasks have ended, and with another parallelism nobody could tell which need not run again. Sources are dealt out by their splits. */
  #isEnding(): boolean {
    const { attempt, program } = this.job
    const sources = new Set(program.vertices.flatMap(({ id, isSource }) => (isSource ? [id] : [])))
    return attempt.executions.some(({ ended, vertexId }) => ended && !sources.has(vertexId))
  }

  async #rescale(to: Parallelism): Promise<void> {
    const { coordinator, settings, slots } = this.job
    // Their threads load while the checkpoint is taken.
    if (!slots.reserve(this.job.program, to)) return
    this.#rescaling = true
    this.job.parallelism.begins('NEW_RESOURCE_AVAILABLE')
    try {
      await this.#checkpoint()
    } catch {
      if (this.isLeft) return
      this.#rescaling = false
      if (++this.#failedCheckpoints < settings.checkpointFailuresMax) {
        this.#stopTimer = this.after(AGAIN_MS, () => this.#look())
        return
      }
    }
    if (this.isLeft) return
    if (this.#isEnding()) {
      this.#rescaling = false
      return
    }
    this.job.parallelism.beginsAgain()
    coordinator!.attemptEnds(errorToData(new TailraceError('TR-CHECKPOINT-001', RESCALED)))
    this.job.goTo({ state: 'restarting', dueMs: 0 })
  }

  /** Resolves when there is one to go on from: a fresh one, or the last one where a fresh one is too long in coming. */
  #checkpoint(): Promise<void> {
    const { checkpointIntervalMs, settings } = this.job
    const coordinator = this.job.coordinator!
    const waits = !settings.activeCheckpoint && checkpointIntervalMs !== undefined
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (waits) this.#awaited = { last: coordinator.restorePoint, isThere: resolve }
    else coordinator.takeCheckpoint().then(() => resolve(), reject)
    const delayMs =
      settings.triggerDelayMs ?? (waits ? checkpointIntervalMs * (settings.checkpointFailuresMax + 1) : undefined)
    if (delayMs === undefined) return promise
    const stopTimer = this.after(delayMs, () => {
      if (coordinator.restorePoint !== undefined) resolve()
    })
    return promise.finally(() => {
      this.#awaited = undefined
      stopTimer()
    })
  }
}

/** For whoever waits for a checkpoint that will not come. */
const RESCALED = 'the job is given another parallelism'
