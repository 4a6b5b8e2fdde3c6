import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPackr } from '../../codec/msgpack.ts'
import { Random } from '../../testing/simulation/random.ts'
import { packBody, unpackBody } from './body.ts'
import { skim } from './skim.ts'

const again = (value: unknown) => unpackBody(packBody(value, 'it'), 'it')
const LIMITS = { depthMax: 20, objectsMax: 1_000 }

test.each([
  ['numbers', [0, 1, -1, 127, 128, -33, 2 ** 31, 2 ** 53, -(2 ** 53), 1.5, Infinity, -Infinity, NaN]],
  ['bigints', [0n, -1n, 2n ** 63n, -(2n ** 63n), 2n ** 64n, 2n ** 2000n, -(2n ** 200n)]],
  ['texts', ['', 'a', 'ü', '🚀', 'x'.repeat(40), 'y'.repeat(300), 'ö'.repeat(70_000)]],
  ['nothing', [null, undefined, { a: undefined, b: null }]],
  ['dates', [new Date(0), new Date(-1), new Date(1.7e12 + 123), new Date(NaN), new Date(8.64e15)]],
  ['maps and sets', [new Map<unknown, unknown>([[{ a: 1 }, new Set([[1], 'b'])]]), new Map(), new Set()]],
  ['objects of one shape', Array.from({ length: 100 }, (_, n) => ({ n, deep: { n: [n] } }))],
  ['objects of many shapes', Array.from({ length: 200 }, (_, n) => ({ [`n${n}`]: n, [n]: 'number' }))],
  ['objects without a prototype', Object.assign(Object.create(null), { a: 1 })],
  ['regular expressions', [/a+/giu]],
  ['long arrays', [new Array(20).fill(1), new Array(70_000).fill('a')]],
])('%s arrive as they were', (_, value) => {
  expect(again(value)).toEqual(value)
})

test('bytes arrive as bytes with memory of their own', () => {
  const value = {
    bytes: new Uint8Array([1, 2]),
    buffer: Buffer.from('abc'),
    doubles: new Float64Array([1.5]),
    view: new DataView(new ArrayBuffer(2)),
    memory: new ArrayBuffer(3),
    part: new Uint8Array(100).subarray(3, 5),
  }
  const arrived = again(value) as typeof value
  expect(arrived).toEqual({ ...value, buffer: new Uint8Array([97, 98, 99]) })
  for (const name of ['bytes', 'buffer', 'part'] as const)
    expect([arrived[name].constructor, arrived[name].buffer.byteLength]).toEqual([Uint8Array, value[name].length])
})

class Point {
  x = 1
  get far() {
    return true
  }
}
test('an instance of a class arrives as a plain object, -0 as 0, a hole as undefined', () => {
  expect(again(new Point())).toEqual({ x: 1 })
  // biome-ignore lint/suspicious/noSparseArray: a hole is what is sent
  expect(again([-0, [, 1]])).toStrictEqual([0, [undefined, 1]])
})

const own = { a: 1 } as Record<string, unknown>
own.self = own
test.each<[string, unknown, string]>([
  ['a function', { a: [0, () => 1] }, 'there is a function at a.1; plain objects, arrays'],
  ['a symbol', Symbol('x'), 'there is a symbol; plain'],
  ['half a character', { name: '\ud800' }, 'there is a text that is no Unicode (half of a surrogate pair) at name'],
  ['half a character as a name', { '\udc00': 1 }, 'there is a text that is no Unicode'],
  ['a cycle', own, 'it is nested deeper than 200 levels, or holds itself at self.self.'],
  ['shared memory', new Map([['m', new Uint8Array(new SharedArrayBuffer(1))]]), 'there is shared memory at get(m)'],
  ['shared memory itself', [new SharedArrayBuffer(1)], 'there is a SharedArrayBuffer at 0'],
  ['an error', new Set([new TypeError('x')]), 'there is a TypeError at …'],
  ['a boxed number', [new Number(1)], 'there is a Number at 0'],
  ['a weak map', [new WeakMap()], 'there is a WeakMap at 0'],
  ['a promise', [Promise.resolve()], 'there is a Promise at 0'],
  ['an object that writes itself as JSON', new URL('http://a'), 'there is a URL with a toJSON()'],
  ['a named property of an array', /a(?<b>b)/.exec('ab'), 'there is a named property of an array at index'],
  ['a property that would be another', JSON.parse('{"__proto__":1}'), 'there is a property of this name at __proto__'],
])('%s is refused with its place', (_, value, text) => {
  expect(() => packBody(value, 'the event')).toThrow(`Cannot send the event to another process: ${text}`)
})

test('whatever can be sent arrives as it was', () => {
  const plain = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withObjectString: false,
    withNullPrototype: false,
    withSparseArray: false,
  })
  fc.assert(
    fc.property(plain, (value) => {
      let bytes: Uint8Array
      try {
        bytes = packBody(value, 'it')
      } catch (error) {
        expect((error as { code: string }).code).toBe('TR-RPC-008')
        return
      }
      expect(unpackBody(bytes, 'it')).toEqual(noMinusZero(value))
    }),
    { numRuns: 400, seed: 1 },
  )
})

