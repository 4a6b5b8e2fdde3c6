import { describe, expect, test } from 'vitest'
import { TailraceError } from '../../../core/errors.ts'
import { CODE, codeText, isAuthorization, isFenced, isRetriable, KafkaProtocolError } from './codes.ts'
import { isFinal, kafkaFailure } from './failures.ts'

const named = (name: string, message: string, more: object = {}) => Object.assign(new Error(message), { name }, more)
const protocol = (code: number) => new KafkaProtocolError(code, 'topic "t"')

test.each([
  [6, 'NOT_LEADER_OR_FOLLOWER'],
  [47, 'INVALID_PRODUCER_EPOCH'],
  [90, 'PRODUCER_FENCED'],
  [120, 'TRANSACTION_ABORTABLE'],
  [12345, 'error'],
])('code %d is %s', (code, name) => {
  expect(codeText(code)).toContain(`(${code})`)
  if (code !== 6) expect(codeText(code)).toBe(`${name} (${code})`)
})

describe('what a code means', () => {
  const all = Array.from({ length: 130 }, (_, code) => code)

  test('to be tried again', () => {
    const wanted = [3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 70, 71, 72, 74, 75, 78, 80, 88, 89]
    expect(all.filter(isRetriable)).toEqual(wanted)
  })

  test('fenced', () => {
    expect(all.filter(isFenced)).toEqual([47, 49, 59, 90])
  })

  test('not allowed', () => {
    expect(all.filter(isAuthorization)).toEqual([29, 30, 31, 53])
  })

  test('no code is retriable and final at once', () => {
    for (const code of all) expect(isFinal(protocol(code))).toBe(!isRetriable(code))
    for (const code of [...all.filter(isFenced), ...all.filter(isAuthorization)]) expect(isRetriable(code)).toBe(false)
  })
})

const asked = { servers: 's:1', user: 'ann', protocol: 'SASL_SSL' }
const login = named('KafkaJSSASLAuthenticationError', 'SASL PLAIN authentication failed')
const untrusted = named('KafkaJSConnectionError', 'Connection error: self-signed certificate', {
  code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  broker: 'b:9093',
})
const refusedConnection = named('KafkaJSConnectionError', 'connect ECONNREFUSED', {
  code: 'ECONNREFUSED',
  broker: 'b:9092',
  retriable: true,
})

test.each<[string, unknown, boolean, string, string]>([
  ['an error of ours', new TailraceError('TR-KAFKA-009', 'as it was'), true, 'TR-KAFKA-009', 'as it was'],
  [
    'a right',
    protocol(CODE.TOPIC_AUTHORIZATION_FAILED),
    true,
    'TR-KAFKA-005',
    'Cannot read: the cluster at s:1 does not allow it, topic "t": TOPIC_AUTHORIZATION_FAILED (29); wanted is an ACL for the user "ann"',
  ],
  [
    'a missing topic',
    protocol(CODE.UNKNOWN_TOPIC_OR_PARTITION),
    false,
    'TR-KAFKA-006',
    'Cannot read: the cluster at s:1 has no such topic or partition, topic "t": UNKNOWN_TOPIC_OR_PARTITION (3) (after 4 tries); wanted is one that is there, as jobs create none',
  ],
  ['a name that cannot be', protocol(CODE.INVALID_TOPIC), true, 'TR-KAFKA-006', 'no such topic'],
  [
    'another refusal',
    protocol(CODE.MESSAGE_TOO_LARGE),
    true,
    'TR-KAFKA-007',
    'Cannot read: the cluster at s:1 refuses, topic "t": MESSAGE_TOO_LARGE (10) (after 4 tries)',
  ],
  [
    'a login',
    login,
    true,
    'TR-KAFKA-004',
    'Cannot read: the broker at s:1 refuses the login of "ann": SASL PLAIN authentication failed; wanted are sasl.mechanism',
  ],
  [
    'a certificate',
    untrusted,
    true,
    'TR-KAFKA-004',
    'Cannot read: we do not trust the certificate of the broker at b:9093: Connection error: self-signed certificate; wanted is the authority that signed it in ssl.truststore.location',
  ],
  [
    'a certificate for another name',
    named('E', "Hostname/IP does not match certificate's altnames", { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
    true,
    'TR-KAFKA-004',
    "the certificate of the broker at s:1 is for another name: Hostname/IP does not match certificate's altnames; wanted is an address that is in it",
  ],
  [
    'our certificate',
    named(
      'E',
      'Connection error: C0B7:error:0A000412:SSL routines:ssl3_read_bytes:ssl/tls alert bad certificate:../ssl.c:918:SSL alert number 42\n',
    ),
    true,
    'TR-KAFKA-004',
    'the broker at s:1 does not trust our certificate, or wants one: ssl/tls alert bad certificate; wanted is one that it trusts in ssl.keystore.location',
  ],
  [
    'a broker without TLS',
    named('E', 'wrong version number'),
    true,
    'TR-KAFKA-004',
    'the broker at s:1 does not speak TLS: wrong version number; security.protocol is SASL_SSL',
  ],
  [
    'a broker without logins',
    named('KafkaJSProtocolError', 'not valid', { type: 'ILLEGAL_SASL_STATE' }),
    true,
    'TR-KAFKA-004',
    'the broker at s:1 knows no logins: not valid; security.protocol is SASL_SSL, wanted is the one of this port',
  ],
  [
    'a connection that the broker closes',
    named('KafkaJSConnectionError', 'Closed connection', { broker: 'b:9092' }),
    false,
    'TR-KAFKA-003',
    'the broker at b:9092 cannot be reached (after 4 tries): Closed connection; when it always closes the connection: security.protocol is SASL_SSL, wanted is the one of this port',
  ],
  [
    'a connection',
    refusedConnection,
    false,
    'TR-KAFKA-003',
    'Cannot read: the broker at b:9092 cannot be reached (after 4 tries): connect ECONNREFUSED',
  ],
  [
    'anything else',
    new Error('odd'),
    false,
    'TR-KAFKA-003',
    'the broker at s:1 cannot be reached (after 4 tries): odd',
  ],
])('%s', (_what, error, final, code, text) => {
  expect(isFinal(error)).toBe(final)
  const failure = kafkaFailure('read', error, asked, 4)
  expect(failure).toMatchObject({ code, message: expect.stringContaining(text) })
  if (failure !== error) expect(failure.cause).toBe(error)
})

test('one try is not counted', () => {
  expect(kafkaFailure('read', refusedConnection, asked, 1).message).not.toContain('tries')
})

test('what was tried is not said twice', () => {
  const { message } = kafkaFailure('find topic "t"', protocol(CODE.TOPIC_AUTHORIZATION_FAILED), {
    ...asked,
    user: undefined,
  })
  expect(message).toBe(
    'Cannot find topic "t": the cluster at s:1 does not allow it, TOPIC_AUTHORIZATION_FAILED (29); wanted is an ACL for this client',
  )
})
