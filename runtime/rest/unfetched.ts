/**
 * Results that somebody waits for. A job that is stopped may be the last of its cluster: the server then stays until whoever asked for the stop knows where the savepoint is.
 *
 * Bounded by its users' operations: what is fetched, or was not fetched for long, goes.
 */
import type { OperationView } from '../rpc/views.ts'

/** How often a server that ends looks. */
const POLL_MS = 20

export class Unfetched {
  readonly #operations = new Map<string, () => OperationView | undefined>()
  readonly #lingerMs: number

  /** A result that was not fetched for so long is not waited for. */
  constructor(lingerMs: number) {
    this.#lingerMs = lingerMs
  }

  /** `view` says how it is doing. */
  add(view: () => OperationView | undefined, key: string): void {
    for (const [other, viewOfOther] of this.#operations) if (this.#isOld(viewOfOther())) this.#operations.delete(other)
    this.#operations.set(key, view)
  }

  delete(key: string): void {
    this.#operations.delete(key)
  }

  /** Resolves when nobody is to be expected. What still runs is not waited for: it will have no result. */
  async gone(): Promise<void> {
    // What has just ended is known to its operation a few promises later.
    await new Promise((resolve) => setImmediate(resolve))
    while ([...this.#operations.values()].some((view) => this.#isWaitedFor(view())))
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }

  #isOld(view: OperationView | undefined): boolean {
    return view === undefined || (view.status === 'COMPLETED' && !this.#isWaitedFor(view))
  }
  #isWaitedFor(view: OperationView | undefined): boolean {
    return view?.endedAgoMs !== undefined && view.endedAgoMs < this.#lingerMs
  }
}
