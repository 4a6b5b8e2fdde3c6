/**
 * Server-side apply, as far as tests need it: who has set which field, conflicts between managers, and removal of what a manager applies no more.
 *
 * A field is a path of segments as in `fieldsV1`: `f:name` for a field, `k:{"name":"a"}` for an item of a list that has keys, `v:"x"` for an item of a set, `.` for the item
 * itself. Lists whose keys are not known are one field.
 */
import type { KubeObject } from './objects.ts'

/** Paths as JSON of their segments. */
export type FieldSet = Set<string>

export interface FieldManager {
  manager: string
  operation: 'Apply' | 'Update'
  subresource: string
  fields: FieldSet
}

export interface FieldConflict {
  manager: string
  field: string
}

const LIST_KEYS: Record<string, readonly string[]> = {
  conditions: ['type'],
  containers: ['name'],
  initContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  volumeMounts: ['mountPath'],
  imagePullSecrets: ['name'],
  ownerReferences: ['uid'],
}
const SETS = new Set(['finalizers'])
/** Set by the server, or what the object is called by. */
const NOBODYS = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'generateName',
])

/** All fields of an object that somebody can manage, with their values as JSON. */
export function fieldsOf(object: KubeObject): Map<string, string> {
  const fields = new Map<string, string>()
  for (const [name, value] of Object.entries(object)) {
    if (name === 'apiVersion' || name === 'kind') continue
    if (name !== 'metadata') collect(value, [`f:${name}`], name, fields)
    else
      for (const [one, meta] of Object.entries(value as object))
        if (!NOBODYS.has(one)) collect(meta, ['f:metadata', `f:${one}`], one, fields)
  }
  return fields
}

function collect(value: unknown, path: string[], name: string, fields: Map<string, string>): void {
  if (value === undefined) return
  const put = (at: string[], text: string) => fields.set(JSON.stringify(at), text)
  if (Array.isArray(value)) {
    if (SETS.has(name)) {
      for (const item of value) put([...path, `v:${JSON.stringify(item)}`], '')
      return
    }
    const keys = keysOf(name, value)
    if (keys === undefined) return void put(path, JSON.stringify(value))
    for (const item of value) {
      const at = [...path, segmentOf(item, keys)]
      put([...at, '.'], '')
      for (const [field, inner] of Object.entries(item)) collect(inner, [...at, `f:${field}`], field, fields)
    }
    return
  }
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0)
    return void put(path, JSON.stringify(value))
  for (const [field, inner] of Object.entries(value)) collect(inner, [...path, `f:${field}`], field, fields)
}

function keysOf(name: string, list: readonly unknown[]): readonly string[] | undefined {
  const keys = LIST_KEYS[name]
  if (keys === undefined) return undefined
  return list.every((item) => keys.every((key) => (item as Record<string, unknown> | null)?.[key] !== undefined))
    ? keys
    : undefined
}

function segmentOf(item: any, keys: readonly string[]): string {
  return `k:${JSON.stringify(Object.fromEntries(keys.map((key) => [key, item[key]])))}`
}

/** What an apply makes of an object; conflicts when it may not be. */
export function applyFields(
  live: KubeObject,
  applied: KubeObject,
  managers: readonly FieldManager[],
  who: Pick<FieldManager, 'manager' | 'subresource'>,
  force: boolean,
): { object: KubeObject; managers: FieldManager[]; conflicts: FieldConflict[] } {
  const wanted = fieldsOf(applied)
  const found = fieldsOf(live)
  const isOwn = (one: FieldManager) =>
    one.manager === who.manager && one.subresource === who.subresource && one.operation === 'Apply'
  const own = managers.find(isOwn)
  const others = managers.filter((one) => !isOwn(one))
  const conflicts: FieldConflict[] = []
  const taken = new Set<string>()
  for (const [path, value] of wanted) {
    if (found.get(path) === value) continue
    for (const { manager, fields } of others)
      if (fields.has(path)) {
        conflicts.push({ manager, field: textOf(path) })
        taken.add(path)
      }
  }
  if (conflicts.length > 0 && !force) return { object: live, managers: [...managers], conflicts }
  const object = mergeFields(structuredClone(live), applied, '') as KubeObject
  const theirs = others.flatMap(({ fields }) => [...fields])
  const isKept = (path: string) => {
    // An item of a list stays while anybody manages anything in it.
    const item = path.endsWith(',"."]') ? path.slice(0, -'"."]'.length) : undefined
    return theirs.some((one) => one === path || (item !== undefined && one.startsWith(item)))
  }
  const dropped = [...(own?.fields ?? [])]
    .filter((path) => !wanted.has(path) && !isKept(path))
    .map((path) => JSON.parse(path) as string[])
    .sort((a, b) => b.length - a.length)
  for (const path of dropped) removeField(object, path)
  const left = others.map((one) => ({ ...one, fields: new Set([...one.fields].filter((path) => !taken.has(path))) }))
  const next: FieldManager = { ...who, operation: 'Apply', fields: new Set(wanted.keys()) }
  return { object, managers: [...left, next].filter(({ fields }) => fields.size > 0), conflicts: [] }
}

