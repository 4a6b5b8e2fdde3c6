/**
 * Commits transactions when their checkpoint is complete, of this attempt and of the ones before.
 *
 * Committing again what is committed succeeds; what can never be committed any more (taken over, given up by the broker) is told, and fails the job unless the user allows
 * to lose it [KK-11]. Everything of a transaction was acknowledged by the brokers before its checkpoint was, so nobody still sends into it.
 */
import type { CommitRequest, Committer } from '../../../core/sink.ts'
import type { KafkaClient } from '../client/client.ts'
import { CODE, codeText, isFenced, KafkaProtocolError } from '../client/codes.ts'
import { isFinal, kafkaFailure } from '../client/failures.ts'
import { endTransaction } from './requests.ts'
import type { TransactionHandle, Transactions } from './transactions.ts'

export class KafkaCommitter implements Committer<TransactionHandle> {
  readonly #client: KafkaClient
  readonly #transactions: () => Transactions | undefined

  /** @param transactions of the writer, once there is one */
  constructor(client: KafkaClient, transactions: () => Transactions | undefined) {
    this.#client = client
    this.#transactions = transactions
  }

  async commit(requests: readonly CommitRequest<TransactionHandle>[]): Promise<void> {
    const done = await Promise.all(requests.map((request) => this.#commit(request)))
    const transactions = this.#transactions()
    if (transactions === undefined) return
    // What belongs to a checkpoint is committed when it is complete.
    for (const { checkpointId } of requests) transactions.complete(checkpointId)
    for (const [i, { committable }] of requests.entries())
      if (done[i]) transactions.committed(committable.transactionalId)
  }

  async close(): Promise<void> {
    await this.#client.close()
  }

  async #commit(request: CommitRequest<TransactionHandle>): Promise<boolean> {
    const { transactionalId, producerId, epoch } = request.committable
    const which = `the transaction of "${transactionalId}" (producer ${producerId}, epoch ${epoch})`
    try {
      const code = await endTransaction(this.#client, request.committable, true)
      if (code === 0) return true
      if (isFenced(code) || code === CODE.INVALID_TXN_STATE) {
        request.failedWithKnownReason(
          `${which} was taken over, aborted by hand, or open for longer than transaction.timeout.ms: ${codeText(code)}`,
        )
        return false
      }
      throw new KafkaProtocolError(code, `transactional id "${transactionalId}"`)
    } catch (error) {
      const failure = kafkaFailure(`commit ${which}`, error, this.#client)
      if (isFinal(error)) throw failure
      request.retryLater(failure)
    }
    this.#client.forgetCoordinator('transaction', transactionalId)
    return false
  }
}
