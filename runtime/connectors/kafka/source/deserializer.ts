/**
 * Records of Kafka as values of a stream.
 */
import { MalformedMessage, type MessageDecoder, type MessageFormat } from '../../../formats/format.ts'
import type { RecordCursor } from '../records/cursor.ts'

/** A record with where it was; what `record` of {@link KafkaSourceOptions} makes. */
export interface KafkaRecord<K, V> {
  topic: string
  partition: number
  offset: number
  /** Milliseconds since 1970: when it was made, or appended, as the topic is set; null: unknown. */
  timestamp: number | null
  key: K | null
  /** null: a tombstone. */
  value: V | null
  headers: { key: string; value: Uint8Array | null }[]
}

/** A record as it stands; `key` and `value` are views, which are good until the call returns. */
export type RawRecord = KafkaRecord<Buffer, Buffer>

/**
 * Makes any number of values of a record.
 *
 * @example
 * class Words implements KafkaDeserializer<string> {
 *   deserialize({ value }: RawRecord, out: Collector<string>) {
 *     for (const word of value?.toString().split(' ') ?? []) out.collect(word)
 *   }
 * }
 */
export interface KafkaDeserializer<T> {
  deserialize(record: RawRecord, out: { collect(value: T): void }): void
}

/** Takes the records of one reader. */
export interface RecordTaker<T> {
  /**
   * Pushes what the cursor's record gives. False: there is nothing in it (a tombstone).
   * Throws {@link MalformedMessage}, MessageNotReady, or what a user's deserializer throws.
   */
  take(
    cursor: RecordCursor,
    topic: string,
    partition: number,
    out: { collect(value: T, timestamp: number): void },
    timestamp: number,
  ): boolean
}

export function valueTaker<T>(format: MessageFormat<T>): RecordTaker<T> {
  const decoder = format.createMessageDecoder()
  return {
    take(cursor, _topic, _partition, out, timestamp) {
      if (cursor.valueStart < 0) return false
      out.collect(decoder.decode(cursor.bytes, cursor.valueStart, cursor.valueEnd), timestamp)
      return true
    },
  }
}

export function recordTaker<K, V>(
  key: MessageFormat<K> | undefined,
  value: MessageFormat<V>,
): RecordTaker<KafkaRecord<K, V>> {
  const keyDecoder = key?.createMessageDecoder()
  const valueDecoder = value.createMessageDecoder()
  return {
    take(cursor, topic, partition, out, timestamp) {
      out.collect(
        {
          topic,
          partition,
          offset: cursor.offset,
          timestamp: cursor.timestampMs < 0 ? null : cursor.timestampMs,
          key: keyDecoder === undefined || cursor.keyStart < 0 ? null : decodeKey(keyDecoder, cursor),
          value: cursor.valueStart < 0 ? null : valueDecoder.decode(cursor.bytes, cursor.valueStart, cursor.valueEnd),
          headers: cursor.headerCount === 0 ? [] : headersOf(cursor, true),
        },
        timestamp,
      )
      return true
    },
  }
}

function decodeKey<K>(decoder: MessageDecoder<K>, cursor: RecordCursor): K {
  try {
    return decoder.decode(cursor.bytes, cursor.keyStart, cursor.keyEnd)
  } catch (error) {
    if (error instanceof MalformedMessage) throw new MalformedMessage(`its key: ${error.message}`)
    throw error
  }
}

export function deserializerTaker<T>(deserializer: KafkaDeserializer<T>): RecordTaker<T> {
  const collector = {
    out: undefined as unknown as { collect(value: T, timestamp: number): void },
    timestamp: 0,
    collect(value: T): void {
      this.out.collect(value, this.timestamp)
    },
  }
  return {
    take(cursor, topic, partition, out, timestamp) {
      collector.out = out
      collector.timestamp = timestamp
      deserializer.deserialize(rawRecord(cursor, topic, partition, false), collector)
      return true
    },
  }
}

/** @param copy what it holds is good for ever */
export function rawRecord(cursor: RecordCursor, topic: string, partition: number, copy: boolean): RawRecord {
  const part = (start: number, end: number): Buffer | null => {
    if (start < 0) return null
    const view = cursor.bytes.subarray(start, end)
    return copy ? Buffer.from(view) : view
  }
  return {
    topic,
    partition,
    offset: cursor.offset,
    timestamp: cursor.timestampMs < 0 ? null : cursor.timestampMs,
    key: part(cursor.keyStart, cursor.keyEnd),
    value: part(cursor.valueStart, cursor.valueEnd),
    headers: headersOf(cursor, copy),
  }
}

function headersOf(cursor: RecordCursor, copy: boolean): { key: string; value: Uint8Array | null }[] {
  return cursor
    .headers()
    .map(([key, value]) => ({ key, value: value === null || !copy ? value : Uint8Array.from(value) }))
}
