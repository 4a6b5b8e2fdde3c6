/**
 * Where state goes at another parallelism. The tables follow Flink's StateAssignmentOperationTest and RoundRobinOperatorStateRepartitioner by what they
 * establish, the properties say the same of any state.
 */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { subtaskOfKeyGroup } from '../core/key-groups.ts'
import { chunk, keyed, list, storedOperator } from './example-plan.suite.ts'
import type { ListMode, OperatorSnapshot } from './model.ts'
import { dealKeyed, dealLists, type RestoredList } from './redistribute.ts'

const subtasks = (...snapshots: Parameters<typeof storedOperator>[1]) => storedOperator('op', snapshots).subtasks

/** `name: owner[from..to)`, as `s 0[0,2)`. */
const shown = (dealt: RestoredList[][]) =>
  dealt.map((lists) =>
    lists.flatMap(({ name, parts }) =>
      parts.map(({ handle, from, to }) => {
        const { file } = handle as { file: string }
        return `${name} ${file.slice(name.length + 1)}[${from},${to})`
      }),
    ),
  )

describe('split lists', () => {
  const split = (...counts: number[]) => subtasks(...counts.map((n, i) => ({ lists: [list('s', 'split', i, n)] })))

  test.each([
    [
      'stay where they were at the same parallelism, however uneven',
      split(5, 0, 1),
      3,
      [['s 0[0,5)'], [], ['s 2[0,1)']],
    ],
    ['are dealt in runs to more', split(2, 2), 4, [['s 0[0,1)'], ['s 0[1,2)'], ['s 1[0,1)'], ['s 1[1,2)']]],
    ['are dealt in runs to fewer', split(2, 1, 3), 2, [['s 0[0,2)', 's 1[0,1)'], ['s 2[0,3)']]],
    ['go whole to one', split(1, 2), 1, [['s 0[0,1)', 's 1[0,2)']]],
    ['give the odd ones to the first', split(3, 4), 3, [['s 0[0,3)'], ['s 1[0,2)'], ['s 1[2,4)']]],
    ['leave some with nothing where there are too few', split(1, 1), 4, [['s 0[0,1)'], ['s 1[0,1)'], [], []]],
    ['pass over a subtask that had nothing', subtasks(null, { lists: [list('s', 'split', 1, 2)] }), 1, [['s 1[0,2)']]],
    [
      'stay, with a subtask that had finished',
      subtasks({ lists: [list('s', 'split', 0, 2)] }, null),
      2,
      [['s 0[0,2)'], []],
    ],
  ])('%s', (_name, old, parallelism, expected) => {
    expect(shown(dealLists(old, parallelism))).toEqual(expected)
  })

  it('begins each state where the odd elements of the one before ended', () => {
    const old = subtasks({ lists: ['a', 'b', 'c'].map((name) => list(name, 'split', 0, 1)) })
    expect(shown(dealLists(old, 3))).toEqual([['a 0[0,1)'], ['b 0[0,1)'], ['c 0[0,1)']])
    const two = subtasks({ lists: [list('a', 'split', 0, 5), list('b', 'split', 0, 2)] })
    expect(shown(dealLists(two, 3))).toEqual([['a 0[0,2)', 'b 0[1,2)'], ['a 0[2,4)'], ['a 0[4,5)', 'b 0[0,1)']])
  })
})

describe('union lists', () => {
  const old = subtasks({ lists: [list('u', 'union', 0, 2)] }, { lists: [list('u', 'union', 1, 1)] })
  test.each([1, 2, 3])('come whole to each of %i subtasks', (parallelism) => {
    expect(shown(dealLists(old, parallelism))).toEqual(Array(parallelism).fill(['u 0[0,2)', 'u 1[0,1)']))
  })
})

describe('broadcast lists', () => {
  const copies = (...owners: number[]) => owners.map((i) => (i < 0 ? null : { lists: [list('b', 'broadcast', i, 2)] }))
  test.each([
    ['the same parallelism: each its own', copies(0, 1), 2, [0, 1]],
    ['less: each its own', copies(0, 1, 2), 2, [0, 1]],
    ['more: the new ones take copies in turn', copies(0, 1), 5, [0, 1, 0, 1, 0]],
    ['a subtask had finished: it takes the copy of another', copies(0, -1, 2), 3, [0, 2, 2]],
    ['several had finished, and there are more now', copies(-1, 1, -1), 4, [1, 1, 1, 1]],
  ])('%s', (_name, old, parallelism, owners) => {
    expect(shown(dealLists(subtasks(...old), parallelism))).toEqual(owners.map((owner) => [`b ${owner}[0,2)`]))
  })

  it('keep their place beside split and union lists of one operator', () => {
    const old = [0, 1].map((i) => ({
      lists: [list('s', 'split', i, 1), list('u', 'union', i, 1), list('b', 'broadcast', i, 1)],
    }))
    expect(shown(dealLists(subtasks(...old), 3))).toEqual([
      ['s 0[0,1)', 'u 0[0,1)', 'u 1[0,1)', 'b 0[0,1)'],
      ['s 1[0,1)', 'u 0[0,1)', 'u 1[0,1)', 'b 1[0,1)'],
      ['u 0[0,1)', 'u 1[0,1)', 'b 0[0,1)'],
    ])
  })
})

