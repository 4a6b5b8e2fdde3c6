/** Which subtask goes on with what, and when a job is not started at all. */
import { describe, expect, it, test } from 'vitest'
import { isTailraceError } from '../core/errors.ts'
import { planWithMaxParallelism } from '../graph/deployed-numbers.ts'
import type { Plan } from '../graph/model.ts'
import { exampleMetadata } from './any-metadata.suite.ts'
import { type Assignment, assignState } from './assign.ts'
import { storedEdgeTypes } from './edge-types.ts'
import { chunk, examplePlan, idOf, keyed, list, storedOperator } from './example-plan.suite.ts'
import type { OperatorMetadata } from './model.ts'
import { restoredMaxParallelism } from './restored-max-parallelism.ts'

const assign = (operators: OperatorMetadata[], plan: Plan, allowNonRestoredState = false) =>
  assignState({ metadata: exampleMetadata({ operators }), plan, allowNonRestoredState })

function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isTailraceError(error) && error.code === 'TR-CHECKPOINT-004') return error.message
    throw error
  }
  return 'assigned'
}

const files = ({ restores }: Assignment, vertex: string, name: string) =>
  restores[idOf(vertex)]!.map(({ operators }) =>
    operators
      .filter(({ operatorId }) => operatorId === idOf(name))
      .flatMap((o) => [...o.keyed.flatMap((k) => k.chunks), ...o.lists.flatMap((l) => l.parts)])
      .map(({ handle }) => (handle as { file: string }).file),
  )

const count = storedOperator('count', [keyed(chunk('a', 0, 63)), keyed(chunk('b', 64, 127))])

describe('assignState()', () => {
  it('follows operators into other chains, at any parallelism of theirs', () => {
    const plan = examplePlan(
      [
        { chain: ['source', 'parse'], parallelism: 3 },
        { chain: ['count', 'sink'], parallelism: 4 },
      ],
      [[0, 'key', 1]],
    )
    const operators = [
      storedOperator('parse', [{ lists: [list('open', 'split', 0, 3)] }]),
      storedOperator('source', [null, null], { coordinator: { next: 5 } }),
      count,
      storedOperator('sink', [{ lists: [list('txn', 'split', 0, 1)] }, { lists: [list('txn', 'split', 1, 1)] }]),
    ]
    const assignment = assign(operators, plan)
    expect(files(assignment, 'source', 'parse')).toEqual([['open-0'], ['open-0'], ['open-0']])
    expect(files(assignment, 'count', 'count')).toEqual([['a'], ['a'], ['b'], ['b']])
    expect(files(assignment, 'count', 'sink')).toEqual([['txn-0'], ['txn-1'], [], []])
    expect(assignment.coordinators).toEqual({ [idOf('source')]: { next: 5 } })
    expect([assignment.finished, assignment.warnings]).toEqual([[], []])
    const first = assignment.restores[idOf('source')]![0]!.operators.map((o) => o.operatorId)
    expect(first).toEqual([idOf('source'), idOf('parse')])
  })

  it('lets new operators begin empty, and tells those that are known from them', () => {
    const plan = examplePlan([{ chain: ['source', 'new'], parallelism: 2 }, { chain: ['count'] }], [[0, 'key', 1]])
    const { restores } = assign([storedOperator('source', [null]), count], plan)
    expect(restores[idOf('source')]).toEqual(
      [0, 1].map(() => ({ operators: [{ operatorId: idOf('source'), keyed: [], lists: [], finished: false }] })),
    )
  })

  it('names every state that has no operator, and what may be meant', () => {
    const plan = examplePlan([{ chain: ['source'] }, { chain: ['count-v2', '?print', 'renamed'] }], [[0, 'key', 1]])
    const operators = [
      storedOperator('count-v1', [keyed(chunk('a', 0, 127))]),
      storedOperator('dedupe', [{ lists: [list('seen', 'union', 0, 1)] }]),
      storedOperator('source-1', [null], { coordinator: {}, name: 'Source: clicks' }),
      { ...storedOperator('?place', [keyed(chunk('a', 0, 127))]), name: 'renamed' },
      storedOperator('stateless', [null]),
      storedOperator('empty', [{ ...keyed(chunk('a', 0, 5, 0)), lists: [list('l', 'split', 0, 0)] }]),
    ]
    expect(refusal(() => assign(operators, plan)).split('\n')).toEqual([
      'Cannot restore the job "clicks" from checkpoint 7: it has state of 4 operators that the job does not have:',
      '  "count-v1" (uid "count-v1"): did you mean "count-v2" (uid "count-v2")?',
      '  "dedupe" (uid "dedupe")',
      '  "Source: clicks" (uid "source-1"): did you mean "source" (uid "source")?',
      '  "renamed" (no uid): did you mean "renamed" (uid "renamed")?',
      expect.stringContaining('ignore-unclaimed-state: true (--allow-non-restored-state)'),
    ])
    const { warnings, restores } = assign(operators, plan, true)
    expect(warnings).toHaveLength(4)
    expect(warnings[1]).toBe(
      'State of operator "dedupe" (uid "dedupe") in checkpoint 7 was left behind: the job has no such operator',
    )
    expect(restores[idOf('source')]![0]!.operators).toEqual([])
  })

  it('gives edges the types that they had, unless the program declares one', () => {
    const plan = examplePlan(
      [{ chain: ['source'] }, { chain: ['a'] }, { chain: ['b'] }],
      [
        [0, 'key', 1],
        [0, 'rebalance', 2],
      ],
    )
    const edgeTypes = storedEdgeTypes(plan, { 0: { kind: 'string' }, 1: { kind: 'number' } })
    const restored = (next: Plan) =>
      assignState({ metadata: exampleMetadata({ edgeTypes }), plan: next, allowNonRestoredState: false }).edgeTypes
    expect(restored(plan)).toEqual({ 0: { kind: 'string' }, 1: { kind: 'number' } })
    const turned = examplePlan(
      [{ chain: ['source'] }, { chain: ['b'] }, { chain: ['c'] }],
      [
        [0, 'key', 2],
        [0, 'hash', 1],
      ],
    )
    expect(restored(turned)).toEqual({ 1: { kind: 'number' } })
    plan.edges[0]!.type = { kind: 'bigint' }
    expect(restored(plan)).toEqual({ 1: { kind: 'number' } })
  })
})

