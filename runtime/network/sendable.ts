/**
 * Refuses what would arrive as something else. Called for the records from which a type is inferred and for every record that goes as
 * msgpack; typed rows verify themselves.
 */
import { TailraceError } from '../core/errors.ts'
import { isRegistered } from '../core/registered-types.ts'

const DEPTH_MAX = 64

/** Throws TR-RECORD-002 for a class instance, TR-RECORD-005 for functions, symbols, null and undefined records, and cycles. */
export function checkSendable(value: unknown, operatorName: string): void {
  if (value === null || value === undefined) {
    throw new TailraceError(
      'TR-RECORD-005',
      `Cannot send ${String(value)} from "${operatorName}": a record must be a value. Filter it out, or emit nothing`,
    )
  }
  check(value, operatorName, 0)
}

function check(value: unknown, operatorName: string, depth: number): void {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new TailraceError(
        'TR-RECORD-005',
        `Cannot send a record with a ${typeof value} in it from "${operatorName}": records hold data only`,
      )
    }
    return
  }
  if (depth > DEPTH_MAX)
    throw new TailraceError(
      'TR-RECORD-005',
      `Cannot send a record of "${operatorName}": it is nested deeper than ${DEPTH_MAX} levels, or holds itself`,
    )
  if (Array.isArray(value)) {
    for (const item of value) check(item, operatorName, depth + 1)
    return
  }
  if (value instanceof Map) {
    for (const [k, v] of value) {
      check(k, operatorName, depth + 1)
      check(v, operatorName, depth + 1)
    }
    return
  }
  if (value instanceof Set) {
    for (const item of value) check(item, operatorName, depth + 1)
    return
  }
  if (value instanceof Date || ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof RegExp)
    return
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && isRegistered(prototype)) return
  if (prototype !== Object.prototype && prototype !== null) {
    const name = prototype.constructor?.name ?? 'unnamed class'
    throw new TailraceError(
      'TR-RECORD-002',
      `Cannot send an instance of class ${name} from "${operatorName}": its methods would be lost on the way. Emit a plain object, or call ` +
        `env.registerType(${name}, { … }) to say how it travels`,
    )
  }
  for (const name in value) check((value as Record<string, unknown>)[name], operatorName, depth + 1)
}
