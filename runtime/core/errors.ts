/**
 * The table of error codes, and the one error class that carries them.
 *
 * Codes are promises, texts may improve. `docs/errors.md` is held equal to this table by a test. Caller mistakes that no one
 * would catch (a negative size) stay plain TypeError or RangeError; everything that reaches a user through a job carries a code.
 */

/** Who has to act: the author of the job, someone outside it (a disk, a network), or the authors of Tailrace. */
export type ErrorDomain = 'user' | 'external' | 'internal'

export interface ErrorKind {
  domain: ErrorDomain
  /** Whether running the same job again can help. */
  retry: boolean
  /** What the code means, for docs/errors.md. */
  text: string
}

export const ERRORS = {
  'TR-GRAPH-001': { domain: 'user', retry: false, text: 'Two operators carry the same uid.' },
  'TR-GRAPH-002': { domain: 'user', retry: false, text: 'A forward edge joins operators of unequal parallelism.' },
  'TR-GRAPH-003': {
    domain: 'user',
    retry: false,
    text: 'The job has no operators behind its sources: there is nothing to run.',
  },
  'TR-GRAPH-004': { domain: 'user', retry: false, text: 'An operator was built on a stream of another environment.' },
  'TR-GRAPH-005': { domain: 'user', retry: false, text: 'A setting of an operator is out of its range.' },
  'TR-GRAPH-006': {
    domain: 'user',
    retry: false,
    text: 'One side output id is used with two types or consumed twice in a way that cannot work.',
  },
  'TR-GRAPH-007': {
    domain: 'user',
    retry: false,
    text: 'An operator has no uid although pipeline.auto-generate-uids is false.',
  },
  'TR-PROGRAM-001': {
    domain: 'user',
    retry: false,
    text: 'The program builds another graph each time it runs, so slots cannot rebuild it.',
  },
  'TR-PROGRAM-002': {
    domain: 'user',
    retry: false,
    text: 'The program could not be loaded, or its main function threw.',
  },
  'TR-PROGRAM-003': { domain: 'user', retry: false, text: 'The program ended without calling execute().' },
  'TR-PROGRAM-004': {
    domain: 'user',
    retry: false,
    text: 'env.once() was called in a slot with a name that the program did not compute.',
  },
  'TR-PROGRAM-005': {
    domain: 'user',
    retry: false,
    text: 'The program collected more values before another execute() than slots can replay.',
  },
  'TR-RECORD-001': {
    domain: 'user',
    retry: false,
    text: 'A key is null, undefined, NaN or of a kind that cannot be a key.',
  },
  'TR-RECORD-002': {
    domain: 'user',
    retry: false,
    text: 'A class instance left a task although no type is registered for its class.',
  },
  'TR-RECORD-003': {
    domain: 'user',
    retry: false,
    text: 'A record without a timestamp reached an operator that works in event time.',
  },
  'TR-RECORD-004': { domain: 'external', retry: false, text: 'A record could not be decoded.' },
  'TR-RECORD-005': {
    domain: 'user',
    retry: false,
    text: 'A record holds a value that cannot be sent to another task.',
  },
  'TR-STATE-001': { domain: 'user', retry: false, text: 'One state name is used with two kinds or types.' },
  'TR-STATE-002': {
    domain: 'user',
    retry: false,
    text: 'Keyed state or a timer was used outside of a keyed stream, or without a current key.',
  },
  'TR-STATE-003': { domain: 'user', retry: false, text: 'A value cannot be kept in this state.' },
  'TR-STATE-004': {
    domain: 'user',
    retry: false,
    text: 'Broadcast state was used against its rules: changed from the side that may only read it, or not named in broadcast().',
  },
  'TR-TASK-001': { domain: 'user', retry: true, text: 'A user function threw.' },
  'TR-TASK-002': {
    domain: 'external',
    retry: true,
    text: 'A slot thread ended without saying why (out of memory, or process.exit in user code).',
  },
  'TR-TASK-003': { domain: 'external', retry: true, text: 'The output of a task grew beyond its overflow limit.' },
  'TR-EXCHANGE-001': {
    domain: 'external',
    retry: true,
    text: 'The connection to a slot of another process was lost while its channels were in use.',
  },
  'TR-EXCHANGE-002': {
    domain: 'external',
    retry: true,
    text: 'A slot could not open its channels to a slot of another process.',
  },
  'TR-EXCHANGE-003': {
    domain: 'internal',
    retry: true,
    text: 'A slot of another process sent something that the exchange does not know.',
  },
  'TR-SOURCE-001': { domain: 'external', retry: true, text: 'A source could not read from its system.' },
  'TR-SINK-001': { domain: 'external', retry: true, text: 'A sink could not write to its system.' },
  'TR-SINK-002': {
    domain: 'external',
    retry: false,
    text: 'What a sink has prepared can no longer be committed, so it would be lost, or written twice.',
  },
  'TR-CLUSTER-001': { domain: 'user', retry: true, text: 'The cluster has fewer free slots than the job needs.' },
  'TR-CLUSTER-002': { domain: 'user', retry: false, text: 'The job was cancelled.' },
  'TR-CLUSTER-003': { domain: 'external', retry: true, text: 'A port that the cluster should listen on is taken.' },
  'TR-CLUSTER-004': { domain: 'user', retry: false, text: 'A job cannot run with the parallelism that was asked for.' },
  'TR-CLUSTER-005': { domain: 'external', retry: true, text: 'A TaskManager was lost.' },
  'TR-CONFIG-001': { domain: 'user', retry: false, text: 'A configuration value cannot be parsed or is out of range.' },
  'TR-CONFIG-002': { domain: 'user', retry: false, text: 'A configuration file cannot be found or read.' },
  'TR-CLI-001': { domain: 'user', retry: false, text: 'A command line argument is missing or wrong.' },
  'TR-CLI-002': { domain: 'external', retry: true, text: 'A command could not reach the cluster that it is for.' },
  'TR-CLI-003': { domain: 'user', retry: false, text: 'The cluster refused what a command asked it for.' },
  'TR-KAFKA-001': { domain: 'user', retry: false, text: 'A setting of a Kafka source or sink cannot be used.' },
  'TR-KAFKA-002': { domain: 'external', retry: false, text: 'A batch of records from Kafka cannot be read.' },
  'TR-KAFKA-003': { domain: 'external', retry: true, text: 'A Kafka broker cannot be reached.' },
  'TR-KAFKA-004': {
    domain: 'user',
    retry: false,
    text: 'A Kafka broker refuses the login, or one side does not trust the certificate of the other.',
  },
  'TR-KAFKA-005': { domain: 'user', retry: false, text: 'A Kafka broker does not allow this user what the job does.' },
  'TR-KAFKA-006': { domain: 'external', retry: true, text: 'A topic or partition of Kafka is not there.' },
  'TR-KAFKA-007': { domain: 'external', retry: true, text: 'A Kafka broker refuses a request.' },
  'TR-KAFKA-008': { domain: 'user', retry: false, text: 'A record or a batch is not one that Kafka takes.' },
  'TR-KAFKA-009': {
    domain: 'external',
    retry: false,
    text: 'The offset to read from is not in the partition, or the group has committed none.',
  },
  'TR-KAFKA-010': {
    domain: 'external',
    retry: true,
    text: 'A transaction of Kafka was taken over or given up before it was committed.',
  },
  'TR-KAFKA-011': {
    domain: 'user',
    retry: false,
    text: 'The time-out of transactions does not fit the checkpoints, or the broker.',
  },
  'TR-RPC-001': {
    domain: 'external',
    retry: true,
    text: 'Another process of the cluster cannot be reached, or the connection to it was lost.',
  },
  'TR-RPC-002': {
    domain: 'user',
    retry: false,
    text: 'The process at the other end is of another version of Tailrace, or no process of Tailrace that belongs there.',
  },
  'TR-RPC-003': { domain: 'user', retry: false, text: 'The process at the other end belongs to another cluster.' },
  'TR-RPC-004': { domain: 'external', retry: true, text: 'The JobManager that was asked is not the leader.' },
  'TR-RPC-005': {
    domain: 'external',
    retry: false,
    text: 'A newer leader has taken over, so what the older one says is refused.',
  },
  'TR-RPC-006': {
    domain: 'internal',
    retry: false,
    text: 'Bytes or a message from another process are not what was agreed, so the connection was closed.',
  },
  'TR-RPC-007': { domain: 'external', retry: true, text: 'Another process did not answer in time.' },
  'TR-RPC-008': {
    domain: 'user',
    retry: false,
    text: 'A value cannot be sent to another process, or a message is larger than it may be.',
  },
  'TR-RPC-009': {
    domain: 'external',
    retry: true,
    text: 'Another process takes messages more slowly than they come, or too many calls are under way.',
  },
  'TR-TLS-001': {
    domain: 'user',
    retry: false,
    text: 'A key store or trust store for TLS between processes cannot be used.',
  },
  'TR-TLS-002': {
    domain: 'user',
    retry: false,
    text: 'Two processes of the cluster do not trust the certificates of each other, or only one of them speaks TLS.',
  },
  'TR-INTERNAL-001': { domain: 'internal', retry: false, text: 'An invariant of Tailrace does not hold.' },
  'TR-CHECKPOINT-001': {
    domain: 'external',
    retry: true,
    text: 'A checkpoint or savepoint could not be taken: a task failed at it, it took longer than its time, or its store refused.',
  },
  'TR-CHECKPOINT-002': {
    domain: 'external',
    retry: false,
    text: 'Another owner has taken over the deployment, so this JobManager must stop.',
  },
  'TR-CHECKPOINT-003': {
    domain: 'external',
    retry: false,
    text: 'A checkpoint or savepoint cannot be read: it is missing, cut off, changed, or of another system or a newer version.',
  },
  'TR-CHECKPOINT-004': {
    domain: 'user',
    retry: false,
    text: 'The job does not fit the checkpoint or savepoint that it should go on from: state without an operator, another maximum parallelism, another kind or type of state.',
  },
  'TR-CHECKPOINT-005': {
    domain: 'external',
    retry: false,
    text: 'The store of checkpoints cannot be used: it is not there, access is refused, or it does not keep its conditional writes.',
  },
  'TR-CHECKPOINT-006': {
    domain: 'user',
    retry: false,
    text: 'A setting of checkpoints, savepoints or restarts is out of its range, or two of them contradict each other.',
  },
  'TR-CHECKPOINT-007': {
    domain: 'external',
    retry: true,
    text: 'The store of checkpoints did not answer in time, or with errors of its own each time.',
  },
  'TR-HA-001': {
    domain: 'external',
    retry: false,
    text: 'This process does not lead its cluster any more, so it must not act for it.',
  },
  'TR-HA-002': {
    domain: 'external',
    retry: true,
    text: 'The record by which a leader is elected cannot be read or written.',
  },
  'TR-HA-003': {
    domain: 'external',
    retry: false,
    text: 'A record of the high availability store cannot be read: it is changed, or of a newer version.',
  },
  'TR-HA-004': {
    domain: 'user',
    retry: false,
    text: 'A value that the program computed cannot be kept for a JobManager that takes over.',
  },
  'TR-HA-005': {
    domain: 'user',
    retry: false,
    text: 'A job whose values the program takes cannot be run again: another sink has results of its earlier run.',
  },
  'TR-HA-006': {
    domain: 'external',
    retry: false,
    text: 'A job is promised state to begin with, and there is none.',
  },
  'TR-HA-007': {
    domain: 'external',
    retry: false,
    text: 'The newest checkpoint that a job could begin with is older than the one that is wanted.',
  },
  'TR-HA-008': {
    domain: 'user',
    retry: false,
    text: 'What a deployment is told by annotations of its Lease cannot be read.',
  },
  'TR-HA-009': {
    domain: 'external',
    retry: false,
    text: 'A JobManager is of an older generation of its deployment, and must not begin its job.',
  },
  'TR-HA-010': {
    domain: 'external',
    retry: true,
    text: 'A checkpoint, savepoint or stop was lost with the JobManager that had begun it.',
  },
  'TR-FORMAT-001': {
    domain: 'user',
    retry: false,
    text: 'A schema of a format cannot be used: it is none, or messages of one schema cannot be read as another.',
  },
  'TR-FORMAT-002': {
    domain: 'external',
    retry: false,
    text: 'A schema registry refused a request: the schema is unknown or incompatible, or access is denied.',
  },
  'TR-FORMAT-003': { domain: 'external', retry: true, text: 'A schema registry could not be reached.' },
  'TR-ARTIFACT-001': {
    domain: 'user',
    retry: false,
    text: 'The address of an artifact or a setting of artifacts cannot be used, or the file is of a kind that is no job.',
  },
  'TR-ARTIFACT-002': {
    domain: 'user',
    retry: false,
    text: 'An artifact must not be fetched from this host: it is in a private range, or the connection would not be encrypted.',
  },
  'TR-ARTIFACT-003': { domain: 'external', retry: true, text: 'An artifact could not be fetched.' },
  'TR-ARTIFACT-004': { domain: 'external', retry: false, text: 'An artifact is not there, or access to it is denied.' },
  'TR-ARTIFACT-005': { domain: 'external', retry: false, text: 'An artifact has another hash than it should have.' },
  'TR-ARTIFACT-006': { domain: 'user', retry: false, text: 'An artifact is larger than the configuration allows.' },
  'TR-ARTIFACT-007': {
    domain: 'user',
    retry: false,
    text: 'An archive cannot be unpacked: it is broken, or holds what an artifact must not.',
  },
  'TR-ARTIFACT-008': { domain: 'user', retry: false, text: 'An artifact has no such module or function to run.' },
  'TR-ARTIFACT-009': {
    domain: 'user',
    retry: false,
    text: 'An artifact was built for a version of Tailrace that this one does not run.',
  },
  'TR-ARTIFACT-010': { domain: 'user', retry: false, text: 'A job cannot be built into an artifact.' },
  'TR-ARTIFACT-011': {
    domain: 'user',
    retry: false,
    text: 'An artifact is of a kind that this version does not run yet.',
  },
  'TR-ARTIFACT-012': {
    domain: 'external',
    retry: false,
    text: 'The directory of fetched or uploaded artifacts cannot be used.',
  },
  'TR-KUBE-001': { domain: 'external', retry: true, text: 'The API server of Kubernetes does not answer.' },
  'TR-KUBE-002': {
    domain: 'user',
    retry: false,
    text: 'The API server of Kubernetes denies a request: the service account has no right to it.',
  },
  'TR-KUBE-003': {
    domain: 'external',
    retry: true,
    text: 'An object of Kubernetes was changed or made anew since it was read.',
  },
  'TR-KUBE-004': {
    domain: 'user',
    retry: false,
    text: 'An object of Kubernetes, its namespace or its kind is not there.',
  },
  'TR-KUBE-005': { domain: 'user', retry: false, text: 'The API server of Kubernetes refuses an object as invalid.' },
  'TR-KUBE-006': {
    domain: 'external',
    retry: true,
    text: 'The API server of Kubernetes has too much to do, or has failed.',
  },
  'TR-KUBE-007': { domain: 'user', retry: false, text: 'Somebody else manages a field of an object of Kubernetes.' },
  'TR-KUBE-008': { domain: 'user', retry: false, text: 'The connection to Kubernetes is not configured.' },
  'TR-KUBE-009': { domain: 'external', retry: false, text: 'An object of Kubernetes of that name is there already.' },
  'TR-KUBE-010': { domain: 'user', retry: true, text: 'A quota of the namespace leaves no room for an object.' },
  'TR-KUBE-011': {
    domain: 'external',
    retry: true,
    text: 'The API server of Kubernetes does not have that old a version any more.',
  },
} satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERRORS

