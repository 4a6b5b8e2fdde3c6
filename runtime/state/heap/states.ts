/**
 * The states of one operator: which names there are, of which kind and type, and in which slot of its entries each is kept.
 *
 * A name is one state for good: a second descriptor gets the same handle, or TR-STATE-001 when it says something else. What a checkpoint holds is
 * registered as it comes, with the types that it was written with; a job that asks for it later, or has asked before, must have declared what can
 * be read from these (TR-CHECKPOINT-004). How long values live is the job's to say, whatever it was when the checkpoint was taken [TTL-04]: times that
 * are not there are that of the restore, times that nobody asks for are dropped.
 */
import type { StateTable } from '../../checkpoint/model.ts'
import { type Clock, NO_TIMESTAMP } from '../../core/clock.ts'
import { TailraceError } from '../../core/errors.ts'
import type { AggregatingStateDescriptor, ReducingStateDescriptor, StateDescriptor } from '../../core/state.ts'
import { StateTtlConfig } from '../../core/state-ttl.ts'
import type { Type, TypeDescription } from '../../core/types.ts'
import { Detacher, detachString } from '../detach.ts'
import { foldHandle, type HandleOwner, stateHandle } from './entry-code.ts'
import { ExpirySweep, type SweptTable } from './expiry-sweep.ts'
import { canPack, createRowStore, type RowStore } from './row-store.ts'
import type { HeapState, SlotKind } from './snapshot.ts'
import { type ChangeListener, stamp, unstamp } from './stamped.ts'
import { type TtlHandle, ttlHandle } from './ttl-code.ts'
import { typeMismatch } from './type-mismatch.ts'

type StateKind = StateDescriptor['kind']

const SLOT_KINDS: Record<StateKind, SlotKind> = {
  value: 'value',
  list: 'list',
  map: 'map',
  reducing: 'value',
  aggregating: 'value',
}

interface Types {
  readonly value: TypeDescription | undefined
  /** Of a map's keys. */
  readonly key: TypeDescription | undefined
}

/** What follows from what a job asks for, and is another thing when it asks after a restore. */
interface Opened extends Omit<HeapState, 'name' | 'kind' | 'slot'> {
  /** undefined: it was restored, and nobody has asked for it yet. */
  asked: StateDescriptor | undefined
  detacher: Detacher
  /** Of the slot's kind; a TtlHandle where values expire. */
  slotHandle: any
  /** What the job has got: `slotHandle`, or one that works with it. */
  handle: any
}

export interface KeptState extends HeapState, Opened {
  /** Types that checkpoints had it with, while nobody has asked for it. */
  readonly stored: Types[]
  restoredAtMs: number
}

/** What states need of the backend. */
export interface StatesOwner extends HandleOwner, SweptTable, ChangeListener {
  /** There is a slot more; its handle is not used before this returns. */
  slotAdded(): void
  /** What a slot holds has another form from now on, which `convert` brings it to. */
  slotChanged(slot: HeapState['slot'], convert: (kept: any) => any): void
  /** Calls `listener` after each `setKey`. */
  onEachKey(listener: () => void): void
}

/** Of a state with times that nobody has asked for: they are kept, and nothing expires. */
const KEEPS_TIMES = StateTtlConfig.newBuilder(Infinity).disableCleanupInBackground().build()

export class States {
  readonly #owner: StatesOwner
  readonly #operatorName: string
  readonly #clock: Clock
  readonly #byName = new Map<string, KeptState>()
  #sweep: ExpirySweep | undefined

  constructor(owner: StatesOwner, operatorName: string, clock: Clock) {
    this.#owner = owner
    this.#operatorName = operatorName
    this.#clock = clock
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
    const known = this.#byName.get(name)
    if (known === undefined) return this.#add(name, SLOT_KINDS[kind], typesOf(descriptor), descriptor, descriptor.ttl)
    if (known.asked === undefined) {
      const types = typesOf(descriptor)
      for (const stored of known.stored) this.#verify(name, known.kind, stored, kind, types)
      this.#reopen(known, types, descriptor, descriptor.ttl)
      return known
    }
    const difference = differenceOf(known, known.asked, descriptor)
    if (difference === undefined) return known
    throw new TailraceError(
      'TR-STATE-001',
      `Cannot get ${kind} state "${name}" of operator "${this.#operatorName}": it is in use as ${difference}, and a name must always mean the same state`,
    )
  }

  /** Takes a row of a table of a checkpoint into the current key's state of this name. */
  restored(name: string, kind: SlotKind, table: StateTable): (row: any, timestamp: number) => void {
    const stored: Types = { value: fieldType(table, 'v'), key: kind === 'map' ? fieldType(table, 'm') : undefined }
    const hasTimes = table.settings?.['ttl'] === true
    let state = this.#byName.get(name)
    if (state?.asked !== undefined) {
      this.#verify(name, kind, stored, state.asked.kind, { value: state.valueType, key: state.keyType })
    } else {
      if (state === undefined) {
        state = this.#add(name, kind, stored, undefined, hasTimes ? KEEPS_TIMES : undefined)
      } else {
        this.#verify(name, kind, stored, state.kind, NO_TYPES)
        // Subtasks have found types of their own in it: so does the next checkpoint, in all of it.
        if (JSON.stringify(stored) !== JSON.stringify(state.stored[0])) state.valueType = state.keyType = undefined
        if (hasTimes && state.ttl === undefined) {
          this.#reopen(state, { value: state.valueType, key: state.keyType }, undefined, KEEPS_TIMES)
        }
      }
      state.stored.push(stored)
    }
    state.restoredAtMs = this.#clock.now()
    return restorer(state, hasTimes)
  }

