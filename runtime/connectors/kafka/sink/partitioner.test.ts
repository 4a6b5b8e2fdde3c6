import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { murmur2, partitionOfKey } from './partitioner.ts'

const load = createRequire(import.meta.url)

// Of Kafka's UtilsTest.
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2(%s) is what Kafka has', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash)
})

test('a key goes where kafkajs puts it, as text and as bytes', () => {
  const theirs = load('kafkajs/src/producer/partitioners/default/murmur2')
  const keys = fc.oneof(fc.string({ unit: 'binary', maxLength: 2000 }), fc.string({ unit: 'grapheme' }))
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 5000 }), (key, partitions) => {
      const bytes = Buffer.from(key)
      const wanted = (theirs(bytes) & 0x7fffffff) % partitions
      expect([partitionOfKey(key, partitions), partitionOfKey(bytes, partitions)]).toEqual([wanted, wanted])
    }),
  )
})
