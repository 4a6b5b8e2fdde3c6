import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { types } from '../../core/types.ts'
import { MalformedMessage } from '../format.ts'
import { decodeOne, encodeOne, mangle } from '../message.suite.ts'
import { json } from './index.ts'

const read = (text: string, schema?: any) => decodeOne(json({ schema }).createMessageDecoder(), Buffer.from(text))

const click = types.row({
  user: types.string,
  n: types.int32,
  where: types.row({ page: types.nullable(types.string) }),
})

describe('json()', () => {
  it('reads what JSON.parse reads, message after message', () => {
    const plain = fc.string({ unit: fc.constantFrom('a', 'é', '"', '\\', '😀', '\n', 'x'.repeat(20)), maxLength: 8 })
    const record = fc.record({
      user: plain,
      at: fc.oneof(
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
      ),
      ok: fc.boolean(),
      tags: fc.array(plain, { maxLength: 3 }),
      place: fc.record({ x: fc.option(fc.integer()) }),
    })
    const value = fc.oneof(
      { weight: 5, arbitrary: record },
      fc.jsonValue().filter((v) => v !== null),
    )
    fc.assert(
      fc.property(fc.array(value, { maxLength: 12 }), fc.constantFrom(undefined, 1), (values, space) => {
        const decoder = json().createMessageDecoder()
        for (const one of values) {
          const text = JSON.stringify(one, null, space)
          expect(decodeOne(decoder, Buffer.from(text))).toStrictEqual(JSON.parse(text))
        }
      }),
      { numRuns: 300 },
    )
  })

  it('reads back what it wrote', () => {
    const schema = types.row({
      s: types.string,
      n: types.number,
      b: types.bytes,
      big: types.bigint,
      at: types.date,
      o: types.nullable(types.tuple(types.boolean, types.any())),
    })
    const value = fc.record({
      s: fc.string({ unit: 'grapheme' }),
      n: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
      b: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      big: fc.bigInt(),
      at: fc.date({ noInvalidDate: true }),
      o: fc.option(fc.tuple(fc.boolean(), fc.constantFrom<unknown>('x', 1, [2]))),
    })
    const format = json({ schema })
    const [decoder, encoder] = [format.createMessageDecoder(), format.createMessageEncoder()]
    fc.assert(
      fc.property(value, (one: any) => {
        expect(decodeOne(decoder, encodeOne(encoder, one))).toEqual(one)
      }),
      { numRuns: 300 },
    )
  })

  it('holds messages to the schema, and gives rows of one shape', () => {
    const good = { user: 'ann', n: 3, where: { page: '/' } }
    expect(read(JSON.stringify(good), click)).toEqual(good)
    expect(read('{"where":{},"n":3,"user":"ann"}', click)).toEqual({ user: 'ann', n: 3, where: { page: null } })
    expect(read('7', types.number)).toBe(7)
    expect(read('12345678901234567890', types.bigint)).toBe(12345678901234567890n)
    expect(read('{"constructor":1}', types.row({ constructor: types.number }))).toEqual({ constructor: 1 })
  })

  it.each([
    ['{"user":"ann","n":3}', 'the field "where" is missing'],
    ['{"user":"ann","n":3.5,"where":{}}', 'the field "n" is the number 3.5, wanted a whole number of 32 bits'],
    ['{"user":"ann","n":3,"where":{"page":1}}', 'the field "where.page" is the number 1, wanted a text'],
    ['{"user":null,"n":3,"where":{}}', 'the field "user" is null, wanted a text'],
    [
      '{"user":"a","n":3,"where":{"page":"","x":1}}',
      'the field "where.x" is not in the schema { page: string | null }',
    ],
    ['[1]', 'the message is an array of 1, wanted { user: string, n: int32'],
  ])('says what does not fit and where: %s', (text, reason) => {
    const decoder = json({ schema: click }).createMessageDecoder()
    decoder.decode(Buffer.from('{"user":"ann","n":3,"where":{"page":"/"}}'), 0, 41)
    expect(() => decodeOne(decoder, Buffer.from(text))).toThrow(reason)
    expect(() => decodeOne(decoder, Buffer.from(text))).toThrow(MalformedMessage)
  })

  it.each([
    ['', 'it is no JSON: Unexpected end'],
    ['{"a":1', 'it is no JSON'],
    ['{"a":1}}', 'it is no JSON'],
    ['null', 'a record must be something, found null'],
  ])('calls malformed what is no record: %j', (text, reason) => {
    const decoder = json().createMessageDecoder()
    decoder.decode(Buffer.from('{"a":1}'), 0, 7)
    expect(() => decodeOne(decoder, Buffer.from(text))).toThrow(reason)
  })

  it.each([
    [types.date, '"soon"', 'a date as ISO text'],
    [types.bytes, '"a b"', 'bytes as base64 text'],
    [types.bigint, '1.5', 'a whole number'],
    [types.tuple(types.number), '[]', '[number]'],
    [types.tuple(types.number), '["x"]', 'the message is'],
  ])('converts texts to %j or says why not', (schema, text, reason) => {
    expect(() => read(text, schema)).toThrow(
      text === '["x"]' ? 'the field "[0]" is the text "x", wanted a number' : reason,
    )
  })

  it('gives a value or a reason for any bytes', () => {
    const good = ['{"user":"ann","n":3,"where":{"page":"/"}}', '{"user":"é","n":-1,"where":{"page":null}}'].map((t) =>
      Buffer.from(t),
    )
    const decoder = json({ schema: click }).createMessageDecoder()
    for (const one of good) decoder.decode(one, 0, one.length)
    expect(mangle(decoder, good)).toBeGreaterThan(100)
    const deep = Buffer.from('['.repeat(100_000))
    expect(() => decoder.decode(deep, 0, deep.length)).toThrow(MalformedMessage)
  })

  it('writes null as no value, and refuses what JSON has no text for', () => {
    const encoder = json().createMessageEncoder()
    expect(encoder.encode(null)).toBeNull()
    expect(encoder.encode({ n: 12345678901234567890n, at: new Date(0) })).toBe(
      '{"n":12345678901234567890,"at":"1970-01-01T00:00:00.000Z"}',
    )
    expect(() => encoder.encode(undefined)).toThrow('Cannot write undefined as JSON')
  })
})
