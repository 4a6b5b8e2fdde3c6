/**
 * The error codes of Kafka's protocol that decide what we do, and the error that carries one.
 *
 * Source: the protocol guide of Apache Kafka, "Error codes".
 */
import { KAFKAJS_ERROR_NAMES } from './kafkajs.ts'

export const CODE = {
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  BROKER_NOT_AVAILABLE: 8,
  MESSAGE_TOO_LARGE: 10,
  INVALID_TOPIC: 17,
  RECORD_LIST_TOO_LARGE: 18,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  INVALID_TIMESTAMP: 32,
  UNSUPPORTED_VERSION: 35,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  OPERATION_NOT_ATTEMPTED: 55,
  UNKNOWN_PRODUCER_ID: 59,
  GROUP_ID_NOT_FOUND: 69,
  UNSUPPORTED_COMPRESSION_TYPE: 76,
  INVALID_RECORD: 87,
  PRODUCER_FENCED: 90,
} as const

/** Names that kafkajs does not know. */
const NEWER: Readonly<Record<number, string>> = {
  81: 'GROUP_MAX_SIZE_REACHED',
  89: 'THROTTLING_QUOTA_EXCEEDED',
  90: 'PRODUCER_FENCED',
  91: 'RESOURCE_NOT_FOUND',
  96: 'INCONSISTENT_TOPIC_ID',
  100: 'UNKNOWN_TOPIC_ID',
  105: 'TRANSACTIONAL_ID_NOT_FOUND',
  120: 'TRANSACTION_ABORTABLE',
}

/**
 * Another try may do, mostly after new metadata: leaders and coordinators move, replicas lag, transactions are being finished, storage comes back.
 */
const RETRIABLE: ReadonlySet<number> = new Set([
  3, // UNKNOWN_TOPIC_OR_PARTITION: also while a topic is being made
  5, // LEADER_NOT_AVAILABLE
  6, // NOT_LEADER_OR_FOLLOWER
  7, // REQUEST_TIMED_OUT
  8, // BROKER_NOT_AVAILABLE
  9, // REPLICA_NOT_AVAILABLE
  13, // NETWORK_EXCEPTION
  14, // COORDINATOR_LOAD_IN_PROGRESS
  15, // COORDINATOR_NOT_AVAILABLE
  16, // NOT_COORDINATOR
  19, // NOT_ENOUGH_REPLICAS
  20, // NOT_ENOUGH_REPLICAS_AFTER_APPEND
  41, // NOT_CONTROLLER
  51, // CONCURRENT_TRANSACTIONS
  56, // KAFKA_STORAGE_ERROR
  70, // FETCH_SESSION_ID_NOT_FOUND
  71, // INVALID_FETCH_SESSION_EPOCH
  72, // LISTENER_NOT_FOUND
  74, // FENCED_LEADER_EPOCH
  75, // UNKNOWN_LEADER_EPOCH
  78, // OFFSET_NOT_AVAILABLE
  80, // PREFERRED_LEADER_NOT_AVAILABLE
  88, // UNSTABLE_OFFSET_COMMIT
  89, // THROTTLING_QUOTA_EXCEEDED
])

/** Someone else has the transactional id, or the broker has given the transaction up. Brokers answer 47, other implementations 90. */
export const isFenced = (code: number): boolean =>
  code === CODE.INVALID_PRODUCER_EPOCH ||
  code === CODE.PRODUCER_FENCED ||
  code === CODE.INVALID_PRODUCER_ID_MAPPING ||
  code === CODE.UNKNOWN_PRODUCER_ID

export const isAuthorization = (code: number): boolean =>
  code === CODE.TOPIC_AUTHORIZATION_FAILED ||
  code === CODE.GROUP_AUTHORIZATION_FAILED ||
  code === CODE.CLUSTER_AUTHORIZATION_FAILED ||
  code === CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED

export const isRetriable = (code: number): boolean => RETRIABLE.has(code)

/** `NOT_LEADER_OR_FOLLOWER (6)`. */
export const codeText = (code: number): string => `${NEWER[code] ?? KAFKAJS_ERROR_NAMES.get(code) ?? 'error'} (${code})`

/** A broker has refused a request. */
export class KafkaProtocolError extends Error {
  override readonly name = 'KafkaProtocolError'
  readonly code: number
  /** What it has refused to tell or to take: `topic "clicks"`. */
  readonly subject: string
  constructor(code: number, subject: string) {
    super(codeText(code))
    this.code = code
    this.subject = subject
  }
  get retriable(): boolean {
    return isRetriable(this.code)
  }
}
