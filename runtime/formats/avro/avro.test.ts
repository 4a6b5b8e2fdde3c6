import avsc from 'avsc'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MalformedMessage } from '../format.ts'
import { decodeOne, encodeOne, mangle } from '../message.suite.ts'
import { type AvroOptions, avro } from './index.ts'

/** A schema with the values that it has. */
type Pair = [schema: any, values: fc.Arbitrary<any>]

const text = fc.string({ unit: fc.constantFrom('a', 'é', '😀', 'x'.repeat(30)), maxLength: 5 })
const bytes = (size: { minLength?: number; maxLength?: number }) => fc.uint8Array(size).map((b) => Buffer.from(b))
const number = fc.double({ noNaN: true }).map((n) => n + 0)

let names = 0

const plain: fc.Arbitrary<Pair> = fc.constantFrom<Pair>(
  ['boolean', fc.boolean()],
  ['int', fc.integer()],
  ['long', fc.integer({ min: -(2 ** 52), max: 2 ** 52 })],
  ['float', fc.float({ noNaN: true }).map((n) => n + 0)],
  ['double', number],
  ['string', text],
  ['bytes', bytes({ maxLength: 40 })],
)

/** Schemas of any form, without logical types. */
const pair: fc.Arbitrary<Pair> = fc.letrec<{ pair: Pair }>((tie) => ({
  pair: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    plain,
    plain.map(([schema, values]): Pair => [['null', schema], fc.option(values)]),
    plain.map(([schema, values]): Pair => [{ type: 'array', items: schema }, fc.array(values, { maxLength: 4 })]),
    fc.constant<Pair>(['null', fc.constant(null)]).chain(() => {
      const enumeration = { type: 'enum', name: `E${names++}`, symbols: ['A', 'B', 'C'] }
      return fc.constant<Pair>([enumeration, fc.constantFrom('A', 'B', 'C')])
    }),
    fc
      .constant(0)
      .map((): Pair => [{ type: 'fixed', name: `F${names++}`, size: 5 }, bytes({ minLength: 5, maxLength: 5 })]),
    tie('pair').map(
      ([schema, values]): Pair => [
        { type: 'map', values: schema },
        fc.dictionary(text, values, { maxKeys: 3, noNullPrototype: true }),
      ],
    ),
    fc.array(tie('pair'), { maxLength: 4 }).map(
      (pairs): Pair => [
        {
          type: 'record',
          name: `ns.R${names++}`,
          fields: pairs.map(([schema], i) => ({ name: `f${i}`, type: schema })),
        },
        fc.record(Object.fromEntries(pairs.map(([, values], i) => [`f${i}`, values])), { noNullPrototype: true }),
      ],
    ),
  ),
})).pair

const pairWithValues = pair.chain(([schema, values]) =>
  fc.tuple(fc.constant(schema), fc.array(values, { maxLength: 3 })),
)

/** avsc makes records of classes. */
const withoutClasses = (value: any): any => {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  if (Array.isArray(value)) return value.map(withoutClasses)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutClasses(inner)]))
}

const roundTrip = (options: AvroOptions, value: unknown) => {
  const format = avro(options)
  return decodeOne(format.createMessageDecoder(), encodeOne(format.createMessageEncoder(), value))
}
const resolve = (schema: any, readerSchema: any, value: unknown, options: object = {}) =>
  decodeOne(
    avro({ schema, readerSchema, ...options }).createMessageDecoder(),
    encodeOne(avro({ schema, ...options }).createMessageEncoder(), value),
  )
const record = (fields: any[], name = 'User', more: object = {}) => ({ type: 'record', name, fields, ...more })
const user = record([
  { name: 'id', type: 'long' },
  { name: 'name', type: 'string' },
  { name: 'mail', type: ['null', 'string'], default: null },
  { name: 'tags', type: { type: 'array', items: 'string' }, default: ['new'] },
])

