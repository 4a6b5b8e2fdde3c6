/**
 * State of one operator that belongs to no key [S-03]: lists that are dealt out anew when the parallelism changes, lists of which everyone
 * has all, and broadcast maps of which every subtask has a copy. On the heap; written whole into each checkpoint.
 *
 * State: by name, one name for one state of whatever kind. What was restored and nobody asks for stays, and goes into the next checkpoint as it
 * came: a function that no longer uses a state may do so again in its next version. Of a union list that is subtask 0's duty, as all have it.
 */
import type { ListMode } from '../checkpoint/model.ts'
import type { BroadcastKey, BroadcastState, ReadOnlyBroadcastState } from '../core/broadcast-functions.ts'
import type { OperatorListState, OperatorStateStore } from '../core/checkpoint.ts'
import { TailraceError } from '../core/errors.ts'
import type { MapStateDescriptor } from '../core/state.ts'
import { Detacher } from '../state/detach.ts'
import { BroadcastMap } from './broadcast-map.ts'
import type { OperatorContext, SnapshotWriter } from './operator.ts'

const KINDS: Record<ListMode, string> = { split: 'list', union: 'union list', broadcast: 'broadcast' }

interface Restored {
  readonly mode: ListMode
  readonly elements: unknown[]
}

export class OperatorState implements OperatorStateStore {
  readonly #operatorName: string
  readonly #subtask: number
  readonly #lists = new Map<string, { mode: 'split' | 'union'; state: ListOfElements }>()
  readonly #maps = new Map<string, { type: string; state: BroadcastMap }>()
  /** Nobody has asked for these yet. */
  readonly #restored: Map<string, Restored>

  private constructor(context: OperatorContext, restored: Map<string, Restored>) {
    this.#operatorName = context.task.operatorName
    this.#subtask = context.task.subtaskIndex
    this.#restored = restored
  }

  /** With all lists of the checkpoint that the operator goes on from, empty if it begins. */
  static async restore(context: OperatorContext): Promise<OperatorState> {
    const { restored } = context
    const lists = new Map<string, Restored>()
    for (const { name, mode } of restored?.lists ?? []) lists.set(name, { mode, elements: await restored!.list(name) })
    return new OperatorState(context, lists)
  }

  getListState<T>(name: string): OperatorListState<T> {
    return this.#list(name, 'split')
  }
  getUnionListState<T>(name: string): OperatorListState<T> {
    return this.#list(name, 'union')
  }

  /** Declares a broadcast state, with what was restored of it. */
  addBroadcastState(descriptor: MapStateDescriptor<any, any>): void {
    const { name } = descriptor
    const type = typeOf(descriptor)
    const known = this.#maps.get(name)
    if (known !== undefined && known.type === type) return
    if (known !== undefined || this.#lists.has(name)) throw this.#inUse(name, 'broadcast')
    const entries = this.#take(name, 'broadcast') as [BroadcastKey, unknown][]
    this.#maps.set(name, { type, state: new BroadcastMap(name, this.#operatorName, entries) })
  }

  /** To be changed by the broadcast side only. */
  broadcastState<K extends BroadcastKey, V>(descriptor: MapStateDescriptor<K, V>): BroadcastState<K, V> {
    return this.#map(descriptor) as BroadcastState<any, any>
  }
  /** Every attempt to change it throws TR-STATE-004. */
  readOnlyBroadcastState<K extends BroadcastKey, V>(
    descriptor: MapStateDescriptor<K, V>,
  ): ReadOnlyBroadcastState<K, V> {
    return this.#map(descriptor).readOnly as ReadOnlyBroadcastState<any, any>
  }

  /** An empty state is written as well: it is the subtask's copy. */
  snapshot(writer: SnapshotWriter): void {
    for (const [name, { mode, state }] of this.#lists) writer.list(name, mode, state.get())
    for (const [name, { state }] of this.#maps) writer.list(name, 'broadcast', state.entries())
    for (const [name, { mode, elements }] of this.#restored) {
      writer.list(name, mode, mode === 'union' && this.#subtask > 0 ? [] : elements)
    }
  }

  #list(name: string, mode: 'split' | 'union'): OperatorListState<any> {
    if (typeof name !== 'string' || name === '')
      throw new TypeError(`Cannot get ${KINDS[mode]} state of the name ${JSON.stringify(name)}: a text is wanted`)
    const known = this.#lists.get(name)
    if (known?.mode === mode) return known.state
    if (known !== undefined || this.#maps.has(name)) throw this.#inUse(name, mode)
    const state = new ListOfElements(name, this.#take(name, mode))
    this.#lists.set(name, { mode, state })
    return state
  }

  #map(descriptor: MapStateDescriptor<any, any>): BroadcastMap {
    const known = this.#maps.get(descriptor.name)
    if (known === undefined) {
      const given = [...this.#maps.keys()].map((name) => `"${name}"`).join(', ')
      throw new TailraceError(
        'TR-STATE-004',
        `Cannot get broadcast state "${descriptor.name}" of operator "${this.#operatorName}": broadcast() was given ${given}; give it this descriptor too`,
      )
    }
    if (known.type !== typeOf(descriptor)) throw this.#inUse(descriptor.name, 'broadcast')
    return known.state
  }

  #take(name: string, mode: ListMode): unknown[] {
    const restored = this.#restored.get(name)
    if (restored === undefined) return []
    if (restored.mode !== mode) {
      throw new TailraceError(
        'TR-CHECKPOINT-004',
        `Cannot restore ${KINDS[mode]} state "${name}" of operator "${this.#operatorName}": the checkpoint has ${KINDS[restored.mode]} state of that name; give the new state another name`,
      )
    }
    this.#restored.delete(name)
    return restored.elements
  }

  #inUse(name: string, wanted: ListMode): TailraceError {
    const found = this.#lists.get(name)?.mode ?? 'broadcast'
    const what = found === wanted ? 'the same kind with another type' : `${KINDS[found]} state`
    return new TailraceError(
      'TR-STATE-001',
      `Cannot get ${KINDS[wanted]} state "${name}" of operator "${this.#operatorName}": it is in use as ${what}, and a name must always mean the same state`,
    )
  }
}

const typeOf = (descriptor: MapStateDescriptor<any, any>): string =>
  JSON.stringify([descriptor.keyType?.description, descriptor.type?.description])

class ListOfElements implements OperatorListState<any> {
  readonly #detacher: Detacher
  #elements: unknown[]

  constructor(name: string, elements: unknown[]) {
    this.#elements = elements
    this.#detacher = new Detacher({ place: `state "${name}"`, instances: 'refuse' })
  }
  /** A copy: who reads may change the state meanwhile. */
  get(): unknown[] {
    return this.#elements.slice()
  }
  add(value: unknown): void {
    this.#elements.push(this.#detacher.detach(value))
  }
  update(values: Iterable<unknown>): void {
    const elements: unknown[] = []
    for (const value of values) elements.push(this.#detacher.detach(value))
    this.#elements = elements
  }
  clear(): void {
    this.#elements = []
  }
}
