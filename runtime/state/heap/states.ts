/**
 * The states of one operator: which names there are, of which kind and type, and in which slot of its entries each is kept.
 *
 * A name is one state for good: a second descriptor gets the same handle, or TR-STATE-001 when it says something else. What a checkpoint holds is
 * registered as it comes, with the types that it was written with; a job that asks for it later, or has asked before, must have declared what can
 * be read from these (TR-CHECKPOINT-004).
 */
import type { StateTable } from '../../checkpoint/model.ts'
import { TailraceError } from '../../core/errors.ts'
import type { AggregatingStateDescriptor, ReducingStateDescriptor, StateDescriptor } from '../../core/state.ts'
import type { Type, TypeDescription } from '../../core/types.ts'
import { Detacher, detachString } from '../detach.ts'
import { foldHandle, type HandleOwner, stateHandle } from './entry-code.ts'
import { canPack, createRowStore } from './row-store.ts'
import type { HeapState, SlotKind } from './snapshot.ts'
import { typeMismatch } from './type-mismatch.ts'

interface Types {
  readonly value: TypeDescription | undefined
  /** Of a map's keys. */
  readonly key: TypeDescription | undefined
}

/** What a job has asked for. */
interface Asked {
  readonly kind: StateDescriptor['kind']
  /** As text. */
  readonly types: string
}

export interface KeptState extends HeapState {
  /** undefined: it was restored, and nobody has asked for it yet. */
  asked: Asked | undefined
  /** Types that checkpoints had it with. */
  readonly stored: Types[]
  readonly detacher: Detacher
  /** Of the slot's kind. */
  readonly slotHandle: any
  /** What the job has got: `slotHandle`, or one that works with it. */
  handle: any
}

const SLOT_KINDS: Record<StateDescriptor['kind'], SlotKind> = {
  value: 'value',
  list: 'list',
  map: 'map',
  reducing: 'value',
  aggregating: 'value',
}

export class States {
  readonly #owner: HandleOwner
  readonly #operatorName: string
  readonly #added: () => void
  readonly #byName = new Map<string, KeptState>()

  /** `added` is called when there is a slot more, before its handle is used. */
  constructor(owner: HandleOwner, operatorName: string, added: () => void) {
    this.#owner = owner
    this.#operatorName = operatorName
    this.#added = added
  }

  get size(): number {
    return this.#byName.size
  }

  /** In the order of their slots. */
  get all(): KeptState[] {
    return [...this.#byName.values()]
  }

  /** The state that a descriptor names. */
  get(descriptor: StateDescriptor): KeptState {
    const { name, kind } = descriptor
    const types = typesOf(descriptor)
    const asked: Asked = { kind, types: JSON.stringify([types.value, types.key]) }
    const known = this.#byName.get(name)
    if (known === undefined) {
      const state = this.#add(name, SLOT_KINDS[kind], types, asked)
      state.handle = jobHandle(descriptor, state.slotHandle)
      return state
    }
    if (known.asked === undefined) {
      for (const stored of known.stored) this.#verify(name, known.kind, stored, kind, types)
      known.asked = asked
      known.handle = jobHandle(descriptor, known.slotHandle)
      known.valueType = types.value
      known.keyType = types.key
      return known
    }
    const { asked: before } = known
    if (before.kind === kind && before.types === asked.types) return known
    const what = before.kind === kind ? 'the same kind with another type' : `${before.kind} state`
    throw new TailraceError(
      'TR-STATE-001',
      `Cannot get ${kind} state "${name}" of operator "${this.#operatorName}": it is in use as ${what}, and a name must always mean the same state`,
    )
  }

  /** The state of this name, for the rows of a table of a checkpoint. */
  restored(name: string, kind: SlotKind, table: StateTable): KeptState {
    const stored: Types = { value: fieldType(table, 'v'), key: kind === 'map' ? fieldType(table, 'm') : undefined }
    const known = this.#byName.get(name) ?? this.#add(name, kind, stored, undefined)
    const { asked } = known
    if (asked !== undefined) {
      this.#verify(name, kind, stored, asked.kind, { value: known.valueType, key: known.keyType })
    } else {
      this.#verify(name, kind, stored, known.kind, NO_TYPES)
      known.stored.push(stored)
      // Subtasks have found types of their own in it: so does the next checkpoint, in all of it.
      if (JSON.stringify(stored) !== JSON.stringify(known.stored[0])) known.valueType = known.keyType = undefined
    }
    return known
  }

  #verify(name: string, storedKind: SlotKind, stored: Types, kind: StateDescriptor['kind'], wanted: Types): void {
    const mismatch =
      storedKind === SLOT_KINDS[kind]
        ? (typeMismatch(stored.value!, wanted.value) ??
          (stored.key === undefined ? undefined : typeMismatch(stored.key, wanted.key, 'its key')))
        : `${storedKind} state is stored, and ${kind} state is wanted`
    if (mismatch === undefined) return
    throw new TailraceError(
      'TR-CHECKPOINT-004',
      `Cannot restore state "${name}" of operator "${this.#operatorName}": ${mismatch}. Declare it as it was, or give the new state another name`,
    )
  }

  #add(name: string, kind: SlotKind, types: Types, asked: Asked | undefined): KeptState {
    const index = this.#byName.size
    const declared = asked === undefined ? undefined : types.value
    const detacher = new Detacher({ place: `state "${name}"`, type: declared, instances: 'refuse' })
    const store = kind === 'value' && canPack(declared) ? createRowStore(declared) : undefined
    const slotHandle = stateHandle(kind, index, this.#owner, detacher, detachString, store)
    const state: KeptState = {
      name,
      kind,
      asked,
      stored: [],
      valueType: types.value,
      keyType: types.key,
      slot: `s${index}`,
      store,
      detacher,
      slotHandle,
      handle: slotHandle,
    }
    this.#byName.set(name, state)
    this.#added()
    return state
  }
}

function jobHandle(descriptor: StateDescriptor, slotHandle: any): any {
  if (descriptor.kind === 'reducing') {
    return foldHandle('reducing', slotHandle, (descriptor as ReducingStateDescriptor<any>).reduce)
  }
  if (descriptor.kind === 'aggregating') {
    return foldHandle('aggregating', slotHandle, (descriptor as AggregatingStateDescriptor<any, any, any>).aggregate)
  }
  return slotHandle
}

const NO_TYPES: Types = { value: undefined, key: undefined }

function typesOf(descriptor: StateDescriptor): Types {
  const { type, keyType } = descriptor as StateDescriptor & { type?: Type<any>; keyType?: Type<any> }
  return { value: type?.description, key: keyType?.description }
}

/** What checkpoints say of a field of the rows. */
function fieldType({ row }: StateTable, field: string): TypeDescription {
  return (row.kind === 'row' ? row.fields.find(([name]) => name === field)?.[1] : undefined) ?? { kind: 'any' }
}
