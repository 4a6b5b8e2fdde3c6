/**
 * Ends what earlier attempts have left open: as long as a transaction is open, readers of committed records see nothing behind it.
 *
 * When a writer begins, the committers have been given everything that its checkpoint holds as prepared; that is left alone, whoever commits it, unless its id was used again since: where
 * a job goes on from an older checkpoint, what is open under the id is another transaction, which nobody would end. Everything else that the brokers list as open, under the prefix and of a
 * subtask that is this one by its number modulo the parallelism, is taken over by InitProducerId, which aborts it:
 * - of older generations (transactional-ids.ts) at once, and once more a while later: a thread that has just died may have sent what opens a transaction, and the broker may come to it
 *   after it has given the list. Of the generation before ours also what was begun and is not open yet: the thread may be alive, and cut off from all but Kafka;
 * - of our own generation, which is of a job that began anew, the same, with ids that we have not begun and from now on never will;
 * - of generations that may be newer only when a checkpoint that begins afterwards is complete. Either they are very old, or it is we who were superseded and do not know it yet; then none of
 *   ours becomes complete, and what we would have fenced is in use.
 *
 * Brokers before 3.0 have no list, and some may not tell. Then ids have no generation, and are taken over one after the other until one was never used. That cannot be made safe altogether: what
 * an attempt that is over has asked for may still come to a broker when the next one uses the same id, and fence it; its task fails, or, where it had come to a checkpoint, its commit (TR-SINK-002).
 *
 * [KK-04, KK-05, KK-10]
 */
import type { KafkaClient } from '../client/client.ts'
import { CODE, isAuthorization, isFenced, isRetriable, KafkaProtocolError } from '../client/codes.ts'
import { type ListedTransaction, listTransactionsProtocol } from '../client/list-transactions.ts'
import { endTransaction } from './requests.ts'
import { belongsTo, compareGenerations, type Generation, idOf, partsOf } from './transactional-ids.ts'
import type { Producer, TransactionHandle } from './transactions.ts'

export interface LingeringOptions {
  client: KafkaClient
  /** The sink's, and those that it had before. */
  prefixes: readonly string[]
  /** Of this attempt; undefined: brokers do not list. */
  generation: Generation | undefined
  subtask: number
  parallelism: number
  /** Handles that the checkpoint holds, by id: they are committed, and must not be touched. */
  held: ReadonlyMap<string, TransactionHandle>
  /** Most ids that a subtask was known to have used. */
  idsKnown: number
  /** The highest parallelism that is known. */
  parallelismKnown: number
  /** InitProducerId, until it is answered. */
  init(transactionalId: string): Promise<Producer>
  /** See {@link Transactions.setAside}. */
  setAside(transactionalId: string): boolean
}

const OPEN = new Set(['Ongoing', 'PrepareEpochFence'])
/** Begun, and nothing was added. */
const EMPTY = 'Empty'

/** What all brokers coordinate; undefined: one cannot tell. */
export async function listTransactions(client: KafkaClient): Promise<ListedTransaction[] | undefined> {
  try {
    return await client.retrying('list transactions', async () => {
      const nodes = await client.nodes()
      const answers = await Promise.all(nodes.map((node) => client.send(node, listTransactionsProtocol())))
      for (const { errorCode } of answers)
        if (errorCode !== 0) throw new KafkaProtocolError(errorCode, 'the list of transactions')
      return answers.flatMap(({ transactions }) => transactions as ListedTransaction[])
    })
  } catch (error) {
    const { cause } = error as { cause?: unknown }
    // Brokers before 3.0 do not know the request; rights may be lacking.
    if (cause instanceof KafkaProtocolError && (isAuthorization(cause.code) || cause.code === CODE.UNSUPPORTED_VERSION))
      return undefined
    throw error
  }
}

/** Ends what is open in a list that is given. Returns ids whose generation may be newer. */
export async function takeOver(options: LingeringOptions, listed: readonly ListedTransaction[]): Promise<string[]> {
  const { held, generation, init, setAside } = options
  const [prefix] = options.prefixes
  const now: string[] = []
  const later: string[] = []
  const usedAgain: string[] = []
  for (const { transactionalId: id, state } of listed) {
    if (!isMine(options, id)) continue
    const theirs = partsOf(prefix!, id)?.generation
    // Of another prefix, or of an attempt that had no list.
    const age = theirs === undefined || generation === undefined ? 'older' : compareGenerations(theirs, generation)
    if (!OPEN.has(state)) {
      if (state === EMPTY && age === 'before' && !held.has(id)) now.push(id)
    } else if (held.has(id)) usedAgain.push(id)
    else if (age === 'newer') later.push(id)
    else if (age !== 'same' || setAside(id)) now.push(id)
  }
  await Promise.all([...now.map(init), endUsedAgain(options, usedAgain)])
  return later
}

/** Takes over all ids that may have been used, where there is no list. */
export async function takeOverUnlisted(options: LingeringOptions): Promise<void> {
  const { held, prefixes, subtask, parallelism, parallelismKnown } = options
  await endUsedAgain(
    options,
    [...held.keys()].filter((id) => isMine(options, id)),
  )
  for (const prefix of prefixes) {
    let of = subtask
    for (; of === subtask || of < parallelismKnown; of += parallelism) await probe(options, prefix, of)
    // Subtasks that no checkpoint knows of, too.
    while (await probe(options, prefix, of)) of += parallelism
  }
}

const isMine = ({ prefixes, subtask, parallelism }: LingeringOptions, transactionalId: string): boolean =>
  belongsTo(prefixes, transactionalId, subtask, parallelism)

/** Ends what is open under ids of handles that are held, without being theirs: a handle that is fenced was committed before, or is lost anyway. Committing one again changes nothing. */
async function endUsedAgain({ client, held, init }: LingeringOptions, ids: readonly string[]): Promise<void> {
  await Promise.all(
    ids.map(async (id) => {
      const commit = async () => {
        const code = await endTransaction(client, held.get(id)!, true)
        if (isRetriable(code)) throw new KafkaProtocolError(code, `the transaction of "${id}"`)
        return code
      }
      const forget = () => client.forgetCoordinator('transaction', id)
      if (isFenced(await client.retrying(`commit the transaction of "${id}"`, commit, forget))) await init(id)
    }),
  )
}

/** Takes over all ids of one subtask up to one that was never used; whether it had used any. */
async function probe(options: LingeringOptions, prefix: string, of: number): Promise<boolean> {
  let used = false
  for (let from = 0; ; ) {
    // At once, as far as they are known.
    const to = Math.max(options.idsKnown, from + 1)
    const ids = Array.from({ length: to - from }, (_, i) => idOf(prefix, undefined, of, from + i)).filter(
      (id) => !options.held.has(id),
    )
    const producers = await Promise.all(ids.map(options.init))
    if (producers.some(({ epoch }) => epoch > 0)) used = true
    if (producers.at(-1)?.epoch === 0) return used
    from = to
  }
}
