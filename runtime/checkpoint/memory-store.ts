/**
 * A store in memory, for tests and the simulation: the contract of object-store.ts, with time and faults in the hands of whoever drives it.
 *
 * The bytes are a {@link MemoryObjects}; each client of it (an owner, a test that looks in) is a {@link memoryStore} of its own with its own faults. An operation
 * takes effect at one moment, between a delay before and a delay after, so operations of several clients interleave as over a network. What can go wrong is
 * {@link MemoryFault}; all of it happens with real stores.
 */
import { TailraceError } from '../core/errors.ts'
import { byKey, checkKey, checkPrefix, checkRange } from './keys.ts'
import type { ObjectStore, StoredObject } from './object-store.ts'
import type { Schedule } from './retry.ts'
import { wait } from './retry.ts'

/** What is about to be done. */
export interface MemoryOperation {
  kind: 'put' | 'putIfAbsent' | 'copyFrom' | 'get' | 'list' | 'delete'
  /** A prefix for `list`, the first key for `delete`. */
  key: string
}

export interface MemoryFault {
  /** Until it takes effect. */
  beforeMs?: number
  /** From then until the answer. */
  afterMs?: number
  /**
   * `before`: it takes no effect. `after`: it does, and the answer is lost. `late`: the caller hears of a failure, and it takes effect `lateMs` after that: a request
   * that was given up while a server still had it.
   */
  fail?: 'before' | 'after' | 'late'
  lateMs?: number
  /** What the caller gets; otherwise TR-CHECKPOINT-007. */
  error?: Error
}

export interface MemoryStoreOptions {
  url?: string
  /** Asked before each operation. */
  fault?(operation: MemoryOperation): MemoryFault | undefined
  /** Needed by faults that take time. */
  schedule?: Schedule
  /** The key of an absolute place, for a store that copies; undefined: the place is not here. */
  keyOf?(place: string): string | undefined
}

/** Bytes by key, with the time of the last write. */
export class MemoryObjects {
  readonly objects = new Map<string, { bytes: Uint8Array; modifiedMs: number }>()
  readonly now: () => number
  constructor(now: () => number = () => 0) {
    this.now = now
  }
  set(key: string, bytes: Uint8Array): void {
    this.objects.set(key, { bytes, modifiedMs: this.now() })
  }
}

/**
 * A client of the objects.
 *
 * @example
 * const objects = new MemoryObjects()
 * const store = memoryStore(objects, { fault: ({ kind }) => (kind === 'putIfAbsent' ? { fail: 'after' } : undefined) })
 */
export function memoryStore(objects: MemoryObjects, options: MemoryStoreOptions = {}): ObjectStore {
  const { url = 'memory:' } = options

  const waitFor = (ms: number): Promise<void> => {
    if (options.schedule === undefined) throw new RangeError('Cannot delay without a schedule')
    return wait(options.schedule, ms)
  }

  async function run<T>(operation: MemoryOperation, effect: () => T): Promise<T> {
    const fault = options.fault?.(operation) ?? {}
    if (fault.beforeMs !== undefined) await waitFor(fault.beforeMs)
    else await undefined
    if (fault.fail === 'late') void waitFor(fault.lateMs ?? 1).then(effect)
    const result = fault.fail === undefined || fault.fail === 'after' ? effect() : undefined
    if (fault.afterMs !== undefined) await waitFor(fault.afterMs)
    if (fault.fail === undefined) return result as T
    throw (
      fault.error ??
      new TailraceError(
        'TR-CHECKPOINT-007',
        `Cannot ${operation.kind} "${url}/${operation.key}": the answer was lost, wanted one`,
      )
    )
  }

  return {
    url,
    async put(key, bytes) {
      checkKey(key)
      const copy = new Uint8Array(bytes)
      await run({ kind: 'put', key }, () => objects.set(key, copy))
    },
    async putIfAbsent(key, bytes) {
      checkKey(key)
      const copy = new Uint8Array(bytes)
      return run({ kind: 'putIfAbsent', key }, () => {
        if (objects.objects.has(key)) return false
        objects.set(key, copy)
        return true
      })
    },
    ...(options.keyOf && {
      async copyFrom(key, from) {
        checkKey(key)
        return run({ kind: 'copyFrom', key }, () => {
          const source = objects.objects.get(options.keyOf!(from) ?? '')
          if (source !== undefined) objects.set(key, source.bytes)
          return source !== undefined
        })
      },
    }),
    async get(key, range) {
      checkKey(key)
      checkRange(range)
      return run({ kind: 'get', key }, () => {
        const bytes = objects.objects.get(key)?.bytes
        return bytes?.slice(range?.offset, range && range.offset + range.length)
      })
    },
    async list(prefix) {
      checkPrefix(prefix)
      return run({ kind: 'list', key: prefix }, () => {
        const found: StoredObject[] = []
        for (const [key, { bytes, modifiedMs }] of objects.objects)
          if (key.startsWith(prefix)) found.push({ key, size: bytes.length, modifiedMs })
        return found.sort(byKey)
      })
    },
    async delete(keys) {
      for (const key of keys) checkKey(key)
      const all = [...keys]
      if (all.length === 0) return
      await run({ kind: 'delete', key: all[0]! }, () => {
        for (const key of all) objects.objects.delete(key)
      })
    },
    async close() {},
  }
}
