/**
 * Looks over the msgpack of a message before it is decoded: a small text can stand for a lot of memory and a deep stack.
 *
 * Bounded are the depth, the number of objects, and what may occur at all: what codec/msgpack.ts writes for plain data, so no registered classes, no references, no shared records.
 * One pass without recursion; it allocates nothing but a stack of counts.
 */

export interface SkimLimits {
  depthMax: number
  /** Objects, arrays, maps, sets and so on, and names and entries in them; a map counts for four. */
  objectsMax: number
}

const MAP_WEIGHT = 4
const RECORD = 0x72
/** What follows the filler byte of a fixext 1 is a value: set, error, regular expression. */
const WRAPPERS = new Set([0x73, 0x65, 0x78])
/** undefined, bigint, typed array, date. */
const LEAVES = new Set([0x00, 0x42, 0x74, 0xff])

/** Undefined: it is fine. Otherwise what is wrong, completing "it …". */
export function skim(bytes: Uint8Array, { depthMax, objectsMax }: SkimLimits): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = bytes.length
  /** Fields of the records that were defined, by number; -1: not yet. */
  const records = new Int32Array(64).fill(-1)
  const open = [1]
  let objects = 0
  let at = 0
  for (;;) {
    while (open.length > 0 && open[open.length - 1] === 0) open.pop()
    if (open.length === 0) return at === end ? undefined : `has ${end - at} bytes too many`
    open[open.length - 1]!--
    if (at >= end) return 'is cut off'
    const token = bytes[at++]!
    /** Values in a container that begins here. */
    let values = -1
    let weight = 1
    /** Bytes of a scalar that are left. */
    let skip = 0
    if (token < 0x40 || token >= 0xe0) continue
    if (token < 0x80) values = records[token & 0x3f]!
    else if (token < 0x90) {
      values = 2 * (token & 0x0f)
      weight = MAP_WEIGHT + values
    } else if (token < 0xa0) values = token & 0x0f
    else if (token < 0xc0) skip = token & 0x1f
    else {
      const size = sizeOf(token)
      if (size < 0) return `has the token ${token}, which nobody writes`
      if (at + (size & 0xff) > end) return 'is cut off'
      switch (token) {
        case 0xc4:
        case 0xd9:
          skip = 1 + view.getUint8(at)
          break
        case 0xc5:
        case 0xda:
          skip = 2 + view.getUint16(at)
          break
        case 0xc6:
        case 0xdb:
          skip = 4 + view.getUint32(at)
          break
        case 0xdc:
        case 0xde:
          values = view.getUint16(at)
          at += 2
          break
        case 0xdd:
        case 0xdf:
          values = view.getUint32(at)
          at += 4
          break
        case 0xd4: {
          const type = bytes[at]!
          at += 2
          if (type === RECORD) {
            const keys = keyCount(bytes, view, at)
            if (keys === undefined) return 'has a record without names'
            at = keys.at
            records[bytes[keys.from - 1]! & 0x3f] = keys.count
            values = keys.count
            weight += keys.count
          } else if (WRAPPERS.has(type)) {
            values = 1
            weight = MAP_WEIGHT
          } else if (!LEAVES.has(type)) return `has an extension of type ${type}, which nobody writes`
          break
        }
        case 0xc7:
        case 0xc8:
        case 0xc9: {
          const wide = size - 1
          const length = wide === 1 ? view.getUint8(at) : wide === 2 ? view.getUint16(at) : view.getUint32(at)
          const type = bytes[at + wide]!
          if (!LEAVES.has(type)) return `has an extension of type ${type}, which nobody writes`
          skip = size + length
          objects++
          break
        }
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8:
          if (!LEAVES.has(bytes[at]!)) return `has an extension of type ${bytes[at]}, which nobody writes`
          skip = size
          objects++
          break
        default:
          skip = size
      }
      if (token === 0xde || token === 0xdf) {
        values *= 2
        weight = MAP_WEIGHT + values
      }
    }
    if (skip > end - at) return 'is cut off'
    at += skip
    if (values >= 0) {
      objects += weight
      // Each value takes a byte at least.
      if (values > end - at) return 'is cut off'
      if (open.length > depthMax) return `is nested deeper than ${depthMax} levels`
      open.push(values)
    }
    if (objects > objectsMax) return `has more than ${objectsMax} objects`
  }
}

/** Bytes behind a token that must be there to go on; -1: no such token. */
function sizeOf(token: number): number {
  return SIZES[token - 0xc0]!
}
// biome-ignore format: a table
const SIZES = [
  /* c0 nil, never used, false, true */ 0, -1, 0, 0,
  /* c4 bin 8, 16, 32 */ 1, 2, 4,
  /* c7 ext 8, 16, 32: length and type */ 2, 3, 5,
  /* ca float 32, 64 */ 4, 8,
  /* cc uint 8 to 64 */ 1, 2, 4, 8,
  /* d0 int 8 to 64 */ 1, 2, 4, 8,
  /* d4 fixext 1 to 16: type and data */ 2, 3, 5, 9, 17,
  /* d9 str 8, 16, 32 */ 1, 2, 4,
  /* dc array 16, 32 */ 2, 4,
  /* de map 16, 32 */ 2, 4,
]

/** The names of a record's fields begin at `from`: how many, and where they end. */
function keyCount(
  bytes: Uint8Array,
  view: DataView,
  from: number,
): { count: number; from: number; at: number } | undefined {
  let at = from
  const token = bytes[at++]!
  let count: number
  if (token >= 0x90 && token < 0xa0) count = token & 0x0f
  else if (token === 0xdc && at + 2 <= bytes.length) {
    count = view.getUint16(at)
    at += 2
  } else if (token === 0xdd && at + 4 <= bytes.length) {
    count = view.getUint32(at)
    at += 4
  } else return undefined
  for (let i = 0; i < count; i++) {
    if (at >= bytes.length) return undefined
    const text = bytes[at++]!
    if (text >= 0xa0 && text < 0xc0) at += text & 0x1f
    else if (text === 0xd9 && at < bytes.length) at += 1 + bytes[at]!
    else if (text === 0xda && at + 2 <= bytes.length) at += 2 + view.getUint16(at)
    else if (text === 0xdb && at + 4 <= bytes.length) at += 4 + view.getUint32(at)
    else return undefined
  }
  return at > bytes.length ? undefined : { count, from, at }
}