describe('finished operators', () => {
  const line = (...parallelism: number[]) =>
    examplePlan(
      parallelism.map((p, i) => ({ chain: [['source', 'map', 'sink'][i]!], parallelism: p })),
      parallelism.slice(1).map((_, i) => [i, 'rebalance', i + 1]),
    )
  const had = (name: string, ...finished: boolean[]) =>
    storedOperator(
      name,
      finished.map(() => ({ lists: [list('l', 'split', 0, 1)] })),
      { finished },
    )
  const finishedOf = (assignment: Assignment) =>
    assignment.finished.map(({ vertexId, subtask }) => {
      const name = ['source', 'map', 'sink'].find((n) => idOf(n) === vertexId)
      return `${name} ${subtask}`
    })

  test.each<[string, OperatorMetadata[], Plan, string[]]>([
    ['none', [had('source', false), had('map', false)], line(1, 1), []],
    [
      'a source, at another parallelism',
      [had('source', true), had('map', false, false)],
      line(2, 1),
      ['source 0', 'source 1'],
    ],
    ['all', [had('source', true), had('map', true, true)], line(1, 3), ['source 0', 'map 0', 'map 1', 'map 2']],
    ['some of a source: they run', [had('source', true, false), had('map', false)], line(2, 1), []],
    [
      'some behind a finished source: they stay so',
      [had('source', true), had('map', true, false)],
      line(1, 2),
      ['source 0', 'map 0'],
    ],
    [
      'some, at another parallelism: they run',
      [had('source', true), had('map', true, false)],
      line(1, 3),
      ['source 0'],
    ],
    ['some behind some of a source: they run', [had('source', true, false), had('map', true, false)], line(2, 2), []],
    [
      'some behind some: those that all before them had finished, too',
      [had('source', true), had('map', true, false), had('sink', true, false)],
      examplePlan(
        [{ chain: ['source'] }, { chain: ['map'], parallelism: 2 }, { chain: ['sink'], parallelism: 2 }],
        [
          [0, 'rebalance', 1],
          [1, 'forward', 2],
        ],
      ),
      ['source 0', 'map 0', 'sink 0'],
    ],
    [
      'some behind some over a shuffle: they run',
      [had('source', true), had('map', true, false), had('sink', true, false)],
      line(1, 2, 2),
      ['source 0', 'map 0'],
    ],
  ])('%s', (_name, operators, plan, expected) => {
    const assignment = assign(operators, plan, true)
    expect(finishedOf(assignment)).toEqual(expected)
    // What they had is theirs all the same, and says so.
    for (const { vertexId, subtask } of assignment.finished)
      for (const operator of assignment.restores[vertexId]![subtask]!.operators) expect(operator.finished).toBe(true)
    const told = Object.values(assignment.restores)
      .flat()
      .flatMap(({ operators: its }) => its.filter((o) => o.finished))
    expect(told).toHaveLength(expected.length)
  })

  it('refuses a new source before an operator that had finished', () => {
    const plan = examplePlan(
      [{ chain: ['source'] }, { chain: ['new'] }, { chain: ['map'] }],
      [
        [0, 'rebalance', 2],
        [1, 'rebalance', 2],
      ],
    )
    expect(refusal(() => assign([had('source', true), had('map', true)], plan))).toContain(
      '"map" had finished, and "new" before it had not or is new: its records would be lost',
    )
  })

  it('refuses a new operator in the chain of one that had finished', () => {
    expect(refusal(() => assign([had('source', true)], examplePlan([{ chain: ['source', 'new'] }])))).toContain(
      'operator "source" had finished, and "new" in the same chain had not or is new',
    )
  })

  test.each([
    [
      'refuses a union of which a part is gone',
      [false, true],
      [1, null],
      /some of its subtasks had finished, so its union state "u" is not whole/,
    ],
    ['takes it while the parts are there', [false, true], [1, 1], /^assigned$/],
    ['takes it when all had finished', [true, true], [1, null], /^assigned$/],
    ['takes it when none had finished', [false, false], [1, null], /^assigned$/],
  ])('%s', (_name, finished, parts, expected) => {
    const snapshots = parts.map((n, i) => (n === null ? null : { lists: [list('u', 'union', i, n)] }))
    const map = storedOperator('map', snapshots, { finished })
    const run = () => assign([had('source', true), map], line(1, 2))
    expect(refusal(run)).toMatch(expected)
  })
})

