/**
 * Values of logical types: from what the bytes hold, and back. A `to…` that has no result gives undefined.
 */

const DAY_MS = 86_400_000

/** A Date's farthest point in time. */
const DATE_MS_MAX = 8.64e15

export function instantMs(unit: 'millis' | 'micros' | 'days', value: number): number {
  return unit === 'millis' ? value : unit === 'micros' ? value / 1000 : value * DAY_MS
}

/** The Date of a point in time; undefined beyond what a Date can be. */
export function dateOf(ms: number): Date | undefined {
  return Math.abs(ms) <= DATE_MS_MAX ? new Date(Math.floor(ms)) : undefined
}

/** A day is the one in which the point in time lies, in UTC. */
export function toInstant(unit: 'millis' | 'micros' | 'days', value: unknown): number | undefined {
  const ms = value instanceof Date ? value.getTime() : value
  if (typeof ms !== 'number' || !Number.isFinite(ms)) return undefined
  const result = unit === 'millis' ? ms : unit === 'micros' ? Math.round(ms * 1000) : Math.floor(ms / DAY_MS)
  return Number.isSafeInteger(result) ? result : undefined
}

/** Digits with their point: `-12.30` for -1230 of scale 2. undefined when there are more of them than the precision has. */
export function decimalText(bytes: Uint8Array, precision: number, scale: number): string | undefined {
  // A byte has at least 2.4 digits, and a fixed may have sign bytes to spare.
  let from = 0
  const sign = bytes.length > 0 && bytes[0]! > 127 ? 255 : 0
  while (from < bytes.length - 1 && bytes[from] === sign && bytes[from + 1]! > 127 === (sign === 255)) from++
  if (bytes.length - from > precision / 2 + 2) return undefined
  let value = 0n
  for (let i = from; i < bytes.length; i++) value = (value << 8n) | BigInt(bytes[i]!)
  value = BigInt.asIntN(8 * (bytes.length - from), value)
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  if (digits.length > precision && digits.replace(/^0+/, '').length > precision) return undefined
  const whole = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return value < 0n ? `-${whole}` : whole
}

/** Two's complement, big-endian: of `size` bytes, or as few as hold it. undefined for what does not fit precision, scale or size. */
export function toDecimal(
  value: unknown,
  precision: number,
  scale: number,
  size: number | undefined,
): Uint8Array | undefined {
  const kind = typeof value
  if (kind !== 'string' && kind !== 'number' && kind !== 'bigint') return undefined
  const match = /^([+-]?)(\d+)(?:\.(\d*?)0*)?$/.exec(String(value))
  if (match === null) return undefined
  const [, sign, whole, fraction = ''] = match
  if (fraction.length > scale) return undefined
  const digits = whole + fraction.padEnd(scale, '0')
  if (digits.replace(/^0+/, '').length > precision) return undefined
  const unscaled = BigInt(sign === '-' ? `-${digits}` : digits)
  let length = size ?? 1
  if (size === undefined) while (BigInt.asIntN(8 * length, unscaled) !== unscaled) length++
  else if (BigInt.asIntN(8 * length, unscaled) !== unscaled) return undefined
  const bytes = new Uint8Array(length)
  let rest = unscaled
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 255n)
    rest >>= 8n
  }
  return bytes
}

export function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

export function toUuid(value: unknown): Uint8Array | undefined {
  const valid = typeof value === 'string' && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(value)
  return valid ? Buffer.from(value.replaceAll('-', ''), 'hex') : undefined
}
