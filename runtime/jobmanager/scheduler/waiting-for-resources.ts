/**
 * The job waits for slots. It begins when it can have all that it wants; with less, as far as its bounds allow, when nothing more has come for a while; and fails when it has
 * too few for too long.
 *
 * What must hold: jobs that wait do not wait for each other. One that holds slots of its last attempt, whose threads are warm, gives them to an older job that can begin with them, and to
 * anybody when it has waited for long.
 */
import { errorToData, TailraceError } from '../../core/errors.ts'
import type { Failure } from '../exception-history.ts'
import { decideParallelism, type Parallelism, slotsWanted } from './decide-parallelism.ts'
import { JobState } from './job-state.ts'

export class WaitingForResources extends JobState {
  readonly status = 'CREATED'
  /** When it first could have begun with less than it wants. */
  #possibleSinceMs: number | undefined
  #stopTimer: () => void = () => {}

  override enter(): void {
    const { settings, slots } = this.job
    const { ms } = settings.slotsWait
    if (ms < Number.POSITIVE_INFINITY) this.after(ms, () => this.failed({ error: errorToData(this.#tooFewSlots()) }))
    if (slots.held > 0) this.after(settings.slotIdleMs, () => slots.giveBack(slots.held))
    this.#look()
  }

  override resourcesChanged(): void {
    this.#look()
  }
  override requirementsChanged(): void {
    this.#look()
  }
  override failed(failure: Failure): void {
    this.restartOrFail(failure)
  }

  override get idleSlots(): number {
    return this.job.slots.held
  }

  #look(): void {
    const { clock, freeSlots, program, settings, slots } = this.job
    const { requirements } = this.job.parallelism
    const available = slots.held + freeSlots()
    const parallelism = decideParallelism(program, requirements, available)
    this.#stopTimer()
    if (parallelism === undefined) {
      this.#possibleSinceMs = undefined
      this.job.claimSlots(slotsWanted(program, requirements).least - available)
      return
    }
    this.#possibleSinceMs ??= clock.monotonic()
    const waitMs = this.#possibleSinceMs + settings.startStabilizationMs - clock.monotonic()
    if (available < slotsWanted(program, requirements).most && waitMs > 0)
      this.#stopTimer = this.after(waitMs, () => this.#look())
    else this.#begin(parallelism)
  }

  #begin(parallelism: Parallelism): void {
    try {
      if (!this.job.makeAttempt(parallelism)) return
    } catch (error) {
      this.failed({ error: errorToData(error) })
      return
    }
    this.job.goTo({ state: 'executing', parallelism })
  }

  #tooFewSlots(): TailraceError {
    const { freeSlots, name, program, settings, slots } = this.job
    const { requirements } = this.job.parallelism
    const { ms, key } = settings.slotsWait
    const { least, most } = slotsWanted(program, requirements)
    const wanted = least === most ? `${least} slots` : `${least} to ${most} slots`
    return new TailraceError(
      'TR-CLUSTER-001',
      `Cannot run the job "${name}": it needs ${wanted}, and ${slots.held + freeSlots()} were available within ${ms / 1000} s (${key}). ` +
        'Start more TaskManagers or give them more slots (taskmanager.numberOfTaskSlots), or lower the parallelism',
    )
  }
}
