/** What went wrong in a handshake, in the words of TR-TLS-002. */
import { isTailraceError, TailraceError } from '../../core/errors.ts'
import type { InternalTls } from './internal-tls.ts'

const REASONS: readonly [RegExp, string][] = [
  [/CERT_HAS_EXPIRED|certificate expired/i, 'a certificate has expired'],
  [/CERT_NOT_YET_VALID/i, 'a certificate is not valid yet'],
  [
    /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_UNTRUSTED|unknown ca|certificate unknown|bad certificate/i,
    'one side does not know the authority that signed the certificate of the other',
  ],
  [/certificate required|peer did not return a certificate/i, 'one side shows no certificate'],
  [/unsupported certificate|INVALID_PURPOSE/i, 'a certificate is not made for this use'],
  [
    /WRONG_VERSION_NUMBER|wrong version number|packet length too long|http request/i,
    'the other side does not speak TLS',
  ],
  [
    /UNSUPPORTED_PROTOCOL|protocol version|NO_SHARED_CIPHER|handshake failure|no ciphers/i,
    'the two have no version or cipher in common',
  ],
]

/** In words, if it is one of those that occur. @param text a code or a message */
export function reasonOf(text: string): string | undefined {
  return REASONS.find(([pattern]) => pattern.test(text))?.[1]
}

/** Undefined when it is not about TLS. @param place `10.0.0.7:6123` */
export function tlsFailure(
  error: Error,
  place: string,
  tls: Pick<InternalTls, 'keystore' | 'truststore'> | undefined,
): TailraceError | undefined {
  if (isTailraceError(error)) return error
  if (tls === undefined) return undefined
  const words = tlsWords(error)
  if (words === undefined) return undefined
  return new TailraceError(
    'TR-TLS-002',
    `Cannot speak TLS with ${place}: ${words}; ours are "${tls.keystore}" and "${tls.truststore}"`,
    { cause: error },
  )
}

/** What the error says of TLS; undefined when it is about something else. */
export function tlsWords(error: Error): string | undefined {
  const { code = '', message } = error as NodeJS.ErrnoException
  const reason = reasonOf(`${code} ${message}`)
  const isTls = reason !== undefined || /^ERR_(SSL|TLS)|EPROTO|ssl3?_|tlsv1/i.test(`${code} ${message}`)
  return isTls ? `${reason ?? message} (${firstLine(reason === undefined ? code : message)})` : undefined
}

const firstLine = (text: string): string => text.split('\n')[0]!.slice(0, 200)
