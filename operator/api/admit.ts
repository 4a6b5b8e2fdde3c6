/**
 * What the API server does with a resource before it keeps it, by its structural schema: drops what is not known, fills in defaults, judges values. CEL rules are the API server's alone.
 *
 * For places without an API server: a local run of a manifest, a server in memory for tests. All problems at once, in words near to those of the API server.
 */
import { type Message, pathOf } from './messages.ts'
import type { Structural } from './structural.ts'

export interface Admitted {
  /** A copy with defaults, without unknown fields. */
  value: unknown
  problems: Message[]
  /** Paths that were dropped, as nobody knows them. */
  unknown: string[]
}

/**
 * @example
 * admit({ spec: { taskManager: {} } }, schema).value // { spec: { taskManager: { replicas: 1 }, … } }
 */
export function admit(value: unknown, schema: Structural): Admitted {
  const problems: Message[] = []
  const unknown: string[] = []
  const admitted = visit(value, schema, [], { problems, unknown, isRoot: true })
  return { value: admitted, problems, unknown }
}

interface Findings {
  problems: Message[]
  unknown: string[]
  /** The root has fields that its schema need not name. */
  isRoot?: boolean
}

function visit(value: unknown, schema: Structural, at: readonly PropertyKey[], found: Findings): unknown {
  const say = (text: string) => void found.problems.push({ path: pathOf(at), text })
  if (schema['x-kubernetes-int-or-string']) {
    if (typeof value !== 'string' && !Number.isInteger(value)) say('must be an integer or a text')
    else judgeText(String(value), schema, say)
    return value
  }
  switch (schema.type) {
    case 'object':
      if (!isObject(value)) {
        say(`must be an object, and is ${kindOf(value)}`)
        return value
      }
      return visitObject(value, schema, at, found)
    case 'array':
      if (!Array.isArray(value)) {
        say(`must be a list, and is ${kindOf(value)}`)
        return value
      }
      judgeList(value, schema, say)
      return schema.items ? value.map((item, index) => visit(item, schema.items!, [...at, index], found)) : value
    case 'string':
      if (typeof value !== 'string') say(`must be a text, and is ${kindOf(value)}`)
      else judgeText(value, schema, say)
      break
    case 'boolean':
      if (typeof value !== 'boolean') say(`must be true or false, and is ${kindOf(value)}`)
      break
    case 'integer':
    case 'number':
      judgeNumber(value, schema, say)
      break
  }
  if (schema.enum !== undefined && !schema.enum.includes(value))
    say(`must be one of ${schema.enum.join(', ')}; it is ${JSON.stringify(value)}`)
  return value
}

function visitObject(
  value: Record<string, unknown>,
  schema: Structural,
  at: readonly PropertyKey[],
  found: Findings,
): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  const inner: Findings = { problems: found.problems, unknown: found.unknown }
  const isMetadata = at.length === 1 && at[0] === 'metadata'
  for (const [name, given] of Object.entries(value)) {
    const known = schema.properties?.[name] ?? schema.additionalProperties
    const path = [...at, name]
    // null stands for "not given" where nothing else is said.
    if (given === null && known !== undefined) continue
    if (known !== undefined) out[name] = visit(given, known, path, inner)
    else if (schema['x-kubernetes-preserve-unknown-fields'] || isMetadata || (found.isRoot && name === 'metadata'))
      out[name] = given
    else found.unknown.push(pathOf(path))
  }
  for (const [name, known] of Object.entries(schema.properties ?? {})) {
    if (out[name] === undefined && known.default !== undefined)
      out[name] = visit(structuredClone(known.default), known, [...at, name], inner)
  }
  for (const name of schema.required ?? []) {
    if (out[name] === undefined) found.problems.push({ path: pathOf([...at, name]), text: 'is missing' })
  }
  const count = Object.keys(out).length
  if (count > (schema.maxProperties ?? Number.POSITIVE_INFINITY))
    found.problems.push({ path: pathOf(at), text: `has ${count} entries, ${schema.maxProperties} are the most` })
  return out
}

function judgeText(value: string, schema: Structural, say: (text: string) => void): void {
  const length = [...value].length
  if (length > (schema.maxLength ?? Number.POSITIVE_INFINITY))
    say(`has ${length} characters, ${schema.maxLength} are the most`)
  if (length < (schema.minLength ?? 0)) say(`has ${length} characters, ${schema.minLength} are the least`)
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
    say(`must match ${schema.pattern}; it is ${JSON.stringify(value)}`)
  if (schema.format === 'date-time' && Number.isNaN(Date.parse(value)))
    say(`must be a moment such as 2026-01-31T12:00:00Z; it is ${JSON.stringify(value)}`)
}

function judgeNumber(value: unknown, schema: Structural, say: (text: string) => void): void {
  if (typeof value !== 'number' || (schema.type === 'integer' && !Number.isInteger(value))) {
    say(`must be ${schema.type === 'integer' ? 'a whole number' : 'a number'}, and is ${kindOf(value)}`)
    return
  }
  const { minimum, maximum } = schema
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum))
    say(`must be ${schema.exclusiveMinimum ? 'more than' : 'at least'} ${minimum}; it is ${value}`)
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum))
    say(`must be ${schema.exclusiveMaximum ? 'less than' : 'at most'} ${maximum}; it is ${value}`)
}

function judgeList(value: readonly unknown[], schema: Structural, say: (text: string) => void): void {
  if (value.length > (schema.maxItems ?? Number.POSITIVE_INFINITY))
    say(`has ${value.length} items, ${schema.maxItems} are the most`)
  const keys = schema['x-kubernetes-list-map-keys']
  if (keys === undefined) return
  const seen = new Set<string>()
  for (const item of value) {
    const key = JSON.stringify(keys.map((name) => (item as Record<string, unknown> | null)?.[name]))
    if (seen.has(key)) say(`has ${keys.join(', ')} ${key.slice(1, -1)} twice`)
    seen.add(key)
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : JSON.stringify(value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
