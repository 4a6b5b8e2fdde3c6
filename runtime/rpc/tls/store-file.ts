/** A key store or trust store as a file: PEM, or PKCS#12 with its password. What it is shows in its bytes, whatever its type says. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { TailraceError } from '../../core/errors.ts'
import { readPkcs12, type StoreContents } from './pkcs12.ts'

export interface StoreFile {
  /** Key of the configuration that names the file. */
  key: string
  path: string
  /** Of the file, and of a private key in it. */
  password: string | undefined
  keyPassword: string | undefined
  /** Key that would have the password, for messages. */
  passwordKey: string
  /** What it must be; undefined: what it is. */
  kind: 'PEM' | 'PKCS12' | undefined
  kindKey: string
}

/** Throws TR-TLS-001 with the file and the reason. */
export function readStore(file: StoreFile, readFile: (path: string) => Buffer): StoreContents {
  let bytes: Buffer
  try {
    bytes = readFile(file.path)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw storeError(file, code === 'ENOENT' ? 'there is no such file' : message, cause)
  }
  const kind = bytes.includes('-----BEGIN ') ? 'PEM' : bytes[0] === 0x30 ? 'PKCS12' : undefined
  if (kind !== undefined && file.kind !== undefined && kind !== file.kind)
    throw storeError(file, `it is ${kind}, ${file.kindKey} says ${file.kind}`)
  try {
    if (kind === 'PEM') return readPem(bytes.toString('latin1'), file)
    if (kind === 'PKCS12') {
      const { password } = file
      if (password === undefined)
        throw new Error(`it is a PKCS#12 file and there is no password, wanted is ${file.passwordKey}`)
      return readPkcs12(bytes, password)
    }
  } catch (cause) {
    throw storeError(file, (cause as Error).message, cause)
  }
  throw storeError(file, kindOf(bytes))
}

export function storeError(
  { key, path }: Pick<StoreFile, 'key' | 'path'>,
  why: string,
  cause?: unknown,
): TailraceError {
  return new TailraceError('TR-TLS-001', `Cannot use the file "${path}" of ${key}: ${why}`, { cause })
}

const JKS = [0xfeedfeed, 0xcececece]

function kindOf(bytes: Buffer): string {
  if (bytes.length >= 4 && JKS.includes(bytes.readUInt32BE(0)))
    return 'it is a JKS store, wanted is PEM or PKCS#12; "keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype PKCS12" converts it'
  return `it is neither PEM nor PKCS#12${bytes.length === 0 ? ', it is empty' : ''}`
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g

function readPem(text: string, file: StoreFile): StoreContents {
  const contents: StoreContents = { certificates: [], key: undefined }
  for (const [block, kind] of text.matchAll(BLOCK)) {
    if (kind === 'CERTIFICATE' || kind === 'TRUSTED CERTIFICATE') contents.certificates.push(new X509Certificate(block))
    else if (kind!.endsWith('PRIVATE KEY')) contents.key ??= readKey(block, file)
  }
  return contents
}

function readKey(key: string, { keyPassword, password, passwordKey }: StoreFile) {
  const passphrase = keyPassword ?? password
  try {
    return createPrivateKey(passphrase === undefined ? key : { key, passphrase })
  } catch (cause) {
    const encrypted = /ENCRYPTED/.test(key)
    if (encrypted && passphrase === undefined)
      throw new Error(`its private key is encrypted and there is no password, wanted is ${passwordKey}`, { cause })
    if (encrypted) throw new Error('the password of its private key is wrong', { cause })
    throw cause
  }
}
