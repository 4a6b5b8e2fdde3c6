/**
 * Ends what earlier attempts have left open: as long as a transaction is open, readers of committed records see nothing behind it.
 *
 * When a writer begins, the committers have been given everything that its checkpoint holds as prepared; that is left alone, whoever commits it, unless its id was used again since: where
 * a job goes on from an older checkpoint, what is open under the id is another transaction, which nobody would end. Everything else under the prefix that belongs to a subtask which is
 * this one by its number modulo the parallelism is taken over, which aborts what is open:
 * - what the brokers list as open;
 * - the first ids of this subtask, and of those that the checkpoint knows of: a thread that has just died may have sent what opens a transaction, and the broker may come to it after
 *   it has given the list. These are the ids that are used most, and they are used again at once;
 * - what is listed a while later, for the ids behind those.
 *
 * Brokers before 3.0 have no list, and some may not tell: then ids are taken over one after the other until one was never used.
 *
 * [KK-04, KK-05, KK-10]
 */
import type { KafkaClient } from '../client/client.ts'
import { CODE, isAuthorization, isFenced, isRetriable, KafkaProtocolError } from '../client/codes.ts'
import { type ListedTransaction, listTransactionsProtocol } from '../client/list-transactions.ts'
import { endTransaction } from './requests.ts'
import { idOf, type Producer, partsOf, type TransactionHandle } from './transactions.ts'

export interface LingeringOptions {
  client: KafkaClient
  /** The sink's, and those that it had before. */
  prefixes: readonly string[]
  subtask: number
  parallelism: number
  /** Handles that the checkpoint holds, by id: they are committed, and must not be touched. */
  held: ReadonlyMap<string, TransactionHandle>
  /** Most ids that a subtask was known to have used. */
  idsKnown: number
  /** The highest parallelism that is known. */
  parallelismKnown: number
  init(transactionalId: string): Promise<Producer>
}

/** Of a writer whose checkpoints complete: one is written, one is ready, one is prepared, and one waits for the next checkpoint. */
const IDS_OF_A_WRITER = 4
const OPEN = new Set(['Ongoing', 'PrepareEpochFence'])

/** Returns the producers that are ours now, by id. */
export async function takeOver(options: LingeringOptions): Promise<Map<string, Producer>> {
  const { client, prefixes, subtask, parallelism, idsKnown, parallelismKnown } = options
  const taken = new Map<string, Producer>()
  const listed = await list(client)
  for (const id of openOf(options, listed ?? [])) taken.set(id, await options.init(id))
  await endUsedAgain(options, listed)
  for (const prefix of prefixes) {
    for (let of = subtask; of === subtask || of < parallelismKnown; of += parallelism) {
      if (listed === undefined) await probe(options, prefix, of, taken)
      else await takeIds(options, prefix, of, 0, Math.max(IDS_OF_A_WRITER, idsKnown), taken)
    }
    // Without a list, subtasks that no checkpoint knows of are looked for, too.
    let of = subtask + parallelism * Math.max(1, Math.ceil((parallelismKnown - subtask) / parallelism))
    while (listed === undefined && (await probe(options, prefix, of, taken))) of += parallelism
  }
  return taken
}

/** Ends what has come to the brokers after the list of {@link takeOver}. `isOurs`: ids that this attempt has begun with. */
export async function takeOverLate(
  options: LingeringOptions,
  isOurs: (transactionalId: string) => boolean,
): Promise<void> {
  const listed = (await list(options.client)) ?? []
  const late = openOf(options, listed).filter((id) => !isOurs(id))
  await Promise.all([...late.map((id) => options.init(id)), endUsedAgain(options, listed)])
}

/** Ids that belong to this subtask and are open, without those of handles. */
const openOf = (options: LingeringOptions, listed: readonly ListedTransaction[]): string[] =>
  listed
    .filter(({ transactionalId, state }) => OPEN.has(state) && !options.held.has(transactionalId))
    .map(({ transactionalId }) => transactionalId)
    .filter((id) => isMine(options, id))

const isMine = ({ prefixes, subtask, parallelism }: LingeringOptions, transactionalId: string): boolean =>
  belongsTo(prefixes, transactionalId, subtask, parallelism)

/** Ends what is open under ids of handles without being theirs: a handle that is fenced was committed before, or is lost anyway. Committing one again changes nothing. */
async function endUsedAgain(
  options: LingeringOptions,
  listed: readonly ListedTransaction[] | undefined,
): Promise<void> {
  const { client, held, init } = options
  const open = listed?.filter(({ state }) => OPEN.has(state)).map(({ transactionalId }) => transactionalId)
  const mine = (open ?? [...held.keys()]).filter((id) => held.has(id) && isMine(options, id))
  await Promise.all(
    mine.map(async (id) => {
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

/** An id of one of the prefixes, whose subtask is this one modulo the parallelism. */
export function belongsTo(
  prefixes: readonly string[],
  transactionalId: string,
  subtask: number,
  parallelism: number,
): boolean {
  return prefixes.some((prefix) => {
    const parts = partsOf(prefix, transactionalId)
    return parts !== undefined && parts.subtask % parallelism === subtask
  })
}

/** Takes over all ids of one subtask up to one that was never used; whether it had used any. */
async function probe(
  options: LingeringOptions,
  prefix: string,
  of: number,
  taken: Map<string, Producer>,
): Promise<boolean> {
  let used = false
  for (let from = 0; ; ) {
    // At once, as far as they are known.
    const to = Math.max(options.idsKnown, from + 1)
    const producers = await takeIds(options, prefix, of, from, to, taken)
    if (producers.some(({ epoch }) => epoch > 0)) used = true
    if (producers.at(-1)?.epoch === 0) return used
    from = to
  }
}

async function takeIds(
  { held, init }: LingeringOptions,
  prefix: string,
  of: number,
  from: number,
  to: number,
  taken: Map<string, Producer>,
): Promise<Producer[]> {
  const ids = Array.from({ length: to - from }, (_, i) => idOf(prefix, of, from + i)).filter(
    (id) => !held.has(id) && !taken.has(id),
  )
  const producers = await Promise.all(ids.map(init))
  for (const [i, id] of ids.entries()) taken.set(id, producers[i]!)
  return producers
}

/** What all brokers coordinate; undefined: one cannot tell. */
async function list(client: KafkaClient): Promise<ListedTransaction[] | undefined> {
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
