/**
 * Sinks into the {@link Ledger}, one for each way in which a sink can keep its promise.
 *
 * - direct: shows what it is flushed; at least once.
 * - two-phase: a batch per barrier, sent before the acknowledgement; shown by the committer.
 * - quick: the same, with batches that are with the ledger at once.
 * - carrying: keeps a part of its records beyond the barrier, in writer state.
 * - global: batches of all subtasks are shown in one place.
 */
import type { CommitRequest, Committer, Sink, SinkContext, SinkWriter } from '../../core/sink.ts'
import type { Here } from './here.ts'

export type SinkKind = 'direct' | 'two-phase' | 'quick' | 'carrying' | 'global'

export const SINK_KINDS: readonly SinkKind[] = ['direct', 'two-phase', 'quick', 'carrying', 'global']

/** @param name unique in the job */
export function ledgerSink(name: string, kind: SinkKind, here: Here): Sink<string, string, string> {
  const describe = () => `ledger(${name}, ${kind})`
  if (kind === 'direct') return { createWriter: () => new DirectWriter(here), describe }
  const createWriter = () => new BatchWriter(name, kind, here, [])
  const committer = () => new LedgerCommitter(here)
  return {
    createWriter,
    ...(kind === 'carrying'
      ? { restoreWriter: (_: SinkContext, open: string[]) => new BatchWriter(name, kind, here, open) }
      : {}),
    ...(kind === 'global' ? { createGlobalCommitter: committer } : { createCommitter: committer }),
    describe,
  }
}

class DirectWriter implements SinkWriter<string> {
  readonly #here: Here
  #open: string[] = []
  constructor(here: Here) {
    this.#here = here
  }
  write(value: string): void {
    this.#open.push(value)
  }
  async flush(): Promise<void> {
    const values = this.#open
    this.#open = []
    if (values.length > 0) await this.#here.ledger.show(this.#here.party, values)
  }
  close(): void {}
}

/** How many of its records a carrying writer keeps back. */
const CARRIED_MAX = 3

class BatchWriter implements SinkWriter<string, string, string> {
  readonly #name: string
  readonly #kind: SinkKind
  readonly #here: Here
  #open: string[]
  #ended = false
  readonly snapshotState?: () => readonly string[]

  constructor(name: string, kind: SinkKind, here: Here, open: readonly string[]) {
    this.#name = name
    this.#kind = kind
    this.#here = here
    this.#open = [...open]
    if (kind === 'carrying') this.snapshotState = () => [...this.#open]
  }

  write(value: string): void {
    this.#open.push(value)
  }
  flush(endOfInput: boolean): void {
    this.#ended ||= endOfInput
  }

  prepareCommit(): readonly string[] | Promise<readonly string[]> {
    const keep = this.#kind === 'carrying' && !this.#ended ? Math.min(CARRIED_MAX, this.#open.length) : 0
    const values = this.#open
    this.#open = values.splice(values.length - keep)
    if (values.length === 0) return []
    const { ledger, party, planted, world } = this.#here
    const batch = `${this.#name}-${world.random.hex(8)}`
    if (this.#kind === 'quick') {
      ledger.prepareNow(batch, values)
      return [batch]
    }
    return ledger.prepare(party, batch, values).then(async () => {
      if (planted !== 'a sink commits early') return [batch]
      await ledger.commit(party, batch)
      return []
    })
  }

  close(): void {}
}

class LedgerCommitter implements Committer<string> {
  readonly #here: Here
  constructor(here: Here) {
    this.#here = here
  }

  async commit(requests: readonly CommitRequest<string>[]): Promise<void> {
    const { ledger, party, planted } = this.#here
    if (planted === 'a sink forgets to commit') return
    await Promise.all(
      requests.map(async (request) => {
        try {
          if (await ledger.commit(party, request.committable)) request.alreadyCommitted()
        } catch (error) {
          request.retryLater(error)
        }
      }),
    )
  }
}
