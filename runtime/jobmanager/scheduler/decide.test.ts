import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { twoVertexPlan } from '../fake-slots.suite.ts'
import { decideParallelism, sameParallelism, slotsWanted } from './decide-parallelism.ts'
import { decideRescale, type RescaleFacts } from './decide-rescale.ts'
import { checkRequirements, directedRequirements, initialRequirements, requirementsFor } from './requirements.ts'

/** Vertices a and b; `groups`: slot sharing groups. */
function planOf(parallelism: number, groups: [string, string] = ['default', 'default']) {
  const plan = twoVertexPlan(parallelism)
  for (const [i, vertex] of plan.vertices.entries()) {
    vertex.id = 'ab'[i]!
    vertex.slotSharingGroup = groups[i]!
  }
  return plan
}
const bounds = (a: [number, number], b: [number, number]) => ({
  a: { lowerBound: a[0], upperBound: a[1] },
  b: { lowerBound: b[0], upperBound: b[1] },
})

describe('what a job gets', () => {
  it.each([
    ['all that it wants', bounds([1, 3], [1, 2]), 4, { a: 3, b: 2 }],
    ['as much as there is', bounds([1, 3], [1, 2]), 2, { a: 2, b: 2 }],
    ['nothing below its lower bounds', bounds([1, 4], [3, 4]), 2, undefined],
  ])('in shared slots: %s', (_, requirements, slots, expected) => {
    expect(decideParallelism(planOf(1), requirements, slots)).toEqual(expected)
  })

  it('is dealt out to groups that share no slots: first what they need, then to the one that lacks the most', () => {
    const plan = planOf(1, ['x', 'y'])
    const requirements = bounds([1, 2], [2, 6])
    expect(slotsWanted(plan, requirements)).toEqual({ least: 3, most: 8 })
    const gets = [2, 3, 4, 6, 7, 9].map((slots) => decideParallelism(plan, requirements, slots))
    expect(gets).toEqual([undefined, { a: 1, b: 2 }, { a: 1, b: 3 }, { a: 1, b: 5 }, { a: 2, b: 5 }, { a: 2, b: 6 }])
  })

  it('is within its bounds, never more than there is, and never less with more slots', () => {
    const bound = fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.nat(9))
      .map(([low, more]): [number, number] => [low, low + more])
    fc.assert(
      fc.property(bound, bound, fc.boolean(), fc.nat(40), (a, b, shared, slots) => {
        const plan = planOf(1, shared ? ['x', 'x'] : ['x', 'y'])
        const requirements = bounds(a, b)
        const [now, more] = [slots, slots + 1].map((n) => decideParallelism(plan, requirements, n))
        const { least } = slotsWanted(plan, requirements)
        expect(now === undefined).toBe(slots < least)
        if (now === undefined) return
        const used = shared ? Math.max(now.a!, now.b!) : now.a! + now.b!
        expect(used).toBeLessThanOrEqual(slots)
        for (const id of ['a', 'b'] as const) {
          expect(now[id]).toBeGreaterThanOrEqual(requirements[id].lowerBound)
          expect(now[id]).toBeLessThanOrEqual(requirements[id].upperBound)
          expect(more![id]).toBeGreaterThanOrEqual(now[id]!)
        }
      }),
    )
  })
})

describe('requirements', () => {
  it('are all or nothing, or from one subtask on with the adaptive scheduler', () => {
    const plan = planOf(3)
    expect(initialRequirements(plan)).toEqual(bounds([3, 3], [3, 3]))
    plan.config.options = { 'jobmanager.scheduler': 'Adaptive' }
    expect(initialRequirements(plan)).toEqual(bounds([1, 3], [1, 3]))
    plan.config.options = { 'jobmanager.scheduler': 'Greedy' }
    expect(() => initialRequirements(plan)).toThrow('jobmanager.scheduler')
  })

  it('of a deployment are exact, or up to that with the adaptive scheduler, and no more than can be', () => {
    const plan = planOf(2)
    expect(directedRequirements(plan, 3)).toEqual(bounds([3, 3], [3, 3]))
    plan.vertices[1]!.parallelism = 1
    plan.vertices[0]!.maxParallelism = 4
    expect(directedRequirements(plan, 5)).toEqual(bounds([4, 4], [1, 1]))
    plan.config.options = { 'jobmanager.scheduler': 'Adaptive' }
    expect(directedRequirements(plan, 3)).toEqual(bounds([1, 3], [1, 1]))
  })

  it('of a whole job leave vertices alone that have a parallelism of their own', () => {
    const plan = planOf(2)
    plan.vertices[1]!.parallelism = 1
    expect(requirementsFor(plan, 5)).toEqual(bounds([5, 5], [1, 1]))
  })

  it('leave what works on the whole stream in one place at that: a global committer of which there are two waits for reports that go to the first', () => {
    const plan = planOf(1)
    plan.vertices[1]!.nonParallel = true
    expect(requirementsFor(plan, 2)).toEqual(bounds([2, 2], [1, 1]))
    expect(() => checkRequirements(plan, requirementsFor(plan, 2))).not.toThrow()
    expect(() => checkRequirements(plan, bounds([2, 2], [1, 2]))).toThrow(
      `"${plan.vertices[1]!.name}" wants 1 to 2, and 1 is possible: it works on the whole stream in one place`,
    )
  })

  it('are refused with all that is wrong, by the names of vertices', () => {
    const plan = planOf(2)
    const [a] = plan.vertices
    expect(() => checkRequirements(plan, bounds([1, 1], [1, 128]))).not.toThrow()
    const wanted = { a: { lowerBound: 3, upperBound: 2 }, c: { lowerBound: 1, upperBound: 1 } }
    expect(() => checkRequirements(plan, wanted)).toThrow(
      `"${a!.name}" wants 3 to 2, and bounds from 1 to 128 (its max parallelism) are possible, the lower one first; vertex b`,
    )
    expect(() => checkRequirements(plan, wanted)).toThrow('the job has no vertex c')
    expect(() => checkRequirements(plan, bounds([1, 129], [0, 1.5]))).toThrow('wants 0 to 1.5')
  })
})

describe('a change of the parallelism', () => {
  const facts: RescaleFacts = {
    current: { a: 2 },
    possible: { a: 3 },
    wanted: { a: 4 },
    changed: false,
    nowMs: 5000,
    sinceMs: 0,
    moreSinceMs: 4000,
    settings: { cooldownMs: 1000, stabilizationMs: 3000 },
  }
  it.each<[string, Partial<RescaleFacts>, object]>([
    ['waits whether more slots come', {}, { action: 'wait', untilMs: 7000 }],
    ['takes what has come', { nowMs: 7000 }, { action: 'rescale', to: { a: 3 } }],
    ['does not wait when all that is wanted is there', { possible: { a: 4 } }, { action: 'rescale', to: { a: 4 } }],
    ['does not wait when somebody wants it', { changed: true }, { action: 'rescale', to: { a: 3 } }],
    ['waits for the cooldown, whoever wants it', { changed: true, nowMs: 400 }, { action: 'wait', untilMs: 1000 }],
    ['is not made when nothing changes', { possible: { a: 2 } }, { action: 'stay' }],
    ['is not made when there are too few slots', { possible: undefined }, { action: 'stay' }],
  ])('%s', (_, more, expected) => {
    expect(decideRescale({ ...facts, ...more })).toEqual(expected)
    expect(sameParallelism(facts.current, { a: 2 })).toBe(true)
  })
})
