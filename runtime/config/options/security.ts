/** TLS between the processes of a cluster, and what may be fetched. */
import { option } from '../option.ts'
import { boolean, duration, integer, list, map, memorySize, oneOf, text } from '../types.ts'

const NS = 'security.ssl.internal.'
const kinds = oneOf(['PKCS12', 'PEM'], { P12: 'PKCS12', PFX: 'PKCS12' })

export const INTERNAL_TLS = {
  enabled: option({
    key: `${NS}enabled`,
    type: boolean,
    standard: 'false',
    text: 'RPC and records between processes go by TLS, in which both sides show a certificate.',
  }),
  keystore: option({
    key: `${NS}keystore`,
    type: text(),
    text: 'File with the key and the certificate of this process.',
  }),
  keystorePassword: option({ key: `${NS}keystore-password`, type: text(), text: 'Of that file.' }),
  keyPassword: option({
    key: `${NS}key-password`,
    type: text(),
    unset: 'as the password of the file',
    text: 'Of the key in it.',
  }),
  keystoreType: option({
    key: `${NS}keystore-type`,
    type: kinds,
    unset: 'by what is in it',
    text: 'JKS of Java cannot be read: `keytool -importkeystore` makes PKCS12 of it.',
  }),
  truststore: option({
    key: `${NS}truststore`,
    type: text(),
    text: 'File with the certificates that the other side must come from.',
  }),
  truststorePassword: option({ key: `${NS}truststore-password`, type: text(), text: 'Of that file.' }),
  truststoreType: option({
    key: `${NS}truststore-type`,
    type: kinds,
    unset: 'by what is in it',
    text: 'As of the keystore.',
  }),
  fingerprint: option({
    key: `${NS}cert.fingerprint`,
    type: text({ like: /^[0-9a-f]{2}(:?[0-9a-f]{2}){19,31}$/i, wanted: 'SHA-1 or SHA-256 in hexadecimal digits' }),
    text: 'The one certificate that the other side may show.',
  }),
  handshake: option({
    key: `${NS}handshake-timeout`,
    older: ['security.ssl.handshake-timeout'],
    type: integer({ atLeast: -1 }),
    standard: '-1',
    text: 'Milliseconds for a handshake; -1: 10 s.',
  }),
  protocol: option({
    key: 'security.ssl.protocol',
    type: oneOf(['TLSv1.2', 'TLSv1.3']),
    standard: 'TLSv1.2',
    text: 'The oldest version that is spoken.',
  }),
  algorithms: option({
    key: 'security.ssl.algorithms',
    type: text(),
    unset: "Node's",
    text: 'Ciphers, in the names of OpenSSL or of Java; commas separate.',
  }),
}

export const ARTIFACTS = {
  directory: option({
    key: 'user.artifacts.base-dir',
    type: text(),
    unset: 'in the temporary directory',
    text: 'Where fetched artifacts are kept; of one user alone, as what lies there is run.',
  }),
  headers: option({
    key: 'user.artifacts.http-headers',
    type: map,
    text: 'Headers of requests for artifacts, for the host of the address, and not for where it redirects.',
  }),
  plainHttp: option({
    key: 'user.artifacts.raw-http-enabled',
    type: boolean,
    standard: 'false',
    text: 'Whether `http:` is allowed beside `https:`; anybody on the way can change what it brings.',
  }),
  privateHosts: option({
    key: 'tailrace.artifacts.allowed-hosts',
    type: list(text()),
    unset: 'none',
    text: 'Hosts in private ranges that artifacts may come from: names, `*.name`, addresses, ranges such as `10.1.0.0/16`; `*` for all.',
  }),
  fetchTimeout: option({
    key: 'tailrace.artifacts.fetch-timeout',
    type: duration({ atLeastMs: 1 }),
    standard: '5 min',
    text: 'An artifact that has not come whole within it, redirects and all, cannot be used.',
  }),
  idleTimeout: option({
    key: 'tailrace.artifacts.idle-timeout',
    type: duration({ atLeastMs: 1 }),
    standard: '30 s',
    text: 'The longest silence of a server of artifacts.',
  }),
  size: option({
    key: 'tailrace.artifacts.max-size',
    type: memorySize({ atLeast: '1kb' }),
    standard: '256mb',
    text: 'The largest file that is taken.',
  }),
  unpackedSize: option({
    key: 'tailrace.artifacts.max-unpacked-size',
    type: memorySize({ atLeast: '1kb' }),
    standard: '1gb',
    text: 'The most that may be in a package.',
  }),
  files: option({
    key: 'tailrace.artifacts.max-files',
    type: integer({ atLeast: 1 }),
    standard: '50000',
    text: 'The most files of a package.',
  }),
  cacheSize: option({
    key: 'tailrace.artifacts.cache-size',
    type: memorySize(),
    standard: '2gb',
    text: 'What is kept of fetched artifacts, about; more when jobs use more.',
  }),
}
