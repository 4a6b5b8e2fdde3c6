/**
 * The tasks of an attempt end; then the next one begins, not before it is due. Slots that were left clean are kept.
 */
import type { Failure } from '../exception-history.ts'
import { canRetry } from '../restart-strategy.ts'
import { type JobContext, JobState } from './job-state.ts'

export class Restarting extends JobState {
  readonly status = 'RESTARTING'
  readonly #dueMs: number
  /** The attempt is over, and its slots are sorted. */
  #over = false

  constructor(job: JobContext, dueMs: number) {
    super(job)
    this.#dueMs = dueMs
  }

  override enter(): void {
    this.job.attempt.cancel()
    this.progress()
  }

  override progress(): void {
    const { attempt, coordinator, slots } = this.job
    if (this.isLeft || this.#over || !attempt.over) return
    this.#over = true
    for (let slot = 0; slot < attempt.slotCount; slot++) {
      if (attempt.leftClean(slot)) slots.keep(slot)
      else slots.drop(slot)
    }
    // Threads load while a delay passes.
    slots.fill()
    if (coordinator === undefined) this.#goOnWhenDue()
    // What the store is completing now may be what the next attempt goes on from.
    else void coordinator.settled().then(() => this.#goOnWhenDue())
  }

  override failed(failure: Failure): void {
    const { job } = this
    job.addConcurrent(failure)
    if (canRetry(failure.error.code)) return
    job.setFatal(failure.error, `${failure.error.code} comes again however often the job runs`)
    job.goTo({ state: 'failing' })
  }

  override get idleSlots(): number {
    return this.#over ? this.job.slots.held : 0
  }

  #goOnWhenDue(): void {
    if (this.isLeft) return
    const ms = Math.max(0, this.#dueMs - this.job.clock.monotonic())
    this.after(ms, () => this.job.goTo({ state: 'waiting for resources' }))
  }
}
