/**
 * The transactions of one writer: which transactional ids it uses, when one may be used again, and what becomes of them. Its committer has a part in it.
 *
 * Ids are `<prefix>-<subtask>-<n>`, few and used again and again: brokers remember every id for a week. Each use begins with InitProducerId, which raises the
 * epoch: whoever holds an older handle of the id (an older savepoint, a writer that should be dead) is fenced, and can neither write nor commit.
 *
 * So an id must not be used again while a checkpoint that the job may go on from still has its handle as not committed, or the job could not start:
 * - prepared: until it is committed, and a checkpoint that was taken after that is complete;
 * - in the checkpoint that the job went on from: never in this attempt; and as long as a committer may have to ask for it, the checkpoints of this attempt hold it, too: the
 *   next attempt would use it again, or abort it as one that lingers.
 *
 * [KK-03, KK-07, KK-09, KK-10]
 */

/** What is stored of a transaction that is prepared. */
export interface TransactionHandle {
  transactionalId: string
  /** An int64. */
  producerId: string
  epoch: number
}

/** What a writer stores; each restored one gets those of all. */
export interface KafkaWriterState {
  prefix: string
  subtask: number
  /** Of the writers together. */
  parallelism: number
  /** Ids of this subtask up to here (exclusive) were used. */
  ids: number
  /** Prepared and perhaps not committed. */
  handles: TransactionHandle[]
}

/** A transactional id in use: the sequence numbers of its batches go on from one to the next. */
export interface Producer {
  /** null: no transactions. */
  readonly transactionalId: string | null
  readonly producerId: bigint
  readonly epoch: number
  /** Next sequence number by partition id. */
  readonly sequences: Map<string, number>
}

interface Id {
  n: number
  /** A checkpoint that was taken when it was committed already. */
  freeAfter: number | undefined
  committed: boolean
  transactionalId: string
  handle: Promise<TransactionHandle>
}

export class Transactions {
  readonly #init: (transactionalId: string) => Promise<Producer>
  readonly #prefix: string
  readonly #subtask: number
  readonly #parallelism: number
  readonly #reserved = new Set<string>()
  readonly #made = new Map<string, Producer>()
  /** By id. */
  readonly #carried = new Map<string, TransactionHandle>()
  /** Prepared, in the order of checkpoints. */
  #prepared: Id[] = []
  readonly #free: number[] = []
  #next = 0
  /** The next producer, made before it is needed. */
  #spare: { n: number; producer: Promise<Producer> } | undefined

  constructor(
    prefix: string,
    subtask: number,
    parallelism: number,
    init: (transactionalId: string) => Promise<Producer>,
  ) {
    this.#prefix = prefix
    this.#subtask = subtask
    this.#parallelism = parallelism
    this.#init = init
  }

  /** Ids that a checkpoint holds: not for use in this attempt. */
  reserve(transactionalIds: Iterable<string>): void {
    for (const id of transactionalIds) this.#reserved.add(id)
  }

  /** Producers that were made already, by id: those of this subtask need not be made again. */
  use(producers: ReadonlyMap<string, Producer>): void {
    for (const [id, producer] of producers) this.#made.set(id, producer)
  }

  /** Handles of the checkpoint that the job went on from: they are stored until they are known to be committed. */
  carry(handles: Iterable<TransactionHandle>): void {
    for (const handle of handles) this.#carried.set(handle.transactionalId, handle)
  }

  /** The producer for the next transaction. */
  begin(): { n: number; producer: Promise<Producer> } {
    const next = this.#spare ?? this.#make()
    this.#spare = undefined
    return next
  }

  /** Makes the producer of the transaction after this one now, so that it need not be waited for. */
  prepareNext(): void {
    this.#spare ??= this.#make()
  }

  /** Everything of the transaction is with the brokers, or will be before the checkpoint is acknowledged. */
  prepare(n: number, handle: Promise<TransactionHandle>): void {
    const transactionalId = idOf(this.#prefix, this.#subtask, n)
    this.#prepared.push({ n, transactionalId, handle, committed: false, freeAfter: undefined })
  }

  /** By the committer. */
  committed(transactionalId: string): void {
    this.#carried.delete(transactionalId)
    for (const id of this.#prepared) {
      if (id.transactionalId !== transactionalId) continue
      id.committed = true
      // Committers go from the oldest checkpoint to the newest: this one has nothing left of those before.
      this.#carried.clear()
    }
  }

  /** An id that this writer has used, or made ready. */
  hasBegun(transactionalId: string): boolean {
    const parts = partsOf(this.#prefix, transactionalId)
    return parts?.subtask === this.#subtask && parts.n < this.#next
  }

  /** Takes what a checkpoint must know. */
  async snapshot(checkpointId: number): Promise<KafkaWriterState> {
    for (const id of this.#prepared) if (id.committed) id.freeAfter ??= checkpointId
    const ids = this.#next
    const carried = [...this.#carried.values()]
    const prepared = await Promise.all(this.#prepared.filter((id) => !id.committed).map(({ handle }) => handle))
    const handles = [...carried, ...prepared]
    return { prefix: this.#prefix, subtask: this.#subtask, parallelism: this.#parallelism, ids, handles }
  }

  /** Everything up to this checkpoint is complete. */
  complete(checkpointId: number): void {
    const free = this.#prepared.filter(({ freeAfter }) => freeAfter !== undefined && freeAfter <= checkpointId)
    if (free.length === 0) return
    this.#prepared = this.#prepared.filter((id) => !free.includes(id))
    for (const { n } of free) this.#free.push(n)
  }

  #make(): { n: number; producer: Promise<Producer> } {
    const n = this.#lowestFree()
    const id = idOf(this.#prefix, this.#subtask, n)
    const made = this.#made.get(id)
    // Once: the next use begins with a new epoch.
    this.#made.delete(id)
    const producer = made === undefined ? this.#init(id) : Promise.resolve(made)
    // Whoever waits for it is told.
    producer.catch(() => {})
    return { n, producer }
  }

  #lowestFree(): number {
    if (this.#free.length > 0) {
      this.#free.sort((a, b) => a - b)
      return this.#free.shift()!
    }
    while (this.#reserved.has(idOf(this.#prefix, this.#subtask, this.#next))) this.#next++
    return this.#next++
  }
}

export const idOf = (prefix: string, subtask: number, n: number): string => `${prefix}-${subtask}-${n}`

/** The parts of an id with this prefix; undefined: it is someone else's. */
export function partsOf(prefix: string, transactionalId: string): { subtask: number; n: number } | undefined {
  if (!transactionalId.startsWith(`${prefix}-`)) return undefined
  const found = /^(\d+)-(\d+)$/.exec(transactionalId.slice(prefix.length + 1))
  return found === null ? undefined : { subtask: Number(found[1]), n: Number(found[2]) }
}
