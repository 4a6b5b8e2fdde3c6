import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OutputTag } from '../../core/output-tag.ts'
import { types } from '../../core/types.ts'
import type { BadRecord } from '../bad-records.ts'
import { decodeAll } from '../decode-all.suite.ts'
import { type CsvOptions, csv } from './index.ts'

const read = (text: string, options: CsvOptions<any> = {}, decode: Parameters<typeof decodeAll>[2] = {}) =>
  decodeAll(csv(options), Buffer.from(text), decode)
const values = (text: string, options: CsvOptions<any> = {}) => read(text, options).values

/** CSV character by character, for texts that are well formed. */
function oracle(text: string): string[][] {
  const records: string[][] = []
  let field = ''
  let fields: string[] = []
  let at = 0
  const endField = () => {
    fields.push(field)
    field = ''
  }
  const endRecord = () => {
    endField()
    if (fields.length > 1 || fields[0] !== '') records.push(fields)
    fields = []
  }
  while (at < text.length) {
    if (text[at] === '"') {
      for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
        if (text[at] === '"') at++
        field += text[at]
      }
      at++
    }
    while (at < text.length && text[at] !== ',' && text[at] !== '\n') {
      if (!(text[at] === '\r' && text[at + 1] === '\n')) field += text[at]
      at++
    }
    if (text[at] === '\n' || at === text.length) {
      endRecord()
    } else endField()
    at++
    if (at === text.length && text[at - 1] === ',') endRecord()
  }
  return records
}

