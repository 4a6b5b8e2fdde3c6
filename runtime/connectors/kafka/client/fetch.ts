/**
 * Fetch requests (version 11): the records of an answer stay where they came, for records/cursor.ts.
 *
 * Source: the protocol guide of Apache Kafka, "Fetch API (Key: 1)"; KIP-392 for racks.
 */
import type { AbortedTransaction } from '../records/aborted.ts'
import { readInt64 } from '../records/layout.ts'
import { newEncoder, type Protocol } from './kafkajs.ts'

export interface FetchRequest {
  readCommitted: boolean
  maxWaitMs: number
  /** Beside maxWaitMs. */
  requestTimeoutMs: number
  minBytes: number
  maxBytes: number
  rack: string
  partitions: readonly { topic: string; partition: number; offset: number; maxBytes: number }[]
}

export interface FetchedPartition {
  topic: string
  partition: number
  errorCode: number
  /** End of the partition. */
  highWatermark: number
  /** Before the first open transaction. */
  lastStableOffset: number
  /** First offset that is still there. */
  logStartOffset: number
  aborted: readonly AbortedTransaction[]
  /** Who should be asked next time; -1: the leader. */
  preferredReplica: number
  /** Whole batches, the last may be cut off. */
  records: Buffer
}

const READ_COMMITTED = 1
const NO_SESSION_EPOCH = -1

export function fetchProtocol({
  requestTimeoutMs,
  readCommitted,
  maxWaitMs,
  minBytes,
  maxBytes,
  rack,
  partitions,
}: FetchRequest): Protocol {
  return {
    requestTimeout: maxWaitMs + requestTimeoutMs,
    request: {
      apiKey: 1,
      apiVersion: 11,
      apiName: 'Fetch',
      async encode() {
        const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
        const to = newEncoder().writeInt32(-1).writeInt32(maxWaitMs).writeInt32(minBytes).writeInt32(maxBytes)
        to.writeInt8(readCommitted ? READ_COMMITTED : 0)
          .writeInt32(0)
          .writeInt32(NO_SESSION_EPOCH)
          .writeInt32(byTopic.size)
        for (const [topic, ofTopic] of byTopic) {
          to.writeString(topic).writeInt32(ofTopic.length)
          for (const one of ofTopic)
            to.writeInt32(one.partition).writeInt32(-1).writeInt64(one.offset).writeInt64(-1).writeInt32(one.maxBytes)
        }
        return to.writeInt32(0).writeString(rack)
      },
    },
    response: { decode: async (bytes) => decodeFetch(bytes), parse: async (data) => data },
  }
}

/** What kafkajs wants of every answer, and the error of all; 0: none. */
export interface FetchAnswer {
  clientSideThrottleTime: number
  errorCode: number
  partitions: FetchedPartition[]
}

export function decodeFetch(bytes: Buffer): FetchAnswer {
  const clientSideThrottleTime = bytes.readInt32BE(0)
  const errorCode = bytes.readInt16BE(4)
  let at = 10
  const int32 = () => bytes.readInt32BE((at += 4) - 4)
  const int64 = () => readInt64(bytes, (at += 8) - 8)
  const partitions: FetchedPartition[] = []
  for (let topics = int32(); topics > 0; topics--) {
    const length = bytes.readInt16BE(at)
    const topic = bytes.toString('utf8', at + 2, (at += 2 + length))
    for (let count = int32(); count > 0; count--) {
      const partition = int32()
      const code = bytes.readInt16BE((at += 2) - 2)
      const highWatermark = int64()
      const lastStableOffset = int64()
      const logStartOffset = int64()
      const aborted: AbortedTransaction[] = []
      for (let left = int32(); left > 0; left--) {
        const producerId = bytes.readBigInt64BE((at += 8) - 8)
        aborted.push({ producerId, firstOffset: int64() })
      }
      const preferredReplica = int32()
      const size = Math.max(0, int32())
      const records = bytes.subarray(at, (at += size))
      partitions.push({
        topic,
        partition,
        errorCode: code,
        highWatermark,
        lastStableOffset,
        logStartOffset,
        aborted,
        preferredReplica,
        records,
      })
    }
  }
  return { clientSideThrottleTime, errorCode, partitions }
}