/** Who manages what after a write that is no apply: the writer has what it has changed. */
export function updateFields(
  before: KubeObject | undefined,
  after: KubeObject,
  managers: readonly FieldManager[],
  who: Pick<FieldManager, 'manager' | 'subresource'>,
): FieldManager[] {
  const old = before === undefined ? new Map<string, string>() : fieldsOf(before)
  const now = fieldsOf(after)
  const changed = [...now].filter(([path, value]) => old.get(path) !== value).map(([path]) => path)
  const isOwn = (one: FieldManager) =>
    one.manager === who.manager && one.subresource === who.subresource && one.operation === 'Update'
  const isChanged = new Set(changed)
  const own = new Set([...(managers.find(isOwn)?.fields ?? []), ...changed].filter((path) => now.has(path)))
  const others = managers
    .filter((one) => !isOwn(one))
    .map((one) => ({
      ...one,
      fields: new Set([...one.fields].filter((path) => now.has(path) && !isChanged.has(path))),
    }))
  return [...others, { ...who, operation: 'Update' as const, fields: own }].filter(({ fields }) => fields.size > 0)
}

/** As the API server shows it. */
export function managedFieldsOf(managers: readonly FieldManager[], apiVersion: string): unknown[] {
  return managers.map(({ manager, operation, subresource, fields }) => {
    const fieldsV1: any = {}
    for (const path of fields) {
      let at = fieldsV1
      for (const segment of JSON.parse(path) as string[]) at = at[segment] ??= {}
    }
    return { manager, operation, apiVersion, ...(subresource && { subresource }), fieldsType: 'FieldsV1', fieldsV1 }
  })
}

function mergeFields(live: unknown, applied: unknown, name: string): unknown {
  if (Array.isArray(applied)) {
    if (!Array.isArray(live)) return structuredClone(applied)
    if (SETS.has(name)) return [...new Set([...live, ...applied])]
    const keys = keysOf(name, applied)
    if (keys === undefined || keysOf(name, live) === undefined) return structuredClone(applied)
    const merged = [...live]
    for (const item of applied) {
      const segment = segmentOf(item, keys)
      const at = merged.findIndex((one) => segmentOf(one, keys) === segment)
      if (at < 0) merged.push(structuredClone(item))
      else merged[at] = mergeFields(merged[at], item, '')
    }
    return merged
  }
  if (!isPlain(applied) || !isPlain(live)) return structuredClone(applied)
  for (const [field, value] of Object.entries(applied))
    if (value !== undefined) live[field] = mergeFields(live[field], value, field)
  return live
}

/** With the objects around it that become empty. */
function removeField(object: any, path: string[]): void {
  const [segment, ...rest] = path
  const text = segment.slice(2)
  if (segment.startsWith('f:')) {
    if (!isPlain(object) || !(text in object)) return
    if (rest.length === 0) {
      delete object[text]
      return
    }
    const inner = object[text]
    if (rest[0].startsWith('f:')) removeField(inner, rest)
    else object[text] = removeItem(inner, rest)
    const left = object[text]
    if ((isPlain(left) && Object.keys(left).length === 0) || (Array.isArray(left) && left.length === 0))
      delete object[text]
  }
}

function removeItem(list: unknown, [segment, ...rest]: string[]): unknown {
  if (!Array.isArray(list)) return list
  const text = segment.slice(2)
  if (segment.startsWith('v:')) return list.filter((item) => JSON.stringify(item) !== text)
  const key = JSON.parse(text) as Record<string, unknown>
  const isIt = (item: any) => Object.entries(key).every(([name, value]) => item?.[name] === value)
  const item = list.find(isIt)
  if (item === undefined) return list
  if (rest[0] !== '.') {
    // The keys go with the item.
    if (rest.length > 1 || !(rest[0].slice(2) in key)) removeField(item, rest)
    return list
  }
  return list.filter((one) => !isIt(one))
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As in messages: `.spec.replicas`, `.spec.containers[name="a"].image`. */
function textOf(path: string): string {
  return (JSON.parse(path) as string[])
    .map((segment) => {
      const text = segment.slice(2)
      if (segment.startsWith('f:')) return `.${text}`
      if (!segment.startsWith('k:')) return segment === '.' ? '' : `[${text}]`
      const keys = Object.entries(JSON.parse(text) as object)
      return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`
    })
    .join('')
}
