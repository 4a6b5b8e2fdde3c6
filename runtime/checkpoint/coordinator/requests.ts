/** What users have asked for and has not begun yet, and how the job is being stopped. */
import type { Asker } from './pending-checkpoint.ts'

export type CheckpointResult = { checkpointId: number; path: string }

/** A stop with a savepoint, from the request to the job's end. */
export interface Stop {
  readonly drain: boolean
  readonly directory: string
  readonly result: PromiseWithResolvers<CheckpointResult>
  /** Once the savepoint is there. */
  taken: CheckpointResult | undefined
  /** Prevents that the draining is given up. */
  stopExpiry: () => void
}

export class Requests {
  #checkpoint: Asker[] = []
  #savepoints: { directory: string; asker: Asker }[] = []
  stop: Stop | undefined

  get wantsCheckpoint(): boolean {
    return this.#checkpoint.length > 0
  }
  get wantsSavepoint(): boolean {
    return this.#savepoints.length > 0
  }

  checkpoint(): Promise<CheckpointResult> {
    const { promise, asker } = newAsker()
    this.#checkpoint.push(asker)
    return promise
  }
  savepoint(directory: string): Promise<CheckpointResult> {
    const { promise, asker } = newAsker()
    this.#savepoints.push({ directory, asker })
    return promise
  }

  /** All who want a checkpoint: any one serves them. */
  takeCheckpointAskers(): Asker[] {
    return this.#checkpoint.splice(0)
  }
  takeSavepoint(): { directory: string; asker: Asker } {
    return this.#savepoints.shift()!
  }

  /** It came to nothing for no fault of its own: they ask again. */
  again(askers: readonly Asker[], directory: string | undefined): void {
    if (directory === undefined) this.#checkpoint.unshift(...askers)
    else this.#savepoints.unshift(...askers.map((asker) => ({ directory, asker })))
  }

  /** But for the stop. */
  failAll(error: Error): void {
    for (const { asker } of this.#savepoints.splice(0)) asker.failed(error)
    for (const asker of this.#checkpoint.splice(0)) asker.failed(error)
  }
}

function newAsker(): { promise: Promise<CheckpointResult>; asker: Asker } {
  const { promise, resolve, reject } = Promise.withResolvers<CheckpointResult>()
  return { promise, asker: { complete: resolve, failed: reject } }
}
