/**
 * Turns a zod schema into a structural schema: the OpenAPI v3 that the API server holds custom resources to.
 *
 * JSON Schema says more than is allowed there, and some of it otherwise: exclusive bounds are flags, any object is `x-kubernetes-preserve-unknown-fields`, a number or a text is `x-kubernetes-int-or-string`, and nothing may refer
 * to anything. What cannot be said is refused here and not dropped.
 */
import { z } from 'zod'
import type { Rule } from './schema-words.ts'

/** The part of OpenAPI v3 that is structural. */
export interface Structural {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  description?: string
  format?: string
  default?: unknown
  enum?: unknown[]
  minimum?: number
  maximum?: number
  exclusiveMinimum?: boolean
  exclusiveMaximum?: boolean
  minLength?: number
  maxLength?: number
  pattern?: string
  minItems?: number
  maxItems?: number
  minProperties?: number
  maxProperties?: number
  required?: string[]
  properties?: Record<string, Structural>
  additionalProperties?: Structural
  items?: Structural
  'x-kubernetes-preserve-unknown-fields'?: true
  'x-kubernetes-int-or-string'?: true
  'x-kubernetes-list-type'?: 'atomic' | 'map' | 'set'
  'x-kubernetes-list-map-keys'?: string[]
  'x-kubernetes-map-type'?: 'atomic' | 'granular'
  'x-kubernetes-validations'?: Rule[]
}

type Json = Record<string, any>

const TYPES = ['object', 'array', 'string', 'integer', 'number', 'boolean']

/** Taken as they are. */
const PLAIN = [
  'format',
  'default',
  'enum',
  'minLength',
  'maxLength',
  'pattern',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'required',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-validations',
] as const

/** Of JSON Schema, without meaning here. */
const DROPPED = new Set(['$schema', 'propertyNames', 'id', '$id'])

/**
 * @example
 * structural(z.object({ replicas: z.int().min(1).default(1).describe('How many.') }))
 * // { type: 'object', properties: { replicas: { description: 'How many.', type: 'integer', format: 'int64', default: 1, minimum: 1 } } }
 */
export function structural(schema: z.ZodType): Structural {
  return convert(z.toJSONSchema(schema, { io: 'input', reused: 'inline', cycles: 'throw' }) as Json, '')
}

function convert(json: Json, path: string): Structural {
  const out: Structural = {}
  if (json.description !== undefined) out.description = json.description
  const anyValue = json['x-kubernetes-int-or-string'] === true
  if (!anyValue) {
    if (!TYPES.includes(json.type))
      throw new TypeError(`Cannot make ${path || 'the schema'} structural: it has no one type of ${TYPES.join(', ')}`)
    out.type = json.type as Structural['type'] & string
  }
  for (const name of PLAIN) if (json[name] !== undefined) (out as Json)[name] = json[name]
  if (json.type === 'integer') out.format = 'int64'
  bounds(json, out)
  if (json.properties !== undefined) {
    out.properties = {}
    for (const [name, value] of Object.entries<Json>(json.properties))
      out.properties[name] = convert(value, path === '' ? name : `${path}.${name}`)
  }
  if (json.items !== undefined) out.items = convert(json.items, `${path}[]`)
  const rest = json.additionalProperties
  if (typeof rest === 'object') {
    if (Object.keys(rest).length === 0) out['x-kubernetes-preserve-unknown-fields'] = true
    else out.additionalProperties = convert(rest, `${path}{}`)
  }
  for (const name of Object.keys(json)) {
    const isKnown = name in out || DROPPED.has(name) || ['additionalProperties', 'type', ...BOUNDS].includes(name)
    if (!isKnown && !(anyValue && name === 'anyOf'))
      throw new TypeError(
        `Cannot make ${path || 'the schema'} structural: it has ${name}, which the API server does not take`,
      )
  }
  return out
}

const BOUNDS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']

function bounds(json: Json, out: Structural): void {
  for (const [bound, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    if (json[exclusive] !== undefined) {
      out[bound] = json[exclusive]
      out[exclusive] = true
      // zod bounds each integer by what a double holds exactly, which is no wish of the schema.
    } else if (json[bound] !== undefined && Math.abs(json[bound]) !== Number.MAX_SAFE_INTEGER) out[bound] = json[bound]
  }
}

/** The schema at a path of properties, `[]` for the items of a list; undefined where there is none. */
export function schemaAt(schema: Structural, path: readonly string[]): Structural | undefined {
  let at: Structural | undefined = schema
  for (const part of path) at = part === '[]' ? at?.items : (at?.properties?.[part] ?? at?.additionalProperties)
  return at
}
