import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeAll } from '../decode-all.suite.ts'
import { textLines } from './index.ts'

describe('textLines()', () => {
  it('gives the lines of a text, wherever chunks end', () => {
    const line = fc.string({ unit: fc.constantFrom('a', ' ', 'é', '😀', '\t', '\r', 'x'.repeat(20)) })
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        (lines, chunkSizes, max) => {
          const bytes = Buffer.from(lines.map((l) => `${l}\n`).join(''))
          const expected = lines.map((l) => (l.endsWith('\r') ? l.slice(0, -1) : l))
          expect(decodeAll(textLines(), bytes, { chunkSizes, max }).values).toEqual(expected)
        },
      ),
    )
  })

  it('gives a last line without an end, and empty lines', () => {
    expect(decodeAll(textLines(), Buffer.from('a\r\n\nb')).values).toEqual(['a', '', 'b'])
    expect(decodeAll(textLines(), Buffer.from('')).values).toEqual([])
  })

  it('leaves lines that begin at the limit, and goes on from any point', () => {
    const bytes = Buffer.from('aa\nbb\ncc\n')
    expect(decodeAll(textLines(), bytes, { limit: 6 }).values).toEqual(['aa', 'bb'])
    for (const point of decodeAll(textLines(), bytes, { max: 1 }).points)
      expect(decodeAll(textLines(), bytes, { start: point.position, state: point.state }).values).toEqual(
        ['aa', 'bb', 'cc'].slice(point.values),
      )
  })

  it('reads lines longer than its window, and other charsets', () => {
    const long = 'x'.repeat(100_000)
    expect(decodeAll(textLines(), Buffer.from(`${long}\ny`), { chunkSizes: [10_000] }).values).toEqual([long, 'y'])
    expect(decodeAll(textLines({ charset: 'latin1' }), Buffer.from([0xe9, 10])).values).toEqual(['é'])
    expect(() => textLines({ charset: 'utf7' as 'utf8' })).toThrow(/utf7/)
  })

  it('writes lines', () => {
    expect(textLines().createEncoder().encode('a')).toBe('a\n')
  })
})
