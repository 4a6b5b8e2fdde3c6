/**
 * Produce requests (version 7): whole batches, as records/batch-writer.ts has made them.
 *
 * Source: the protocol guide of Apache Kafka, "Produce API (Key: 0)".
 */
import { readInt64 } from '../records/layout.ts'
import { newEncoder, type RequestInParts } from './kafkajs.ts'

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

/** The request, and the batches as they are between small parts. Without acknowledgement they are copied, as nobody tells when they are out. */
export function produceRequest({ transactionalId, acks, timeoutMs, batches }: ProduceRequest): RequestInParts {
  const byTopic = Map.groupBy(batches, ({ topic }) => topic)
  const parts: Buffer[] = []
  let to = newEncoder().writeString(transactionalId).writeInt16(acks).writeInt32(timeoutMs).writeInt32(byTopic.size)
  if (batches.length === 0) parts.push(to.buffer)
  for (const [topic, ofTopic] of byTopic) {
    to.writeString(topic).writeInt32(ofTopic.length)
    for (const { partition, bytes } of ofTopic) {
      parts.push(to.writeInt32(partition).writeInt32(bytes.length).buffer, acks === 0 ? Buffer.from(bytes) : bytes)
      to = newEncoder()
    }
  }
  return { apiKey: 0, apiVersion: 7, apiName: 'Produce', expectResponse: acks !== 0, requestTimeout: timeoutMs, parts }
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
