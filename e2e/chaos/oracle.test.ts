/** What the judgement of `npm run chaos` stands on: that the oracle counts right, that differences are seen, and that a seed tells a run again. */
import { describe, expect, it } from 'vitest'
import { compareLines, expectedLines, makeInput } from './events.ts'
import { seededRandom } from './random.ts'
import { KINDS, makeChaos } from './schedule.ts'

describe('the oracle', () => {
  it('has a line for each record, span, window and key', () => {
    const events = [
      { id: 0, key: 'a', atMs: 0, amount: 1 },
      { id: 1, key: 'a', atMs: 499, amount: 2 },
      { id: 2, key: 'a', atMs: 500, amount: 4 },
      { id: 3, key: 'b', atMs: 1000, amount: 8 },
    ]
    expect(expectedLines({ files: [events.slice(0, 3), events.slice(3)], endMs: 2000 })).toEqual([
      'record 0 a',
      'record 1 a',
      'record 2 a',
      'record 3 b',
      'span a 1000 1 4',
      'span a 500 2 3',
      'span b 1500 1 8',
      'total a 2000 3 7',
      'total b 2000 1 8',
      'window a 1000 3 7',
      'window b 2000 1 8',
    ])
  })

  it.each([
    ['nothing', 'a b b c', 'a b b c', '', ''],
    ['lost lines, at either end too', 'b', 'a b c', 'a c', ''],
    ['doubled ones', 'a a b c c', 'a b c', '', 'a c'],
    ['a doubled one that was lost as well', 'a b b', 'a a b', 'a', 'b'],
    ['what nobody wants', 'a x', 'a', '', 'x'],
    ['all of it', '', 'a b', 'a b', ''],
  ])('finds %s', (_, found, wanted, lost, extra) => {
    const list = (text: string) => text.split(' ').filter(Boolean)
    expect(compareLines(list(found), list(wanted))).toEqual({ lost: list(lost), extra: list(extra) })
  })

  it('reads an input in which no event is late when files are read in their order', () => {
    const { files, endMs } = makeInput(seededRandom(7), 2000)
    expect(files.flat().map(({ id }) => id)).toEqual(Array.from({ length: 2000 }, (_, i) => i))
    const ranges = files.map((events) => {
      const times = events.map(({ atMs }) => atMs)
      return { from: Math.min(...times), to: Math.max(...times) }
    })
    for (const [i, { from }] of ranges.entries()) if (i > 0) expect(from).toBeGreaterThan(ranges[i - 1]!.to)
    expect(endMs).toBeGreaterThan(ranges.at(-1)!.to)
  })
})

describe('a seed', () => {
  it.each(KINDS)('gives the same run again, and another gives another: %s', (kind) => {
    const chaos = makeChaos(seededRandom(11), kind)
    expect(makeChaos(seededRandom(11), kind)).toEqual(chaos)
    expect(makeChaos(seededRandom(12), kind)).not.toEqual(chaos)
    const kills = chaos.lives.flatMap(({ blows }) => blows).filter(({ what }) => what === 'process').length
    expect(kills).toBe(chaos.lives.length - 1)
    expect(kills > 0).toBe(kind !== 'slot')
  })
})
