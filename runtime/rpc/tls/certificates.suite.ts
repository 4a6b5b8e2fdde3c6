/** Certificates for tests, made by the `openssl` of the machine; undefined where there is none. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificates {
  /** Path of a file of this name. */
  path(name: string): string
  /** Options of a process with this key store and trust store. */
  options(keystore?: string, truststore?: string, more?: Record<string, string>): Record<string, string>
  remove(): void
}

/**
 * An authority `ca.pem`, certificates with their keys in one file: `node.pem` of it, `other.pem` of another authority `other-ca.pem`, `forged.pem` (of another that has the name of the first), `expired.pem`, `self.pem` (signed by itself), `server.pem` (for
 * servers only); `chain.pem` of an authority between, the same as PKCS#12: `node.p12`, `ca.p12`, with the password `secret`; `old.p12` in the way of OpenSSL 1; `locked.pem` with its key under the
 * password `secret`.
 */
export function makeCertificates(): Certificates | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'tls-'))
  const path = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const authority = (name: string, subject = name) =>
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '10',
      '-subj',
      `/CN=${subject}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-addext',
      'basicConstraints=critical,CA:TRUE',
    )
  const signed = (name: string, ca: string, days: string, extensions: string) => {
    writeFileSync(path(`${name}.ext`), extensions)
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    )
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      `${ca}.pem`,
      '-CAkey',
      `${ca}.key`,
      '-CAcreateserial',
      '-days',
      days,
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.crt`,
    )
  }
  const joined = (name: string, ...parts: string[]) =>
    writeFileSync(path(name), parts.map((part) => readFileSync(path(part), 'utf8')).join(''))
  try {
    openssl('version')
  } catch {
    rmSync(folder, { recursive: true })
    return undefined
  }
  authority('ca')
  authority('other-ca')
  authority('self-ca')
  authority('twin', 'ca')
  for (const [name, ca, days, extensions] of [
    ['node', 'ca', '10', ''],
    ['other', 'other-ca', '10', ''],
    ['expired', 'ca', '0', ''],
    ['server', 'ca', '10', 'extendedKeyUsage=serverAuth'],
    ['forged', 'twin', '10', 'authorityKeyIdentifier=none'],
    ['both', 'ca', '10', 'extendedKeyUsage=serverAuth,clientAuth'],
  ] as const) {
    signed(name, ca, days, extensions)
    joined(`${name}.pem`, `${name}.crt`, `${name}.key`)
  }
  joined('self.pem', 'self-ca.pem', 'self-ca.key')
  signed('between', 'ca', '10', 'basicConstraints=critical,CA:TRUE')
  joined('between.pem', 'between.crt')
  joined('all-ca.pem', 'between.crt', 'ca.pem')
  signed('leaf', 'between', '10', '')
  joined('chain.pem', 'leaf.crt', 'between.crt', 'leaf.key')
  joined('leaf.pem', 'leaf.crt', 'leaf.key')
  const pass = ['-passout', 'pass:secret']
  openssl('pkcs12', '-export', '-in', 'node.crt', '-inkey', 'node.key', '-out', 'node.p12', ...pass)
  openssl('pkcs12', '-export', '-nokeys', '-in', 'ca.pem', '-out', 'ca.p12', ...pass)
  openssl('pkcs12', '-export', '-nokeys', '-in', 'ca.pem', '-out', 'plain.p12', '-certpbe', 'NONE', ...pass)
  openssl('pkcs12', '-export', '-nokeys', '-in', 'ca.pem', '-out', 'old.p12', '-certpbe', 'PBE-SHA1-3DES', ...pass)
  openssl('pkcs8', '-topk8', '-in', 'node.key', '-out', 'locked.key', ...pass)
  joined('locked.pem', 'node.crt', 'locked.key')
  joined('mixed.pem', 'other.crt', 'node.key')
  joined('keyless.pem', 'node.crt')
  joined('key.pem', 'node.key')
  writeFileSync(path('store.jks'), Buffer.from([0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]))
  writeFileSync(path('empty.pem'), '')
  writeFileSync(path('noise'), 'what is this')
  return {
    path,
    options: (keystore = 'node.pem', truststore = 'ca.pem', more = {}) => ({
      'security.ssl.internal.enabled': 'true',
      'security.ssl.internal.keystore': path(keystore),
      'security.ssl.internal.truststore': path(truststore),
      ...more,
    }),
    remove: () => rmSync(folder, { recursive: true }),
  }
}
