import { describe, expect, it, test } from 'vitest'
import { exampleMetadata } from './any-metadata.suite.ts'
import { describeCheckpoint } from './describe.ts'
import { chunk, keyed, list, storedOperator } from './example-plan.suite.ts'
import type { KeyedSnapshot, StateTable } from './model.ts'

const statesOf = (...subtasks: Parameters<typeof storedOperator>[1]) =>
  describeCheckpoint(exampleMetadata({ operators: [storedOperator('op', subtasks)] })).operators[0]!.states

describe('describeCheckpoint()', () => {
  it('sums states over subtasks, and counts each file once', () => {
    const lists = (i: number) => [list('a', 'split', i, 3), list('b', 'union', 0, 1)]
    const metadata = exampleMetadata({
      operators: [
        storedOperator('source', [null], { coordinator: { left: ['x'] }, finished: [true] }),
        storedOperator('op', [{ ...keyed(chunk('f', 0, 9, 5)), lists: lists(0) }, null, { lists: lists(1) }], {
          finished: [false, true, false],
        }),
      ],
    })
    const { operators, stateBytes, files } = describeCheckpoint(metadata)
    expect([stateBytes, files]).toEqual([5 + 2 * (30 + 10), 4])
    expect(operators).toMatchObject([
      { finished: 'all', stateBytes: 0, states: [{ kind: 'enumerator', rows: null, bytes: 14 }] },
      {
        finished: 'some',
        stateBytes: 85,
        states: [
          { name: 'n', kind: 'value', rows: 5, bytes: 5 },
          { name: 'a', kind: 'split', rows: 6, bytes: 60, type: null },
          { name: 'b', kind: 'union', rows: 2, bytes: 20 },
        ],
      },
    ])
  })

  it('tells tables apart by their totals, and does not guess without', () => {
    const tables: StateTable[] = ['a', 'b'].map((name) => ({ name, kind: 'value', row: { kind: 'any' } }))
    const two: KeyedSnapshot = { tables, chunks: [chunk('f', 0, 9, 5)] }
    const totals = [
      { rows: 2, bytes: 3 },
      { rows: 3, bytes: 4 },
    ]
    const rows = (...all: KeyedSnapshot[]) =>
      statesOf(...all.map((one) => ({ keyed: one }))).map((state) => [state.name, state.rows, state.bytes])
    expect(rows({ ...two, totals }, { ...two, totals })).toEqual([
      ['a', 4, 6],
      ['b', 6, 8],
    ])
    expect(rows({ ...two, totals }, two)).toEqual([
      ['a', null, null],
      ['b', null, null],
    ])
  })

  const number = { kind: 'number' } as const
  test.each<[StateTable['kind'], [string, { kind: 'number' }][], string]>([
    [
      'value',
      [
        ['k', number],
        ['v', number],
      ],
      'number → number',
    ],
    [
      'list',
      [
        ['k', number],
        ['v', number],
      ],
      'number → list of number',
    ],
    [
      'map',
      [
        ['k', number],
        ['m', number],
        ['v', number],
      ],
      'number → map of number to number',
    ],
    [
      'timers',
      [
        ['k', number],
        ['t', number],
      ],
      'number → times',
    ],
    [
      'window',
      [
        ['k', number],
        ['w', number],
        ['v', number],
      ],
      'number and window → number',
    ],
    ['value', [['k', number]], 'number → any'],
  ])('shows the type of a %s table', (kind, fields, text) => {
    const table: StateTable = { name: 's', kind, row: { kind: 'row', fields } }
    expect(statesOf({ keyed: { tables: [table], chunks: [] } })[0]!.type).toBe(text)
  })

  it('shows the tables of windows as one', () => {
    const row = { kind: 'any' } as const
    const tables = (...starts: number[]) => ({
      keyed: {
        tables: starts.flatMap((start): StateTable[] => [
          { name: `tailrace:window/${start}`, kind: 'window', row, settings: { start } },
          { name: `tailrace:window-state/${start}/seen`, kind: 'value', row },
        ]),
        totals: starts.flatMap(() => [
          { rows: 3, bytes: 30 },
          { rows: 1, bytes: 10 },
        ]),
        chunks: [],
      },
    })
    expect(statesOf(tables(-5000, 0), tables(0, 5000))).toEqual([
      { name: 'tailrace:window/*', kind: 'window', type: 'any', rows: 12, bytes: 120, windows: 3 },
      { name: 'tailrace:window-state/*/seen', kind: 'value', type: 'any', rows: 4, bytes: 40, windows: 3 },
    ])
  })

  it('shows each type that subtasks found', () => {
    const table = (row: StateTable['row']) => ({
      keyed: { tables: [{ name: 's', kind: 'value' as const, row }], chunks: [] },
    })
    expect(statesOf(table({ kind: 'any' }), table({ kind: 'string' }), table({ kind: 'any' }))[0]!.type).toBe(
      'any or string',
    )
  })
})