function noMinusZero(value: any): unknown {
  if (value === 0) return 0
  if (Array.isArray(value)) return value.map(noMinusZero)
  if (value instanceof Map) return new Map([...value].map(([k, v]) => [noMinusZero(k), noMinusZero(v)]))
  if (value instanceof Set) return new Set([...value].map(noMinusZero))
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, noMinusZero(item)]))
}

const repeated = (head: number[], byte: number, length: number) =>
  Buffer.concat([Buffer.from(head), Buffer.alloc(length, byte)])
const be32 = (n: number) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]

test.each<[string, Uint8Array, string]>([
  ['nothing', Buffer.of(), 'is cut off'],
  ['deep arrays', repeated([], 0x91, 10_000_000), 'is nested deeper than 20 levels'],
  ['deep maps', repeated([], 0x81, 10_000), 'is nested deeper than 20 levels'],
  ['an array that claims more than there is', Buffer.from([0xdd, ...be32(2 ** 32 - 1), 1]), 'is cut off'],
  ['a map that claims more than there is', Buffer.from([0xdf, ...be32(2 ** 31), 1]), 'is cut off'],
  ['a text that claims more than there is', Buffer.from([0xdb, ...be32(2 ** 32 - 1), 1]), 'is cut off'],
  ['bytes that claim more than there are', Buffer.from([0xc6, ...be32(2 ** 32 - 1), 1]), 'is cut off'],
  ['an extension that claims more than there is', Buffer.from([0xc9, ...be32(2 ** 32 - 1), 0x42, 1]), 'is cut off'],
  ['many empty objects', repeated([0xdd, ...be32(2_000)], 0x80, 2_000), 'has more than 1000 objects'],
  ['many empty arrays', repeated([0xdd, ...be32(2_000)], 0x90, 2_000), 'has more than 1000 objects'],
  [
    'many names',
    Buffer.from([0xd4, 0x72, 0x40, 0xdc, 7, 0xd0, ...new Array(4_000).fill(0xa0)]),
    'has more than 1000 objects',
  ],
  ['a record without names', Buffer.of(0xd4, 0x72, 0x40, 0x05), 'has a record without names'],
  ['a record whose names are no texts', Buffer.of(0xd4, 0x72, 0x40, 0x91, 0x05, 0x05), 'has a record without names'],
  ['a reference', Buffer.of(0xd6, 0x70, 0, 0, 0, 1), 'has an extension of type 112, which nobody writes'],
  ['an object that may be referred to', Buffer.of(0xd6, 0x69, 0, 0, 0, 1, 0x90), 'has an extension of type 105'],
  ['texts in a bundle', Buffer.of(0xd6, 0x62, 0, 0, 0, 1), 'has an extension of type 98'],
  ['a class of a program', Buffer.of(0xd4, 1, 0, 5), 'has an extension of type 1, which nobody writes'],
  ['a token that there is not', Buffer.of(0xc1), 'has the token 193, which nobody writes'],
  ['more behind it', Buffer.of(1, 2, 3), 'has 2 bytes too many'],
])('%s is refused before it is decoded', (_, bytes, problem) => {
  expect(skim(bytes, LIMITS)).toContain(problem)
})

test('bytes that were changed are decoded or refused, and nothing else happens', () => {
  const random = new Random(7)
  const packr = createPackr()
  const seeds = [
    { a: [1, 'text', { b: 2n ** 70n }], c: new Map([[1, new Set(['x'])]]), d: new Date(5), e: undefined },
    Array.from({ length: 20 }, (_, n) => ({ n, of: { name: `s${n}`, bytes: new Uint8Array(n) } })),
    [new Float64Array(3), /x/g, 1.5, -5, 70_000, 'z'.repeat(300)],
  ].map((value) => Buffer.from(packr.pack(value)))
  let decoded = 0
  for (let run = 0; run < 6_000; run++) {
    let bytes = Buffer.from(run % 3 === 0 ? Buffer.alloc(random.below(60)) : random.pick(seeds))
    if (run % 3 === 0) for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256)
    for (let changes = random.below(4); changes > 0 && bytes.length > 0; changes--)
      bytes[random.below(bytes.length)] = random.below(256)
    if (random.chance(0.2)) bytes = bytes.subarray(0, random.below(bytes.length + 1))
    try {
      unpackBody(bytes, 'it')
      decoded++
    } catch (error) {
      expect((error as { code: string }).code).toBe('TR-RPC-006')
    }
  }
  expect(decoded).toBeGreaterThan(500)
  expect(again(seeds.length)).toBe(seeds.length)
})

test('what is decoded was looked over to its last byte: nothing passes that the decoder reads in another way', () => {
  const random = new Random(11)
  for (let run = 0; run < 20_000; run++) {
    const bytes = Buffer.alloc(1 + random.below(12))
    for (let i = 0; i < bytes.length; i++) bytes[i] = random.chance(0.5) ? 0x40 + random.below(0xc0) : random.below(256)
    if (skim(bytes, LIMITS) !== undefined) continue
    let problem = ''
    try {
      unpackBody(bytes, 'it')
    } catch (error) {
      problem = (error as Error).message
    }
    expect(`${bytes.toString('hex')} ${problem}`).not.toMatch(/end of (buffer|MessagePack)|end of buffer not reached/)
  }
})
