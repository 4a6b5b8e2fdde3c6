import { describe, expect, it } from 'vitest'
import {
  AggregatingStateDescriptor,
  ListStateDescriptor,
  ReducingStateDescriptor,
  ValueStateDescriptor,
} from './state.ts'

describe('descriptors of states', () => {
  it('need a name', () => {
    for (const describe of [
      () => new ValueStateDescriptor(''),
      () => new ListStateDescriptor(''),
      () => new ReducingStateDescriptor('', Math.max),
    ]) {
      expect(describe).toThrow(TypeError)
    }
  })

  it('refuse functions with a life of their own, which a state would never begin', () => {
    const rich = {
      open() {},
      reduce: (a: number, b: number) => a + b,
      createAccumulator: () => 0,
      add: (a: number, b: number) => a + b,
      getResult: (a: number) => a,
    }
    expect(() => new ReducingStateDescriptor('sum', rich)).toThrow(/state "sum".*open/)
    expect(() => new AggregatingStateDescriptor('sum', rich)).toThrow(/state "sum".*open/)
  })

  it('call a reduce function that is an object as the method that it is', () => {
    class Times {
      readonly factor = 10
      reduce(a: number, b: number) {
        return a + b * this.factor
      }
    }
    expect(new ReducingStateDescriptor('n', new Times()).reduce(1, 2)).toBe(21)
  })
})
