/** Hashes of plain data: the same for equal data, whatever the order of its keys. */
import { createHash } from 'node:crypto'

/** Keys sorted at every depth; what is undefined is left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part) => {
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

/** 10 hexadecimal digits. */
export function shortHash(value: unknown): string {
  return createHash('sha256')
    .update(canonicalJson(value) ?? '')
    .digest('hex')
    .slice(0, 10)
}

/**
 * The id that a savepoint or checkpoint is asked for by: asked twice it is taken once.
 *
 * @example
 * triggerIdOf('0b1c…', 'savepoint:7') // 32 hexadecimal digits
 */
export function triggerIdOf(uid: string, what: string): string {
  return createHash('sha256').update(uid).update(what).digest('hex').slice(0, 32)
}
