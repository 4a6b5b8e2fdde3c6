/**
 * Steps over JSON in bytes without building values, and the parts of values that the fast parser (template.ts) leaves out: numbers with
 * fraction or exponent, strings with escapes or beyond ASCII, literals, arrays. Each gives exactly what JSON.parse gives.
 *
 * Results with a position are written to a {@link Cursor}, -1 when the bytes end too early or are no JSON; the caller then takes
 * the way over JSON.parse, which knows the right error text.
 */

export interface Cursor {
  /** After the value; -1: no value here. */
  at: number
  /** Records that a generated parser pushed. */
  count: number
}

const QUOTE = 34
const BACKSLASH = 92

/** 1 for the bytes that a JSON string may hold as they are and that are characters of their own. */
export const PLAIN = new Uint8Array(256)
for (let c = 32; c < 127; c++) if (c !== QUOTE && c !== BACKSLASH) PLAIN[c] = 1

export const isSpace = (c: number | undefined): boolean => c === 32 || c === 10 || c === 13 || c === 9

const isDigit = (c: number | undefined): boolean => c !== undefined && c >= 48 && c <= 57

export function skipSpace(d: Uint8Array, p: number, end: number): number {
  while (p < end && isSpace(d[p])) p++
  return p
}

/** The position after the string whose opening quote is at `p`; -1 when it does not end before `end`. */
export function skipString(d: Uint8Array, p: number, end: number): number {
  for (let q = p + 1; q < end; q++) {
    const c = d[q]!
    if (c === BACKSLASH) q++
    else if (c === QUOTE) return q + 1
  }
  return -1
}

/** The position after the value that begins at `p`, judged by brackets and quotes alone; -1 when it may go on after `end`. */
export function skipValue(d: Uint8Array, p: number, end: number): number {
  let depth = 0
  let q = p
  while (q < end) {
    const c = d[q]!
    if (c === QUOTE) {
      q = skipString(d, q, end)
      if (q < 0) return -1
      if (depth === 0) return q
      continue
    }
    if (c === 123 || c === 91) depth++
    else if (c === 125 || c === 93) {
      if (depth === 0) return q
      if (--depth === 0) return q + 1
    } else if (depth === 0 && (c === 44 || isSpace(c)) && q > p) return q
    q++
  }
  return -1
}

const POWERS_OF_TEN = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))

/**
 * The number at `p`. A mantissa below 2^53 and a power of ten up to 22 are both exact, so one division rounds right; everything else
 * goes to Number().
 */
export function readNumber(d: Buffer, p: number, cursor: Cursor): number {
  let q = p
  if (d[q] === 45) q++
  const digits = q
  let mantissa = 0
  while (isDigit(d[q])) mantissa = mantissa * 10 + d[q++]! - 48
  if (q === digits || (d[digits] === 48 && q > digits + 1)) return no(cursor)
  let fraction = 0
  if (d[q] === 46) {
    const from = ++q
    while (isDigit(d[q])) mantissa = mantissa * 10 + d[q++]! - 48
    fraction = q - from
    if (fraction === 0) return no(cursor)
  }
  if (d[q] === 101 || d[q] === 69) {
    q++
    if (d[q] === 43 || d[q] === 45) q++
    if (!isDigit(d[q])) return no(cursor)
    while (isDigit(d[q])) q++
    fraction = Infinity
  }
  cursor.at = q
  if (fraction > 22 || q - digits > 15) return Number(d.latin1Slice(p, q))
  const value = mantissa / POWERS_OF_TEN[fraction]!
  return d[p] === 45 ? -value : value
}

/** The string whose first byte after the quote is at `p`. */
export function readString(d: Buffer, p: number, cursor: Cursor): string {
  let escaped = false
  let q = p
  for (;;) {
    const c = d[q]
    if (c === undefined || c < 32) return no(cursor) as unknown as string
    if (c === QUOTE) break
    if (c === BACKSLASH) {
      escaped = true
      q++
      // The sentinel after the last byte must not be stepped over.
      if (d[q] === undefined || d[q]! < 32) return no(cursor) as unknown as string
    }
    q++
  }
  cursor.at = q + 1
  if (!escaped) return d.utf8Slice(p, q)
  try {
    return JSON.parse(d.utf8Slice(p - 1, q + 1))
  } catch {
    return no(cursor) as unknown as string
  }
}

/** Any value at `p` that ends before `end`. */
export function readValue(d: Buffer, p: number, end: number, cursor: Cursor): unknown {
  const c = d[p]
  if (c === QUOTE) return readString(d, p + 1, cursor)
  if (c === 110 && d[p + 1] === 117 && d[p + 2] === 108 && d[p + 3] === 108) {
    cursor.at = p + 4
    return null
  }
  if (c === 116 && d[p + 1] === 114 && d[p + 2] === 117 && d[p + 3] === 101) {
    cursor.at = p + 4
    return true
  }
  if (c === 102 && d[p + 1] === 97 && d[p + 2] === 108 && d[p + 3] === 115 && d[p + 4] === 101) {
    cursor.at = p + 5
    return false
  }
  if (c !== 123 && c !== 91) return readNumber(d, p, cursor)
  const after = skipValue(d, p, end)
  if (after < 0) return no(cursor)
  cursor.at = after
  try {
    return JSON.parse(d.utf8Slice(p, after))
  } catch {
    return no(cursor)
  }
}

function no(cursor: Cursor): number {
  cursor.at = -1
  return 0
}
