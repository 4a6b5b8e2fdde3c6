/**
 * One long poll per deployment: what its JobManager says, as soon as it says it.
 *
 * What must hold: the view is gone when nobody answers, so that nothing is decided by a JobManager that is not there; one request at a time. A request to a pod that is gone may get no answer and no end, so another pod ends it.
 */
import type { Schedule } from '../../../runtime/core/clock.ts'
import type { ClusterView } from './facts.ts'
import type { JobManagerClient } from './job-manager-client.ts'

export interface ClusterWatchOptions {
  client: JobManagerClient
  schedule: Schedule
  /** Something is different from before. */
  changed(): void
  waitMs?: number
}

const WAIT_MS = 30_000
const RETRY_FIRST_MS = 250
const RETRY_MAX_MS = 5_000

export class ClusterWatch {
  /** Resolves when somebody was asked once, whether they have answered or not. */
  readonly asked: Promise<void>
  readonly #setAsked: () => void
  readonly #options: ClusterWatchOptions
  readonly #abort = new AbortController()
  #view: ClusterView | undefined
  #failures = 0
  #stopWaiting: (() => void) | undefined
  #request = new AbortController()

  constructor(options: ClusterWatchOptions) {
    this.#options = options
    const { promise, resolve } = Promise.withResolvers<void>()
    this.asked = promise
    this.#setAsked = resolve
    void this.#run()
  }

  get view(): ClusterView | undefined {
    return this.#view
  }

  /** Another one may answer now: a pod has come, or gone. */
  hurry(): void {
    this.#failures = 0
    this.#stopWaiting?.()
    this.#request.abort()
  }

  close(): void {
    this.#abort.abort()
    this.#setAsked()
    this.#stopWaiting?.()
  }

  async #run(): Promise<void> {
    const { client, changed, waitMs = WAIT_MS } = this.#options
    const { signal } = this.#abort
    let since: number | undefined
    while (!signal.aborted) {
      this.#request = new AbortController()
      const request = this.#request.signal
      const answer = await client.changes(since, waitMs, AbortSignal.any([signal, request]))
      if (signal.aborted) return
      if (answer === undefined && request.aborted) continue
      if (answer === undefined) {
        this.#setAsked()
        since = undefined
        if (this.#view !== undefined) {
          this.#view = undefined
          changed()
        }
        await this.#pause()
        continue
      }
      this.#failures = 0
      if (answer.version !== since) {
        this.#view = answer
        this.#setAsked()
        changed()
      }
      since = answer.version
    }
  }

  #pause(): Promise<void> {
    const ms = Math.min(RETRY_FIRST_MS * 2 ** this.#failures++, RETRY_MAX_MS)
    return new Promise((resolve) => {
      const stop = this.#options.schedule(ms, resolve)
      this.#stopWaiting = () => {
        stop()
        resolve()
      }
    })
  }
}
