import { expect, test } from 'vitest'
import { z } from 'zod'
import { packBody, unpackBody } from '../wire/body.ts'
import { call, catalog, misfit, oneWay } from '../wire/catalog.ts'
import { toJobManager, toTaskManager } from './catalog.ts'
import { ANSWERS, FROM_SLOT, TO_JOB_MANAGER, TO_SLOT, TO_TASK_MANAGER } from './examples.suite.ts'
import { fillPage, pageValues } from './metrics.ts'
import { counts, list } from './parts/list.ts'
import { schemaOf } from './parts/schema-of.ts'
import { exitFromData, exitToData } from './slot-ended.ts'

const thread = { slot: 0, thread: 0 }
/** Each with its schema and the name of a test. */
const EXAMPLES: [name: string, schema: z.ZodType, example: any][] = [
  ...Object.entries(TO_SLOT).map(
    ([type, message]) =>
      [`toSlot ${type}`, toTaskManager.toSlot.message, { type: 'toSlot', ...thread, message }] as never,
  ),
  ...Object.entries(FROM_SLOT).map(
    ([type, message]) =>
      [`fromSlot ${type}`, toJobManager.fromSlot.message, { type: 'fromSlot', ...thread, message }] as never,
  ),
  ...Object.entries(TO_JOB_MANAGER).map(
    ([type, message]) => [type, toJobManager[type as keyof typeof toJobManager].message, message] as never,
  ),
  ...Object.entries(TO_TASK_MANAGER).map(
    ([type, message]) => [type, toTaskManager[type as keyof typeof toTaskManager].message, message] as never,
  ),
  ...Object.entries(ANSWERS).map(([type, answer]) => {
    const definition: any = { ...toJobManager, ...toTaskManager }[type as keyof typeof ANSWERS]
    return [`answer to ${type}`, definition.answer, answer] as never
  }),
]

test.each(EXAMPLES)('%s fits its shape and arrives as it was', (_, schema, example) => {
  expect(misfit(schema, example)).toBeUndefined()
  const arrived = unpackBody(packBody(example, 'it'), 'it')
  expect(arrived).toEqual(example)
  expect(misfit(schema, arrived)).toBeUndefined()
})

/** Paths of all that is in a value. */
function* pathsOf(value: unknown, path: string[] = []): Generator<string[]> {
  yield path
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return
  if (value instanceof Map || value instanceof Set) return
  for (const name of Object.keys(value)) yield* pathsOf((value as any)[name], [...path, name])
}

function replaced(value: any, [name, ...rest]: string[], by: unknown): any {
  if (name === undefined) return by
  const copy = Array.isArray(value) ? [...value] : { ...value }
  copy[name] = replaced(value[name], rest, by)
  return copy
}

const WRONG = [
  null,
  undefined,
  true,
  -1.5,
  Number.NaN,
  'wrong',
  '',
  5n,
  [],
  [[]],
  {},
  new Map(),
  new Date(0),
  new Uint8Array(3),
  Symbol.iterator,
]

test.each(EXAMPLES)(
  '%s with a wrong value in any place is refused with the place, or is another message that fits',
  (_, schema, example) => {
    let refused = 0
    for (const path of pathsOf(example))
      for (const wrong of WRONG) {
        const problem = misfit(schema, replaced(example, path, wrong))
        if (problem === undefined) continue
        refused++
        expect(problem.length).toBeLessThan(1_000)
        // The first problem is where it is, or in what holds it.
        const place = problem.split(': ')[0]!.split('.')
        if (path.length > 0 && problem.includes(': ')) expect(place.slice(0, 1)).toEqual([path[0]])
      }
    expect(refused).toBeGreaterThan(0)
  },
)

test('the place of a problem is told through unions, arrays and objects', () => {
  const message = replaced(
    TO_SLOT.deploy,
    [
      'deployment',
      'restore',
      'state',
      'abcdef0123456789abcdef0123456789',
      '3',
      'operators',
      '0',
      'lists',
      '0',
      'parts',
      '0',
      'from',
    ],
    -1,
  )
  expect(misfit(toTaskManager.toSlot.message, { type: 'toSlot', ...thread, message })).toMatch(
    /^message\.deployment\.restore\.state\.abcdef0123456789abcdef0123456789\.3\.operators\.0\.lists\.0\.parts\.0\.from: /,
  )
  expect(misfit(toTaskManager.toSlot.message, { type: 'toSlot', ...thread, message: { type: 'dance' } })).toMatch(
    /^message\.type: /,
  )
  expect(misfit(toTaskManager.shutdown.message, { type: 'shutdown', reason: 'r', more: 1 })).toMatch(/more/)
})

test('a type that is nested without end is refused', () => {
  let type: any = { kind: 'any' }
  for (let i = 0; i < 200_000; i++) type = { kind: 'nullable', of: type }
  expect(
    misfit(toTaskManager.toSlot.message, {
      type: 'toSlot',
      ...thread,
      message: { type: 'edgeType', edgeId: 0, edgeType: type },
    }),
  ).toMatch(/./)
})

test('of a list that is all wrong one problem is kept', () => {
  const wrong = new Array(1_000).fill('x')
  for (const schema of [list(z.number()), counts])
    expect(schema.safeParse(wrong).error?.issues.map(({ path }) => path)).toEqual([[0]])
  expect(misfit(list(z.number(), 3), [1, 2, 3, 4])).toBe('at most 3 are wanted')
  expect(misfit(list(z.number()), 5)).toBe('an array is wanted')
})

test('a catalog has each message once', () => {
  const one = oneWay('one', {})
  expect(() => catalog(one, call('one', {}, z.null()))).toThrow('Cannot list two messages "one"')
})

test('a schema without a field of its type does not compile', () => {
  // @ts-expect-error b is missing
  schemaOf<{ a: string; b?: string }>()(z.strictObject({ a: z.string() }))
  // @ts-expect-error a is a text
  schemaOf<{ a: string }>()(z.strictObject({ a: z.number() }))
  expect(schemaOf<{ a: string }>()(z.strictObject({ a: z.string() }))).toBeDefined()
})

test('values of a page arrive in another page', () => {
  const from = new SharedArrayBuffer(64)
  new Float64Array(from).set([1, -Infinity, Number.NaN])
  const to = new SharedArrayBuffer(16)
  fillPage(to, pageValues(from, 3))
  expect([...new Float64Array(to)]).toEqual([1, -Infinity])
})

test('the end of a slot arrives with what ended it', () => {
  const error = Object.assign(new RangeError('full'), { code: 'ERR_WORKER_OUT_OF_MEMORY' })
  const { code, error: arrived } = exitFromData(exitToData({ code: 1, error }))
  expect([code, arrived]).toEqual([
    1,
    expect.objectContaining({ name: 'RangeError', message: 'full', code: error.code, stack: error.stack }),
  ])
  expect(exitFromData(exitToData({ code: 7 }))).toEqual({ code: 7 })
})
