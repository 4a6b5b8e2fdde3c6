/**
 * A system with transactions, in memory, and two-phase sinks of it, for the tests of sinks. It writes down every call, commits a transaction once, and
 * answers as a test wants.
 */
import type { CommitRequest, Committer, Sink, SinkWriter } from '../core/sink.ts'

/** What checkpoints hold of a transaction. */
export interface Transaction {
  id: string
  values: string[]
}

export class Ledger {
  /** `create`, `restore 2,3`, `commit 1: a b`, `global 1: a b`, … in the order in which they came. */
  readonly calls: string[] = []
  /** What a reader sees, in the order of commits. */
  readonly visible: string[] = []
  /** True: it has signalled the request, which is then not committed. */
  answer: (request: CommitRequest<Transaction>, who: 'commit' | 'global') => boolean = () => false
  /** Commits end only when this resolves. */
  slow: Promise<void> | undefined
  /** When set, what writers prepare is held back: `release` gives it. */
  hold = false
  readonly #held: { resolve(): void; reject(error: unknown): void }[] = []
  readonly #committed = new Set<string>()
  #transactions = 0

  sink(options: { committer?: boolean; global?: boolean } = {}): Sink<string, Transaction, number> {
    const committer = (who: 'commit' | 'global'): Committer<Transaction> => ({
      commit: (requests) => this.#commit(who, requests),
      close: () => {
        this.calls.push(`close ${who}`)
      },
    })
    return {
      createWriter: () => {
        this.calls.push('create')
        return this.#writer(0)
      },
      restoreWriter: (_context, states) => {
        this.calls.push(`restore ${states.join(',')}`)
        return this.#writer(states.reduce((sum, n) => sum + n, 0))
      },
      ...(options.committer === false ? {} : { createCommitter: () => committer('commit') }),
      ...(options.global === true ? { createGlobalCommitter: () => committer('global') } : {}),
    }
  }

  /** Ends (or fails) what has been held back the longest. */
  release(error?: unknown): void {
    const held = this.#held.shift()!
    if (error === undefined) held.resolve()
    else held.reject(error)
  }

  get held(): number {
    return this.#held.length
  }
  /** Its writer has died. */
  forgetHeld(): void {
    this.#held.length = 0
  }

  /** Its state is how many records it has seen. */
  #writer(seen: number): SinkWriter<string, Transaction, number> {
    let open: string[] = []
    return {
      write: (value) => {
        open.push(value)
        seen++
      },
      flush: (endOfInput) => {
        if (endOfInput) this.calls.push('flush at the end')
      },
      prepareCommit: () => {
        const transactions = open.length === 0 ? [] : [{ id: `t${++this.#transactions}`, values: open }]
        open = []
        if (!this.hold) return transactions
        return new Promise((resolve, reject) => this.#held.push({ resolve: () => resolve(transactions), reject }))
      },
      snapshotState: () => [seen],
      close: () => {
        this.calls.push('close')
      },
    }
  }

  async #commit(who: 'commit' | 'global', requests: readonly CommitRequest<Transaction>[]): Promise<void> {
    const checkpoints = [...new Set(requests.map((request) => request.checkpointId))]
    const values = requests.flatMap((request) => request.committable.values)
    this.calls.push(`${who} ${checkpoints.join('+')}: ${values.join(' ')}`)
    await this.slow
    for (const request of requests) {
      if (this.answer(request, who)) continue
      const key = `${who} ${request.committable.id}`
      if (this.#committed.has(key)) request.alreadyCommitted()
      else {
        this.#committed.add(key)
        if (who === 'commit') this.visible.push(...request.committable.values)
      }
    }
  }
}
