/**
 * Ends what earlier attempts have left open: as long as a transaction is open, readers of committed records see nothing behind it.
 *
 * When a writer begins, the committers have been given everything that its checkpoint holds as prepared; that is left alone, whoever commits it. Everything else under the prefix
 * that belongs to a subtask which is this one by its number modulo the parallelism is taken over, which aborts what is open:
 * - what the brokers list as open, where they can and may tell;
 * - the ids of this subtask, and of those that the checkpoint knows of, one after the other until one was never used. A list is not enough: a thread that has just died may have
 *   sent what opens a transaction, and the broker may come to it after it has given the list.
 *
 * [KK-04, KK-05, KK-10]
 */
import type { KafkaClient } from '../client/client.ts'
import { CODE, isAuthorization, KafkaProtocolError } from '../client/codes.ts'
import { type ListedTransaction, listTransactionsProtocol } from '../client/list-transactions.ts'
import { idOf, type Producer, partsOf } from './transactions.ts'

export interface LingeringOptions {
  client: KafkaClient
  /** The sink's, and those that it had before. */
  prefixes: readonly string[]
  subtask: number
  parallelism: number
  /** Ids of handles that the checkpoint holds: they are committed, and must not be touched. */
  held: ReadonlySet<string>
  /** Most ids that a subtask was known to have used. */
  idsKnown: number
  /** The highest parallelism that is known. */
  parallelismKnown: number
  init(transactionalId: string): Promise<Producer>
}

const OPEN = new Set(['Ongoing', 'PrepareEpochFence'])

/** Returns the producers that are ours now, by id. */
export async function takeOver(options: LingeringOptions): Promise<Map<string, Producer>> {
  const { client, prefixes, subtask, parallelism, held, parallelismKnown, init } = options
  const taken = new Map<string, Producer>()
  const listed = await list(client)
  const open = (listed ?? [])
    .filter(({ transactionalId, state }) => OPEN.has(state) && !held.has(transactionalId))
    .map(({ transactionalId }) => transactionalId)
    .filter((id) => belongsTo(prefixes, id, subtask, parallelism))
  await Promise.all(open.map(async (id) => taken.set(id, await init(id))))
  for (const prefix of prefixes) {
    for (let of = subtask; of === subtask || of < parallelismKnown; of += parallelism)
      await probe(options, prefix, of, taken)
    // Without a list, subtasks that no checkpoint knows of are looked for, too.
    for (let of = Math.max(subtask, parallelismKnown); listed === undefined; of++) {
      if (of % parallelism === subtask && of !== subtask && !(await probe(options, prefix, of, taken))) break
    }
  }
  return taken
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

/** Of one subtask; whether it had used any. */
async function probe(
  { held, idsKnown, init }: LingeringOptions,
  prefix: string,
  of: number,
  taken: Map<string, Producer>,
): Promise<boolean> {
  let used = false
  for (let from = 0; ; ) {
    // At once, as far as they are known.
    const to = Math.max(idsKnown, from + 1)
    const ids = Array.from({ length: to - from }, (_, i) => idOf(prefix, of, from + i)).filter(
      (id) => !held.has(id) && !taken.has(id),
    )
    const producers = await Promise.all(ids.map(init))
    for (const [i, id] of ids.entries()) taken.set(id, producers[i]!)
    if (producers.some(({ epoch }) => epoch > 0)) used = true
    from = to
    if (producers.at(-1)?.epoch === 0) return used
  }
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
