import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashKey, hashNumber, hashString, keyBytes, keyOfLookup, lookupKey, murmur3 } from './hash.ts'

const key = fc.letrec((tie) => ({
  key: fc.oneof(
    { maxDepth: 3 },
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.string({ unit: 'binary' }),
    fc.string(),
    fc.boolean(),
    fc.bigInt(),
    fc.uint8Array(),
    fc.array(tie('key')),
  ),
})).key as fc.Arbitrary<any>

describe('murmur3', () => {
  // Published vectors of MurmurHash3_x86_32 with seed 0.
  it.each([
    ['', 0],
    ['a', 0x3c2569b2],
    ['Hello, world!', 0xc0363e43],
    ['The quick brown fox jumps over the lazy dog', 0x2e4ff723],
  ])('of %j', (text, hash) => {
    expect(murmur3(Buffer.from(text))).toBe(hash)
  })
})

describe('hashKey()', () => {
  it('is murmur3 of the canonical bytes, whatever way it takes (property)', () => {
    fc.assert(
      fc.property(key, (k) => hashKey(k) === murmur3(keyBytes(k))),
      { numRuns: 2000 },
    )
  })
  it('of ASCII strings of every length agrees with the bytes', () => {
    for (let n = 0; n < 40; n++) expect(hashString('x'.repeat(n))).toBe(murmur3(keyBytes('x'.repeat(n))))
  })
  it('treats -0 as 0', () => {
    expect(hashNumber(-0)).toBe(hashNumber(0))
    expect(lookupKey([-0])).toBe(lookupKey([0]))
  })
  it('tells 1, 1n, "1" and true apart', () => {
    expect(new Set([1, 1n, '1', true].map((k) => hashKey(k as any))).size).toBe(4)
  })
})

describe('lookupKey()', () => {
  it('has an inverse (property)', () => {
    // -0 is 0, and strings that are cut inside a pair of surrogates have no UTF-8: neither comes back as it was.
    const same = (k: any): any =>
      Array.isArray(k) ? k.map(same) : k === 0 ? 0 : typeof k === 'string' ? k.toWellFormed() : k
    fc.assert(
      fc.property(key, (k) => {
        expect(same(keyOfLookup(lookupKey(k)))).toEqual(same(k))
      }),
      { numRuns: 1000 },
    )
    expect(keyOfLookup('\0no canonical bytes')).toBe('\0no canonical bytes')
  })
  it('is equal exactly when the canonical bytes are (property)', () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        const same = Buffer.compare(keyBytes(a), keyBytes(b)) === 0
        expect(lookupKey(a) === lookupKey(b)).toBe(same)
      }),
      { numRuns: 1000 },
    )
  })
  it('of tuples does not confuse where one element ends', () => {
    expect(lookupKey(['ab', 'c'])).not.toBe(lookupKey(['a', 'bc']))
    expect(lookupKey([['a'], 'b'])).not.toBe(lookupKey(['a', ['b']]))
  })
})
