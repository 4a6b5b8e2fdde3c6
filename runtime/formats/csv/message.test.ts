import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { types } from '../../core/types.ts'
import { decodeOne, encodeOne, mangle } from '../message.suite.ts'
import { type CsvOptions, csv } from './index.ts'

const columns = types.row({
  s: types.string,
  n: types.number,
  b: types.nullable(types.boolean),
  o: types.nullable(types.string),
})

const read = (text: string, options: Partial<CsvOptions<any>> = {}) =>
  decodeOne(csv({ columns, ...options }).createMessageDecoder(), Buffer.from(text))

describe('csv() for messages', () => {
  it('reads back what it wrote', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é', ';', '😀', 'NA', 'x'.repeat(9000)) })
    const row = fc.record({
      s: text,
      n: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
      b: fc.option(fc.boolean()),
      o: fc.option(text),
    })
    for (const [delimiter, nullText] of [
      [',', ''],
      [';', 'NA'],
    ] as const) {
      const format = csv({ columns, delimiter, nullText })
      const [decoder, encoder] = [format.createMessageDecoder(), format.createMessageEncoder()]
      fc.assert(
        fc.property(row, (one) => {
          expect(decodeOne(decoder, encodeOne(encoder, one))).toEqual(one)
        }),
      )
    }
  })

  it('takes a message with or without its line end', () => {
    const ann = { s: 'ann', n: 1.5, b: true, o: null }
    for (const end of ['', '\n', '\r\n']) expect(read(`ann,1.5,true,${end}`)).toEqual(ann)
    expect(csv({ columns }).createMessageEncoder().encode(ann)).toBe('ann,1.5,true,')
    expect(
      csv({ columns })
        .createMessageEncoder()
        .encode(null as never),
    ).toBeNull()
  })

  it.each([
    ['ann,x,true,', 'the field "n" is no number: "x"'],
    ['ann,1', 'wanted 4 fields (s, n, b, o), found 2'],
    ['', 'wanted 4 fields'],
    ['ann,1,true,\nbob,2,true,', 'it goes on behind the end of its record'],
    ['"ann,1,true,', 'a quoted field is not closed'],
  ])('says what is wrong with %j', (text, reason) => {
    expect(() => read(text)).toThrow(reason)
  })

  it('needs columns, and gives a value or a reason for any bytes', () => {
    expect(() => csv().createMessageDecoder()).toThrow('Cannot read messages as CSV without "columns"')
    const good = ['ann,1.5,true,x', '"a""b",-3,,'].map((text) => Buffer.from(text))
    expect(mangle(csv({ columns }).createMessageDecoder(), good)).toBeGreaterThan(100)
  })
})
