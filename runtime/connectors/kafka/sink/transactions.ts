/**
 * The transactions of one writer: which transactional ids it uses, when one may be used again, and what becomes of them. Its committer has a part in it.
 *
 * Ids are few and used again and again (transactional-ids.ts). Each use begins with InitProducerId, which raises the epoch: whoever holds an older handle of the id (an older savepoint, a
 * writer that should be dead) is fenced, and can neither write nor commit. So would we be, if a request without an answer were executed after its second try: an id whose InitProducerId was not answered
 * is not used any more in this attempt.
 *
 * And an id must not be used again while a checkpoint that the job may go on from still has its handle as not committed, or the job could not start:
 * - prepared: until it is committed, and a checkpoint that was taken after that is complete;
 * - in the checkpoint that the job went on from: never in this attempt; and as long as a committer may have to ask for it, the checkpoints of this attempt hold it, too: the
 *   next attempt would use it again, or abort it as one that lingers.
 *
 * [KK-03, KK-07, KK-09, KK-10]
 */
import { compareGenerations, type Generation, idOf, partsOf } from './transactional-ids.ts'

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
  /** Numbers of ids of this subtask up to here (exclusive) were used. */
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

export interface TransactionsOptions {
  prefix: string
  /** undefined: ids have none. */
  generation: Generation | undefined
  subtask: number
  parallelism: number
  /** Begins under the id that `nextId` gives, and when nobody knows what has become of a try, under the next one. */
  begin(nextId: () => string): Promise<Producer>
}

interface Prepared {
  handle: Promise<TransactionHandle>
  /** Known before anyone is given the handle. */
  transactionalId: string | undefined
  committed: boolean
  /** A checkpoint that was taken when it was committed already. */
  freeAfter: number | undefined
}

export class Transactions {
  readonly #options: TransactionsOptions
  /** Ids that are not for use in this attempt. */
  readonly #setAside = new Set<string>()
  /** By id. */
  readonly #carried = new Map<string, TransactionHandle>()
  /** In the order of checkpoints. */
  #prepared: Prepared[] = []
  readonly #free: number[] = []
  #next = 0
  /** The next producer, made before it is needed. */
  #spare: Promise<Producer> | undefined
  /** Who waits for a checkpoint that begins after they asked; undefined: none has begun. */
  #waiting: { checkpointId: number | undefined; resolve(): void }[] = []

  constructor(options: TransactionsOptions) {
    this.#options = options
  }

  /** Handles of the checkpoint that the job went on from: they are stored until they are known to be committed. */
  carry(handles: Iterable<TransactionHandle>): void {
    for (const handle of handles) this.#carried.set(handle.transactionalId, handle)
  }

  /** From now on this attempt does not begin with this id. False: it has done so already. */
  setAside(transactionalId: string): boolean {
    if (this.#hasBegun(transactionalId)) return false
    this.#setAside.add(transactionalId)
    return true
  }

  /** The producer for the next transaction. */
  begin(): Promise<Producer> {
    const next = this.#spare ?? this.#make()
    this.#spare = undefined
    return next
  }

  /** Makes the producer of the transaction after this one now, so that it need not be waited for. */
  prepareNext(): void {
    this.#spare ??= this.#make()
  }

  /** Everything of the transaction is with the brokers, or will be before the checkpoint is acknowledged. */
  prepare(handle: Promise<TransactionHandle>): void {
    const prepared: Prepared = { handle, transactionalId: undefined, committed: false, freeAfter: undefined }
    this.#prepared.push(prepared)
    handle.then(
      ({ transactionalId }) => {
        prepared.transactionalId = transactionalId
      },
      // Whoever waits for it is told.
      () => {},
    )
  }

  /** By the committer. */
  committed(transactionalId: string): void {
    this.#carried.delete(transactionalId)
    for (const prepared of this.#prepared) {
      if (prepared.transactionalId !== transactionalId) continue
      prepared.committed = true
      // Committers go from the oldest checkpoint to the newest: this one has nothing left of those before.
      this.#carried.clear()
    }
  }

  /** Takes what a checkpoint must know. */
  async snapshot(checkpointId: number): Promise<KafkaWriterState> {
    for (const prepared of this.#prepared) if (prepared.committed) prepared.freeAfter ??= checkpointId
    for (const waiter of this.#waiting) waiter.checkpointId ??= checkpointId
    const { prefix, subtask, parallelism } = this.#options
    const ids = this.#next
    const carried = [...this.#carried.values()]
    const prepared = await Promise.all(this.#prepared.filter((one) => !one.committed).map(({ handle }) => handle))
    return { prefix, subtask, parallelism, ids, handles: [...carried, ...prepared] }
  }

  /** Everything up to this checkpoint is complete. */
  complete(checkpointId: number): void {
    const isOver = (id: number | undefined) => id !== undefined && id <= checkpointId
    for (const waiter of this.#waiting) if (isOver(waiter.checkpointId)) waiter.resolve()
    this.#waiting = this.#waiting.filter((waiter) => !isOver(waiter.checkpointId))
    for (const { transactionalId, freeAfter } of this.#prepared)
      if (isOver(freeAfter)) this.#free.push(partsOf(this.#options.prefix, transactionalId!)!.n)
    this.#prepared = this.#prepared.filter(({ freeAfter }) => !isOver(freeAfter))
  }

  /** A checkpoint that begins after this call is complete: until it began, nobody has taken the job over from this attempt. Never, where nothing is written. */
  stillOurs(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ checkpointId: undefined, resolve }))
  }

  #hasBegun(transactionalId: string): boolean {
    const { prefix, generation, subtask } = this.#options
    const parts = partsOf(prefix, transactionalId)
    if (parts?.subtask !== subtask || parts.n >= this.#next || this.#setAside.has(transactionalId)) return false
    if (parts.generation === undefined || generation === undefined) return parts.generation === generation
    return compareGenerations(parts.generation, generation) === 'same'
  }

  #make(): Promise<Producer> {
    const { prefix, generation, subtask, begin } = this.#options
    const producer = begin(() => idOf(prefix, generation, subtask, this.#lowestFree()))
    // Whoever waits for it is told.
    producer.catch(() => {})
    return producer
  }

  #lowestFree(): number {
    if (this.#free.length > 0) {
      this.#free.sort((a, b) => a - b)
      return this.#free.shift()!
    }
    const { prefix, generation, subtask } = this.#options
    while (this.#setAside.has(idOf(prefix, generation, subtask, this.#next))) this.#next++
    return this.#next++
  }
}
