/**
 * What is known of the objects of one kind, by their keys and by indexes. A {@link Reflector} fills it; everybody else reads.
 *
 * What must hold: objects in it are shared and never changed, and listeners hear each change once, in the order in which it was made here.
 */
import { type KubeObject, keyOf, type ObjectKey } from './objects.ts'

export interface CacheListener<T extends KubeObject> {
  /** Came (`before` is undefined) or changed. */
  changed(object: T, before: T | undefined): void
  /** Is gone; this was the last that was seen of it. One that was made anew under the same name is told as gone, then as come. */
  deleted(object: T): void
}

/** Words by which an object is found again; none: not by this index. */
export type Indexer<T> = (object: T) => readonly string[]

/** By the uids of its owners: for children of a resource. */
export const byOwner: Indexer<KubeObject> = ({ metadata }) => (metadata.ownerReferences ?? []).map(({ uid }) => uid)

/** By the value of a label. */
export function byLabel(label: string): Indexer<KubeObject> {
  return ({ metadata }) => {
    const value = metadata.labels?.[label]
    return value === undefined ? [] : [`${metadata.namespace ?? ''}/${value}`]
  }
}

/**
 * @example
 * const pods = new Cache({ deployment: byLabel('tailrace.dev/deployment') })
 * pods.by('deployment', 'jobs/fraud')
 */
export class Cache<T extends KubeObject = KubeObject> {
  readonly #objects = new Map<string, T>()
  readonly #indexers: readonly [string, Indexer<T>][]
  readonly #indexes = new Map<string, Map<string, Set<string>>>()
  readonly #listeners = new Set<CacheListener<T>>()

  constructor(indexers: Readonly<Record<string, Indexer<T>>> = {}) {
    this.#indexers = Object.entries(indexers)
    for (const [name] of this.#indexers) this.#indexes.set(name, new Map())
  }

  get size(): number {
    return this.#objects.size
  }

  get(key: ObjectKey | string): T | undefined {
    return this.#objects.get(typeof key === 'string' ? key : keyOf(key))
  }

  keys(): MapIterator<string> {
    return this.#objects.keys()
  }

  list(): T[] {
    return [...this.#objects.values()]
  }

  /** Throws TypeError when there is no such index. */
  by(index: string, word: string): T[] {
    const words = this.#indexes.get(index)
    if (words === undefined) throw new TypeError(`Cannot look up by "${index}": the cache has no such index`)
    return [...(words.get(word) ?? [])].map((key) => this.#objects.get(key)!)
  }

  /** Tells what is there already, too. Returns how to stop. */
  listen(listener: CacheListener<T>): () => void {
    for (const object of this.list()) listener.changed(object, undefined)
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Only for whoever fills it. One that is as it was is told to nobody. */
  set(object: T): void {
    const key = keyOf(object.metadata)
    let before = this.#objects.get(key)
    if (before?.metadata.resourceVersion === object.metadata.resourceVersion && before !== undefined) return
    if (before !== undefined && before.metadata.uid !== object.metadata.uid) {
      this.delete(key, before)
      before = undefined
    }
    if (before !== undefined) this.#unindex(key, before)
    this.#objects.set(key, object)
    this.#index(key, object)
    for (const listener of [...this.#listeners]) listener.changed(object, before)
  }

  /** Only for whoever fills it. `last` is what listeners are told. */
  delete(key: string, last?: T): void {
    const before = this.#objects.get(key)
    if (before === undefined) return
    this.#unindex(key, before)
    this.#objects.delete(key)
    for (const listener of [...this.#listeners]) listener.deleted(last ?? before)
  }

  #index(key: string, object: T): void {
    for (const [name, wordsOf] of this.#indexers) {
      const words = this.#indexes.get(name)!
      for (const word of wordsOf(object)) {
        const keys = words.get(word)
        if (keys === undefined) words.set(word, new Set([key]))
        else keys.add(key)
      }
    }
  }

  #unindex(key: string, object: T): void {
    for (const [name, wordsOf] of this.#indexers) {
      const words = this.#indexes.get(name)!
      for (const word of wordsOf(object)) {
        const keys = words.get(word)
        keys?.delete(key)
        if (keys?.size === 0) words.delete(word)
      }
    }
  }
}
