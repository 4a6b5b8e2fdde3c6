/**
 * Avro schemas as trees that readers and writers are generated from.
 *
 * The package avsc checks a schema and resolves its names, namespaces and defaults. It does not read or write records here: its records
 * are instances of classes, which no task may send on, it believes the lengths of arrays that a message claims, and a map's key may
 * set a prototype.
 */
import avsc from 'avsc'
import { TailraceError } from '../../core/errors.ts'

/** What a logical type means here; others are ignored, as the specification has it. */
export type Logical =
  | { kind: 'instant'; unit: 'millis' | 'micros' | 'days' }
  | { kind: 'time-micros' }
  | { kind: 'decimal'; precision: number; scale: number }
  | { kind: 'uuid' }

export type Primitive = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'

export type Node =
  | { kind: Primitive; logical?: Logical }
  | { kind: 'fixed'; name: string; aliases: readonly string[]; size: number; logical?: Logical }
  | EnumNode
  | { kind: 'array'; items: Node }
  | { kind: 'map'; values: Node }
  | UnionNode
  | RecordNode

export interface EnumNode {
  kind: 'enum'
  name: string
  aliases: readonly string[]
  symbols: readonly string[]
  default: string | undefined
}

export interface UnionNode {
  kind: 'union'
  branches: Node[]
}

export interface RecordNode {
  kind: 'record'
  name: string
  aliases: readonly string[]
  fields: Field[]
}

export interface Field {
  name: string
  aliases: readonly string[]
  type: Node
  /** The encoded default; undefined: there is none. */
  default: Buffer | undefined
}

/** A schema as in the specification: JSON text, or what it parses to. */
export type AvroSchema = string | object

/**
 * @param references schemas that it names, each after those that it names itself
 * @throws TailraceError TR-FORMAT-001
 */
export function parseSchema(schema: AvroSchema, references: readonly AvroSchema[] = []): Node {
  const registry = {}
  const options = { registry, logicalTypes: LOGICAL_TYPES, wrapUnions: true }
  try {
    for (const reference of references) avsc.Type.forSchema(jsonOf(reference) as avsc.Schema, options)
    return nodeOf(avsc.Type.forSchema(jsonOf(schema) as avsc.Schema, options), new Map())
  } catch (error) {
    const text = typeof schema === 'string' ? schema : JSON.stringify(schema)
    const excerpt = text.length > 120 ? `${text.slice(0, 120)}…` : text
    throw new TailraceError('TR-FORMAT-001', `Cannot use the Avro schema ${excerpt}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** A text is JSON, or the name of a type alone: `string`. */
function jsonOf(schema: AvroSchema): unknown {
  return typeof schema === 'string' && /^\s*[[{"]/.test(schema) ? JSON.parse(schema) : schema
}

/** Of a union's branch, as its wrapped values name it; for the format's name too. */
export function branchName(node: Node): string {
  return 'name' in node ? node.name : node.kind
}

/** Keeps the attributes of a logical type, and its values as they are. */
class Kept extends avsc.types.LogicalType {
  attributes: Record<string, unknown>
  constructor(schema: avsc.Schema, options?: unknown) {
    super(schema, options)
    this.attributes = schema as unknown as Record<string, unknown>
  }
  protected override _fromValue(value: unknown): unknown {
    return value
  }
  protected override _toValue(value: unknown): unknown {
    return value
  }
}

const LOGICAL_NAMES = [
  'timestamp-millis',
  'timestamp-micros',
  'local-timestamp-millis',
  'local-timestamp-micros',
  'date',
  'time-micros',
  'decimal',
  'uuid',
]
const LOGICAL_TYPES = Object.fromEntries(LOGICAL_NAMES.map((name) => [name, Kept]))

/** The parts of avsc's types that are read here. */
interface AvscType {
  typeName: string
  name?: string
  aliases?: string[]
  types: AvscType[]
  itemsType: AvscType
  valuesType: AvscType
  symbols: string[]
  size: number
  default?: string
  fields: { name: string; aliases: string[]; type: AvscType & avsc.Type; defaultValue(): unknown }[]
}

function nodeOf(given: avsc.Type | AvscType, known: Map<unknown, Node>): Node {
  const attributes = given instanceof Kept ? given.attributes : undefined
  const type = (given instanceof Kept ? given.underlyingType : given) as AvscType
  const found = known.get(given)
  if (found !== undefined) return found
  const name = type.name ?? ''
  const aliases = type.aliases ?? []
  const keep = <N extends Node>(node: N): N => {
    known.set(given, node)
    return node
  }
  switch (type.typeName) {
    case 'union:wrapped':
      return keep({ kind: 'union', branches: type.types.map((branch) => nodeOf(branch, known)) })
    case 'array':
      return keep({ kind: 'array', items: nodeOf(type.itemsType, known) })
    case 'map':
      return keep({ kind: 'map', values: nodeOf(type.valuesType, known) })
    case 'enum':
      return keep({ kind: 'enum', name, aliases, symbols: type.symbols, default: type.default })
    case 'fixed':
      return keep({ kind: 'fixed', name, aliases, size: type.size, ...logicalOf('fixed', attributes, type.size) })
    case 'record':
    case 'error': {
      const node: RecordNode = keep({ kind: 'record', name, aliases, fields: [] })
      for (const field of type.fields) {
        const value = field.defaultValue()
        node.fields.push({
          name: field.name,
          aliases: field.aliases,
          type: nodeOf(field.type, known),
          default: value === undefined ? undefined : field.type.toBuffer(value),
        })
      }
      return node
    }
    default: {
      const kind = type.typeName as Primitive
      return keep({ kind, ...logicalOf(kind, attributes, Infinity) })
    }
  }
}

const INSTANTS: Record<string, 'millis' | 'micros'> = {
  'timestamp-millis': 'millis',
  'timestamp-micros': 'micros',
  'local-timestamp-millis': 'millis',
  'local-timestamp-micros': 'micros',
}

function logicalOf(
  kind: Primitive | 'fixed',
  attributes: Record<string, unknown> | undefined,
  size: number,
): { logical?: Logical } {
  const { logicalType, precision, scale = 0 } = attributes ?? {}
  const instant = INSTANTS[logicalType as string]
  if (kind === 'long' && instant !== undefined) return { logical: { kind: 'instant', unit: instant } }
  if (kind === 'int' && logicalType === 'date') return { logical: { kind: 'instant', unit: 'days' } }
  if (kind === 'long' && logicalType === 'time-micros') return { logical: { kind: 'time-micros' } }
  if (kind === 'fixed' && logicalType === 'uuid' && size === 16) return { logical: { kind: 'uuid' } }
  if ((kind === 'bytes' || kind === 'fixed') && logicalType === 'decimal') {
    const valid = Number.isInteger(precision) && Number.isInteger(scale) && 0 <= (scale as number)
    if (valid && (scale as number) <= (precision as number))
      return { logical: { kind: 'decimal', precision: precision as number, scale: scale as number } }
  }
  return {}
}
