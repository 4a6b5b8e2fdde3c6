import { describe, expect, it } from 'vitest'
import type { ReduceFunction, RuntimeContext } from '../core/functions.ts'
import { hashKey } from '../core/hash.ts'
import { type ValueState, ValueStateDescriptor } from '../core/state.ts'
import { openOperator } from '../testing/operator-context.ts'
import { Operator } from './keyed-reduce.ts'

async function open<T extends { k: any }>(reduce: ReduceFunction<T>) {
  const opened = await openOperator(new Operator({ reduce, keyOf: (value: T) => value.k }))
  return { ...opened, send: (value: T, timestamp = 0) => opened.operator.process(value, timestamp, hashKey(value.k)) }
}

describe('rolling reduce', () => {
  it('emits the first record of a key as it is, and then every result', async () => {
    const { send, out } = await open<{ k: string; n: number }>((a, b) => ({ k: a.k, n: a.n + b.n }))
    send({ k: 'a', n: 1 }, 10)
    send({ k: 'b', n: 5 }, 11)
    send({ k: 'a', n: 2 }, 12)
    send({ k: 'a', n: 3 }, 9)
    expect(out.records).toEqual([
      { type: 'record', value: { k: 'a', n: 1 }, timestamp: 10 },
      { type: 'record', value: { k: 'b', n: 5 }, timestamp: 11 },
      { type: 'record', value: { k: 'a', n: 3 }, timestamp: 12 },
      { type: 'record', value: { k: 'a', n: 6 }, timestamp: 9 },
    ])
  })

  it('emits objects of their own to a function that changes its first argument', async () => {
    const { send, out } = await open<{ k: string; n: number }>((a, b) => {
      a.n += b.n
      return a
    })
    for (let i = 1; i <= 4; i++) send({ k: 'a', n: i })
    expect(out.values).toEqual([1, 3, 6, 10].map((n) => ({ k: 'a', n })))
  })

  it('emits objects of their own to a function that gives back its second argument and changes it later', async () => {
    const { send, out } = await open<{ k: string; n: number }>((a, b) => {
      if (b.n > 10) return b
      a.n++
      return a
    })
    for (const n of [1, 20, 2, 2, 30, 3]) send({ k: 'a', n })
    expect(out.values.map((v) => v.n)).toEqual([1, 20, 21, 22, 30, 31])
  })

  it('reduces plain values and arrays', async () => {
    const numbers = await openOperator(new Operator({ reduce: (a: number, b: number) => a + b, keyOf: () => 'all' }))
    for (const n of [1, 2, 0, 3]) numbers.operator.process(n, 0, 1)
    expect(numbers.out.values).toEqual([1, 3, 3, 6])
    const pairs = await openOperator(
      new Operator({
        reduce: (a: number[], b: number[]) => {
          a[1]! += b[1]!
          return a
        },
        keyOf: (p) => p[0],
      }),
    )
    for (const n of [1, 2, 3]) pairs.operator.process(['k', n], 0, 1)
    expect(pairs.out.values).toEqual([
      ['k', 1],
      ['k', 3],
      ['k', 6],
    ])
  })

  it('takes an object with reduce(), with a life and state of its own', async () => {
    const calls: string[] = []
    class Sum {
      seen!: ValueState<number>
      open(context: RuntimeContext) {
        this.seen = context.getState(new ValueStateDescriptor<number>('reduced'))
      }
      reduce(a: { k: string; n: number }, b: { k: string; n: number }) {
        this.seen.update((this.seen.value() ?? 0) + 1)
        calls.push(`${b.k} ${this.seen.value()}`)
        return { k: a.k, n: a.n + b.n }
      }
      close() {
        calls.push('close')
      }
    }
    const { send, out, operator } = await open(new Sum())
    for (const k of ['a', 'a', 'b', 'a', 'b']) send({ k, n: 1 })
    operator.finish()
    await operator.close()
    expect(out.values.map((v) => v.n)).toEqual([1, 2, 1, 3, 2])
    expect(calls).toEqual(['a 1', 'a 2', 'b 1', 'close'])
  })
})