describe('max parallelism', () => {
  const stored = { ...count, maxParallelism: 128 }
  const planFor = (over: object, chain = ['count']) =>
    examplePlan([{ chain: ['source'] }, { chain, ...over }], [[0, 'key', 1]])
  const wanted = (plan: Plan, operator = stored) =>
    restoredMaxParallelism(exampleMetadata({ operators: [operator] }), plan)

  test.each([
    ['the same', { maxParallelism: 128 }, {}],
    [
      'a larger default: that of the state is taken over',
      { maxParallelism: 256, parallelism: 100 },
      { [idOf('count')]: 128 },
    ],
    ['a smaller default: that of the state is taken over', { maxParallelism: 64 }, { [idOf('count')]: 128 }],
    ['the same, set', { maxParallelism: 128, set: true }, {}],
    ['as many subtasks as key groups', { maxParallelism: 256, parallelism: 128 }, { [idOf('count')]: 128 }],
  ])('%s', (_name, over, expected) => {
    const plan = planFor(over)
    const changed = wanted(plan)
    expect(changed).toEqual(expected)
    const final = planWithMaxParallelism(plan, changed)
    expect(final.vertices.map((v) => v.maxParallelism)).toEqual([128, 128])
    expect(final.hash).toBe(plan.hash)
    expect(files(assign([stored], final), 'count', 'count').flat()).toContain('a')
  })

  test.each([
    [
      'another one, set',
      { maxParallelism: 256, set: true },
      'Cannot restore operator "count" (uid "count") with max parallelism 256: its state has 128 key groups, which cannot change; set it to 128',
    ],
    [
      'more subtasks than key groups',
      { maxParallelism: 512, parallelism: 300 },
      'Cannot restore operator "count" (uid "count") at parallelism 300: its state has 128 key groups, which cannot change; run it at 128 or less',
    ],
  ])('refuses %s', (_name, over, text) => {
    const plan = planFor(over)
    expect(refusal(() => wanted(plan))).toContain(text)
    expect(refusal(() => assign([stored], plan))).toContain(text)
  })

  it('does not deal rows out by another number that nobody took over', () => {
    expect(refusal(() => assign([stored], planFor({ maxParallelism: 256 })))).toContain('its state has 128 key groups')
  })

  it('is free where no rows are', () => {
    const empty = storedOperator('count', [keyed(chunk('a', 0, 127, 0)), { lists: [list('l', 'split', 0, 2)] }])
    const plan = planFor({ maxParallelism: 256, set: true, parallelism: 200 })
    expect(wanted(plan, empty)).toEqual({})
    expect(files(assign([empty], plan), 'count', 'count').flat()).toEqual(['l-0', 'l-0'])
  })

  it('refuses a chain whose states have two numbers', () => {
    const other = storedOperator('other', [keyed(chunk('c', 0, 9))], { maxParallelism: 64 })
    const plan = planFor({ maxParallelism: 128 }, ['count', 'other'])
    expect(refusal(() => restoredMaxParallelism(exampleMetadata({ operators: [stored, other] }), plan))).toContain(
      'Cannot restore operators "count" (uid "count") and "other" (uid "other") in one chain: their states have 128 and 64 key groups',
    )
  })
})
