/**
 * A leader that is told about its deployment: what its generation begins with, and the parallelism of its application, while it leads.
 *
 * What must hold: a JobManager of an older generation than the directive's begins no job; one of a newer generation waits until it is told what that begins with. A directive that cannot
 * be read begins nothing, and changes nothing of what runs.
 */
import type { RestoreDirective } from '../checkpoint/restore-directive.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { type Directives, parallelismOf, restoreOf } from '../ha/directives.ts'

export interface ToldDeploymentOptions {
  directives: Directives
  /** `tailrace.deployment.generation` of this JobManager; undefined: whatever it is told. */
  generation: number | undefined
  /** Has it from now on. */
  setParallelism(parallelism: number | undefined): void
  /** It is about to wait, nobody knows for how long. */
  onWait?(): Promise<void>
  /** A line of the log. */
  log(text: string): void
}

export class ToldDeployment {
  readonly #options: ToldDeploymentOptions

  constructor(options: ToldDeploymentOptions) {
    this.#options = options
  }

  /**
   * Resolves with what this generation begins with, when it is told; undefined: nobody says. Throws TR-HA-008 for what cannot be read, 009 when a newer generation is to begin.
   */
  async restore(): Promise<RestoreDirective | undefined> {
    const { directives, generation, onWait, log } = this.#options
    const isTold = (told: RestoreDirective | undefined) =>
      generation === undefined || (told !== undefined && told.generation >= generation)
    if (!isTold(restoreOf(directives))) {
      log(`Waits to be told what generation ${generation} of the deployment begins with (${directives.place})`)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const stop = directives.watch(() => {
        try {
          if (isTold(restoreOf(directives))) resolve()
        } catch (error) {
          reject(error)
        }
      })
      await Promise.all([promise, onWait?.()]).finally(stop)
    }
    const told = restoreOf(directives)
    if (generation !== undefined && told!.generation > generation)
      throw new TailraceError(
        'TR-HA-009',
        `Cannot begin the job of the deployment: this JobManager is of generation ${generation}, and ${directives.place} tells of ${told!.generation}; wanted: one of that generation`,
      )
    return told
  }

  /** Sets the parallelism, now and when it changes. One that is told no more stays. Returns how to stop. */
  followParallelism(): () => void {
    const { directives, setParallelism, log } = this.#options
    let last: number | undefined
    let said = ''
    const look = () => {
      try {
        const parallelism = parallelismOf(directives)
        said = ''
        if (parallelism === undefined || parallelism === last) return
        last = parallelism
        setParallelism(parallelism)
      } catch (error) {
        const { code, message } = errorToData(error)
        if (message !== said) log(`${code} ${message}`)
        said = message
      }
    }
    look()
    return directives.watch(look)
  }
}
