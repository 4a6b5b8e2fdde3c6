/**
 * What went wrong with a broker, in the words of {@link TailraceError}, and whether another try may help.
 */
import { type ErrorCode, isTailraceError, TailraceError } from '../../../core/errors.ts'
import { CODE, isAuthorization, isFenced, KafkaProtocolError } from './codes.ts'

/** The peer's certificate is not trusted, or ours is not wanted: no try will change it. */
const CERTIFICATE =
  /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_(HAS_EXPIRED|NOT_YET_VALID|UNTRUSTED|REVOKED)|ALTNAME_INVALID|TLSV1(3)?_ALERT|SSLV3_ALERT|certificate (required|unknown)|bad certificate|WRONG_VERSION_NUMBER|wrong version number/i

/** A request for a login on a port without logins. */
const NO_LOGIN_HERE = /ILLEGAL_SASL_STATE/
const CLOSED = /ECONNRESET|EPIPE|Closed connection|socket hang up|disconnected before secure TLS/i
/** What an error of OpenSSL says, between numbers and files of its own. */
const OPENSSL = /error:[0-9A-F]+:SSL routines:[^:]*:([^:]+):/

interface ClientError extends Error {
  code?: string | number
  broker?: string
  type?: string
}

/** A refusal that no other try changes: of a login, a certificate, a right, or what a request says. */
export function isFinal(error: unknown): boolean {
  if (isTailraceError(error)) return true
  if (error instanceof KafkaProtocolError) return !error.retriable
  return isLogin(error) || isCertificate(error)
}

const isLogin = (error: unknown): boolean =>
  /SASLAuthentication|ILLEGAL_SASL_STATE/.test(`${(error as ClientError).name} ${(error as ClientError).type}`)
const isCertificate = (error: unknown): boolean =>
  CERTIFICATE.test(`${(error as ClientError).code} ${(error as ClientError).message}`)

/** Whom we ask, and how. */
export interface Asked {
  /** `host:port, …`, as the user has given them. */
  readonly servers: string
  /** Who logs in; undefined: nobody does. */
  readonly user: string | undefined
  /** security.protocol */
  readonly protocol: string
}

/**
 * The error that fails the job.
 *
 * @param what was tried, after "Cannot": `read partition 3 of topic "clicks"`
 * @param tries how often; 0: not told
 */
export function kafkaFailure(what: string, error: unknown, asked: Asked, tries = 0): TailraceError {
  if (isTailraceError(error)) return error
  const after = tries > 1 ? ` (after ${tries} tries)` : ''
  const [code, why] =
    error instanceof KafkaProtocolError
      ? refusal(error, what, asked, after)
      : broken(error as ClientError, asked, after)
  return new TailraceError(code, `Cannot ${what}: ${why}`, { cause: error })
}

function refusal(
  error: KafkaProtocolError,
  what: string,
  { servers, user }: Asked,
  after: string,
): [ErrorCode, string] {
  const { code, subject, message } = error
  const text = what.includes(subject) ? message : `${subject}: ${message}`
  if (isAuthorization(code)) {
    const whom = user === undefined ? 'this client' : `the user "${user}"`
    return ['TR-KAFKA-005', `the cluster at ${servers} does not allow it, ${text}; wanted is an ACL for ${whom}`]
  }
  if (isFenced(code) || code === CODE.INVALID_TXN_STATE)
    return [
      'TR-KAFKA-010',
      `the transaction is not ours any more, ${text}: it was open for longer than transaction.timeout.ms, or another job has the same transactionalIdPrefix`,
    ]
  if (code === CODE.UNKNOWN_TOPIC_OR_PARTITION || code === CODE.INVALID_TOPIC)
    return [
      'TR-KAFKA-006',
      `the cluster at ${servers} has no such topic or partition, ${text}${after}; wanted is one that is there, as jobs create none`,
    ]
  return ['TR-KAFKA-007', `the cluster at ${servers} refuses, ${text}${after}`]
}

function broken(error: ClientError, { servers, user, protocol }: Asked, after: string): [ErrorCode, string] {
  const broker = `the broker at ${error.broker ?? servers}`
  const { message } = error
  if (NO_LOGIN_HERE.test(`${error.type}`))
    return [
      'TR-KAFKA-004',
      `${broker} knows no logins: ${message}; security.protocol is ${protocol}, wanted is the one of this port`,
    ]
  if (isLogin(error))
    return [
      'TR-KAFKA-004',
      `${broker} refuses the login of "${user}": ${message}; wanted are sasl.mechanism, a user name and a password that it knows`,
    ]
  if (isCertificate(error)) return ['TR-KAFKA-004', untrusted(error, broker, protocol)]
  const closed = CLOSED.test(`${error.code} ${message}`)
  const hint = closed
    ? `; when it always closes the connection: security.protocol is ${protocol}, wanted is the one of this port`
    : ''
  return ['TR-KAFKA-003', `${broker} cannot be reached${after}: ${message}${hint}`]
}

function untrusted({ code, message }: ClientError, broker: string, protocol: string): string {
  const text = OPENSSL.exec(message)?.[1] ?? message
  if (/version.number/i.test(`${code} ${text}`))
    return `${broker} does not speak TLS: ${text}; security.protocol is ${protocol}, wanted is the one of this port`
  if (/alert|certificate (required|unknown)|bad certificate/i.test(`${code} ${text}`))
    return `${broker} does not trust our certificate, or wants one: ${text}; wanted is one that it trusts in ssl.keystore.location`
  if (/ALTNAME/.test(`${code}`))
    return `the certificate of ${broker} is for another name: ${text}; wanted is an address that is in it, or an empty ssl.endpoint.identification.algorithm`
  return `we do not trust the certificate of ${broker}: ${text}; wanted is the authority that signed it in ssl.truststore.location`
}
