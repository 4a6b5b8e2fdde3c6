import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventNumbers, makePayloads, PAYLOADS } from './event.ts'

const U64 = (z: bigint) => BigInt.asUintN(64, z)

/** splitmix64's finalizer as a program with 64-bit integers writes it. */
function mix(z: bigint): bigint {
  z = U64(z + 0x9e3779b97f4a7c15n)
  z = U64((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = U64((z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return z ^ (z >> 31n)
}

function reference(i: bigint, keys: bigint): [key: number, value: number] {
  const h = mix(i)
  return [Number((h >> 1n) % keys), Number(((h ^ (h >> 32n)) & 0x7fffffffn) % 1000n)]
}

function compare(first: number, stride: number, keys: number, n: number): void {
  const numbers = new EventNumbers(first, stride, keys)
  const found: [number, number][] = []
  for (let left = n; left > 0; left -= 7) {
    const part = Math.min(7, left)
    numbers.fill(part)
    for (let i = 0; i < part; i++) found.push([numbers.keys[i], numbers.values[i]])
  }
  const wanted = Array.from({ length: n }, (_, i) =>
    reference(BigInt(first) + BigInt(i) * BigInt(stride), BigInt(keys)),
  )
  expect(found).toEqual(wanted)
}

test('EventNumbers.fill equals 64-bit integers for the keys of the benchmarks', () => {
  for (const keys of [10_000, 100_000, 1_000_000]) for (const split of [0, 1]) compare(split, 2, keys, 20_000)
})

test('EventNumbers.fill carries into the upper half', () => {
  // i + the step of splitmix64 passes 2^32 here, and i itself a little later.
  compare(0x100000000 - 0x7f4a7c15 - 20, 2, 10_000, 40)
  compare(2 ** 32 - 15, 3, 1_000_000, 40)
  compare(2 ** 52 + 1, 1, 1_000_000, 40)
})

test('EventNumbers.fill equals 64-bit integers anywhere', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 52 }),
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 2 ** 30 }),
      (first, stride, keys) => compare(first, stride, keys, 30),
    ),
  )
})

test('EventNumbers refuses a count of keys that it would get wrong', () => {
  expect(() => new EventNumbers(0, 1, 0)).toThrow('Cannot make events of 0 keys: wanted 1 to 1073741824')
})

test('makePayloads equals 64-bit integers', () => {
  const wanted = Array.from({ length: PAYLOADS }, (_, i) => {
    let text = ''
    for (let x = mix(BigInt(i + 1)); text.length < 70; x = mix(x)) text += String.fromCharCode(97 + Number(x % 26n))
    return text
  })
  expect(makePayloads()).toEqual(wanted)
})
