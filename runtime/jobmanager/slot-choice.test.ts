import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseSlots, keepLowest, keepSlots, type SlotChoice, spreadTasks, wishedSlots } from './slot-choice.ts'

const slots = (...taskManagers: string[]) =>
  taskManagers.map((taskManager, index) => ({ index, ready: true, taskManager }))
const use = (total: number, busy = 0, own = 0) => ({ total, busy, own })
const chosen = (...given: Parameters<typeof chooseSlots>) => chooseSlots(...given).map(({ taskManager }) => taskManager)

describe('the slots that a job takes', () => {
  const free = slots('a', 'b', 'b', 'c', 'c', 'c')
  const uses = new Map([
    ['a', use(2, 1, 1)],
    ['b', use(2)],
    ['c', use(6, 3)],
  ])
  it.each<[SlotChoice, string[]]>([
    ['in order', ['a', 'b', 'b']],
    // Where it is, then where most are free.
    ['few', ['a', 'c', 'c']],
    ['even', ['a', 'b', 'b']],
  ])('%s', (choice, expected) => {
    expect(chosen(free, 3, choice, uses)).toEqual(expected)
  })

  it('are of the TaskManagers that it wishes, as far as they have some', () => {
    const [a, b, other, ...rest] = slots('a', 'b', 'b', 'c')
    const starting = { ...b!, ready: false }
    expect(wishedSlots([a!, starting, other!, ...rest], ['b', 'a', 'a', 'd'])).toEqual([other, a])
    expect(wishedSlots([starting], ['b', 'b'])).toEqual([starting])
  })

  it('are those that are ready first', () => {
    const [one, two] = slots('a', 'a')
    const uses = new Map([['a', use(2)]])
    for (const choice of ['in order', 'few', 'even'] as const)
      expect(chooseSlots([{ ...one!, ready: false }, two!], 1, choice, uses)).toEqual([two])
  })

  it('leave TaskManagers as evenly used as can be, or as few used as can be', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(sizes, fc.nat(), (sizes, some) => {
        const free = slots(...sizes.flatMap((size, i) => Array.from({ length: size }, () => `tm-${i}`)))
        const count = 1 + (some % free.length)
        const uses = new Map(sizes.map((size, i) => [`tm-${i}`, use(size)]))
        const countOf = (choice: SlotChoice) =>
          sizes.map((_, i) => chosen(free, count, choice, uses).filter((one) => one === `tm-${i}`).length)
        for (const choice of ['in order', 'few', 'even'] as const)
          expect(countOf(choice).reduce((a, b) => a + b)).toBe(count)
        const even = countOf('even')
        // Nobody could give one to another and be less used than that one would be.
        for (const [i, n] of even.entries())
          for (const [j, m] of even.entries())
            if (m < sizes[j]!) expect((n - 1) / sizes[i]!).toBeLessThanOrEqual((m + 1) / sizes[j]!)
        let needed = 0
        for (let left = count; left > 0; needed++) left -= sizes.toSorted((a, b) => b - a)[needed]!
        expect(countOf('few').filter((n) => n > 0).length).toBe(needed)
      }),
    )
  })
})

it('a job that needs fewer keeps those on few TaskManagers, or as many on each', () => {
  const held = ['a', 'b', 'b', 'c']
  expect(keepSlots(held, 2, 'in order')).toEqual([0, 1])
  expect(keepSlots(held, 2, 'few')).toEqual([1, 2])
  expect(keepSlots(held, 3, 'few')).toEqual([0, 1, 2])
  expect(keepSlots(held, 3, 'even')).toEqual([0, 1, 3])
  for (const choice of ['in order', 'few', 'even'] as const) expect(keepSlots(held, 6, choice)).toEqual([0, 1, 2, 3])
})

it('tasks are dealt out so that TaskManagers have as many, each slot serving once', () => {
  expect(spreadTasks(['a', 'a', 'b', 'b'], [3, 3, 1, 1])).toEqual([0, 2, 1, 3])
  expect(spreadTasks(['a', 'a', 'b'], [2, 1, 1])).toEqual([0, 2, 1])
  const some = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(9)))
  fc.assert(
    fc.property(some, (given) => {
      const numbers = spreadTasks(
        given.map(([taskManager]) => taskManager),
        given.map(([, tasks]) => tasks),
      )
      expect(numbers.toSorted((a, b) => a - b)).toEqual([...given.keys()])
    }),
  )
})

describe('TaskManagers with ordinals', () => {
  it('serve from the lowest on, in whatever order they have registered', () => {
    const free = slots('tm-10', 'tm-2', 'tm-0')
    const uses = new Map(['tm-10', 'tm-2', 'tm-0'].map((id) => [id, use(1)]))
    for (const choice of ['in order', 'few', 'even'] as const)
      expect(chosen(free, 2, choice, uses)).toEqual(['tm-2', 'tm-0'])
  })

  it('are left from the highest on when a job shrinks', () => {
    const held = ['tm-2', 'tm-0', 'tm-1', 'tm-2', 'tm-0', 'tm-1']
    for (const choice of ['in order', 'few', 'even'] as const) expect(keepSlots(held, 4, choice)).toEqual([1, 2, 4, 5])
    expect(keepLowest(held, 1)).toEqual([1])
  })

  it('are told from others by their names', () => {
    expect(keepLowest(['tm-1', 'tm'], 1)).toBeUndefined()
    expect(keepLowest(['a-1', 'b-0'], 1)).toBeUndefined()
    expect(keepLowest(['host-04729316', 'host-00000000'], 1)).toBeUndefined()
  })
})
