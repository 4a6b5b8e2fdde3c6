/**
 * What an API server of the tests keeps: objects with versions, the history that watches are served from, and deletion with finalizers and owners.
 *
 * What must hold: each change has a version of its own, one that changes nothing has none, and watches see all changes in their order.
 */
import type { Clock } from '../../runtime/core/clock.ts'
import { type FieldManager, managedFieldsOf } from './managed-fields.suite.ts'
import { type KubeObject, keyOf, type ObjectKey, type Resource } from './objects.ts'

/** A kind that the server has. */
export interface ApiKind extends Resource {
  /** Whether the status is written by its subresource only. */
  status?: boolean
  /** Whether it has `metadata.generation`. */
  generation?: boolean
  /** Paths such as `spec.replicas`; with it the kind has a scale subresource. */
  scale?: { specReplicas: string; statusReplicas: string; selector?: string }
  /** Sets what is not given, in place. */
  defaults?(object: KubeObject): void
  /** What is wrong with it, such as `spec.name: Required value`. */
  validate?(object: KubeObject, before: KubeObject | undefined): string[]
}

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED'

export interface Change {
  version: number
  type: ChangeType
  kind: ApiKind
  object: KubeObject
  /** What was there. */
  before: KubeObject | undefined
}

interface Stored {
  kind: ApiKind
  object: KubeObject
  managers: FieldManager[]
}

const FIRST_VERSION = 1000

