/**
 * Holds JSON values to a declared type: a generated check for rows that need no change, and a walk that converts, or says in words what
 * does not fit and where.
 */
import { formatType, type TypeDescription } from '../../core/types.ts'
import { MalformedMessage } from '../format.ts'

/** True when the value fits as it is. */
export type RowCheck = (value: unknown) => boolean

/** Kinds that JSON has values of. */
const CHECKS: Record<string, (v: string) => string> = {
  number: (v) => `typeof ${v} === 'number'`,
  int32: (v) => `(${v} | 0) === ${v}`,
  boolean: (v) => `typeof ${v} === 'boolean'`,
  string: (v) => `typeof ${v} === 'string'`,
  any: (v) => `${v} !== undefined`,
}

/** A check for rows whose fields need no conversion; undefined for other types, which always go through {@link conform}. */
export function rowCheck(type: TypeDescription): RowCheck | undefined {
  const code = type.kind === 'row' ? check(type, 'value') : undefined
  return code === undefined ? undefined : (new Function('value', `${COUNT}\nreturn ${code}`) as RowCheck)
}

const COUNT = 'const count = (object) => { let n = 0; for (const key in object) n++; return n }'

function check(type: TypeDescription, v: string): string | undefined {
  if (type.kind === 'nullable') {
    const inner = check(type.of, v)
    return inner === undefined ? undefined : `(${v} === null || ${inner})`
  }
  if (type.kind !== 'row') return CHECKS[type.kind]?.(v)
  // What every object inherits tells nothing about this one.
  if (type.fields.some(([name]) => name in Object.prototype)) return undefined
  const parts = type.fields.map(([name, field]) => check(field, `${v}[${JSON.stringify(name)}]`))
  if (parts.includes(undefined)) return undefined
  const isObject = `typeof ${v} === 'object' && ${v} !== null && count(${v}) === ${type.fields.length}`
  return [isObject, ...parts].join(' && ')
}

/** Whether a type holds a part of this kind anywhere. */
export function holds(type: TypeDescription, kind: TypeDescription['kind']): boolean {
  if (type.kind === kind) return true
  if (type.kind === 'nullable') return holds(type.of, kind)
  if (type.kind === 'row') return type.fields.some(([, field]) => holds(field, kind))
  return type.kind === 'tuple' && type.elements.some((element) => holds(element, kind))
}

/**
 * The value in its declared type.
 *
 * @param path of the value in the message: `user.address`; empty for the whole
 * @throws MalformedMessage
 */
export function conform(type: TypeDescription, value: unknown, path: string): unknown {
  switch (type.kind) {
    case 'any':
      return value
    case 'nullable':
      return value === null || value === undefined ? null : conform(type.of, value, path)
    case 'number':
      if (typeof value === 'number') return value
      if (typeof value === 'bigint') return Number(value)
      break
    case 'int32':
      if (typeof value === 'number' && (value | 0) === value) return value
      break
    case 'boolean':
    case 'string':
      if (typeof value === type.kind) return value
      break
    case 'bigint':
      if (typeof value === 'bigint') return value
      if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
      break
    case 'date': {
      const date = typeof value === 'string' ? new Date(value) : undefined
      if (date !== undefined && !Number.isNaN(date.getTime())) return date
      break
    }
    case 'bytes':
      if (typeof value === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(value) && value.length % 4 === 0)
        return Buffer.from(value, 'base64')
      break
    case 'tuple':
      if (!Array.isArray(value) || value.length !== type.elements.length) break
      return value.map((element, i) => conform(type.elements[i]!, element, `${path}[${i}]`))
    case 'row':
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return conformRow(type, value, path)
  }
  throw new MalformedMessage(`${fieldText(path)} is ${found(value)}, wanted ${WANTED[type.kind] ?? formatType(type)}`)
}

const WANTED: Partial<Record<TypeDescription['kind'], string>> = {
  number: 'a number',
  int32: 'a whole number of 32 bits',
  boolean: 'a boolean',
  string: 'a text',
  bigint: 'a whole number',
  date: 'a date as ISO text',
  bytes: 'bytes as base64 text',
}

function conformRow(type: TypeDescription & { kind: 'row' }, value: object, path: string): unknown {
  const result: Record<string, unknown> = {}
  let present = 0
  for (const [name, field] of type.fields) {
    const inner = path === '' ? name : `${path}.${name}`
    const has = Object.hasOwn(value, name)
    if (has) present++
    else if (field.kind !== 'nullable') throw new MalformedMessage(`${fieldText(inner)} is missing`)
    const found = has ? (value as Record<string, unknown>)[name] : null
    const converted = conform(field, found, inner)
    if (name === '__proto__') Object.defineProperty(result, name, { value: converted, enumerable: true })
    else result[name] = converted
  }
  const keys = Object.keys(value)
  if (keys.length === present) return result
  const extra = keys.find((key) => !type.fields.some(([name]) => name === key))!
  throw new MalformedMessage(
    `${fieldText(path === '' ? extra : `${path}.${extra}`)} is not in the schema ${formatType(type)}`,
  )
}

const fieldText = (path: string) => (path === '' ? 'the message' : `the field "${path}"`)

const EXCERPT_CHARACTERS_MAX = 60

function found(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object') return 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  const clipped = text.length > EXCERPT_CHARACTERS_MAX ? `${text.slice(0, EXCERPT_CHARACTERS_MAX)}…` : text
  return `${typeof value === 'string' ? 'the text' : `the ${typeof value}`} ${clipped}`
}
