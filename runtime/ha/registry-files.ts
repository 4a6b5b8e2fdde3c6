/**
 * Bytes that the registry names: values that are too long for a record of the journal, and artifacts. A name is used once and never again, so a deposed leader that still deletes
 * what it has dropped deletes nothing that a newer one has written.
 *
 *     bodies/<epoch>-<number>                 tagged JSON
 *     artifacts/<sha256>-<epoch>-<number>     as it was uploaded
 */
import { createHash } from 'node:crypto'
import { createAndCompare } from '../checkpoint/claims.ts'
import type { ObjectStore } from '../checkpoint/object-store.ts'
import { TailraceError } from '../core/errors.ts'
import type { Body } from './registry-state.ts'
import { fromTaggedJson, type Json, toTaggedJson } from './tagged-json.ts'

/** Up to so many bytes lie in the record itself. */
const INLINE_BYTES_MAX = 4_096

export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The epoch in a name below the folder; undefined: it is another file. */
export function epochOfFile(name: string): number | undefined {
  const match = /^(?:bodies\/(\d{1,15})-\d{1,15}|artifacts\/[0-9a-f]{64}-(\d{1,15})-\d{1,15})$/.exec(name)
  return match === null ? undefined : Number(match[1] ?? match[2])
}

export class RegistryFiles {
  readonly #store: ObjectStore
  readonly #prefix: string
  readonly #epoch: number
  #number = 0

  constructor(store: ObjectStore, prefix: string, epoch: number) {
    this.#store = store
    this.#prefix = prefix
    this.#epoch = epoch
  }

  /** @param name of the value, for messages */
  async writeBody(value: unknown, name: string): Promise<Body> {
    const json = toTaggedJson(value, name)
    const bytes = new TextEncoder().encode(JSON.stringify(json))
    if (bytes.length <= INLINE_BYTES_MAX) return { value: json }
    const file = `bodies/${this.#epoch}-${++this.#number}`
    await this.#create(file, bytes)
    return { file, bytes: bytes.length, sha256: hashOf(bytes) }
  }

  async writeArtifact(bytes: Uint8Array, sha256: string): Promise<string> {
    const file = `artifacts/${sha256}-${this.#epoch}-${++this.#number}`
    await this.#create(file, bytes)
    return file
  }

  async #create(file: string, bytes: Uint8Array): Promise<void> {
    const key = this.#prefix + file
    if ((await createAndCompare(this.#store, key, bytes)) === 'ours') return
    throw new TailraceError(
      'TR-INTERNAL-001',
      `Cannot write "${this.#store.url}/${key}": another is there, wanted: one leader per epoch`,
    )
  }
}

export async function readBody(store: ObjectStore, prefix: string, body: Body): Promise<unknown> {
  if ('value' in body) return fromTaggedJson(body.value)
  const bytes = await readChecked(store, prefix + body.file, body)
  return fromTaggedJson(JSON.parse(new TextDecoder().decode(bytes)) as Json)
}

/** Throws TR-HA-003 when the bytes are missing, or others than were written. */
export async function readChecked(
  store: ObjectStore,
  key: string,
  expected: { bytes: number; sha256: string },
): Promise<Uint8Array> {
  const bytes = await store.get(key)
  if (bytes !== undefined && hashOf(bytes) === expected.sha256) return bytes
  const found = bytes === undefined ? 'it is missing' : `its ${bytes.length} bytes are others`
  throw new TailraceError(
    'TR-HA-003',
    `Cannot read "${store.url}/${key}": ${found}, wanted the ${expected.bytes} bytes with the SHA-256 ${expected.sha256}`,
  )
}