describe('keyed chunks', () => {
  const files = (old: readonly (OperatorSnapshot | null)[], max: number, parallelism: number) =>
    dealKeyed(old, max, parallelism).map((snapshots) =>
      snapshots.map(({ chunks }) => chunks.map(({ handle }) => (handle as { file: string }).file).join('+')),
    )
  const old = subtasks(keyed(chunk('a', 0, 31), chunk('b', 32, 63)), keyed(chunk('c', 64, 127)), null)

  test.each([
    [3, [['a+b'], ['b', 'c'], ['c']]],
    [1, [['a+b', 'c']]],
    [4, [['a'], ['b'], ['c'], ['c']]],
    [2, [['a+b'], ['c']]],
  ])('go to those of %i subtasks whose key groups they touch', (parallelism, expected) => {
    expect(files(old, 128, parallelism)).toEqual(expected)
  })

  it('leaves a subtask without any of its own groups', () => {
    expect(files(subtasks(keyed(chunk('a', 0, 9))), 128, 2)).toEqual([['a'], []])
  })

  it('leaves chunks without rows out', () => {
    expect(files(subtasks(keyed(chunk('a', 0, 127, 0))), 128, 2)).toEqual([[], []])
  })

  it('keeps the tables that chunks name by place', () => {
    const [snapshots] = dealKeyed(old, 128, 1)
    expect(snapshots![0]!.tables).toEqual(old[0]!.keyed!.tables)
  })
})

describe('any state at any parallelism', () => {
  const parallelism = fc.integer({ min: 1, max: 12 })

  it('each key group of a chunk comes to its owner, and to no one else as its own', () => {
    const anyChunk = (max: number) => fc.tuple(fc.nat({ max: max - 1 }), fc.nat({ max: max - 1 }))
    const facts = fc
      .integer({ min: 12, max: 300 })
      .chain((max) =>
        fc.tuple(fc.constant(max), fc.array(fc.array(anyChunk(max), { maxLength: 4 }), { minLength: 1, maxLength: 8 })),
      )
    fc.assert(
      fc.property(facts, parallelism, ([max, groups], to) => {
        const old = groups.map((chunks, i) =>
          keyed(...chunks.map(([a, b], j) => chunk(`${i}-${j}`, Math.min(a, b), Math.max(a, b)))),
        )
        const got = dealKeyed(subtasks(...old), max, to).map(
          (snapshots) =>
            new Set(snapshots.flatMap(({ chunks }) => chunks.map((c) => (c.handle as { file: string }).file))),
        )
        for (const { keyed: one } of old) {
          for (const { handle, firstGroup, lastGroup } of one!.chunks) {
            const owners = new Set<number>()
            for (let g = firstGroup; g <= lastGroup; g++) owners.add(subtaskOfKeyGroup(max, to, g))
            const holders = got.flatMap((set, subtask) => (set.has((handle as { file: string }).file) ? [subtask] : []))
            expect(holders).toEqual([...owners])
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  const lists = fc.array(
    fc.option(fc.record({ s: fc.nat({ max: 9 }), t: fc.nat({ max: 9 }), u: fc.nat({ max: 3 }), b: fc.constant(2) })),
    { minLength: 1, maxLength: 8 },
  )
  const modes: Record<string, ListMode> = { s: 'split', t: 'split', u: 'union', b: 'broadcast' }
  const snapshotsOf = (counts: (Record<string, number> | null)[]) =>
    subtasks(
      ...counts.map((of, i) =>
        of === null ? null : { lists: Object.entries(of).map(([name, n]) => list(name, modes[name]!, i, n)) },
      ),
    )
  const elementsOf = (counts: (Record<string, number> | null)[], name: string) =>
    counts.flatMap((of, i) => Array.from({ length: of?.[name] ?? 0 }, (_, n) => `${name}-${i}#${n}`))
  const received = (dealt: RestoredList[], name: string) =>
    dealt
      .filter((one) => one.name === name)
      .flatMap(({ parts }) =>
        parts.flatMap(({ handle, offsets, from, to }) => {
          expect([from >= 0, from < to, to <= offsets.length]).toEqual([true, true, true])
          return Array.from({ length: to - from }, (_, i) => `${(handle as { file: string }).file}#${from + i}`)
        }),
      )

  it('each split element comes once, evenly, in order; union to all; one copy of broadcast to each', () => {
    fc.assert(
      fc.property(lists, parallelism, (counts, to) => {
        const dealt = dealLists(snapshotsOf(counts), to)
        const shares: number[] = Array(to).fill(0)
        for (const name of ['s', 't']) {
          const its = dealt.map((one) => received(one, name))
          const wanted = elementsOf(counts, name)
          expect(its.flat().sort()).toEqual([...wanted].sort())
          if (to === counts.length) {
            for (const [i, one] of its.entries()) expect(one.every((e) => e.startsWith(`${name}-${i}#`))).toBe(true)
          } else {
            for (const [i, one] of its.entries()) {
              expect(Math.abs(one.length - wanted.length / to)).toBeLessThan(1)
              shares[i]! += one.length
            }
          }
        }
        // Two states together are as even as two can be.
        if (to !== counts.length) expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
        for (const one of dealt) expect(received(one, 'u')).toEqual(elementsOf(counts, 'u'))
        const holders = counts.flatMap((of, i) => (of === null ? [] : [i]))
        for (const [i, one] of dealt.entries()) {
          const copy = received(one, 'b')
          if (holders.length === 0) expect(copy).toEqual([])
          else if (holders.includes(i)) expect(copy).toEqual([`b-${i}#0`, `b-${i}#1`])
          else expect(copy).toHaveLength(2)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('loses and doubles nothing over two moves', () => {
    fc.assert(
      fc.property(lists, parallelism, parallelism, (counts, there, back) => {
        const all = (dealt: RestoredList[][]) => dealt.flatMap((one) => received(one, 's')).sort()
        const dealt = dealLists(snapshotsOf(counts), there)
        // What each subtask then takes is one list of its own.
        const taken = dealt.map((one) => ({ s: received(one, 's').length }))
        expect(all(dealLists(snapshotsOf(taken), back))).toHaveLength(all(dealt).length)
      }),
      { numRuns: 100 },
    )
  })
})
