import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OutputTag } from '../../core/output-tag.ts'
import type { BadRecord } from '../bad-records.ts'
import { decodeAll } from '../decode-all.suite.ts'
import { jsonArray, jsonLines } from './index.ts'

const bytesOf = (text: string) => Buffer.from(text)

/** What JSON.parse makes of each line; a text that begins with `error` where it throws. */
function oracle(bytes: Buffer): unknown[] {
  const lines: Buffer[] = []
  let from = 0
  for (let i = 0; i <= bytes.length; i++) {
    if (i < bytes.length && bytes[i] !== 10) continue
    lines.push(bytes.subarray(from, i))
    from = i + 1
  }
  return lines
    .map((line) => line.toString())
    .filter((line) => line.trim() !== '')
    .map((line) => {
      try {
        return JSON.parse(line) ?? 'error null'
      } catch {
        return `error ${line}`
      }
    })
}

/** The decoder's values and errors in one list, in the order of the lines. */
function lines(bytes: Buffer, chunkSizes?: number[], max?: number): unknown[] {
  const tag = new OutputTag<BadRecord>('bad')
  const all: unknown[] = []
  const { values, bad } = decodeAll(jsonLines({ onError: tag }), bytes, { chunkSizes, max })
  all.push(...values)
  for (const record of bad) {
    const text = Buffer.from(record.bytes).toString()
    all.push(text.trim() === 'null' ? 'error null' : `error ${text}`)
  }
  return all
}

const sorted = (values: unknown[]) => values.map(show).sort()
/** A text that tells apart what JSON.stringify does not: -0. */
const show = (value: unknown): string =>
  JSON.stringify(value, (_key, v) => (Object.is(v, -0) ? '-0' : v === Infinity ? 'Infinity' : v))

const keys = fc.constantFrom('a', 'id', 'name', 'naïve', 'with "quote"', '1', '', 'constructor')
const leaf = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.maxSafeInteger(),
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(null, true, false, 0, '', 'x'.repeat(40)),
  fc.array(fc.integer(), { maxLength: 3 }),
)
const record = fc.dictionary(keys, fc.oneof(leaf, fc.dictionary(keys, leaf, { maxKeys: 3 })), { maxKeys: 6 })
/** Ways to write a number that JSON.stringify never takes. */
const numberText = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.stringMatching(/^(0|[1-9]\d{0,22})$/),
      fc.stringMatching(/^(\.\d{1,25})?$/),
      fc.stringMatching(/^([eE][+-]?\d{1,3})?$/),
    )
    .map((parts) => parts.join('')),
  fc.constantFrom(
    '01',
    '-',
    '.5',
    '1.',
    '1e',
    '+1',
    '-0',
    '0',
    '0.0',
    '-0.0',
    '1e400',
    '9007199254740993',
    '0x1',
    '1 2',
  ),
)

