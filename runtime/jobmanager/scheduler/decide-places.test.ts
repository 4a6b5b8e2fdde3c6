import { describe, expect, it } from 'vitest'
import { decidePlaces, wishedPlaces } from './decide-places.ts'

const near = (...bytes: Record<string, number>[]) => bytes.map((one) => new Map(Object.entries(one)))

describe('decidePlaces()', () => {
  it.each([
    ['everyone stays where nothing is known', 2, [], ['a', 'b'], [0, 1]],
    ['everyone stays where their state is', 2, near({ a: 5 }, { b: 5 }), ['a', 'b'], [0, 1]],
    ['parts change places for their state', 2, near({ b: 5 }, { a: 5 }), ['a', 'b'], [1, 0]],
    ['of two slots that are as near a part keeps its own', 2, near({ a: 5 }, { a: 9 }), ['a', 'a'], [0, 1]],
    ['who has the most to fetch chooses first', 2, near({ a: 5 }, { a: 6 }), ['a', 'b'], [1, 0]],
    ['a part without state takes what is left', 2, near({}, { a: 1 }), ['a', 'b'], [1, 0]],
    ['a new slot in the place of a lost one', 3, near({ a: 5 }, {}, { b: 5 }), ['a', 'c', 'b'], [0, 1, 2]],
    ['of more slots those that are near stay', 1, near({ a: 2, b: 7 }), ['a', 'b'], [1]],
    ['more parts than before', 2, near({ a: 5 }, { a: 5 }), ['b', 'a'], [1, 0]],
    ['places without a slot are passed over', 2, near({ b: 3 }, {}), [undefined, 'a', 'b'], [2, 1]],
    ['too few slots leave parts without one', 2, [], ['a'], [0, undefined]],
  ])('%s', (_, parts, local, slots, places) => {
    expect(decidePlaces(parts, local, slots)).toEqual(places)
  })
})

describe('wishedPlaces()', () => {
  it.each([
    ['nothing where nothing is known', 2, [], [], []],
    ['where the state is, the most first', 2, near({ a: 5 }, { b: 9 }), [], ['b', 'a']],
    ['not what is there already', 2, near({ a: 5 }, { b: 9 }), ['a', undefined], ['b']],
    ['another slot of the same one', 2, near({ a: 5 }, { a: 9 }), ['a'], ['a']],
    ['nothing for a part that has no state near', 2, near({ a: 5 }, {}), ['a'], []],
  ])('%s', (_, parts, local, slots, wishes) => {
    expect(wishedPlaces(parts, local, slots)).toEqual(wishes)
  })
})
