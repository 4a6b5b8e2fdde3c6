/**
 * The compressions of record batches, each by a library that is loaded when the first batch needs it.
 *
 * snappy: Kafka's clients in Java put blocks into a frame of their own ("xerial"), others write one bare block; both are read, and the frame is written, which all can read.
 */
import { createRequire } from 'node:module'
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Compression } from './layout.ts'

const load = createRequire(import.meta.url)

export interface Codec {
  compress(bytes: Uint8Array): Buffer
  decompress(bytes: Uint8Array): Buffer
}

/** Of the frame: 8 bytes of magic, two versions of 32 bits. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
const XERIAL_MAGIC_BYTES = 8
const XERIAL_BLOCK_BYTES = 32 * 1024

const makers: Record<Exclude<Compression, 'none'>, () => Codec> = {
  gzip: () => ({ compress: (bytes) => gzipSync(bytes), decompress: (bytes) => gunzipSync(bytes) }),
  zstd: () => ({ compress: (bytes) => zstdCompressSync(bytes), decompress: (bytes) => zstdDecompressSync(bytes) }),
  lz4: () => {
    const { compressFrameSync, decompressFrameSync } = load('lz4-napi') as typeof import('lz4-napi')
    return {
      compress: (bytes) => compressFrameSync(Buffer.from(bytes)),
      decompress: (bytes) => decompressFrameSync(Buffer.from(bytes)),
    }
  },
  snappy: () => {
    const { compressSync, uncompressSync } = load('snappy') as typeof import('snappy')
    const uncompress = (bytes: Uint8Array) => uncompressSync(Buffer.from(bytes), { asBuffer: true }) as Buffer
    return {
      compress(bytes) {
        const parts: Buffer[] = [XERIAL]
        for (let at = 0; at < bytes.length; at += XERIAL_BLOCK_BYTES) {
          const block = compressSync(Buffer.from(bytes.subarray(at, at + XERIAL_BLOCK_BYTES)))
          const length = Buffer.alloc(4)
          length.writeInt32BE(block.length)
          parts.push(length, block)
        }
        return Buffer.concat(parts)
      },
      decompress(bytes) {
        const framed =
          Buffer.compare(bytes.subarray(0, XERIAL_MAGIC_BYTES), XERIAL.subarray(0, XERIAL_MAGIC_BYTES)) === 0
        if (!framed) return uncompress(bytes)
        const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
        const parts: Buffer[] = []
        for (let at = XERIAL.length; at < all.length; ) {
          const length = all.readInt32BE(at)
          parts.push(uncompress(all.subarray(at + 4, at + 4 + length)))
          at += 4 + length
        }
        return Buffer.concat(parts)
      },
    }
  },
}

const codecs = new Map<Compression, Codec>()

/** The codec of a compression. */
export function codecOf(compression: Exclude<Compression, 'none'>): Codec {
  let codec = codecs.get(compression)
  if (codec === undefined) {
    codec = makers[compression]()
    codecs.set(compression, codec)
  }
  return codec
}
