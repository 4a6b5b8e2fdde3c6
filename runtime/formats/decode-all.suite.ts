/**
 * Drives a decoder over bytes as a file reader does, in chunks of any sizes, and writes down what comes out.
 */
import type { BadRecord } from './bad-records.ts'
import { badRecords } from './bad-records.ts'
import { CHUNK_SLACK, type Chunk, type DecodingFormat } from './format.ts'

export interface Decoded<T> {
  values: T[]
  /** What went to a side output. */
  bad: BadRecord[]
  /** Bad records in all. */
  errors: number
  /** The decoder's state and the position after every call, in order. */
  points: { position: number; state: unknown; values: number }[]
}

export interface DecodeOptions {
  /** Sizes of the chunks in turn; one chunk when not given. */
  chunkSizes?: readonly number[]
  /** Records per call. */
  max?: number
  /** Where to begin, and the state there. */
  start?: number
  state?: unknown
  /** Records that begin here or later are left. */
  limit?: number
  source?: string
}

/** Everything that `format` reads from `bytes`. */
export function decodeAll<T>(format: DecodingFormat<T>, bytes: Uint8Array, options: DecodeOptions = {}): Decoded<T> {
  const { chunkSizes = [Infinity], max = 512, start = 0, limit = Infinity } = options
  const decoded: Decoded<T> = { values: [], bad: [], errors: 0, points: [] }
  const output = { collect: (value: T) => decoded.values.push(value), markIdle() {}, markActive() {} }
  const decoder = format.createDecoder({
    reader: decoded,
    state: options.state,
    atStart: start === 0,
    bad: badRecords({
      source: options.source ?? 'test',
      errors: { inc: (by = 1) => (decoded.errors += by), value: () => decoded.errors },
      sideOutput: (_tagId, value) => decoded.bad.push(value) > 0,
    }),
  })
  let position = start
  let read = start
  for (let i = 0; ; i++) {
    read = Math.min(bytes.length, read + chunkSizes[i % chunkSizes.length]!)
    // A fresh buffer with other bytes around, so that nothing is taken from outside of the chunk.
    const chunk: Chunk = {
      bytes: Buffer.alloc(read - position + 1 + CHUNK_SLACK, '"'),
      start: 1,
      end: read - position + 1,
      limit: limit - position + 1,
      last: read === bytes.length,
      offset: position - 1,
    }
    chunk.bytes.set(bytes.subarray(position, read), 1)
    for (;;) {
      const before = chunk.start
      const count = decoder.decode(chunk, output, max)
      const at = chunk.offset + chunk.start
      decoded.points.push({ position: at, state: decoder.snapshot(), values: decoded.values.length })
      if (count < max && (chunk.start === before || chunk.start >= chunk.end)) break
    }
    position = chunk.offset + chunk.start
    if (chunk.last || position >= limit) break
  }
  return decoded
}
