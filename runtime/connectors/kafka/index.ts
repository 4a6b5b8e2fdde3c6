/**
 * Kafka: read topics, and write them, exactly once if wanted.
 */

export { type DeliveryGuarantee, type KafkaSinkOptions, kafkaSink } from './sink/kafka-sink.ts'
export type { KafkaPartitioner } from './sink/partitioner.ts'
export type { HeadersOf, SerializerOptions } from './sink/serializer.ts'
export type { KafkaWriterState, TransactionHandle } from './sink/transactions.ts'
export type { KafkaDeserializer, KafkaRecord, RawRecord } from './source/deserializer.ts'
export type { EnumeratorState } from './source/enumerator.ts'
export {
  type KafkaDeserializerOptions,
  type KafkaRecordOptions,
  type KafkaSourceCommonOptions,
  type KafkaSourceOptions,
  type KafkaValueOptions,
  kafkaSource,
} from './source/kafka-source.ts'
export type { OffsetMap, StartingOffsets, StoppingOffsets } from './source/offsets.ts'
export type { BadKafkaRecord, OnBadKafkaRecord } from './source/reader.ts'
export type { KafkaSplit } from './source/split.ts'