  #verify(name: string, storedKind: SlotKind, stored: Types, kind: StateKind, wanted: Types): void {
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

  #add(
    name: string,
    kind: SlotKind,
    types: Types,
    asked: StateDescriptor | undefined,
    ttl: StateTtlConfig | undefined,
  ): KeptState {
    const slot = `s${this.#byName.size}` as const
    const known = { name, kind, slot, stored: [], restoredAtMs: 0 }
    const state: KeptState = { ...known, ...this.#open(known, types, asked, ttl) }
    this.#byName.set(name, state)
    this.#owner.slotAdded()
    return state
  }

  /** With what was restored of it. */
  #reopen(state: KeptState, types: Types, asked: StateDescriptor | undefined, ttl: StateTtlConfig | undefined): void {
    const { kind, ttl: before, restoredAtMs } = state
    Object.assign(state, this.#open(state, types, asked, ttl))
    let convert = (kept: any) => kept
    if (before === undefined && ttl !== undefined) convert = (kept) => stamp(kind, kept, restoredAtMs)
    if (before !== undefined && ttl === undefined) convert = (kept) => unstamp(kind, kept)
    this.#owner.slotChanged(state.slot, convert)
  }

  #open(
    { name, kind, slot }: Pick<HeapState, 'name' | 'kind' | 'slot'>,
    types: Types,
    asked: StateDescriptor | undefined,
    ttl: StateTtlConfig | undefined,
  ): Opened {
    const owner = this.#owner
    const declared = asked === undefined ? undefined : types.value
    const detacher = new Detacher({ place: `state "${name}"`, type: declared, instances: 'refuse' })
    const store = kind === 'value' && canPack(declared) ? createRowStore(declared) : undefined
    const slotHandle =
      ttl === undefined
        ? stateHandle(kind, slot, owner, detacher, detachString, store)
        : this.#ttlHandle(kind, slot, ttl, detacher, store)
    const handle = jobHandle(asked, slotHandle)
    return { asked, valueType: types.value, keyType: types.key, ttl, detacher, store, slotHandle, handle }
  }

  #ttlHandle(
    kind: SlotKind,
    slot: string,
    ttl: StateTtlConfig,
    detacher: Detacher,
    store: RowStore | undefined,
  ): TtlHandle {
    const owner = this.#owner
    const clock = this.#clock
    this.#sweep ??= new ExpirySweep(owner)
    const sweep = this.#sweep
    const handle = ttlHandle({ kind, slot, ttl, owner, detacher, store, clock, sweep })
    const { incrementalCleanup: cleanup } = ttl
    if (cleanup !== undefined) {
      sweep.add(handle)
      if (cleanup.everyRecord) owner.onEachKey(() => sweep.step(cleanup.size, clock.now()))
    }
    return handle
  }
}

const NO_TYPES: Types = { value: undefined, key: undefined }

function typesOf(descriptor: StateDescriptor): Types {
  const { type, keyType } = descriptor as StateDescriptor & { type?: Type<any>; keyType?: Type<any> }
  return { value: type?.description, key: keyType?.description }
}

/** How a state that was asked for is not what `wanted` says; undefined when it is. */
function differenceOf({ ttl }: KeptState, known: StateDescriptor, wanted: StateDescriptor): string | undefined {
  if (known.kind !== wanted.kind) return `${known.kind} state`
  if (JSON.stringify(typesOf(known)) !== JSON.stringify(typesOf(wanted))) return 'the same kind with another type'
  if (JSON.stringify(ttl) !== JSON.stringify(wanted.ttl)) return 'the same kind with another time to live'
  return undefined
}

/** What checkpoints say of a field of the rows. */
function fieldType({ row }: StateTable, field: string): TypeDescription {
  return (row.kind === 'row' ? row.fields.find(([name]) => name === field)?.[1] : undefined) ?? { kind: 'any' }
}

function jobHandle(asked: StateDescriptor | undefined, slotHandle: any): any {
  if (asked?.kind === 'reducing') {
    return foldHandle('reducing', slotHandle, (asked as ReducingStateDescriptor<any>).reduce)
  }
  if (asked?.kind === 'aggregating') {
    return foldHandle('aggregating', slotHandle, (asked as AggregatingStateDescriptor<any, any, any>).aggregate)
  }
  return slotHandle
}

/** What has expired meanwhile stays away, unless the job wants to see it. */
function restorer(state: KeptState, hasTimes: boolean): (row: any, timestamp: number) => void {
  const { kind, ttl, slotHandle: handle, restoredAtMs: now } = state
  if (ttl !== undefined) {
    const stays = ttl.stateVisibility === 'ReturnExpiredIfNotCleanedUp'
    return ({ v, m }, timestamp) => {
      const t = hasTimes && timestamp !== NO_TIMESTAMP ? timestamp : now
      if (stays || !(t + ttl.ttlMs <= now)) handle.restore(v, t, m)
    }
  }
  if (kind === 'value') return ({ v }) => handle.update(v)
  return kind === 'list' ? ({ v }) => handle.add(v) : ({ m, v }) => handle.put(m, v)
}