export class ApiStore {
  /** Whether what has lost its owners is deleted, as the controller manager does it. */
  collects = true
  onChange: (change: Change) => void = () => {}
  readonly #clock: Clock
  readonly #objects = new Map<string, Stored>()
  #history: Change[] = []
  #version = FIRST_VERSION
  #compacted = FIRST_VERSION
  #uids = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get version(): number {
    return this.#version
  }

  get(kind: ApiKind, key: ObjectKey): KubeObject | undefined {
    return this.#objects.get(idOf(kind, key))?.object
  }

  managers(kind: ApiKind, key: ObjectKey): FieldManager[] {
    return this.#objects.get(idOf(kind, key))?.managers ?? []
  }

  /** In the order of their keys. */
  list(kind: ApiKind): KubeObject[] {
    const found = [...this.#objects].filter(([, stored]) => stored.kind === kind)
    return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, stored]) => stored.object)
  }

  /** undefined: that version is too old. */
  since(version: number): readonly Change[] | undefined {
    return version < this.#compacted ? undefined : this.#history.filter((change) => change.version > version)
  }

  /** Nothing before now can be asked for any more. */
  compact(): void {
    this.#history = []
    this.#compacted = this.#version
  }

  /** Makes it what is there, with a version; `given` is not kept. */
  put(kind: ApiKind, given: KubeObject, managers: FieldManager[]): KubeObject {
    const id = idOf(kind, given.metadata)
    const stored = this.#objects.get(id)
    const before = stored?.object
    const object: KubeObject = { ...structuredClone(given), apiVersion: kind.apiVersion, kind: kind.kind }
    const { metadata } = object
    if (!kind.namespaced) delete metadata.namespace
    delete metadata.managedFields
    delete metadata.generateName
    metadata.uid = before?.metadata.uid ?? this.#newUid()
    metadata.creationTimestamp = before?.metadata.creationTimestamp ?? this.#time()
    if (kind.generation !== false) {
      const generation = before?.metadata.generation ?? 0
      const isWanted = before === undefined || wantedOf(kind, before) !== wantedOf(kind, object)
      const isDeletion = metadata.deletionTimestamp !== undefined && before?.metadata.deletionTimestamp === undefined
      metadata.generation = isWanted || isDeletion ? generation + 1 : generation
    } else delete metadata.generation
    metadata.resourceVersion = before?.metadata.resourceVersion ?? ''
    const managed = managedFieldsOf(managers, kind.apiVersion)
    if (managed.length > 0) metadata.managedFields = managed
    if (before !== undefined && textOf(before) === textOf(object)) return before
    if (metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0) {
      this.#remove({ kind, object, managers })
      return object
    }
    metadata.resourceVersion = String(++this.#version)
    this.#objects.set(id, { kind, object, managers })
    this.#tell(before === undefined ? 'ADDED' : 'MODIFIED', kind, object, before)
    return object
  }

  /** As a deletion through the API: at once, or when nobody holds it any more. */
  delete(kind: ApiKind, key: ObjectKey, propagation: string = 'Background'): KubeObject | undefined {
    const stored = this.#objects.get(idOf(kind, key))
    if (stored === undefined) return undefined
    const { object, managers } = stored
    const finalizers = [...(object.metadata.finalizers ?? [])]
    if (propagation === 'Foreground' && this.collects && this.#dependents(object.metadata.uid!).length > 0)
      finalizers.push('foregroundDeletion')
    if (propagation === 'Orphan') this.#orphan(object.metadata.uid!)
    if (finalizers.length === 0) {
      this.#remove(stored)
      return object
    }
    const deletionTimestamp = object.metadata.deletionTimestamp ?? this.#time()
    const metadata = {
      ...object.metadata,
      finalizers: [...new Set(finalizers)],
      deletionTimestamp,
      deletionGracePeriodSeconds: 0,
    }
    const marked = this.put(kind, { ...object, metadata }, managers)
    this.#collect()
    return marked
  }

  #remove({ kind, object }: Stored): void {
    this.#objects.delete(idOf(kind, object.metadata))
    const last = structuredClone(object)
    last.metadata.resourceVersion = String(++this.#version)
    this.#tell('DELETED', kind, last, object)
    this.#collect()
  }

  #tell(type: ChangeType, kind: ApiKind, object: KubeObject, before: KubeObject | undefined): void {
    const change = { version: this.#version, type, kind, object, before }
    this.#history.push(change)
    this.onChange(change)
  }

  /** Deletes what has no owner left, and lets go what waited for its dependents. */
  #collect(): void {
    if (!this.collects) return
    const uids = new Set([...this.#objects.values()].map(({ object }) => object.metadata.uid))
    const isGoing = new Set<string | undefined>()
    for (const { object } of this.#objects.values())
      if (object.metadata.finalizers?.includes('foregroundDeletion') && object.metadata.deletionTimestamp)
        isGoing.add(object.metadata.uid)
    for (const { kind, object } of [...this.#objects.values()]) {
      const { ownerReferences = [], deletionTimestamp } = object.metadata
      if (ownerReferences.length === 0 || deletionTimestamp !== undefined) continue
      const isOrphan = ownerReferences.every(({ uid }) => !uids.has(uid) || isGoing.has(uid))
      // Its own deletion collects the rest.
      if (isOrphan && this.get(kind, object.metadata) === object) return void this.delete(kind, object.metadata)
    }
    for (const { kind, object, managers } of [...this.#objects.values()]) {
      if (!isGoing.has(object.metadata.uid) || this.#dependents(object.metadata.uid!).length > 0) continue
      const finalizers = object.metadata.finalizers!.filter((one) => one !== 'foregroundDeletion')
      return void this.put(kind, { ...object, metadata: { ...object.metadata, finalizers } }, managers)
    }
  }

  #dependents(uid: string): Stored[] {
    return [...this.#objects.values()].filter(({ object }) =>
      object.metadata.ownerReferences?.some((owner) => owner.uid === uid),
    )
  }

  #orphan(uid: string): void {
    for (const { kind, object, managers } of this.#dependents(uid)) {
      const ownerReferences = object.metadata.ownerReferences!.filter((owner) => owner.uid !== uid)
      this.put(kind, { ...object, metadata: { ...object.metadata, ownerReferences } }, managers)
    }
  }

  #newUid(): string {
    return `00000000-0000-4000-8000-${String(++this.#uids).padStart(12, '0')}`
  }

  #time(): string {
    return new Date(this.#clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
  }
}

function idOf(kind: ApiKind, { namespace, name }: ObjectKey): string {
  const key = keyOf(kind.namespaced ? { namespace, name } : { name })
  return `${kind.apiVersion}/${kind.plural}/${key}`
}

/** What the generation counts changes of. */
function wantedOf(kind: ApiKind, { metadata: _, status, ...wanted }: KubeObject): string {
  return JSON.stringify(sorted(kind.status === true ? wanted : { ...wanted, status }))
}

function textOf(object: KubeObject): string {
  return JSON.stringify(sorted(object))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, one]) => [name, sorted(one)]))
}
