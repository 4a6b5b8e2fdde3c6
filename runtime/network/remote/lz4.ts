/** lz4 of batches: a block with the length of the original before it, as lz4-napi makes them. The package is loaded when it is first used. */
import { createRequire } from 'node:module'
import type * as Lz4 from 'lz4-napi'
import { badFrame } from './frames.ts'

let loaded: typeof Lz4 | undefined
const lz4 = (): typeof Lz4 => (loaded ??= createRequire(import.meta.url)('lz4-napi') as typeof Lz4)

/** undefined: it would not be smaller. */
export function compress(bytes: Buffer, start: number, length: number): Buffer | undefined {
  const packed = lz4().compressSync(bytes.subarray(start, start + length))
  return packed.length < length ? packed : undefined
}

/** The original of `packed`, which must not have more than `bytesMax`. Throws a bad frame. */
export function decompress(packed: Buffer, bytesMax: number): Buffer {
  const length = packed.length < 4 ? -1 : packed.readUInt32LE(0)
  if (length < 0 || length > bytesMax) throw badFrame(`${length} bytes are compressed, at most ${bytesMax} may be`)
  let bytes: Buffer
  try {
    bytes = lz4().uncompressSync(packed)
  } catch (cause) {
    throw badFrame(`its lz4 block is broken (${(cause as Error).message})`)
  }
  if (bytes.length !== length) throw badFrame(`its lz4 block has ${bytes.length} bytes, announced were ${length}`)
  return bytes
}
