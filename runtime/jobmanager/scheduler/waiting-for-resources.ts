/**
 * The job waits for slots. It begins when it can have all that it wants; with less, as far as its bounds allow, when nothing more has come for a while; and fails when it has
 * too few for too long.
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
    const { timeouts } = this.job
    this.after(timeouts.slotsMs, () => this.failed({ error: errorToData(this.#tooFewSlots()) }))
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

  #look(): void {
    const { clock, freeSlots, program, requirements, settings, slots } = this.job
    const available = slots.held + freeSlots()
    const parallelism = decideParallelism(program, requirements, available)
    this.#stopTimer()
    if (parallelism === undefined) {
      this.#possibleSinceMs = undefined
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
    const { freeSlots, name, program, requirements, slots, timeouts } = this.job
    const { least, most } = slotsWanted(program, requirements)
    const wanted = least === most ? `${least} slots` : `${least} to ${most} slots`
    return new TailraceError(
      'TR-CLUSTER-001',
      `Cannot run the job "${name}": it needs ${wanted}, and ${slots.held + freeSlots()} were available within ${timeouts.slotsMs / 1000} s (slot.request.timeout). ` +
        'Start more TaskManagers or give them more slots (taskmanager.numberOfTaskSlots), or lower the parallelism',
    )
  }
}
