import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { systemClock, systemSchedule } from '../../core/clock.ts'
import { Random } from '../../testing/simulation/random.ts'
import { followerFence, leaderFence } from '../wire/fence.ts'
import { acceptPeers, dialPeer } from '../wire/open.ts'
import { WIRE_SETTINGS } from '../wire/settings.ts'
import { tcpDial, tcpListen } from '../wire/tcp.ts'
import { HELLO, toFollower, toLeader } from '../wire/two-peers.suite.ts'
import { makeCertificates } from './certificates.suite.ts'
import { type InternalTls, internalTls } from './internal-tls.ts'
import { readPkcs12 } from './pkcs12.ts'

const made = makeCertificates()
afterAll(() => made?.remove())
const certs = made!
/** Needs the command openssl to make certificates. */
const secure = test.skipIf(made === undefined)

const NS = 'security.ssl.internal.'
const PASSWORDS = { [`${NS}keystore-password`]: 'secret', [`${NS}truststore-password`]: 'secret' }

const refusal = (make: () => unknown): string => {
  try {
    make()
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`
  }
  return 'no error'
}

/** Connects with the settings of two processes: undefined, or what each side says. */
async function meet(server: InternalTls | undefined, client: InternalTls | undefined) {
  const strangers: string[] = []
  const common = { settings: WIRE_SETTINGS, clock: systemClock, schedule: systemSchedule, onHandlerError: () => {} }
  const listener = await acceptPeers({
    ...common,
    listen: tcpListen(server, (error) => strangers.push(`${error.code} ${error.message}`)),
    address: { host: '127.0.0.1', port: 0 },
    hello: { ...HELLO, role: 'jobmanager' },
    receives: toLeader,
    sends: toFollower,
    fence: leaderFence(1, () => {}),
    otherLeader: () => undefined,
    onPeer: (peer) => peer.handle({ note: () => {}, double: ({ n }) => ({ n: 2 * n }), fail: () => null }),
    onRefused: (error) => strangers.push(`${error.code} ${error.message}`),
  })
  try {
    const { peer, refused } = await dialPeer({
      ...common,
      dial: tcpDial(client),
      address: listener.address,
      hello: { ...HELLO, role: 'taskmanager' },
      receives: toFollower,
      sends: toLeader,
      fence: followerFence(),
    })
    if (peer === undefined) return { client: `${refused.code} ${refused.message}`, strangers }
    peer.handle({ tell: () => {}, halve: ({ n }) => ({ n }) })
    const answer = await peer.call({ type: 'double', n: 21 })
    peer.close({ code: 'TR-CLUSTER-002', message: 'done' })
    return { answer, strangers }
  } catch (error) {
    return { client: `${(error as { code: string }).code} ${(error as Error).message}`, strangers }
  } finally {
    await listener.close()
  }
}

test('without security.ssl.internal.enabled there is no TLS, and calls go by TCP', async () => {
  expect(internalTls({})).toBeUndefined()
  expect(
    internalTls({ 'security.ssl.internal.enabled': 'false', 'security.ssl.internal.keystore': '/none' }),
  ).toBeUndefined()
  expect(await meet(undefined, undefined)).toEqual({ answer: { n: 42 }, strangers: [] })
})

secure.each<[string, [string?, string?, Record<string, string>?]]>([
  ['PEM', []],
  ['PKCS#12', ['node.p12', 'ca.p12', PASSWORDS]],
  ['a PKCS#12 trust store that is not encrypted', ['node.pem', 'plain.p12', PASSWORDS]],
  ['a private key under a password', ['locked.pem', 'ca.pem', { [`${NS}key-password`]: 'secret' }]],
  ['a chain over an authority between', ['chain.pem']],
  ['an authority between that is in the trust store', ['leaf.pem', 'all-ca.pem']],
  ['a certificate that trusts itself', ['self.pem', 'self-ca.pem']],
  ['usages for servers and clients', ['both.pem']],
  ['TLS 1.3 only', [undefined, undefined, { 'security.ssl.protocol': 'TLSv1.3' }]],
  [
    "a cipher by Java's name",
    [undefined, undefined, { 'security.ssl.algorithms': 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256' }],
  ],
])('two processes speak by TLS with %s', async (_, [keystore, truststore, more]) => {
  const tls = () => internalTls(certs.options(keystore, truststore, more))
  expect(await meet(tls(), tls())).toEqual({ answer: { n: 42 }, strangers: [] })
})

secure.each<[string, [string?, string?, Record<string, string>?], string]>([
  [
    'no such key store',
    ['none.pem'],
    'Cannot use the file "{}/none.pem" of security.ssl.internal.keystore: there is no such file',
  ],
  [
    'no such trust store',
    [undefined, 'none.pem'],
    'Cannot use the file "{}/none.pem" of security.ssl.internal.truststore: there is no such file',
  ],
  [
    'a wrong password of PKCS#12',
    ['node.p12', 'ca.pem', { [`${NS}keystore-password`]: 'wrong' }],
    'its password is wrong, or the file is damaged',
  ],
  [
    'a wrong password of a trust store',
    ['node.pem', 'ca.p12', { [`${NS}truststore-password`]: 'wrong' }],
    '"{}/ca.p12" of security.ssl.internal.truststore: its password is wrong',
  ],
  [
    'no password of PKCS#12',
    ['node.p12'],
    'it is a PKCS#12 file and there is no password, wanted is security.ssl.internal.keystore-password',
  ],
  [
    'a wrong password of a key',
    ['locked.pem', undefined, PASSWORDS && { [`${NS}key-password`]: 'wrong' }],
    'the password of its private key is wrong',
  ],
  ['no password of a key', ['locked.pem'], 'its private key is encrypted and there is no password'],
  [
    'another kind than its type says',
    ['node.pem', undefined, { [`${NS}keystore-type`]: 'PKCS12' }],
    'it is PEM, security.ssl.internal.keystore-type says PKCS12',
  ],
  ['JKS', ['store.jks'], 'it is a JKS store, wanted is PEM or PKCS#12; "keytool -importkeystore'],
  [
    'PKCS#12 in an old way',
    ['node.pem', 'old.p12', PASSWORDS],
    'it is encrypted in an old way (1.2.840.113549.1.12.1.3): write it anew with',
  ],
  ['an empty file', ['empty.pem'], 'it is neither PEM nor PKCS#12, it is empty'],
  ['noise', ['noise'], 'it is neither PEM nor PKCS#12'],
  [
    'no private key',
    ['keyless.pem'],
    'it has no private key, the certificate and private key of this process are wanted in one file',
  ],
  ['no certificate', ['key.pem'], 'it has no certificate beside its private key'],
  ['a certificate of another key', ['mixed.pem'], 'none of its certificates belongs to its private key'],
  ['a trust store without certificates', [undefined, 'key.pem'], 'it has no certificate'],
  ['a certificate for servers only', ['server.pem'], 'its certificate is not made for clients (clientAuth)'],
  [
    'an authority that the trust store does not have',
    ['other.pem'],
    'its certificate (CN=other) is not signed by an authority of security.ssl.internal.truststore, "{}/ca.pem", which has CN=ca',
  ],
  [
    'an authority that only has the name of a trusted one',
    ['forged.pem'],
    'its certificate (CN=forged) is not signed by an authority',
  ],
  [
    'a trust store that ends in the middle',
    ['leaf.pem', 'between.pem'],
    '"{}/between.pem" of security.ssl.internal.truststore: the authority that has signed CN=between is not in it',
  ],
  ['an authority between that nobody knows', ['leaf.pem'], 'its certificate (CN=leaf) is not signed by an authority'],
])('%s is refused at the start', (_, [keystore, truststore, more], text) => {
  const said = refusal(() => internalTls(certs.options(keystore, truststore, more)))
  expect(said).toMatch(/^TR-TLS-001 Cannot use the file/)
  expect(said).toContain(text.replace('{}', certs.path('').replace(/\/$/, '')))
})

secure('dates are compared with the clock', () => {
  const { validTo, validFrom } = new X509Certificate(readFileSync(certs.path('node.pem')))
  const at = (nowMs: number) => refusal(() => internalTls(certs.options(), { nowMs }))
  expect(at(Date.parse(validTo) + 1_000)).toContain(`has expired, it was valid until ${validTo}`)
  expect(at(Date.parse(validFrom) - 1_000)).toContain(`is not valid yet, it will be from ${validFrom}`)
  expect(at(Date.parse(validFrom) + 1_000)).toBe('no error')
})

test.each([
  [{}, 'Cannot use TLS between processes: security.ssl.internal.keystore is not set'],
  [{ 'security.ssl.protocol': 'SSLv3' }, 'Cannot use "SSLv3" for security.ssl.protocol: one of TLSv1.2, TLSv1.3'],
  [{ 'security.ssl.internal.cert.fingerprint': 'ab' }, 'Cannot use "ab" for security.ssl.internal.cert.fingerprint'],
])('settings %o are refused', (options, text) => {
  expect(refusal(() => internalTls({ 'security.ssl.internal.enabled': 'true', ...options }))).toContain(
    `TR-CONFIG-001 ${text}`,
  )
})

secure('a handshake has 10 s, or as long as it is told', () => {
  const timeoutOf = (text: string) =>
    internalTls(certs.options(undefined, undefined, { [`${NS}handshake-timeout`]: text }))?.server.handshakeTimeout
  expect([timeoutOf('-1'), timeoutOf('700')]).toEqual([10_000, 700])
})

secure('ciphers that are not known are refused', () => {
  const options = certs.options(undefined, undefined, { 'security.ssl.algorithms': 'TLS_FAST' })
  expect(refusal(() => internalTls(options))).toContain('"TLS_FAST" is not known')
})

secure('a process of another authority is refused on both sides, with the reason', async () => {
  const ours = internalTls(certs.options())
  const stranger = internalTls(certs.options('other.pem', 'other-ca.pem'))
  const { client, strangers } = await meet(ours, stranger)
  expect(client).toMatch(/^TR-TLS-002 Cannot speak TLS with 127.0.0.1:\d+: one side does not know the authority/)
  expect(client).toContain(certs.path('other.pem'))
  // The one that dials has gone already when the other hears of it, maybe before it could look at the certificate.
  await expect.poll(() => strangers).toEqual([expect.stringMatching(/^TR-(TLS-002|RPC-001) /)])
})

secure('a process whose certificate nobody signed is refused by the one that listens', async () => {
  const ours = internalTls(certs.options())!
  const stranger = internalTls(certs.options('other.pem', 'other-ca.pem'))!
  // It trusts ours.
  const { client, strangers } = await meet(ours, { ...stranger, client: { ...stranger.client, ca: ours.client.ca! } })
  expect(client).toMatch(/^TR-TLS-002 /)
  expect(strangers).toEqual([expect.stringMatching(/^TR-TLS-002 .*127\.0\.0\.1/)])
})

secure('a process without a certificate is refused', async () => {
  const ours = internalTls(certs.options())!
  const { cert: _, key: __, ...bare } = ours.client
  const { client, strangers } = await meet(ours, { ...ours, client: bare })
  expect(client).toMatch(/^TR-TLS-002 .*one side shows no certificate/)
  expect(strangers).toEqual([expect.stringMatching(/^TR-TLS-002 .*one side shows no certificate/)])
})

secure('an expired certificate is refused by the other side', async () => {
  const validFrom = Date.parse(new X509Certificate(readFileSync(certs.path('expired.pem'))).validFrom)
  const expired = internalTls(certs.options('expired.pem'), { nowMs: validFrom })
  while (Date.now() < validFrom + 1_100) await new Promise((resolve) => setTimeout(resolve, 50))
  const { client, strangers } = await meet(internalTls(certs.options()), expired)
  expect(client).toMatch(/^TR-TLS-002 .*a certificate has expired/)
  expect(strangers).toEqual([expect.stringMatching(/^TR-TLS-002 .*expired/)])
  expect((await meet(expired, internalTls(certs.options()))).client).toMatch(/^TR-TLS-002 .*a certificate has expired/)
})

secure('only one side speaks TLS', async () => {
  const tls = internalTls(certs.options())
  const plainServer = await meet(undefined, tls)
  expect(plainServer.client).toMatch(/^TR-(TLS-002|RPC-001) /)
  expect(plainServer.strangers).toEqual([
    expect.stringContaining('security.ssl.internal.enabled must be the same on both'),
  ])
  const plainClient = await meet(tls, undefined)
  expect(plainClient.client).toMatch(/^TR-RPC-001 /)
  expect(plainClient.strangers).toEqual([expect.stringMatching(/^TR-TLS-002 .*the other side does not speak TLS/)])
})

secure('a fingerprint narrows whom a process takes', async () => {
  const { fingerprint, fingerprint256 } = new X509Certificate(readFileSync(certs.path('node.pem')))
  const pinned = (text: string) => internalTls(certs.options(undefined, undefined, { [`${NS}cert.fingerprint`]: text }))
  expect((await meet(pinned(fingerprint), pinned(fingerprint256.toLowerCase()))).answer).toEqual({ n: 42 })
  const both = internalTls(certs.options('both.pem'))
  expect((await meet(both, pinned(fingerprint))).client).toMatch(
    /^TR-TLS-002 .*has the fingerprint .*, security.ssl.internal.cert.fingerprint wants another/,
  )
  expect((await meet(pinned(fingerprint), both)).strangers).toEqual([expect.stringContaining('wants another')])
})

secure('a damaged PKCS#12 file is refused, and nothing else happens', () => {
  const random = new Random(5)
  const whole = readFileSync(certs.path('plain.p12'))
  expect(readPkcs12(whole, 'secret').certificates.length).toBe(1)
  let refused = 0
  for (let run = 0; run < 400; run++) {
    let bytes = Buffer.from(whole)
    for (let changes = random.below(4); changes > 0; changes--) bytes[random.below(bytes.length)] = random.below(256)
    if (random.chance(0.3)) bytes = bytes.subarray(0, random.below(bytes.length))
    try {
      readPkcs12(bytes, 'secret')
    } catch (error) {
      expect(error).toBeInstanceOf(Error)
      refused++
    }
  }
  expect(refused).toBeGreaterThan(100)
})

test('a port that is taken, and one where nobody listens', async () => {
  const listener = await tcpListen()({ host: '127.0.0.1', port: 0 }, () => {})
  const taken = await tcpListen()(listener.address, () => {}).catch((error) => `${error.code} ${error.message}`)
  expect(taken).toMatch(/^TR-CLUSTER-003 Cannot listen on 127.0.0.1:\d+: the port is taken/)
  await listener.close()
  const nobody = await tcpDial()(listener.address, 5_000).catch((error) => `${error.code} ${error.message}`)
  expect(nobody).toMatch(/^TR-RPC-001 Cannot connect to 127.0.0.1:\d+: .*ECONNREFUSED/)
})
