import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeOne, encodeOne, mangle } from '../message.suite.ts'
import { textLines } from '../text/index.ts'
import { type RawNumberKind, rawBoolean, rawBytes, rawNumber, rawString } from './index.ts'

const roundTrip = (format: any, value: unknown) =>
  decodeOne(format.createMessageDecoder(), encodeOne(format.createMessageEncoder(), value))
const read = (format: any, ...bytes: number[]) => decodeOne(format.createMessageDecoder(), Uint8Array.from(bytes))
const write = (format: any, value: unknown) => format.createMessageEncoder().encode(value)

const whole = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
const double = fc.double().map((n) => n + 0)
const VALUES: Record<RawNumberKind, fc.Arbitrary<unknown>> = {
  tinyint: whole(8),
  smallint: whole(16),
  int: whole(32),
  long: fc.maxSafeInteger(),
  bigint: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float: fc.float(),
  double,
}

describe('rawNumber()', () => {
  it.each(Object.keys(VALUES) as RawNumberKind[])('reads back each %s it wrote', (kind) => {
    for (const endianness of ['big-endian', 'little-endian'] as const) {
      const format = rawNumber(kind as 'int', { endianness })
      fc.assert(
        fc.property(VALUES[kind], (value) => {
          expect(roundTrip(format, value)).toEqual(value)
        }),
      )
    }
  })

  it('has the byte order of Java unless told otherwise', () => {
    expect(read(rawNumber('int'), 0, 0, 1, 2)).toBe(258)
    expect(read(rawNumber('int', { endianness: 'little-endian' }), 2, 1, 0, 0)).toBe(258)
    expect(read(rawNumber('long'), 255, 255, 255, 255, 255, 255, 255, 254)).toBe(-2)
    expect(read(rawNumber('bigint'), 127, 255, 255, 255, 255, 255, 255, 255)).toBe(2n ** 63n - 1n)
  })

  it('refuses other sizes, longs that a number cannot hold, and values out of range', () => {
    expect(() => read(rawNumber('int'), 1, 2, 3)).toThrow('it has 3 bytes, wanted 4 for this int')
    expect(() => read(rawNumber('long'), 127, 0, 0, 0, 0, 0, 0, 1)).toThrow(
      'the long 9151314442816847873 is beyond 2^53',
    )
    for (const [kind, value] of [
      ['tinyint', 128],
      ['smallint', -32769],
      ['int', 1.5],
      ['long', 2 ** 53],
      ['bigint', 2n ** 63n],
      ['double', '1'],
    ] as const)
      expect(() => write(rawNumber(kind as 'int'), value)).toThrow(/TR-RECORD-005|Cannot write/)
    expect(() => rawNumber('word' as 'int')).toThrow(TypeError)
    expect(() => rawNumber('int', { endianness: 'middle' as 'big-endian' })).toThrow(/middle/)
    expect(mangle(rawNumber('long').createMessageDecoder(), [Buffer.alloc(8)])).toBeGreaterThan(100)
  })
})

describe('rawBytes(), rawString(), rawBoolean(), textLines()', () => {
  it('read back what they wrote', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(roundTrip(rawBytes(), bytes)).toEqual(bytes)
      }),
    )
    const text = fc.string({ unit: 'grapheme' })
    for (const format of [rawString(), rawString('utf16le'), textLines()])
      fc.assert(
        fc.property(text, (value) => {
          expect(roundTrip(format, value)).toBe(value)
        }),
      )
    const narrow = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)) })
    fc.assert(
      fc.property(narrow, (value) => {
        expect(roundTrip(rawString('latin1'), value)).toBe(value)
      }),
    )
    expect(roundTrip(rawBoolean(), true)).toBe(true)
    expect(roundTrip(rawBoolean(), false)).toBe(false)
  })

  it('keep no view of the message', () => {
    const message = Buffer.from('abc')
    const value = rawBytes().createMessageDecoder().decode(message, 1, 3)
    message.fill(0)
    expect(Buffer.from(value).toString()).toBe('bc')
    expect(value.buffer.byteLength).toBe(2)
  })

  it('refuse what they cannot hold', () => {
    expect(() => write(rawString('latin1'), 'a€')).toThrow('latin1 has no "€"')
    expect(() => write(rawString(), 1)).toThrow('wanted a text')
    expect(() => write(rawBytes(), 'x')).toThrow('it is no Uint8Array')
    expect(() => write(rawBoolean(), 1)).toThrow('Cannot write the number 1')
    expect(() => read(rawBoolean())).toThrow('it has 0 bytes, wanted 1')
    expect(() => read(rawString('utf16le'), 1)).toThrow('it has 1 bytes, wanted an even number')
    expect(() => rawString('utf7' as 'utf8')).toThrow(/utf7/)
    for (const format of [rawString(), rawBytes(), rawBoolean(), rawNumber('int')])
      expect(write(format, null)).toBeNull()
  })
})
