/**
 * What Avro's types are in JavaScript, as the options say: the rule that decides whether a union's values need to name their branch.
 */
import type { Node, UnionNode } from './schema.ts'

export interface AvroValueOptions {
  /**
   * What a `long` is: a number (default), where a value beyond 2^53 is malformed, or a bigint.
   */
  longs?: 'number' | 'bigint'
  /**
   * What a point in time is (`timestamp-millis`, `timestamp-micros`, `date`): milliseconds since 1970 as a number (default; microseconds
   * are its fraction), or a Date, which has no microseconds.
   */
  times?: 'number' | 'date'
}

export type Shape = 'null' | 'boolean' | 'number' | 'bigint' | 'string' | 'bytes' | 'array' | 'object' | 'date'

/** Of a type that is no union. */
export function shapeOf(node: Node, options: AvroValueOptions): Shape {
  if ('logical' in node && node.logical !== undefined) {
    const { kind } = node.logical
    if (kind === 'instant') return options.times === 'date' ? 'date' : 'number'
    return kind === 'time-micros' ? 'number' : 'string'
  }
  switch (node.kind) {
    case 'long':
      return options.longs === 'bigint' ? 'bigint' : 'number'
    case 'int':
    case 'float':
    case 'double':
      return 'number'
    case 'enum':
      return 'string'
    case 'fixed':
      return 'bytes'
    case 'map':
    case 'record':
    case 'union':
      return 'object'
    default:
      return node.kind
  }
}

/** Two branches look alike in JavaScript, so that values are wrapped: `{ string: 'a' }`, `{ 'com.shop.User': {…} }`. */
export function isWrapped(union: UnionNode, options: AvroValueOptions): boolean {
  return new Set(union.branches.map((branch) => shapeOf(branch, options))).size < union.branches.length
}

/** Code that tells whether the variable `v` has this shape. */
export function shapeTest(shape: Shape): string {
  switch (shape) {
    case 'null':
      return '(v === null || v === undefined)'
    case 'bytes':
      return 'v instanceof Uint8Array'
    case 'date':
      return 'v instanceof Date'
    case 'array':
      return 'Array.isArray(v)'
    case 'object':
      return "(typeof v === 'object' && v !== null && !Array.isArray(v) && !(v instanceof Uint8Array) && !(v instanceof Date))"
    default:
      return `typeof v === '${shape}'`
  }
}
