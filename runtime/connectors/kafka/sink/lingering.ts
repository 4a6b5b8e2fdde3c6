/**
 * Ends what earlier attempts have left open: as long as a transaction is open, readers of committed records see nothing behind it.
 *
 * When a writer begins, the committers have been given everything that its checkpoint holds as prepared; that is left alone, whoever commits it. What else is open under the prefix,
 * and belongs to a subtask that is this one by its number modulo the parallelism, is aborted, by taking the id over. The brokers list what is open; where they cannot, or may not
 * tell, ids are taken over one after the other until one was never used.
 *
 * [KK-04, KK-05, KK-10]
 */
import type { KafkaClient } from '../client/client.ts'
import { isAuthorization, KafkaProtocolError } from '../client/codes.ts'
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
  /** Most ids that a subtask was known to have used, and the highest parallelism; for brokers that cannot list. */
  idsKnown: number
  parallelismKnown: number
  init(transactionalId: string): Promise<Producer>
}

const OPEN = new Set(['Ongoing', 'PrepareEpochFence'])

/** Returns the ids that were aborted. */
export async function abortLingering(options: LingeringOptions): Promise<string[]> {
  const { client, prefixes, subtask, parallelism, held, init } = options
  const listed = await list(client)
  if (listed === undefined) return probe(options)
  const mine = listed.filter(({ transactionalId, state }) => {
    if (!OPEN.has(state) || held.has(transactionalId)) return false
    return prefixes.some((prefix) => {
      const parts = partsOf(prefix, transactionalId)
      return parts !== undefined && parts.subtask % parallelism === subtask
    })
  })
  await Promise.all(mine.map(({ transactionalId }) => init(transactionalId)))
  return mine.map(({ transactionalId }) => transactionalId)
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
    // Brokers before 3.0 close the connection or refuse the version; rights may be lacking.
    if (cause instanceof KafkaProtocolError && (isAuthorization(cause.code) || cause.code === 35)) return undefined
    throw error
  }
}

/** Takes over ids from 0 on, at least as many as are known to have been used, until one is new. */
async function probe({
  prefixes,
  subtask,
  parallelism,
  held,
  idsKnown,
  parallelismKnown,
  init,
}: LingeringOptions): Promise<string[]> {
  const taken: string[] = []
  for (const prefix of prefixes) {
    for (let of = subtask; ; of += parallelism) {
      let used = 0
      for (let n = 0; ; n++) {
        const id = idOf(prefix, of, n)
        if (held.has(id)) continue
        const { epoch } = await init(id)
        if (epoch > 0) {
          used++
          taken.push(id)
        } else if (n >= idsKnown) break
      }
      if (used === 0 && of + parallelism >= parallelismKnown) break
    }
  }
  return taken
}
