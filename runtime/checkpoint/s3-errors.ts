/**
 * What an answer of S3, or the lack of one, means: a table, and nothing else. Servers of others differ in texts and less in codes, so what is not known by name goes by its status.
 * But that an object is not there is believed by name only: a 404 may as well come of a proxy, or mean the user (versitygw).
 */
import { TailraceError } from '../core/errors.ts'

/** The parts of an error that count, of S3's client or of a socket. */
export interface S3Failure {
  name?: string
  message?: string
  /** Of a socket or of Node. */
  code?: string
  $metadata?: { httpStatusCode?: number }
  cause?: unknown
}

/**
 * - `exists`: the object of a conditional put is there;
 * - `missing`: there is no such object;
 * - `range`: the range begins behind its end;
 * - `passes`: trying again may help;
 * - `refused`: somebody has to act.
 */
export type S3Verdict = 'exists' | 'missing' | 'range' | 'passes' | 'refused'

const BY_NAME: Record<string, S3Verdict> = {
  PreconditionFailed: 'exists',
  NoSuchKey: 'missing',
  InvalidRange: 'range',
  // Two conditional puts at the same moment: the next try sees which one won.
  ConditionalRequestConflict: 'passes',
  OperationAborted: 'passes',
  SlowDown: 'passes',
  RequestTimeout: 'passes',
  InternalError: 'passes',
  ServiceUnavailable: 'passes',
  ThrottlingException: 'passes',
  TooManyRequestsException: 'passes',
  RequestLimitExceeded: 'passes',
  BandwidthLimitExceeded: 'passes',
  IncompleteBody: 'passes',
  BadDigest: 'passes',
  XAmzContentSHA256Mismatch: 'passes',
  TimeoutError: 'passes',
  AbortError: 'passes',
  NotImplemented: 'refused',
  NoSuchBucket: 'refused',
}

const BY_CODE: Record<string, S3Verdict> = {
  ECONNRESET: 'passes',
  ECONNREFUSED: 'passes',
  ECONNABORTED: 'passes',
  EPIPE: 'passes',
  ETIMEDOUT: 'passes',
  EHOSTUNREACH: 'passes',
  ENETUNREACH: 'passes',
  ENETDOWN: 'passes',
  EAI_AGAIN: 'passes',
  ENOTFOUND: 'passes',
  ERR_STREAM_PREMATURE_CLOSE: 'passes',
}

export function judgeS3(error: unknown): S3Verdict {
  const { name = '', message = '', code = '', $metadata } = error as S3Failure
  const status = $metadata?.httpStatusCode ?? 0
  const known = BY_NAME[name] ?? BY_CODE[code]
  if (known !== undefined) return known
  if (status === 412) return 'exists'
  if (status === 416) return 'range'
  if (status === 408 || status === 409 || status === 429 || status >= 500) return 'passes'
  // An answer that broke off: the parser or the checksum of the client tells.
  if (/checksum mismatch|aborted|socket hang up|premature/i.test(message)) return 'passes'
  if (status >= 200 && status < 300) return 'passes'
  return 'refused'
}

const WANTED: Record<string, string> = {
  NoSuchBucket: 'a bucket that is there (Tailrace makes none)',
  AccessDenied: 'permission to get, put, delete and list objects',
  InvalidAccessKeyId: 'an access key that the server knows ("s3.access-key", or the environment)',
  SignatureDoesNotMatch: 'the secret key of this access key ("s3.secret-key", or the environment)',
  ExpiredToken: 'credentials that are valid',
  CredentialsProviderError:
    'credentials: "s3.access-key" and "s3.secret-key", or those of the environment, a profile or the machine',
  PermanentRedirect: 'the region of the bucket ("s3.region")',
  AuthorizationHeaderMalformed: 'the region of the bucket ("s3.region")',
  RequestTimeTooSkewed: 'a clock of this machine that is right',
  NotImplemented: 'a server that has conditional puts (If-None-Match: *), ranges and lists of version 2',
}

/** TR-CHECKPOINT-007 for what passes and did not, else 005; with the place and what the server said. */
export function s3Error(what: string, url: string, error: unknown): TailraceError {
  const { name = 'Error', message = '', code, $metadata } = error as S3Failure
  const status = $metadata?.httpStatusCode
  const text = message === '' || message === 'UnknownError' ? '' : `: ${message}`
  const found = `${code ?? name}${status === undefined ? '' : `, HTTP ${status}`}${text}`
  if (judgeS3(error) === 'passes')
    return new TailraceError(
      'TR-CHECKPOINT-007',
      `Cannot ${what} "${url}": the last answer was ${found}; wanted: an answer in time`,
      { cause: error },
    )
  const wanted = /region is missing/i.test(message) ? WANTED.PermanentRedirect : WANTED[name]
  return new TailraceError(
    'TR-CHECKPOINT-005',
    `Cannot ${what} "${url}": the server refuses (${found}), wanted: ${wanted ?? 'a server of S3, and permission for what is there'}`,
    { cause: error },
  )
}
