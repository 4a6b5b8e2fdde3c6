/**
 * Certificates and the private key of a PKCS#12 file. Node reads key stores of this kind, but no trust stores, and tells nothing of what is in them.
 *
 * Read is what OpenSSL 3 and Java since 8u301 write: bags that are not encrypted, or by PBES2 with PBKDF2 and AES. The older RC2 and 3DES are refused.
 */
import { createDecipheriv, createPrivateKey, type KeyObject, pbkdf2Sync, X509Certificate } from 'node:crypto'

export interface StoreContents {
  certificates: X509Certificate[]
  key: KeyObject | undefined
}

/** Throws an Error whose text completes "Cannot use the file: …". */
export function readPkcs12(bytes: Buffer, password: string): StoreContents {
  const pfx = elements(one(bytes, SEQUENCE))
  const contents: StoreContents = { certificates: [], key: undefined }
  for (const info of elements(one(contentOf(pfx[1]), SEQUENCE))) readSafe(info, password, contents)
  return contents
}

const WRONG_PASSWORD = 'its password is wrong, or the file is damaged'
const CONVERT =
  'write it anew with "openssl pkcs12 -in OLD -legacy -nodes -out all.pem" and "openssl pkcs12 -export -in all.pem -out NEW" (OpenSSL 3)'

const DATA = '1.2.840.113549.1.7.1'
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6'
const KEY_BAG = '1.2.840.113549.1.12.10.1.1'
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2'
const CERT_BAG = '1.2.840.113549.1.12.10.1.3'
const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'
const PRF: Record<string, string> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
}
const CIPHERS: Record<string, { name: string; keyBytes: number }> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyBytes: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyBytes: 24 },
  '2.16.840.1.101.3.4.1.42': { name: 'aes-256-cbc', keyBytes: 32 },
}
/** Hours of work would be asked for with more. */
const ITERATIONS_MAX = 10_000_000

function readSafe(info: Element, password: string, contents: StoreContents): void {
  const type = oid(elements(info)[0])
  let safe: Buffer
  if (type === DATA) safe = contentOf(info)
  else if (type === ENCRYPTED_DATA) {
    const [, encrypted] = elements(elements(elements(info)[1])[0])
    const [, algorithm, bytes] = elements(encrypted)
    safe = decrypt(algorithm, need(bytes).body, password)
  } else throw new Error(`it has a part of the kind ${type}; certificates and a key, by a password, are wanted`)
  for (const bag of elements(one(safe, SEQUENCE))) {
    const [id, value] = elements(bag)
    const inner = elements(value)[0]
    switch (oid(id)) {
      case CERT_BAG:
        contents.certificates.push(new X509Certificate(need(elements(elements(inner)[1])[0]).body))
        break
      case KEY_BAG:
        contents.key ??= createPrivateKey({ key: need(inner).whole, format: 'der', type: 'pkcs8' })
        break
      case SHROUDED_KEY_BAG: {
        const [algorithm, bytes] = elements(inner)
        const key = decrypt(algorithm, need(bytes).body, password)
        contents.key ??= createPrivateKey({ key, format: 'der', type: 'pkcs8' })
      }
    }
  }
}

function decrypt(algorithm: Element | undefined, encrypted: Buffer, password: string): Buffer {
  const [scheme, parameters] = elements(algorithm)
  if (oid(scheme) !== PBES2) throw new Error(`it is encrypted in an old way (${oid(scheme)}): ${CONVERT}`)
  const [derivation, encryption] = elements(parameters)
  const [kdf, kdfParameters] = elements(derivation)
  const [cipherId, iv] = elements(encryption)
  const cipher = CIPHERS[oid(cipherId)]
  if (oid(kdf) !== PBKDF2 || cipher === undefined)
    throw new Error(`it is encrypted in a way that is not known (${oid(kdf)}, ${oid(cipherId)}): ${CONVERT}`)
  const [salt, rounds, ...rest] = elements(kdfParameters)
  const prfElement = rest.find(({ tag }) => tag === SEQUENCE)
  const prf = prfElement === undefined ? 'sha1' : PRF[oid(elements(prfElement)[0])]
  const iterations = need(rounds).body.readUIntBE(0, Math.min(6, need(rounds).body.length))
  if (prf === undefined || iterations < 1 || iterations > ITERATIONS_MAX)
    throw new Error(`its key is derived in a way that is not known: ${CONVERT}`)
  const key = pbkdf2Sync(password, need(salt).body, iterations, cipher.keyBytes, prf)
  try {
    const decipher = createDecipheriv(cipher.name, key, need(iv).body)
    const plain = Buffer.concat([decipher.update(encrypted), decipher.final()])
    one(plain, SEQUENCE)
    return plain
  } catch (cause) {
    throw new Error(WRONG_PASSWORD, { cause })
  }
}

// --- DER

interface Element {
  tag: number
  body: Buffer
  /** With its header. */
  whole: Buffer
}

const SEQUENCE = 0x30
const OBJECT_ID = 0x06

/** The octets of `[0] { OCTET STRING }` in a ContentInfo. */
function contentOf(info: Element | undefined): Buffer {
  return need(elements(elements(info)[1])[0]).body
}

function need(element: Element | undefined): Element {
  if (element === undefined) throw new Error('it is no PKCS#12 file, or it is damaged')
  return element
}

/** The one element that `bytes` begin with. */
function one(bytes: Buffer, tag: number): Element {
  const element = need(elementAt(bytes, 0))
  if (element.tag !== tag) throw new Error('it is no PKCS#12 file, or it is damaged')
  return element
}

function elements(parent: Element | undefined): Element[] {
  const { body } = need(parent)
  const found: Element[] = []
  for (let at = 0; at < body.length; ) {
    const element = need(elementAt(body, at))
    found.push(element)
    at += element.whole.length
  }
  return found
}

function elementAt(bytes: Buffer, start: number): Element | undefined {
  let at = start + 2
  if (at > bytes.length) return undefined
  let length = bytes[start + 1]!
  if (length >= 0x80) {
    const wide = length & 0x7f
    if (wide < 1 || wide > 4 || at + wide > bytes.length) return undefined
    length = bytes.readUIntBE(at, wide)
    at += wide
  }
  if (at + length > bytes.length) return undefined
  return { tag: bytes[start]!, body: bytes.subarray(at, at + length), whole: bytes.subarray(start, at + length) }
}

function oid(element: Element | undefined): string {
  const { tag, body } = need(element)
  if (tag !== OBJECT_ID || body.length === 0) throw new Error('it is no PKCS#12 file, or it is damaged')
  const parts = [Math.min(2, Math.floor(body[0]! / 40))]
  parts.push(body[0]! - 40 * parts[0]!)
  let part = 0
  for (const byte of body.subarray(1)) {
    part = part * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    parts.push(part)
    part = 0
  }
  return parts.join('.')
}