describe('jsonLines()', () => {
  it('gives what JSON.parse gives, however records vary and wherever chunks end', () => {
    const separators = fc.constantFrom([',', ':'], [', ', ': '], [' ,\t', ' : '])
    fc.assert(
      fc.property(
        fc.array(fc.tuple(record, fc.nat(3)), { maxLength: 12 }),
        separators,
        fc.constantFrom('\n', '\r\n', '\n\n'),
        fc.boolean(),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 5 }),
        (records, [comma, colon], end, closed, chunkSizes, max) => {
          const text = records
            .flatMap(([one, repeats]) => Array.from({ length: repeats + 1 }, () => one))
            .map((one) => spaced(one, comma!, colon!))
            .join(end)
          const bytes = bytesOf(closed ? text + end : text)
          expect(lines(bytes, chunkSizes, max).map(show)).toEqual(oracle(bytes).map(show))
        },
      ),
      { numRuns: 400 },
    )
  })

  it('gives what JSON.parse gives for any way to write a number', () => {
    fc.assert(
      fc.property(fc.array(numberText, { minLength: 1, maxLength: 20 }), (texts) => {
        const bytes = bytesOf(['{"n":1,"m":"x"}', ...texts.map((n) => `{"n":${n},"m":"x"}`)].join('\n'))
        expect(sorted(lines(bytes))).toEqual(sorted(oracle(bytes)))
      }),
      { numRuns: 400 },
    )
  })

  it('refuses what follows a value on its line', () => {
    const bytes = bytesOf('{"a":1}\n{"a":2} x\n{"a":3}\r\n{"a":4}\rx\n{"a":5} \n{"a":6}}\n{"a":7}')
    expect(sorted(lines(bytes))).toEqual(sorted(oracle(bytes)))
  })

  it('accepts and refuses what JSON.parse does when bytes are damaged', () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 3 }),
        (records, damage, chunkSizes) => {
          const bytes = bytesOf([...records, ...records].map((r) => JSON.stringify(r)).join('\n'))
          for (const [at, byte] of damage) bytes[at % bytes.length] = byte
          expect(sorted(lines(bytes, chunkSizes))).toEqual(sorted(oracle(bytes)))
        },
      ),
      { numRuns: 600 },
    )
  })

  it('keeps an own property named __proto__', () => {
    const bytes = bytesOf('{"__proto__":1,"a":2}\n'.repeat(3))
    const { values } = decodeAll(jsonLines(), bytes)
    expect(values).toHaveLength(3)
    for (const value of values) expect(Object.keys(value)).toEqual(['__proto__', 'a'])
  })

  it('reads records of several shapes, and of no shape at all', () => {
    const many = Array.from({ length: 6000 }, (_, i) =>
      i < 3000 ? { kind: i % 3, [`k${i % 3}`]: i } : Object.fromEntries([[`field${i}`, i]]),
    )
    const { values } = decodeAll(jsonLines(), bytesOf(many.map((r) => JSON.stringify(r)).join('\n')))
    expect(values).toEqual(many)
  })

  it('reads lines longer than its window', () => {
    const many = [{ a: 'x'.repeat(100_000) }, { a: 'y' }, { a: 'z'.repeat(70_000) }, { a: 'é'.repeat(50_000) }]
    const { values } = decodeAll(jsonLines(), bytesOf(many.map((r) => `${JSON.stringify(r)}\n`).join('')), {
      chunkSizes: [1000, 50_000],
    })
    expect(values).toEqual(many)
  })

  it('reads values that are no objects', () => {
    expect(decodeAll(jsonLines(), bytesOf('1\n"two"\n[3]\ntrue')).values).toEqual([1, 'two', [3], true])
  })

  it('goes on exactly from any point with its state', () => {
    const many = Array.from({ length: 50 }, (_, i) => ({ i, text: 'é'.repeat(i % 5) }))
    const bytes = bytesOf(many.map((r) => JSON.stringify(r)).join('\n'))
    const { points } = decodeAll(jsonLines(), bytes, { max: 7 })
    for (const point of points) {
      const rest = decodeAll(jsonLines(), bytes, { start: point.position, state: point.state })
      expect(rest.values).toEqual(many.slice(point.values))
    }
  })

  it('leaves records that begin at the limit or later', () => {
    const bytes = bytesOf('{"a":1}\n{"a":2}\n{"a":3}\n')
    expect(decodeAll(jsonLines(), bytes, { limit: 16 }).values).toEqual([{ a: 1 }, { a: 2 }])
    expect(decodeAll(jsonLines(), bytes, { limit: 17 }).values).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }])
  })

  it('fails with file, line, byte and an excerpt', () => {
    const bytes = bytesOf('{"a":1}\n\n{"a":2}\n{"a":oops, "long":"' + 'x'.repeat(500) + '"}\n')
    expect(() => decodeAll(jsonLines(), bytes, { source: '/data/a.jsonl' })).toThrow(
      /^Cannot read a record of "\/data\/a\.jsonl", line 4 \(byte 17\): Unexpected token .* in "\{\\"a\\":oops, .*x"…$/s,
    )
    try {
      decodeAll(jsonLines(), bytes)
    } catch (error) {
      expect(error).toMatchObject({ code: 'TR-RECORD-004' })
      expect((error as Error).message.length).toBeLessThan(400)
    }
    expect(() => decodeAll(jsonLines(), bytesOf('null'))).toThrow(/found null/)
  })

  it('counts what it skips, and gives the raw bytes to a side output', () => {
    const bytes = bytesOf('{"a":1}\nxé\n{"a":2}\nnull\n')
    const skipped = decodeAll(jsonLines({ onError: 'skip' }), bytes)
    expect(skipped.values).toEqual([{ a: 1 }, { a: 2 }])
    expect(skipped.errors).toBe(2)
    expect(skipped.bad).toEqual([])
    const { bad, errors } = decodeAll(jsonLines({ onError: new OutputTag<BadRecord>('bad') }), bytes, { source: 'f' })
    expect(errors).toBe(2)
    expect(bad[0]).toMatchObject({
      source: 'f',
      offset: 8,
      place: 'line 2',
      error: expect.stringContaining('Unexpected'),
    })
    expect(Buffer.from(bad[0]!.bytes).toString()).toBe('xé')
  })

  it('knows no line number in a part of a file', () => {
    const { bad } = decodeAll(jsonLines({ onError: new OutputTag<BadRecord>('bad') }), bytesOf('1\nx\n'), { start: 2 })
    expect(bad[0]).toMatchObject({ place: null, offset: 2 })
  })

  it('writes one line per value, dates as ISO, bigints with all digits', () => {
    const { encode } = jsonLines().createEncoder()
    expect(encode({ a: 'x\n', d: new Date(0) })).toBe('{"a":"x\\n","d":"1970-01-01T00:00:00.000Z"}\n')
    expect(encode({ n: 12345678901234567890n })).toBe('{"n":12345678901234567890}\n')
    expect(() => encode(undefined)).toThrow(/Cannot write undefined as JSON/)
  })
})

