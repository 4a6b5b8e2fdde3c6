import fc from 'fast-check'
import { compressSync } from 'snappy'
import { expect, test } from 'vitest'
import { codecOf } from './compression.ts'

const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const

test.each(CODECS)('%s gives back what it was given', (name) => {
  const codec = codecOf(name)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
      expect(codec.decompress(codec.compress(bytes)).equals(bytes)).toBe(true)
    }),
    { numRuns: 30 },
  )
  // Several blocks, in a buffer that begins elsewhere.
  const large = Buffer.alloc(100_001, 'abcdefg').subarray(1)
  const compressed = codec.compress(large)
  expect(compressed.length).toBeLessThan(20_000)
  expect(codec.decompress(compressed).equals(large)).toBe(true)
})

test('snappy: a bare block is read, and a frame is written', () => {
  const codec = codecOf('snappy')
  const bytes = Buffer.from('a block of librdkafka, without a frame around it')
  expect(codec.decompress(compressSync(bytes)).equals(bytes)).toBe(true)
  expect(codec.compress(bytes).subarray(0, 8).toString('latin1')).toBe('\x82SNAPPY\0')
})

test.each(CODECS)('%s: bytes that are cut off are an error', (name) => {
  const codec = codecOf(name)
  const compressed = codec.compress(Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i) % 251)))
  // The end mark of lz4 is no loss.
  for (const lost of [30, 10])
    expect(() => codec.decompress(compressed.subarray(0, compressed.length - lost))).toThrow()
})
