/** A check says at once all that a start would refuse one by one, and refuses nothing that a start takes. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTailraceError } from '../core/errors.ts'
import { planWithMaxParallelism } from '../graph/deployed-numbers.ts'
import { exampleMetadata } from './any-metadata.suite.ts'
import { assignState } from './assign.ts'
import { checkRestore } from './check.ts'
import { chunk, type ExampleVertex, examplePlan, keyed, list, storedOperator } from './example-plan.suite.ts'
import { restoredMaxParallelism } from './restored-max-parallelism.ts'

const check = (operators: ReturnType<typeof storedOperator>[], plan: ReturnType<typeof examplePlan>, allow = false) =>
  checkRestore({ metadata: exampleMetadata({ operators }), plan, allowNonRestoredState: allow })

describe('checkRestore()', () => {
  const plan = examplePlan(
    [
      { chain: ['source'], parallelism: 2 },
      { chain: ['count', '?map', 'new'], parallelism: 4, maxParallelism: 256 },
    ],
    [[0, 'key', 1]],
  )

  it('says of each operator what becomes of it', () => {
    const operators = [
      storedOperator('source', [null], { coordinator: {}, finished: [true] }),
      storedOperator('count', [keyed(chunk('a', 0, 127, 50))]),
      storedOperator('?map', [{ lists: [list('l', 'split', 0, 1)] }]),
      storedOperator('old', [{ lists: [list('l', 'split', 0, 3)] }]),
    ]
    const { fits, operators: found, warnings, problems } = check(operators, plan, true)
    expect(
      found.map(({ name, outcome, planned, stored, finished }) => [
        name,
        outcome,
        planned?.maxParallelism,
        stored?.stateBytes,
        finished,
      ]),
    ).toEqual([
      ['source', 'restored', 128, 0, true],
      ['count', 'restored', 128, 50, false],
      ['map', 'restored', 128, 10, false],
      ['new', 'new', 128, undefined, false],
      ['old', 'left behind', undefined, 30, false],
    ])
    expect([fits, problems]).toEqual([true, []])
    expect(warnings).toEqual([
      expect.stringContaining('State of operator "old" (uid "old")'),
      expect.stringContaining('Operator "map" has state and no uid'),
    ])
  })

  it('tells of all problems, not of the first', () => {
    const operators = [
      storedOperator('source', [keyed(chunk('a', 0, 1))], { maxParallelism: 1 }),
      storedOperator('count', [keyed(chunk('a', 0, 1)), null], { maxParallelism: 2, finished: [true, true] }),
      storedOperator('?map', [{ lists: [list('u', 'union', 0, 3)] }, null], { finished: [false, true] }),
      storedOperator('old', [keyed(chunk('a', 0, 1))]),
    ]
    const { fits, problems, operators: found } = check(operators, plan)
    expect(fits).toBe(false)
    expect(problems).toEqual([
      expect.stringContaining('state of 1 operator that the job does not have'),
      expect.stringContaining('operator "source" (uid "source") at parallelism 2: its state has 1 key groups'),
      expect.stringContaining('operator "count" (uid "count") at parallelism 4: its state has 2 key groups'),
      expect.stringContaining('operator "count" had finished, and "map" in the same chain had not'),
      expect.stringContaining('union state "u" is not whole'),
    ])
    expect(found.at(-1)).toMatchObject({ name: 'old', outcome: 'missing', planned: null })
    expect(found.at(-1)).not.toHaveProperty('suggestion')
  })

  it('agrees with a start, whatever the job and the checkpoint are', () => {
    const anyVertex = fc.record({
      parallelism: fc.integer({ min: 1, max: 3 }),
      maxParallelism: fc.constantFrom(2, 4),
      set: fc.boolean(),
    })
    const anyState = fc.constantFrom(null, keyed(chunk('a', 0, 1)), { lists: [list('u', 'union', 0, 1)] })
    const anyStored = fc.record({
      subtasks: fc.array(fc.tuple(anyState, fc.boolean()), { minLength: 1, maxLength: 2 }),
      maxParallelism: fc.constantFrom(2, 4),
    })
    const names = ['a', 'b', 'c']
    fc.assert(
      fc.property(
        fc.array(fc.option(anyVertex), { minLength: 3, maxLength: 3 }),
        fc.array(fc.option(anyStored), { minLength: 3, maxLength: 3 }),
        fc.boolean(),
        (vertices, stored, allow) => {
          const chains = vertices.flatMap((vertex, i): ExampleVertex[] =>
            vertex ? [{ chain: [names[i]!], ...vertex }] : [],
          )
          const edges = chains.slice(1).map((_, i): [number, string, number] => [i, 'rebalance', i + 1])
          const job = examplePlan(chains, edges)
          const operators = stored.flatMap((one, i) => {
            if (one === null) return []
            const snapshots = one.subtasks.map(([state]) => state)
            const finished = one.subtasks.map(([, done]) => done)
            return [storedOperator(names[i]!, snapshots, { finished, maxParallelism: one.maxParallelism })]
          })
          const metadata = exampleMetadata({ operators })
          let starts = true
          try {
            const final = planWithMaxParallelism(job, restoredMaxParallelism(metadata, job))
            assignState({ metadata, plan: final, allowNonRestoredState: allow })
          } catch (error) {
            if (!isTailraceError(error) || error.code !== 'TR-CHECKPOINT-004') throw error
            starts = false
          }
          expect(checkRestore({ metadata, plan: job, allowNonRestoredState: allow }).fits).toBe(starts)
        },
      ),
      { numRuns: 500 },
    )
  })
})
