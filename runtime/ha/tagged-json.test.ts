import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromTaggedJson, type Json, toTaggedJson } from './tagged-json.ts'

const throughText = (value: unknown) => fromTaggedJson(JSON.parse(JSON.stringify(toTaggedJson(value, 'x'))) as Json)

describe('toTaggedJson()', () => {
  it('keeps what structured cloning keeps', () => {
    const value = {
      none: undefined,
      nothing: null,
      numbers: [0, -0, 1.5, Number.NaN, Infinity, -Infinity, 12n],
      dates: [new Date(1_790_000_000_000), new Date(Number.NaN)],
      pattern: /a+/giu,
      map: new Map<unknown, unknown>([
        ['k', { $: 'own' }],
        [{ deep: 1n }, new Set([undefined, 'x'])],
      ]),
      bytes: [
        new Uint8Array([1, 2]),
        new Float64Array([1.5, Number.NaN]),
        new BigInt64Array([-5n]),
        new Uint8Array([7, 8, 9]).subarray(1),
      ],
      buffer: new Uint8Array([4, 5]).buffer,
      error: new RangeError('too far', { cause: new Error('inner') }),
      own: JSON.parse('{"__proto__":1,"$":"text"}'),
    }
    const again = throughText(value) as typeof value
    expect({ ...again, error: undefined }).toStrictEqual({ ...value, error: undefined })
    expect(again.error).toMatchObject({ name: 'RangeError', message: 'too far', stack: value.error.stack })
    expect((again.error.cause as Error).message).toBe('inner')
  })

  it('keeps any plain value', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      maxDepth: 4,
    })
    const cloned = anything.map((value) => structuredClone(value))
    fc.assert(
      fc.property(cloned, (value) => {
        expect(throughText(value)).toEqual(value)
      }),
      { seed: 17, numRuns: 1_000 },
    )
  })

  it('refuses what cannot be kept, and says where it is', () => {
    class Counter {}
    const round: unknown[] = []
    round.push({ round })
    for (const [value, found] of [
      [{ a: [{ f: () => 1 }] }, 'env.once("x")["a"][0]["f"]: it is a function'],
      [{ s: Symbol('s') }, 'env.once("x")["s"]: it is a symbol'],
      [new Map([['k', new Counter()]]), 'env.once("x")[0]: it is an instance of Counter'],
      [round, 'env.once("x")[0]["round"]: it contains itself'],
    ] as const)
      expect(() => toTaggedJson(value, 'env.once("x")')).toThrow(
        expect.objectContaining({ code: 'TR-HA-004', message: expect.stringContaining(`Cannot keep ${found}`) }),
      )
  })

  it('is refused when it has a tag of another version', () => {
    expect(() => fromTaggedJson({ $: 'temporal', v: 1 })).toThrow(/the tag "temporal", wanted one of undefined, number/)
  })
})
