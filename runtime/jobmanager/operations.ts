/**
 * What users have asked for that takes its time: savepoints, checkpoints, stops [SV-09].
 *
 * Each has a trigger id, of the user's or made here. Asking again with the same id does nothing but find it, so a request whose answer was lost can be sent again. A result
 * is kept for a time after it is there, and of results no more than a bound.
 */
import type { Clock } from '../core/clock.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import type { OperationKind, OperationResult, OperationView } from '../rpc/views.ts'

/** `rest.async.store-duration`. */
export const OPERATION_KEPT_MS = 300_000
/** Results beyond this go before their time, the oldest first; when so many run, none begins. */
const KEPT_MAX = 1000

export interface OperationsOptions {
  clock: Clock
  newTriggerId(): string
  keptMs?: number
}

interface Operation {
  view: OperationView
  /** By the clock that never goes back; undefined while it runs. */
  endedMs: number | undefined
}

export class Operations {
  readonly #options: OperationsOptions
  readonly #operations = new Map<string, Operation>()

  constructor(options: OperationsOptions) {
    this.#options = options
  }

  /** Runs it, unless there is one with this id already. Gives its id. Throws TR-CHECKPOINT-001 when too many run. */
  start(
    jobId: string,
    kind: OperationKind,
    triggerId: string | undefined,
    run: () => Promise<OperationResult | undefined>,
  ): string {
    this.#forget()
    const id = triggerId ?? this.#options.newTriggerId()
    const key = `${jobId}/${kind}/${id}`
    if (this.#operations.has(key)) return id
    if (this.#operations.size > KEPT_MAX) throw tooMany()
    const operation: Operation = { view: { status: 'IN_PROGRESS' }, endedMs: undefined }
    this.#operations.set(key, operation)
    const end = (view: OperationView) => {
      operation.view = view
      operation.endedMs = this.#options.clock.monotonic()
    }
    run().then(
      (result) => end(result === undefined ? { status: 'COMPLETED' } : { status: 'COMPLETED', result }),
      (error) => end({ status: 'COMPLETED', error: errorToData(error, 'TR-CHECKPOINT-001') }),
    )
    return id
  }

  /** undefined: there is none, or its result is too old. */
  view(jobId: string, kind: OperationKind, triggerId: string): OperationView | undefined {
    this.#forget()
    const operation = this.#operations.get(`${jobId}/${kind}/${triggerId}`)
    if (operation?.endedMs === undefined) return operation?.view
    return { ...operation.view, endedAgoMs: this.#options.clock.monotonic() - operation.endedMs }
  }

  #forget(): void {
    const { clock, keptMs = OPERATION_KEPT_MS } = this.#options
    const oldestMs = clock.monotonic() - keptMs
    for (const [key, { endedMs }] of this.#operations)
      if (endedMs !== undefined && (endedMs <= oldestMs || this.#operations.size > KEPT_MAX))
        this.#operations.delete(key)
  }
}

function tooMany(): TailraceError {
  const text = `Cannot begin: ${KEPT_MAX} checkpoints, savepoints and disposals that were asked for have not ended yet`
  return new TailraceError('TR-CHECKPOINT-001', text)
}
