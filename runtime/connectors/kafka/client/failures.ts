/**
 * What went wrong with a broker, in the words of {@link TailraceError}, and whether another try may help.
 */
import { isTailraceError, TailraceError } from '../../../core/errors.ts'
import { CODE, codeText, isAuthorization, isFenced, KafkaProtocolError } from './codes.ts'

/** The peer's certificate is not trusted, or ours is not wanted: no try will change it. */
const CERTIFICATE =
  /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_(HAS_EXPIRED|NOT_YET_VALID|UNTRUSTED|REVOKED)|ALTNAME_INVALID|TLSV1(3)?_ALERT|SSLV3_ALERT|certificate (required|unknown)|bad certificate|WRONG_VERSION_NUMBER|wrong version number/i

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

/**
 * The error that fails the job.
 *
 * @param what was tried, after "Cannot": `read partition 3 of topic "clicks"`
 * @param servers whom we asked
 * @param tries how often; 0: not told
 */
export function kafkaFailure(what: string, error: unknown, servers: string, tries = 0): TailraceError {
  if (isTailraceError(error)) return error
  const after = tries > 1 ? ` (after ${tries} tries)` : ''
  const text = (error as Error).message
  if (error instanceof KafkaProtocolError) {
    if (isAuthorization(error.code))
      return new TailraceError(
        'TR-KAFKA-005',
        `Cannot ${what}: the broker at ${servers} does not allow it, ${text}; wanted is an ACL for this user`,
        {
          cause: error,
        },
      )
    if (error.code === CODE.UNKNOWN_TOPIC_OR_PARTITION || error.code === CODE.INVALID_TOPIC)
      return new TailraceError(
        'TR-KAFKA-006',
        `Cannot ${what}: the cluster at ${servers} has no such topic or partition, ${text}${after}`,
        { cause: error },
      )
    return new TailraceError('TR-KAFKA-007', `Cannot ${what}: the broker at ${servers} refuses, ${text}${after}`, {
      cause: error,
    })
  }
  const place = (error as ClientError).broker ?? servers
  if (isLogin(error))
    return new TailraceError(
      'TR-KAFKA-004',
      `Cannot ${what}: the broker at ${place} refuses the login: ${text}; wanted are sasl.mechanism, a user name and a password that it knows`,
      { cause: error },
    )
  if (isCertificate(error))
    return new TailraceError(
      'TR-KAFKA-004',
      `Cannot ${what}: no trust between us and the broker at ${place}: ${text}; see security.protocol, ssl.truststore.location (its certificates) and ssl.keystore.location (ours)`,
      { cause: error },
    )
  return new TailraceError(
    'TR-KAFKA-003',
    `Cannot ${what}: the broker at ${place} cannot be reached${after}: ${text}`,
    { cause: error },
  )
}

/** The error of a transaction that is not the writer's any more; undefined: it is another error. `what` as above. */
export function notOurs(what: string, error: unknown): TailraceError | undefined {
  if (!(error instanceof KafkaProtocolError)) return undefined
  const { code } = error
  if (!isFenced(code) && code !== CODE.INVALID_TXN_STATE) return undefined
  return new TailraceError(
    'TR-KAFKA-010',
    `Cannot ${what}: the transaction is not ours any more, ${codeText(code)}: it was open for longer than transaction.timeout.ms, or another job has the same transactionalIdPrefix`,
    { cause: error },
  )
}
