/**
 * Values to JSON texts. Dates become ISO texts; bigints become numbers with all their digits.
 */

/** In Node since 21, not yet in TypeScript's library. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }

/** undefined for what JSON has no text for. `replace` sees every value inside, dates already as texts. */
export function writeJson(value: unknown, replace?: (value: unknown) => unknown): string | undefined {
  if (replace === undefined) {
    try {
      return JSON.stringify(value)
    } catch {
      // A bigint, most likely; what else is wrong throws again.
    }
  }
  return JSON.stringify(value, function (this: any, key, inner) {
    if (typeof inner === 'bigint') return rawJSON(String(inner))
    // Buffers have a toJSON of their own, which was called before.
    return replace === undefined ? inner : replace(this[key] instanceof Uint8Array ? this[key] : inner)
  })
}