const BRAND = Symbol.for('tailrace.error')

/**
 * An error with a code of {@link ERRORS}. Recognise it with {@link isTailraceError}, never by `instanceof`: threads and copies of
 * the library would differ.
 */
export class TailraceError extends Error {
  readonly code: ErrorCode
  /** Name of the operator in which it happened; added once, on the way up. */
  operator: string | undefined
  readonly [BRAND] = true

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; operator?: string }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'TailraceError'
    this.code = code
    this.operator = options?.operator
  }
}

export function isTailraceError(error: unknown): error is TailraceError {
  return typeof error === 'object' && error !== null && (error as { [BRAND]?: boolean })[BRAND] === true
}

/** An error as it travels between threads and processes. */
export interface ErrorData {
  code: ErrorCode
  message: string
  operator?: string
  /** Stack text with the user's own lines first where the cause is theirs. */
  stack: string
  cause?: ErrorData
}

/** Turns anything thrown into data; what has no code gets `code`. */
export function errorToData(error: unknown, code: ErrorCode = 'TR-INTERNAL-001'): ErrorData {
  if (!(error instanceof Error) && !isTailraceError(error)) {
    return { code, message: `a value that is no Error was thrown: ${String(error)}`, stack: '' }
  }
  const data: ErrorData = {
    code: isTailraceError(error) ? error.code : code,
    message: error.message,
    stack: error.stack ?? '',
  }
  if (isTailraceError(error) && error.operator !== undefined) data.operator = error.operator
  if (error.cause !== undefined) data.cause = errorToData(error.cause, code)
  return data
}

/** The inverse of {@link errorToData}. */
export function errorFromData(data: ErrorData): TailraceError {
  const error = new TailraceError(data.code, data.message, {
    ...(data.operator === undefined ? {} : { operator: data.operator }),
    ...(data.cause === undefined ? {} : { cause: errorFromData(data.cause) }),
  })
  error.stack = data.stack
  return error
}

/** Stops on an impossible state. Never for bad input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new TailraceError('TR-INTERNAL-001', message)
}
