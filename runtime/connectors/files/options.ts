/** Options that sources and sinks of files share. */
import { fileURLToPath } from 'node:url'

export const pathOf = (path: string | URL): string =>
  path instanceof URL || path.startsWith('file:') ? fileURLToPath(path) : path

export function sizeOption(option: string, value: number | undefined, standard: number): number {
  if (value === undefined) return standard
  if (!Number.isSafeInteger(value) || value <= 0)
    throw new RangeError(`Cannot use ${value} as "${option}": it must be a whole number of bytes above 0`)
  return value
}
