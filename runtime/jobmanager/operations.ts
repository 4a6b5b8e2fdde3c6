/**
 * What users have asked for that takes its time: savepoints, checkpoints, stops [SV-09].
 *
 * Each has a trigger id, of the user's or made here. Asking again with the same id does nothing but find it, so a request whose answer was lost can be sent again. A result
 * is kept for a time after it is there, and of results no more than a bound. Where something outlives this JobManager, checkpoints, savepoints and stops under an id of the user's are kept there before they begin and
 * when they are done: they are done once for all JobManagers. One that was lost with its JobManager says so (TR-HA-010), and begins again when it is asked for again: nobody was told of what it had written.
 */
import type { Clock } from '../core/clock.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { isLost, type OperationKind, type OperationResult, type OperationView } from '../rpc/views.ts'

/** `rest.async.store-duration`. */
export const OPERATION_KEPT_MS = 300_000
/** Results beyond this go before their time, the oldest first; when so many run, none begins. */
const KEPT_MAX = 1000

/** As the next JobManager finds it. */
export interface KeptOperation {
  kind: 'checkpoint' | 'savepoint' | 'stop'
  triggerId: string
  state: 'begun' | 'done' | 'failed'
  /** What was taken; of a stop that is `begun` it counts if the job has finished. */
  taken?: OperationResult | undefined
  error?: { code: string; message: string } | undefined
}

/** What outlives this JobManager of operations. */
export interface KeptOperations {
  /** undefined: there is none. One that is `begun`, and that this JobManager does not run, has come to its end all the same. */
  find(jobId: string, kind: OperationKind, triggerId: string): OperationView | undefined
  keep(jobId: string, operation: KeptOperation): Promise<void>
}

export interface OperationsOptions {
  clock: Clock
  newTriggerId(): string
  kept?: KeptOperations | undefined
  /** One has come to its end. */
  onEnd?(): void
  keptMs?: number
}

interface Operation {
  jobId: string
  /** As it is kept for the next JobManager, if it is. */
  kept: KeptOperation | undefined
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
    const { kept } = this.#options
    const known = this.#operations.has(key) ? undefined : kept?.find(jobId, kind, id)
    if (this.#operations.has(key) || (known !== undefined && !isLost(known))) return id
    if (this.#operations.size > KEPT_MAX) throw tooMany()
    const isKept = kept !== undefined && triggerId !== undefined && isKeptKind(kind)
    const operation: Operation = {
      jobId,
      kept: isKept ? { kind, triggerId, state: 'begun' } : undefined,
      view: { status: 'IN_PROGRESS' },
      endedMs: undefined,
    }
    this.#operations.set(key, operation)
    const end = (view: OperationView) => {
      operation.view = view
      operation.endedMs = this.#options.clock.monotonic()
      this.#options.onEnd?.()
    }
    const begun = isKept ? this.#keep(operation, {}).then(run) : run()
    begun.then(
      async (result) => {
        await this.#keep(operation, { state: 'done', taken: result }).catch(() => {})
        end(result === undefined ? { status: 'COMPLETED' } : { status: 'COMPLETED', result })
      },
      async (failure) => {
        const error = errorToData(failure, 'TR-CHECKPOINT-001')
        const { code, message } = error
        await this.#keep(operation, { state: 'failed', error: { code, message } }).catch(() => {})
        end({ status: 'COMPLETED', error })
      },
    )
    return id
  }

  /** The job has finished behind this savepoint, though that was not told yet: whoever comes next knows it. */
  async stops(jobId: string, taken: OperationResult): Promise<void> {
    const stop = [...this.#operations.values()].find(
      ({ jobId: id, kept, endedMs }) => id === jobId && kept?.kind === 'stop' && endedMs === undefined,
    )
    if (stop !== undefined) await this.#keep(stop, { taken })
  }

  async #keep(operation: Operation, change: Partial<KeptOperation>): Promise<void> {
    const { jobId, kept } = operation
    if (kept === undefined) return
    operation.kept = { ...kept, ...change }
    await this.#options.kept!.keep(jobId, operation.kept)
  }

  /** undefined: there is none, or its result is too old. */
  view(jobId: string, kind: OperationKind, triggerId: string): OperationView | undefined {
    this.#forget()
    const operation = this.#operations.get(`${jobId}/${kind}/${triggerId}`)
    if (operation === undefined) return this.#options.kept?.find(jobId, kind, triggerId)
    if (operation.endedMs === undefined) return operation.view
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

function isKeptKind(kind: OperationKind): kind is KeptOperation['kind'] {
  return kind === 'checkpoint' || kind === 'savepoint' || kind === 'stop'
}

function tooMany(): TailraceError {
  const text = `Cannot begin: ${KEPT_MAX} checkpoints, savepoints and disposals that were asked for have not ended yet`
  return new TailraceError('TR-CHECKPOINT-001', text)
}
