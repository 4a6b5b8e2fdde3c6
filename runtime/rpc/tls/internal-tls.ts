/**
 * TLS between the processes of a cluster, for RPC and data alike: each side shows a certificate, and each checks the other's against the trust store, which holds the cluster's own authority.
 * Host names are not compared: whoever has a certificate of that authority belongs to the cluster, at whatever address its pod is.
 *
 * Everything that can be known before a connection is checked at the start: files, passwords, dates, and that the own certificate is one that the others will trust.
 */
import type { KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls'
import { getCiphers } from 'node:tls'
import { ConfigValues } from '../../config/option.ts'
import { INTERNAL_TLS } from '../../config/options/security.ts'
import { TailraceError } from '../../core/errors.ts'
import { readStore, type StoreFile, storeError } from './store-file.ts'
import { reasonOf, tlsFailure } from './tls-failure.ts'

export interface InternalTls {
  /** For `tls.connect`. */
  readonly client: ConnectionOptions
  /** For `tls.createServer`. */
  readonly server: TlsOptions
  /** After the handshake: why this one does not belong to the cluster all the same; undefined: it does. */
  refuses(socket: TLSSocket): string | undefined
  /** The error of a connection to `place`, with TR-TLS-002; undefined when it has nothing to do with TLS. */
  failure(error: Error, place: string): TailraceError | undefined
  /** For messages. */
  readonly keystore: string
  readonly truststore: string
}

/** Of the option whose value is -1. */
const HANDSHAKE_MS = 10_000

export interface InternalTlsInputs {
  readFile?: (path: string) => Buffer
  /** Milliseconds since 1970: certificates are compared with it. */
  nowMs?: number
}

/**
 * Undefined: `security.ssl.internal.enabled` is not true. Throws TR-TLS-001 for files, TR-CONFIG-001 for settings.
 *
 * @example
 * const tls = internalTls({
 *   'security.ssl.internal.enabled': 'true',
 *   'security.ssl.internal.keystore': '/certs/node.pem', // certificate and private key
 *   'security.ssl.internal.truststore': '/certs/ca.pem',
 * })
 * tcpDial(tls)
 */
export function internalTls(
  options: Readonly<Record<string, string>>,
  { readFile = (path) => readFileSync(path), nowMs = Date.now() }: InternalTlsInputs = {},
): InternalTls | undefined {
  const read = new ConfigValues(options, 'TR-CONFIG-001')
  if (!read.get(INTERNAL_TLS.enabled)) return undefined
  const minVersion = read.get(INTERNAL_TLS.protocol)
  const pinned = read.get(INTERNAL_TLS.fingerprint)
  const fingerprint = pinned === undefined ? undefined : plain(pinned)
  const keyFile = storeOf(read, KEYSTORE)
  const trustFile = storeOf(read, TRUSTSTORE)
  const own = readStore(keyFile, readFile)
  const trusted = readStore(trustFile, readFile).certificates
  const chain = checkOwn(own.certificates, own.key, keyFile, nowMs)
  checkTrust(chain, trusted, keyFile, trustFile, nowMs)
  const ciphers = ciphersOf(read)
  const common = {
    cert: chain.map(String).join(''),
    key: own.key!.export({ type: 'pkcs8', format: 'pem' }),
    ca: trusted.map(String),
    minVersion,
    rejectUnauthorized: true,
    ...(ciphers === undefined ? {} : { ciphers }),
  } as const
  const handshakeMs = read.get(INTERNAL_TLS.handshake)
  const files = { keystore: keyFile.path, truststore: trustFile.path }
  return {
    client: { ...common, checkServerIdentity: () => undefined },
    server: {
      ...common,
      requestCert: true,
      handshakeTimeout: handshakeMs > 0 ? handshakeMs : HANDSHAKE_MS,
    },
    refuses: (socket) => {
      if (!socket.authorized) return distrust(socket)
      if (fingerprint === undefined) return undefined
      const { fingerprint: sha1, fingerprint256: sha256 } = socket.getPeerCertificate()
      if ([sha1, sha256].some((text) => text !== undefined && plain(text) === fingerprint)) return undefined
      return `its certificate has the fingerprint ${sha1}, ${INTERNAL_TLS.fingerprint.key} wants another`
    },
    failure: (error, place) => tlsFailure(error, place, files),
    ...files,
  }
}

function distrust(socket: TLSSocket): string {
  if (Object.keys(socket.getPeerCertificate()).length === 0) return 'one side shows no certificate, the other one'
  const error = String(socket.authorizationError ?? 'it is not trusted')
  return `${reasonOf(error) ?? 'its certificate is not trusted'} (${error})`
}

const KEYSTORE = {
  file: INTERNAL_TLS.keystore,
  password: INTERNAL_TLS.keystorePassword,
  kind: INTERNAL_TLS.keystoreType,
  what: 'a file with the certificate and private key of this process',
}
const TRUSTSTORE = {
  file: INTERNAL_TLS.truststore,
  password: INTERNAL_TLS.truststorePassword,
  kind: INTERNAL_TLS.truststoreType,
  what: 'a file with the certificate of the authority of the cluster',
}

function storeOf(read: ConfigValues, { file, password, kind, what }: typeof KEYSTORE): StoreFile {
  const found = read.find(file)
  if (found === undefined)
    throw new TailraceError(
      'TR-CONFIG-001',
      `Cannot use TLS between processes: ${file.key} is not set, ${what} is wanted (PEM or PKCS#12)`,
    )
  return {
    key: found.key,
    path: found.text,
    password: read.get(password),
    keyPassword: file === INTERNAL_TLS.keystore ? read.get(INTERNAL_TLS.keyPassword) : undefined,
    passwordKey: password.key,
    kind: read.get(kind),
    kindKey: kind.key,
  }
}

/** The own chain, from the certificate of the key upwards. */
function checkOwn(
  certificates: X509Certificate[],
  key: KeyObject | undefined,
  file: StoreFile,
  nowMs: number,
): X509Certificate[] {
  if (key === undefined)
    throw storeError(
      file,
      'it has no private key, the certificate and private key of this process are wanted in one file',
    )
  const leaf = certificates.find((certificate) => certificate.checkPrivateKey(key))
  if (leaf === undefined)
    throw storeError(
      file,
      certificates.length === 0
        ? 'it has no certificate beside its private key'
        : 'none of its certificates belongs to its private key',
    )
  checkDates(leaf, file, nowMs)
  // Extended usages, if there are any, must name both roles.
  const usages = leaf.keyUsage ?? []
  if (usages.length > 0 && !usages.includes(ANY_USAGE))
    for (const [oid, name] of USAGES)
      if (!usages.includes(oid))
        throw storeError(file, `its certificate is not made for ${name}, which every process of a cluster is`)
  return [leaf, ...certificates.filter((certificate) => certificate !== leaf)]
}

const ANY_USAGE = '2.5.29.37.0'
const USAGES = [
  ['1.3.6.1.5.5.7.3.1', 'servers (serverAuth)'],
  ['1.3.6.1.5.5.7.3.2', 'clients (clientAuth)'],
] as const

/** The others have the same trust store: what is not trusted here, is not there. */
function checkTrust(
  chain: X509Certificate[],
  trusted: X509Certificate[],
  keyFile: StoreFile,
  trustFile: StoreFile,
  nowMs: number,
): void {
  if (trusted.length === 0) throw storeError(trustFile, 'it has no certificate')
  const valid = trusted.filter((certificate) => nowMs <= Date.parse(certificate.validTo))
  if (valid.length === 0) checkDates(trusted[0]!, trustFile, nowMs)
  // As OpenSSL builds it: up to an authority that has signed itself, and that one must be trusted.
  const known = [...valid, ...chain]
  let at = chain[0]!
  for (let steps = 0; steps <= known.length; steps++) {
    if (issued(at, at)) {
      if (valid.some((root) => root.fingerprint256 === at.fingerprint256)) return
      break
    }
    const next = known.find((other) => other !== at && issued(other, at))
    if (next === undefined) {
      if (!valid.some((one) => one.fingerprint256 === at.fingerprint256)) break
      throw storeError(
        trustFile,
        `the authority that has signed ${oneLine(at.subject)} is not in it, wanted is every authority up to the one that has signed itself`,
      )
    }
    at = next
  }
  throw storeError(
    keyFile,
    `its certificate (${oneLine(chain[0]!.subject)}) is not signed by an authority of ${trustFile.key}, "${trustFile.path}", which has ${trusted.map((one) => oneLine(one.subject)).join('; ')}`,
  )
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

function checkDates({ subject, validFrom, validTo }: X509Certificate, file: StoreFile, nowMs: number): void {
  const who = `its certificate (${oneLine(subject)})`
  if (nowMs > Date.parse(validTo)) throw storeError(file, `${who} has expired, it was valid until ${validTo}`)
  if (nowMs < Date.parse(validFrom)) throw storeError(file, `${who} is not valid yet, it will be from ${validFrom}`)
}

const oneLine = (subject: string | undefined): string => subject?.replaceAll('\n', ', ') ?? 'without a name'

const plain = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase()

/** Java's names are turned into OpenSSL's; those of TLS 1.3 are the same. */
function ciphersOf(read: ConfigValues): string | undefined {
  const found = read.find(INTERNAL_TLS.algorithms)
  if (found === undefined) return undefined
  const names = found.text.split(/[,;:\s]+/).filter((name) => name !== '')
  const known = new Set(getCiphers())
  for (const name of names)
    if (!known.has(openSslName(name).toLowerCase()))
      throw read.refusal(found, `"${name}" is not known; names of cipher suites`)
  return names.map(openSslName).join(':')
}

function openSslName(name: string): string {
  const java = /^TLS_(.+)_WITH_(.+)$/.exec(name)
  if (java === null) return name
  const exchange = java[1] === 'RSA' ? '' : `${java[1]!.replaceAll('_', '-')}-`
  return (
    exchange +
    java[2]!
      .replace(/AES_(\d+)/, 'AES$1')
      .replace(/AES(\d+)_CBC_/, 'AES$1-')
      .replace('CHACHA20_POLY1305_SHA256', 'CHACHA20-POLY1305')
      .replaceAll('_', '-')
  )
}
