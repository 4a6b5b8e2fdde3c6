/**
 * One broadcast state of one subtask [B-01]: a map on the heap, and the view of it that the other side gets.
 *
 * Values are detached from the batch that they came in and refused where they could not be restored, as in keyed state.
 */
import type { BroadcastKey, BroadcastState, ReadOnlyBroadcastState } from '../core/broadcast-functions.ts'
import { TailraceError } from '../core/errors.ts'
import { Detacher, detachString } from '../state/detach.ts'

export class BroadcastMap implements BroadcastState<BroadcastKey, unknown> {
  readonly readOnly: ReadOnlyBroadcastState<BroadcastKey, unknown>
  readonly #name: string
  readonly #map: Map<BroadcastKey, unknown>
  readonly #detacher: Detacher

  constructor(name: string, operatorName: string, entries: Iterable<readonly [BroadcastKey, unknown]>) {
    this.#name = name
    this.#map = new Map(entries)
    this.#detacher = new Detacher({ place: `broadcast state "${name}"`, instances: 'refuse' })
    this.readOnly = new View(this, (action) => {
      throw new TailraceError(
        'TR-STATE-004',
        `Cannot ${action} broadcast state "${name}" of operator "${operatorName}" here: processElement and onTimer may only read it, as the copies of the subtasks would part; change it in processBroadcastElement`,
      )
    })
  }

  get(key: BroadcastKey): unknown {
    return this.#map.get(key)
  }
  contains(key: BroadcastKey): boolean {
    return this.#map.has(key)
  }
  entries(): Iterable<[BroadcastKey, unknown]> {
    return this.#map.entries()
  }
  keys(): Iterable<BroadcastKey> {
    return this.#map.keys()
  }
  values(): Iterable<unknown> {
    return this.#map.values()
  }
  isEmpty(): boolean {
    return this.#map.size === 0
  }

  put(key: BroadcastKey, value: unknown): void {
    if (value === undefined) {
      throw new TailraceError(
        'TR-STATE-003',
        `Cannot put undefined into broadcast state "${this.#name}" for key ${String(key)}: a value is wanted; remove() takes a key out`,
      )
    }
    const kept = this.#detacher.detach(value)
    this.#map.set(typeof key === 'string' && !this.#map.has(key) ? detachString(key) : key, kept)
  }
  putAll(entries: Iterable<readonly [BroadcastKey, unknown]>): void {
    for (const [key, value] of entries) this.put(key, value)
  }
  remove(key: BroadcastKey): void {
    this.#map.delete(key)
  }
  clear(): void {
    this.#map.clear()
  }
}

/** Has the methods that change, so that an attempt says what is wrong whatever language called it. */
class View implements BroadcastState<BroadcastKey, unknown> {
  readonly #map: BroadcastMap
  readonly #refuse: (action: string) => never

  constructor(map: BroadcastMap, refuse: (action: string) => never) {
    this.#map = map
    this.#refuse = refuse
  }
  get(key: BroadcastKey): unknown {
    return this.#map.get(key)
  }
  contains(key: BroadcastKey): boolean {
    return this.#map.contains(key)
  }
  entries(): Iterable<[BroadcastKey, unknown]> {
    return this.#map.entries()
  }
  keys(): Iterable<BroadcastKey> {
    return this.#map.keys()
  }
  values(): Iterable<unknown> {
    return this.#map.values()
  }
  isEmpty(): boolean {
    return this.#map.isEmpty()
  }
  put(): void {
    this.#refuse('put into')
  }
  putAll(): void {
    this.#refuse('put into')
  }
  remove(): void {
    this.#refuse('remove from')
  }
  clear(): void {
    this.#refuse('clear')
  }
}