describe('jsonArray()', () => {
  const array = (bytes: Buffer, chunkSizes?: number[], max?: number) =>
    decodeAll(jsonArray(), bytes, { chunkSizes, max })

  it('gives the elements that JSON.parse gives, wherever chunks end', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            record,
            leaf.filter((v) => v !== null),
          ),
          { maxLength: 12 },
        ),
        fc.constantFrom(undefined, 1, '\t'),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 5 }),
        (records, indent, chunkSizes, max) => {
          const bytes = bytesOf(` ${JSON.stringify(records, null, indent)}\n`)
          expect(array(bytes, chunkSizes, max).values.map(show)).toEqual(JSON.parse(bytes.toString()).map(show))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('goes on exactly from any point with its state', () => {
    const many = Array.from({ length: 40 }, (_, i) => ({ i, list: [i] }))
    const bytes = bytesOf(JSON.stringify(many))
    for (const point of array(bytes, [100], 3).points) {
      const rest = decodeAll(jsonArray(), bytes, { start: point.position, state: point.state })
      expect(rest.values).toEqual(many.slice(point.values))
    }
  })

  it('passes over a bad element when told to, and names it otherwise', () => {
    const bytes = bytesOf('[{"a":1},{"a":tru},null,{"a":2}]')
    const skipped = decodeAll(jsonArray({ onError: 'skip' }), bytes)
    expect(skipped).toMatchObject({ values: [{ a: 1 }, { a: 2 }], errors: 2 })
    expect(() => array(bytes)).toThrow(/element 1 \(byte 9\): Unexpected token/)
  })

  it.each([
    ['{"a":1}', /must be one JSON array.*jsonLines/],
    ['[{"a":1}', /not closed/],
    ['', /not closed/],
    ['[1 2]', /wanted "," or "\]"/],
    ['[1,]', /wanted an element/],
    ['[1]]', /more after the end/],
  ])('fails on a broken array whatever the options say: %s', (text, message) => {
    expect(() => decodeAll(jsonArray({ onError: 'skip' }), bytesOf(text))).toThrow(message)
  })
})

/** JSON with given separators. */
function spaced(value: unknown, comma: string, colon: string): string {
  if (Array.isArray(value)) return `[${value.map((v) => spaced(v, comma, colon)).join(comma)}]`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([key, v]) => `${JSON.stringify(key)}${colon}${spaced(v, comma, colon)}`)
    return `{${fields.join(comma)}}`
  }
  return JSON.stringify(value)
}
