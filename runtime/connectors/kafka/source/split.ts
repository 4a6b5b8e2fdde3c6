/** A partition as one reader reads it. */
import type { SourceSplit } from '../../../core/source.ts'

export interface KafkaSplit extends SourceSplit {
  readonly topic: string
  readonly partition: number
  /** Of the next record. */
  readonly offset: number
  /** The first offset that is not read any more; null: none. */
  readonly stop: number | null
}

/** What readers and the enumerator tell each other. */
export type KafkaEvent =
  /** From a reader: the brokers have not known this partition for a while. */
  | { type: 'missing'; topic: string; partition: number }
  /** To a reader: it was deleted. */
  | { type: 'deleted'; id: string }
  /** To a reader: it is there; go on asking. */
  | { type: 'there'; id: string }

/** What sources are made of. */
export interface SubscriptionOptions {
  topics?: readonly string[]
  pattern?: RegExp
  partitions?: readonly { topic: string; partition: number }[]
}
