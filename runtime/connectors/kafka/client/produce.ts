/**
 * Produce requests (version 7): whole batches, as records/batch-writer.ts has made them.
 *
 * Source: the protocol guide of Apache Kafka, "Produce API (Key: 0)".
 */
import { readInt64 } from '../records/layout.ts'
import { newEncoder, type Protocol } from './kafkajs.ts'

export interface ProduceRequest {
  /** null: none. */
  transactionalId: string | null
  /** -1: all replicas in sync; 1: the leader; 0: nobody answers. */
  acks: -1 | 0 | 1
  timeoutMs: number
  batches: readonly { topic: string; partition: number; bytes: Buffer }[]
}

export interface ProducedPartition {
  topic: string
  partition: number
  errorCode: number
  baseOffset: number
}

export function produceProtocol({ transactionalId, acks, timeoutMs, batches }: ProduceRequest): Protocol {
  return {
    requestTimeout: timeoutMs,
    logResponseError: false,
    request: {
      apiKey: 0,
      apiVersion: 7,
      apiName: 'Produce',
      expectResponse: () => acks !== 0,
      async encode() {
        const byTopic = Map.groupBy(batches, ({ topic }) => topic)
        const to = newEncoder()
          .writeString(transactionalId)
          .writeInt16(acks)
          .writeInt32(timeoutMs)
          .writeInt32(byTopic.size)
        for (const [topic, ofTopic] of byTopic) {
          to.writeString(topic).writeInt32(ofTopic.length)
          for (const { partition, bytes } of ofTopic)
            to.writeInt32(partition).writeInt32(bytes.length).writeBufferInternal(bytes)
        }
        return to
      },
    },
    response: { decode: async (bytes) => decodeProduce(bytes), parse: async (data) => data },
  }
}

export function decodeProduce(bytes: Buffer): { clientSideThrottleTime: number; partitions: ProducedPartition[] } {
  let at = 0
  const int32 = () => bytes.readInt32BE((at += 4) - 4)
  const partitions: ProducedPartition[] = []
  for (let topics = int32(); topics > 0; topics--) {
    const length = bytes.readInt16BE(at)
    const topic = bytes.toString('utf8', at + 2, (at += 2 + length))
    for (let count = int32(); count > 0; count--) {
      const partition = int32()
      const errorCode = bytes.readInt16BE(at)
      partitions.push({ topic, partition, errorCode, baseOffset: readInt64(bytes, at + 2) })
      at += 26
    }
  }
  return { clientSideThrottleTime: int32(), partitions }
}
