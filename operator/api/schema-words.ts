/**
 * The zod that the schemas of custom resources are written in: texts and lists with bounds, and what only Kubernetes knows (CEL rules, lists as maps, quantities, fields that are kept without being named).
 *
 * Bounds are not for tidiness: the API server reckons the worst cost of each CEL rule from them, and refuses a schema whose rules could take too long.
 */
import { z } from 'zod'
import { MEMORY_PATTERN, QUANTITY_PATTERN } from './quantity.ts'

/** A rule in CEL: `self` is the value it stands at, `oldSelf` what was there before an edit. */
export interface Rule {
  rule: string
  message: string
  /** CEL that makes a message with the values in it; `message` holds where it fails. */
  messageExpression?: string
  /** The field below that the message is about, such as `.parallelism`. */
  fieldPath?: string
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate'
}

/**
 * Rules of a schema, for `.meta()`.
 *
 * @example
 * z.object({}).meta(rules({ rule: "has(self.a) != has(self.b)", message: 'must have one of `a` and `b`' }))
 */
export function rules(...all: Rule[]) {
  return { 'x-kubernetes-validations': all }
}

/** A text of so many characters at most. */
export function text(lengthMax: number, description: string) {
  return z.string().max(lengthMax).describe(description)
}

/** A text of any length. For status alone: who writes it must never be refused for what a job says. */
export function anyText(description: string) {
  return z.string().describe(description)
}

/** A list whose items are told apart by a field, so that server-side apply merges them one by one. */
export function listMap<T extends z.ZodType>(item: T, key: string, itemsMax: number, description: string) {
  return z
    .array(item)
    .max(itemsMax)
    .meta({ description, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] })
}

/** Texts by name. */
export function texts(lengthMax: number, entriesMax: number, description: string) {
  return z.record(z.string(), z.string().max(lengthMax)).meta({ description, maxProperties: entriesMax })
}

/** A quantity of Kubernetes: `500m`, `2Gi`, `1`. */
export function quantities(description: string) {
  const one = z
    .union([z.int(), z.string().regex(new RegExp(QUANTITY_PATTERN)).max(64)])
    .meta({ 'x-kubernetes-int-or-string': true, pattern: QUANTITY_PATTERN, maxLength: 64 })
  return z.record(z.string(), one).meta({ description, maxProperties: 32 })
}

/** A size of memory in Flink's notation. */
export function memory(description: string) {
  return z.string().max(32).regex(new RegExp(MEMORY_PATTERN)).describe(description)
}

/** A number, or the name of a port, as probes have them. */
export function intOrText(description: string) {
  return z.union([z.int(), z.string()]).meta({ description, 'x-kubernetes-int-or-string': true })
}

/** Any object, kept whole: Kubernetes itself knows what belongs there. */
export function kept(description: string) {
  return z.looseObject({}).describe(description)
}

/** A whole number. */
export function whole(description: string, { min, max }: { min?: number; max?: number } = {}) {
  let number = z.int()
  if (min !== undefined) number = number.min(min)
  if (max !== undefined) number = number.max(max)
  return number.describe(description)
}

/** A counter that somebody raises to ask for something once. */
export function nonce(description: string) {
  return z.int().describe(description)
}

/** A moment, as `2026-01-31T12:00:00Z`; `kubectl get` prints its age. */
export function moment(description: string) {
  return z.string().meta({ description, format: 'date-time' })
}
