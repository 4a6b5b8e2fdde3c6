/**
 * ListTransactions (version 0, brokers since 3.0): which transactions a broker coordinates.
 *
 * Source: the protocol guide of Apache Kafka, "ListTransactions API (Key: 66)"; KIP-664. The answer's header has a tag byte, which kafkajs leaves to us.
 */
import { newDecoder, newEncoder, type Protocol } from './kafkajs.ts'

export interface ListedTransaction {
  transactionalId: string
  producerId: string
  /** `Ongoing`, `PrepareCommit`, `CompleteAbort`, … */
  state: string
}

/** Of all states and producers. */
export function listTransactionsProtocol(): Protocol {
  return {
    request: {
      apiKey: 66,
      apiVersion: 0,
      apiName: 'ListTransactions',
      // The tag byte of the request's header, two empty compact arrays, the tag byte of the body.
      encode: async () => newEncoder().writeInt8(0).writeUVarInt(1).writeUVarInt(1).writeUVarInt(0),
    },
    response: {
      async decode(
        bytes,
      ): Promise<{ errorCode: number; transactions: ListedTransaction[]; clientSideThrottleTime: number }> {
        const from = newDecoder(bytes)
        from.readInt8()
        const clientSideThrottleTime = from.readInt32()
        const errorCode = from.readInt16()
        for (let states = from.readUVarInt(); states > 1; states--) from.readUVarIntString()
        const transactions: ListedTransaction[] = []
        for (let left = from.readUVarInt(); left > 1; left--) {
          const transactionalId = from.readUVarIntString()
          const producerId = from.readInt64().toString()
          transactions.push({ transactionalId, producerId, state: from.readUVarIntString() })
          from.readUVarInt()
        }
        return { errorCode, transactions, clientSideThrottleTime }
      },
      parse: async (data) => data,
    },
    logResponseError: false,
  }
}
