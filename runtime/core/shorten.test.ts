import fc from 'fast-check'
import { expect, it } from 'vitest'
import { shorten } from './shorten.ts'

it('leaves what fits, and cuts what does not', () => {
  expect(shorten('out of memory', 13)).toBe('out of memory')
  expect(shorten('out of memory', 9)).toBe('out of…')
  expect(shorten('', 3)).toBe('')
  expect(shorten('ab€d', 6)).toBe('ab€d')
  expect(shorten('ab€de', 6)).toBe('ab…')
})

it('cuts no character in two, within a pair of surrogates least of all', () => {
  expect(shorten('a😀b', 5)).toBe('a…')
  expect(shorten('a😀bc', 6)).toBe('a…')
  expect(shorten('a😀bcde', 8)).toBe('a😀…')
})

it('keeps to its bound, and is Unicode, whatever it is given', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.integer({ min: 3, max: 40 }), (text, max) => {
      const short = shorten(text, max)
      expect(Buffer.byteLength(short)).toBeLessThanOrEqual(max)
      expect(short.isWellFormed()).toBe(true)
      if (short !== text) expect(short.endsWith('…') && text.startsWith(short.slice(0, -1))).toBe(true)
      else expect(Buffer.byteLength(text)).toBeLessThanOrEqual(max)
    }),
  )
})