describe('avro()', () => {
  it('reads and writes the bytes that another implementation does', () => {
    fc.assert(
      fc.property(pairWithValues, ([schema, values]) => {
        const type = avsc.Type.forSchema(schema)
        const format = avro({ schema })
        const [decoder, encoder] = [format.createMessageDecoder(), format.createMessageEncoder()]
        for (const value of values) {
          if (value === null) continue
          const encoded = encodeOne(encoder, value)
          expect(withoutClasses(type.fromBuffer(encoded))).toEqual(withoutClasses(value))
          expect(encoded.toString('hex')).toBe(type.toBuffer(value).toString('hex'))
          expect(decodeOne(decoder, encoded)).toStrictEqual(value)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('gives plain objects, and keys that are no prototypes', () => {
    const value: any = roundTrip({ schema: { type: 'map', values: 'string' } }, JSON.parse('{"__proto__":"x","a":"b"}'))
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.entries(value)).toEqual([
      ['__proto__', 'x'],
      ['a', 'b'],
    ])
    expect(Object.getPrototypeOf(roundTrip({ schema: user }, { id: 1, name: 'ann' }))).toBe(Object.prototype)
    const odd = record([{ name: '__proto__', type: 'int' }])
    expect(Object.entries(roundTrip({ schema: odd }, JSON.parse('{"__proto__":7}')) as object)).toEqual([
      ['__proto__', 7],
    ])
  })

  it('fills in what was left out, and says what does not fit and where', () => {
    expect(roundTrip({ schema: user }, { id: 1, name: 'ann' })).toEqual({
      id: 1,
      name: 'ann',
      mail: null,
      tags: ['new'],
    })
    const encoder = avro({ schema: user }).createMessageEncoder()
    for (const [value, text] of [
      [{ id: 1.5, name: 'ann' }, 'the field "id" as avro (User): it is the number 1.5, wanted a long'],
      [{ id: 1 }, 'the field "name" as avro (User): it is undefined, wanted a text'],
      [{ id: 1, name: 'ann', tags: ['a', 2] }, 'the field "tags[1]" as avro (User): it is the number 2, wanted a text'],
      [{ id: 1, name: 'ann', mail: 7 }, 'the field "mail" as avro (User): it is the number 7, wanted null or string'],
      [{ id: 1, name: 'ann', age: 7 }, 'the field "age" as avro (User): it is the number 7, wanted no such field'],
      [{ id: 1, name: 'ann', mail: null, tags: [], age: 7 }, 'the field "age"'],
      ['ann', 'a value as avro (User): it is the text "ann", wanted a record User'],
    ] as const)
      expect(() => encoder.encode(value)).toThrow(text)
    expect(encoder.encode(null)).toBeNull()
  })

  it('names the branch in unions of what looks alike, and only there', () => {
    const schema = record([{ name: 'v', type: ['null', 'int', 'string', record([{ name: 'x', type: 'int' }], 'a.P')] }])
    for (const v of [null, 1, 'x', { x: 1 }]) expect(roundTrip({ schema }, { v })).toEqual({ v })
    const alike = record([{ name: 'v', type: ['null', 'int', 'double', 'string'] }])
    for (const v of [null, { int: 1 }, { double: 1 }, { string: 'x' }])
      expect(roundTrip({ schema: alike }, { v })).toEqual({ v })
    expect(() => roundTrip({ schema: alike }, { v: 1 })).toThrow('wanted null or { "int": … } or { "double": … }')
    expect(() => roundTrip({ schema: alike }, { v: { int: 'x' } })).toThrow('the field "v.int"')
  })

  it('reads points in time, decimals and UUIDs as what they mean', () => {
    const schema = record([
      { name: 'ms', type: { type: 'long', logicalType: 'timestamp-millis' } },
      { name: 'us', type: { type: 'long', logicalType: 'timestamp-micros' } },
      { name: 'day', type: { type: 'int', logicalType: 'date' } },
      { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 20, scale: 2 } },
      { name: 'small', type: { type: 'fixed', name: 'D', size: 4, logicalType: 'decimal', precision: 9, scale: 0 } },
      { name: 'id', type: { type: 'fixed', name: 'U', size: 16, logicalType: 'uuid' } },
      { name: 'at', type: ['null', { type: 'long', logicalType: 'time-micros' }] },
    ])
    const value = {
      ms: 1700000000123,
      us: 1700000000123.457,
      day: 19675 * 86_400_000,
      price: '-12345678901234567.80',
      small: '-7',
      id: '123e4567-e89b-12d3-a456-426614174000',
      at: 1.5,
    }
    expect(roundTrip({ schema }, value)).toEqual(value)
    const dates: any = roundTrip(
      { schema, times: 'date' },
      { ...value, ms: new Date(5), day: new Date('2023-11-14T22:00:00Z') },
    )
    expect(dates).toMatchObject({ ms: new Date(5), us: new Date(1700000000123), day: new Date('2023-11-14') })
    for (const [field, wrong] of [
      ['price', '1.234'],
      ['price', '1'.repeat(19)],
      ['small', 2n ** 31n],
      ['id', 'x'],
      ['ms', 1.5],
      ['us', '1'],
    ] as const)
      expect(() => roundTrip({ schema }, { ...value, [field]: wrong })).toThrow(`the field "${field}"`)
  })

  it('reads back any decimal that it wrote', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 12n) + 1n, max: 10n ** 12n - 1n }),
        fc.integer({ min: 0, max: 12 }),
        (unscaled, scale) => {
          const sign = unscaled < 0n ? '-' : ''
          const digits = String(unscaled)
            .replace('-', '')
            .padStart(scale + 1, '0')
          const value = sign + (scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`)
          for (const type of [{ type: 'bytes' }, { type: 'fixed', name: 'D', size: 9 }]) {
            expect(roundTrip({ schema: { ...type, logicalType: 'decimal', precision: 12, scale } }, value)).toBe(value)
          }
        },
      ),
    )
  })

  it('keeps longs exact: numbers up to 2^53, bigints by option', () => {
    const longs = { schema: 'long', longs: 'bigint' } as const
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(roundTrip(longs, value)).toBe(value)
        const small = Number.isSafeInteger(Number(value))
        const message = encodeOne(avro(longs).createMessageEncoder(), value)
        const decode = () => decodeOne(avro({ schema: 'long' }).createMessageDecoder(), message)
        if (small) expect(decode()).toBe(Number(value))
        else expect(decode).toThrow(`the long ${value} is beyond 2^53`)
      }),
    )
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(roundTrip({ schema: 'long' }, value)).toBe(value)
      }),
    )
    expect(() => roundTrip(longs, 2n ** 63n)).toThrow('wanted a long (64 bits)')
  })
})

describe('avro() with another schema of the reader', () => {
  it('matches fields by name and alias, drops the unknown and fills in defaults', () => {
    const reader = record(
      [
        { name: 'name', type: ['null', 'string'] },
        { name: 'key', aliases: ['id'], type: 'double' },
        { name: 'age', type: 'int', default: -1 },
        { name: 'home', type: record([{ name: 'city', type: 'string' }], 'Home'), default: { city: '?' } },
      ],
      'User',
    )
    const results = [1, 2].map(() => resolve(user, reader, { id: 3, name: 'ann' })) as any[]
    expect(results[0]).toEqual({ name: 'ann', key: 3, age: -1, home: { city: '?' } })
    expect(results[0].home).not.toBe(results[1].home)
  })

  it('agrees with another implementation, for any writer and fewer fields, in any order', () => {
    fc.assert(
      fc.property(
        fc.array(pair, { minLength: 1, maxLength: 5 }),
        fc.infiniteStream(fc.boolean()),
        fc.gen(),
        (pairs, keep, gen) => {
          const fields = pairs.map(([type], i) => ({ name: `f${i}`, type }))
          const kept = fields.filter(() => keep.next().value).reverse()
          const schema = record(fields)
          const value = Object.fromEntries(pairs.map(([, values], i) => [`f${i}`, gen(() => values)]))
          const expected = Object.fromEntries(kept.map(({ name }) => [name, value[name]]))
          expect(resolve(schema, record(kept), value)).toStrictEqual(expected)
          const [writer, reader] = [schema, record(kept)].map((one) => avsc.Type.forSchema(one as any))
          const other = reader!.fromBuffer(writer!.toBuffer(value), reader!.createResolver(writer!))
          expect(withoutClasses(other)).toEqual(withoutClasses(expected))
        },
      ),
      { numRuns: 150 },
    )
  })

  it('promotes numbers and texts, and goes into and out of unions', () => {
    expect(resolve('int', 'double', 7)).toBe(7)
    expect(resolve('int', 'long', 7, { longs: 'bigint' })).toBe(7n)
    expect(resolve('long', 'double', 2n ** 60n)).toBe(2 ** 60)
    expect(resolve('string', 'bytes', 'é')).toEqual(Buffer.from('é'))
    expect(resolve('int', ['null', 'long'], 7)).toBe(7)
    expect(resolve('int', ['double', 'int'], 7)).toEqual({ int: 7 })
    expect(resolve(['null', 'string'], 'string', 'x')).toBe('x')
    expect(() =>
      decodeOne(avro({ schema: ['null', 'string'], readerSchema: 'string' }).createMessageDecoder(), Uint8Array.of(0)),
    ).toThrow('null cannot be read as string')
    const [wide, narrow] = [
      ['A', 'B', 'C'],
      ['A', 'B'],
    ].map((symbols) => ({ type: 'enum', name: 'E', symbols }))
    expect(resolve(wide, { ...narrow, default: 'B' }, 'C')).toBe('B')
    expect(() => resolve(wide, narrow, 'C')).toThrow('a symbol of the enum E is unknown')
    const times = ['timestamp-millis', 'timestamp-micros'].map((logicalType) => ({ type: 'long', logicalType }))
    expect(resolve(times[0], times[1], 1500)).toBe(1500)
    expect(resolve(times[1], 'long', 1500)).toBe(1_500_000)
  })

  it('reads lists and trees that refer to themselves, and finds that they do not fit', () => {
    const list = record(
      [
        { name: 'v', type: 'int' },
        { name: 'next', type: ['null', 'List'] },
      ],
      'List',
    )
    const value = { v: 1, next: { v: 2, next: null } }
    expect(roundTrip({ schema: list }, value)).toEqual(value)
    const other = record(
      [
        { name: 'next', type: ['null', 'List'] },
        { name: 'w', type: 'int' },
      ],
      'List',
    )
    expect(() => resolve(list, other, value)).toThrow(
      'the field "w" of List has no default, and the writer does not have it',
    )
    const skipped = record([
      { name: 'l', type: list },
      { name: 'x', type: 'int' },
    ])
    expect(resolve(skipped, record([{ name: 'x', type: 'int' }]), { l: value, x: 5 })).toEqual({ x: 5 })
    const deep = Buffer.alloc(1_000_000, 2)
    expect(() => avro({ schema: list }).createMessageDecoder().decode(deep, 0, deep.length)).toThrow(
      'it is nested too deep',
    )
  })

  it.each([
    ['nonsense', undefined, 'Cannot use the Avro schema nonsense: undefined type name: nonsense'],
    ['{"type":', undefined, 'Cannot use the Avro schema {"type":'],
    [user, 'string', 'Cannot read messages of the Avro schema User as string: User cannot be read as string'],
    [user, record([{ name: 'id', type: 'int' }]), 'the field "id" of User: long cannot be read as int'],
    [user, record([], 'Visitor'), 'User is not Visitor, nor one of its aliases'],
  ])('refuses a schema that is none or does not fit: %j, %j', (schema, readerSchema, text) => {
    expect(() => avro({ schema, readerSchema } as AvroOptions)).toThrow(text)
  })
})

describe('malformed Avro', () => {
  const array = { type: 'array', items: 'null' }
  const wild = record(
    [
      { name: 'a', type: { type: 'array', items: user } },
      { name: 'm', type: { type: 'map', values: ['null', 'long', 'bytes'] } },
      { name: 'e', type: { type: 'enum', name: 'E', symbols: ['A', 'B'] } },
      { name: 'd', type: { type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 } },
      { name: 'b', type: 'boolean' },
    ],
    'Wild',
  )
  const values = [
    {
      a: [
        { id: 1, name: 'ann' },
        { id: -70000, name: 'é', mail: 'x' },
      ],
      m: { x: null, y: 5 },
      e: 'B',
      d: '1.5',
      b: true,
    },
    { a: [], m: { z: Buffer.from('abc') }, e: 'A', d: '0', b: false },
  ]

  it('gives a value or a reason for any bytes, read or stepped over', () => {
    const encoder = avro({ schema: wild }).createMessageEncoder()
    const good = values.map((value) => encodeOne(encoder, value))
    expect(mangle(avro({ schema: wild }).createMessageDecoder(), good, 1000)).toBeGreaterThan(200)
    const readerSchema = record([{ name: 'b', type: 'boolean' }], 'Wild')
    expect(mangle(avro({ schema: wild, readerSchema }).createMessageDecoder(), good, 1000)).toBeGreaterThan(200)
  })

  it.each<[string, any, number[], string]>([
    ['no bytes', 'long', [], 'the message ends within a value (byte 0)'],
    ['a number of 70 bits', 'long', Array(10).fill(255).concat(1), 'a number has more than 64 bits'],
    ['an int of 33 bits', 'int', [255, 255, 255, 255, 31], 'the int -4294967296 has more than 32 bits'],
    [
      'a text of 2^40 bytes',
      'string',
      [128, 128, 128, 128, 128, 64, 97],
      '1099511627776 bytes should follow, 1 are there',
    ],
    ['bytes of negative length', 'bytes', [1], 'a length is -1'],
    ['a double of 3 bytes', 'double', [1, 2, 3], '8 bytes should follow, 3 are there'],
    [
      'an array of 2^40 nulls',
      array,
      [128, 128, 128, 128, 128, 64, 0],
      'an array has more than 100000 items of no size',
    ],
    [
      'an array of 2^40 ints',
      { type: 'array', items: 'int' },
      [128, 128, 128, 128, 128, 64, 0],
      'the message ends within a value',
    ],
    ['a branch that is not there', ['null', 'int'], [4], 'there is no branch or symbol 2, only 2'],
    ['a boolean of 2', 'boolean', [2], 'a boolean is 2, wanted 0 or 1'],
    ['bytes behind the value', 'int', [2, 2], '1 bytes are left behind the value'],
  ])('says why it refuses %s', (_name, schema, message, reason) => {
    const decoder = avro({ schema }).createMessageDecoder()
    expect(() => decodeOne(decoder, Uint8Array.from(message))).toThrow(reason)
    expect(() => decodeOne(decoder, Uint8Array.from(message))).toThrow(MalformedMessage)
  })

  it('steps over no more nulls than it would read', () => {
    const schema = record([{ name: 'n', type: array }])
    const decoder = avro({ schema, readerSchema: record([]) }).createMessageDecoder()
    expect(() => decodeOne(decoder, Uint8Array.of(128, 128, 128, 128, 128, 64, 0))).toThrow('items of no size')
    // A block with its size, which is negative.
    expect(() => decodeOne(decoder, Uint8Array.of(1, 1, 0))).toThrow('a length is -1')
  })
})