describe('csv()', () => {
  it('reads what a plain reading of the text gives, wherever chunks end', () => {
    const field = fc.oneof(
      fc.stringMatching(/^[a-z0-9 .é-]{0,6}$/),
      fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é', '\t', '😀'), maxLength: 6 }).map(quote),
      fc.string({ unit: fc.constantFrom('a', ' ', '1', 'é', '"'), maxLength: 6 }).map((s) => `x${s}`),
    )
    fc.assert(
      fc.property(
        fc.array(fc.array(field, { minLength: 3, maxLength: 3 }), { maxLength: 12 }),
        fc.constantFrom('\n', '\r\n', '\n\n'),
        fc.boolean(),
        fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        (rows, end, closed, chunkSizes, max) => {
          const text = [['a', 'b', 'c'], ...rows].map((row) => row.join(',')).join(end) + (closed ? end : '')
          const expected = oracle(text)
            .slice(1)
            .map(([a, b, c]) => ({ a, b, c }))
          expect(read(text, {}, { chunkSizes, max }).values).toEqual(expected)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('reads back what it wrote', () => {
    const type = types.row({
      s: types.string,
      n: types.number,
      i: types.int32,
      b: types.nullable(types.boolean),
      d: types.nullable(types.date),
      big: types.bigint,
      o: types.nullable(types.string),
    })
    const row = fc.record({
      s: fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', 'é', ';', '\t', 'NA') }),
      n: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
      i: fc.integer(),
      b: fc.option(fc.boolean()),
      d: fc.option(fc.date({ noInvalidDate: true })),
      big: fc.bigInt(),
      o: fc.option(fc.string({ unit: fc.constantFrom('', 'x', 'NA', '"') })),
    })
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 8 }),
        fc.constantFrom(',', ';', '\t'),
        fc.constantFrom('', 'NA'),
        fc.boolean(),
        (rows, delimiter, nullText, header) => {
          const format = csv({ columns: type, delimiter, nullText, header })
          const encoder = format.createEncoder()
          const text = rows.map((one) => encoder.encode(one)).join('')
          expect(decodeAll(format, Buffer.from(text)).values).toEqual(rows)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('types declared columns, by name where there is a header', () => {
    const columns = types.row({
      n: types.number,
      ok: types.boolean,
      at: types.date,
      note: types.nullable(types.string),
      big: types.bigint,
    })
    const text =
      'big,unused,at,n,ok,note\n12345678901234567890,x,2020-01-01,1.5,TRUE,\n-1,"y",2020-01-02T00:00:00Z,-3,0,""\n'
    expect(values(text, { columns })).toEqual([
      { n: 1.5, ok: true, at: new Date('2020-01-01'), note: null, big: 12345678901234567890n },
      { n: -3, ok: false, at: new Date('2020-01-02'), note: '', big: -1n },
    ])
    expect(values('1,x\n2,y\n', { columns: types.row({ n: types.int32, s: types.string }), header: false })).toEqual([
      { n: 1, s: 'x' },
      { n: 2, s: 'y' },
    ])
  })

  it('tells null and the empty text apart by quotes, and knows other texts for null', () => {
    const columns = types.row({ a: types.nullable(types.string), b: types.nullable(types.number) })
    expect(values('a,b\n,\n"",7\nNA,1\n', { columns })).toEqual([
      { a: null, b: null },
      { a: '', b: 7 },
      { a: 'NA', b: 1 },
    ])
    expect(values('a,b\nNA,NA\n"NA",1\n', { columns, nullText: 'NA' })).toEqual([
      { a: null, b: null },
      { a: 'NA', b: 1 },
    ])
    expect(values('a,b\nné,né\n"né",1\n', { columns, nullText: 'né' })).toEqual([
      { a: null, b: null },
      { a: 'né', b: 1 },
    ])
  })

  it('reads numbers as Number() does', () => {
    const columns = types.row({ n: types.number, z: types.string })
    const texts = [
      '0',
      '-0',
      '007',
      '1e3',
      '1.25',
      '-.5',
      '9007199254740993',
      '12345678901234567890',
      ' 4 ',
      'NaN',
      '"8"',
      '+3',
    ]
    const found = values(`n,z\n${texts.map((t) => `${t},z`).join('\n')}`, { columns })
    expect(found.map((v) => v.n)).toEqual(texts.map((t) => Number(t.replaceAll('"', ''))))
  })

  it.each([
    ['a,b\n1\n', /line 2 \(byte 4\): wanted 2 fields \(a, b\), found 1/],
    ['a,b\n1,2,3\n', /found 3/],
    ['a,b\nx,y\n', /the field "a" is no number: "x"/],
    ['a,b\n,y\n', /the field "a" is no number: ""/],
    ['a,b\n1,"y" z\n', /text after a closing quote/],
    ['a,b\n1,"y\n', /a quoted field is not closed/],
  ])('fails with the place and the reason: %j', (text, message) => {
    const columns = types.row({ a: types.number, b: types.string })
    expect(() => values(text, { columns })).toThrow(message)
  })

  it.each([
    ['a,b,a\n', /names "a" twice/],
    ['x,y\n', /the header has no column "a", only x, y/],
    ['"a,b\n', /header.*not closed/],
  ])('fails on a broken header whatever the options say: %j', (text, message) => {
    const columns = types.row({ a: types.number })
    expect(() => values(text, { columns, onError: 'skip' })).toThrow(message)
  })

  it('passes over bad records when told to and goes on behind them', () => {
    const columns = types.row({ a: types.number, b: types.string })
    const text = 'a,b\n1,x\noops,x\n2,"y" z, "\n3,"multi\nline"\nbad\n4,w'
    const skipped = read(text, { columns, onError: 'skip' })
    expect(skipped.values.map((v: any) => v.a)).toEqual([1, 3, 4])
    expect(skipped.errors).toBe(3)
    const { bad } = read(text, { columns, onError: new OutputTag<BadRecord>('bad') })
    expect(bad.map((r) => [r.place, Buffer.from(r.bytes).toString()])).toEqual([
      ['line 3', 'oops,x'],
      ['line 4', '2,"y" z, "'],
      ['line 7', 'bad'],
    ])
  })

  it('ends a quoted field with its line when multiline is false', () => {
    const text = 'a,b\n1,"x\n2,y\n'
    const { values, bad } = read(text, { multiline: false, onError: new OutputTag<BadRecord>('bad') })
    expect(values).toEqual([{ a: '2', b: 'y' }])
    expect(bad[0]).toMatchObject({ place: 'line 2', error: 'a quoted field is not closed on its line' })
  })

  it('takes quotes as they are when there is no quote', () => {
    expect(values('a\tb\n"x"\t5" pipe\n', { delimiter: '\t', quote: null })).toEqual([{ a: '"x"', b: '5" pipe' }])
    const encoder = csv({ delimiter: '\t', quote: null }).createEncoder()
    expect(encoder.encode({ a: '"x"', b: '1' })).toBe('a\tb\n"x"\t1\n')
    expect(() => encoder.encode({ a: 'x\ty', b: '1' })).toThrow(expect.objectContaining({ code: 'TR-RECORD-005' }))
  })

  it('goes on exactly from any point with its state', () => {
    const rows = Array.from({ length: 30 }, (_, i) => ({ a: String(i), b: i % 3 === 0 ? 'two\nlines' : 'é' }))
    const encoder = csv().createEncoder()
    const bytes = Buffer.from(rows.map((row) => encoder.encode(row as any)).join(''))
    const { points } = decodeAll(csv(), bytes, { max: 4, chunkSizes: [40] })
    for (const point of points) {
      const rest = decodeAll(csv(), bytes, { start: point.position, state: point.state })
      expect(rest.values).toEqual(rows.slice(point.values))
    }
  })

  it('is splittable without header and multi-line fields only', () => {
    const columns = types.row({ a: types.string })
    expect(csv({ columns }).splittable).toBe(false)
    expect(csv({ columns, header: false }).splittable).toBe(false)
    expect(csv({ columns, header: false, multiline: false }).splittable).toBe(true)
  })

  it('keeps columns with any name', () => {
    const [value] = values('__proto__,constructor,1,a"b\nx,y,z,w\n') as [object]
    expect(Object.entries(value)).toEqual(
      expect.arrayContaining([
        ['__proto__', 'x'],
        ['constructor', 'y'],
        ['1', 'z'],
        ['a"b', 'w'],
      ]),
    )
  })

  it('refuses options that cannot work', () => {
    expect(() => csv({ header: false })).toThrow(/without names/)
    expect(() => csv({ delimiter: ';;' })).toThrow(/"delimiter"/)
    expect(() => csv({ delimiter: '"' })).toThrow(/the same/)
    expect(() => csv({ columns: types.row({ a: types.bytes }) })).toThrow(/column "a" as bytes/)
    expect(() => csv({ columns: types.number })).toThrow(/must be a row/)
    expect(() =>
      csv()
        .createEncoder()
        .encode({ a: [1] } as any),
    ).toThrow(/field "a" as CSV/)
  })
})

const quote = (text: string) => `"${text.replaceAll('"', '""')}"`
