/**
 * What the engine wants of a place for checkpoints: a flat space of keys with bytes, and one conditional operation, on which all fencing stands.
 *
 * Keys are relative and have slashes (keys.ts). A put is atomic: a reader sees all of the bytes or nothing, also after a crash. Who has put, or seen an object,
 * sees it in every later list. Implementations: directory-store.ts, s3-store.ts, and memory-store.ts, in which faults can be seeded; object-store.suite.ts is the
 * suite that every one runs.
 *
 * Errors: TR-CHECKPOINT-005 where somebody has to act (no permission, wrong bucket, full disk), TR-CHECKPOINT-007 where trying later may help (no answer). After either of
 * them a write may have taken effect all the same, or do so yet.
 */
export interface ObjectStore {
  /** For messages, such as `s3://bucket/path` or `/var/lib/checkpoints`. */
  readonly url: string
  /** Writes a whole object, over an older one if there is one. The bytes must not change until it resolves. */
  put(key: string, bytes: Uint8Array): Promise<void>
  /**
   * Writes an object that must not be there yet. False: it was there, and stays as it is. When the answer is lost the implementation tries
   * again and may then see its own write as another's: callers read back and compare.
   */
  putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean>
  /**
   * Makes `key` a copy of a whole object that never changes, given by its absolute place (`/data/x`, `s3://bucket/x`), without its bytes coming through this
   * process; for a key that is not there. False: this store cannot, or not from there; put the bytes instead. Stores that never can have no such method.
   */
  copyFrom?(key: string, from: string): Promise<boolean>
  /** undefined: there is no such object. `range` is a part of it; what of the range lies behind its end is left out. */
  get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined>
  /** Objects below a prefix that ends with a slash (or is empty), in the order of their keys. */
  list(prefix: string): Promise<StoredObject[]>
  /** Keys that are not there are no error. */
  delete(keys: readonly string[]): Promise<void>
  close(): Promise<void>
}

export interface StoredObject {
  key: string
  size: number
  /** Milliseconds since 1970 by the store's clock. */
  modifiedMs: number
}
