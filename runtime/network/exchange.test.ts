import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { extendMsgpack } from '../codec/msgpack.ts'
import { isTailraceError } from '../core/errors.ts'
import { hashKey } from '../core/hash.ts'
import { registerType } from '../core/registered-types.ts'
import { inferType, types } from '../core/types.ts'
import { Loopback, type LoopbackOptions } from './loopback.ts'

/** One receiver that keeps what comes. */
function collect() {
  const values: unknown[] = []
  const timestamps: number[] = []
  const hashes: (number | undefined)[] = []
  return {
    values,
    timestamps,
    hashes,
    process(value: unknown, timestamp: number, hash?: number) {
      values.push(value)
      timestamps.push(timestamp)
      hashes.push(hash)
    },
  }
}

function forward(options: Partial<LoopbackOptions> = {}) {
  const head = collect()
  const loop = new Loopback({ selector: { kind: 'forward' }, heads: [head], ...options })
  return { head, loop }
}

const codeOf = (run: () => void): string => {
  try {
    run()
  } catch (error) {
    return isTailraceError(error) ? error.code : String(error)
  }
  return 'nothing was thrown'
}

describe('records through an exchange', () => {
  it('arrive as they were sent, in order, before and after the type is agreed', () => {
    const { head, loop } = forward()
    const records = Array.from({ length: 1000 }, (_, i) => ({
      id: i,
      name: `name ${i}`,
      tags: ['a', i],
      ok: i % 2 === 0,
    }))
    records.forEach((record, i) => {
      loop.writer.process(record, i)
      if (i === 500) loop.agree()
    })
    loop.settle()
    expect(head.values).toEqual(records)
    expect(head.timestamps).toEqual(records.map((_, i) => i))
    expect(loop.writer.recordsDeviating).toBe(0)
    expect(loop.pool.free()).toBe(64)
  })

  it('of any shape round-trip under a type that was inferred from others (property)', () => {
    // msgpack knows no -0 (codec.ts).
    const number = fc.double({ noNaN: true }).map((n) => n + 0)
    const leaf = fc.oneof(
      number,
      fc.string({ unit: 'grapheme' }),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    )
    const record = fc.oneof(
      fc.record({ a: leaf, b: leaf, c: fc.string() }),
      fc.record({ a: number, b: fc.string(), c: fc.string() }),
      fc.tuple(fc.string(), fc.integer()),
      fc.record({ nested: fc.record({ x: number, s: fc.string() }), list: fc.array(leaf) }),
      leaf.filter((v) => v !== null),
    )
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1 }),
        fc.array(record, { maxLength: 50 }),
        fc.integer({ min: 1, max: 8 }),
        (samples, more, recordsMax) => {
          const { head, loop } = forward({ type: inferType(samples), recordsMax })
          const all = [...samples, ...more, ...samples]
          for (const value of all) loop.writer.process(value, -Infinity)
          loop.settle()
          expect(head.values).toEqual(all)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('keep -0, NaN, infinities, dates, bytes, undefined and maps', () => {
    const values = [
      { n: -0, d: new Date(5), b: Uint8Array.of(1, 2, 3), u: undefined, m: new Map([['k', 1]]) },
      { n: Number.NaN, d: new Date(6), b: new Uint8Array(0), u: undefined, m: new Map() },
      { n: Number.POSITIVE_INFINITY, d: new Date(7), b: Uint8Array.of(9), u: 1, m: new Map([['x', { y: 1 }]]) },
    ]
    const { head, loop } = forward({ type: inferType(values) })
    for (const value of values) loop.writer.process(value, 1)
    loop.settle()
    expect(head.values).toEqual(values)
    expect(Object.is((head.values[0] as { n: number }).n, -0)).toBe(true)
  })

  it('that have more fields than the inferred type lose none', () => {
    const { head, loop } = forward({ type: inferType([{ a: 1 }]) })
    loop.writer.process({ a: 1 }, 0)
    loop.writer.process({ a: 2, surprise: 'kept' }, 0)
    loop.writer.process({ a: 3 }, 0)
    loop.settle()
    expect(head.values).toEqual([{ a: 1 }, { a: 2, surprise: 'kept' }, { a: 3 }])
    expect(loop.writer.recordsDeviating).toBeGreaterThan(0)
  })

  it('with text beyond ASCII survive a batch that was sized for ASCII', () => {
    const { head, loop } = forward({ type: types.row({ s: types.string }).description })
    // 250 records fill a batch by ASCII's measure; the first euro sign doubles it.
    const records = Array.from({ length: 900 }, (_, i) => ({
      s: `${'x'.repeat(120)}${i === 0 || i > 600 ? '€é😀' : ''}`,
    }))
    for (const record of records) loop.writer.process(record, 0)
    loop.settle()
    expect(head.values).toEqual(records)
  })

  it('with a text whose cut form has the length of ASCII are not taken for ASCII', () => {
    // utf8Write stops where its room ends; without slack a cut text can have as many bytes as the text has characters.
    for (let n = 32_500; n < 32_720; n += 7) {
      const { head, loop } = forward({ type: types.row({ s: types.string }).description })
      const record = { s: `${'a'.repeat(n)}é` }
      loop.writer.process(record, 0)
      loop.settle()
      expect(head.values).toEqual([record])
    }
  })

  it('larger than a buffer travel in parts', () => {
    const { head, loop } = forward({ poolBuffers: 3 })
    const records = [{ s: 'small' }, { s: 'y'.repeat(1_000_000) }, { s: 'after' }]
    for (const record of records) loop.writer.process(record, 0)
    loop.settle()
    expect(head.values).toEqual(records)
    expect(loop.overflow.size).toBe(0)
    expect(loop.pool.free()).toBe(3)
  })

  it('beyond the credit wait in the overflow, in memory and on disk, in order', () => {
    const before = readdirSync(tmpdir()).filter((f) => f.startsWith('tailrace-overflow-')).length
    const { head, loop } = forward({ poolBuffers: 2, limits: { memoryBytesMax: 100_000, diskBytesMax: 1e9 } })
    const n = 50_000
    for (let i = 0; i < n; i++) loop.writer.process({ i, s: 'a record of some length' }, i)
    loop.writer.watermark(n)
    expect(loop.overflow.memoryBytes).toBeGreaterThan(0)
    expect(loop.overflow.diskBytes).toBeGreaterThan(0)
    expect(loop.writer.blocked()).toBe(true)
    loop.settle()
    expect(head.timestamps).toEqual(Array.from({ length: n }, (_, i) => i))
    expect(loop.overflow.memoryBytes + loop.overflow.diskBytes).toBe(0)
    expect(loop.writer.blocked()).toBe(false)
    loop.overflow.close()
    expect(readdirSync(tmpdir()).filter((f) => f.startsWith('tailrace-overflow-')).length).toBe(before)
  })

  it('fail the task when even the disk bound is passed', () => {
    const { loop } = forward({ poolBuffers: 1, limits: { memoryBytesMax: 1000, diskBytesMax: 1000 } })
    expect(
      codeOf(() => {
        for (let i = 0; i < 100_000; i++) loop.writer.process({ s: 'x'.repeat(100) }, 0)
      }),
    ).toBe('TR-TASK-003')
    loop.overflow.close()
  })

  it('that are instances of a class are refused, with the class and the operator named', () => {
    class Order {
      n = 1
    }
    const { loop } = forward()
    expect(codeOf(() => loop.writer.process(new Order(), 0))).toBe('TR-RECORD-002')
    expect(codeOf(() => loop.writer.process({ inside: [new Order()] }, 0))).toBe('TR-RECORD-002')
    const typed = forward({ type: inferType([{ n: 1 }]) })
    expect(codeOf(() => typed.loop.writer.process(new Order(), 0))).toBe('TR-RECORD-002')
    expect(() => typed.loop.writer.process(new Order(), 0)).toThrow(/class Order from "loopback"/)
  })

  it('that are instances of a registered class arrive as instances, in typed streams and inside other records too', () => {
    class Money {
      readonly amount: number
      readonly currency: string
      constructor(amount: number, currency: string) {
        this.amount = amount
        this.currency = currency
      }
      toString() {
        return `${this.amount} ${this.currency}`
      }
    }
    registerType(Money, {
      encode: (m) => [m.amount, m.currency],
      decode: ([amount, currency]) => new Money(amount, currency),
    })
    extendMsgpack()
    const records = [new Money(1, 'EUR'), { price: new Money(2, 'USD') }, { amount: 3, currency: 'plain' }]
    for (const type of [undefined, inferType([{ amount: 1, currency: 'EUR' }]), inferType([records[1]])]) {
      const { head, loop } = forward(type === undefined ? {} : { type })
      for (const record of records) loop.writer.process(record, 0)
      loop.settle()
      expect(head.values).toEqual(records)
      expect(String(head.values[0])).toBe('1 EUR')
      expect(head.values[0]).toBeInstanceOf(Money)
    }
  })

  it('that are null, functions or cyclic are refused', () => {
    const { loop } = forward()
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    for (const bad of [null, undefined, () => 1, { f: () => 1 }, cycle])
      expect(codeOf(() => loop.writer.process(bad, 0))).toBe('TR-RECORD-005')
  })
})

describe('watermarks and status', () => {
  it('stay behind the records before them', () => {
    const seen: string[] = []
    const loop = new Loopback({
      selector: { kind: 'forward' },
      heads: [{ process: (value) => void seen.push(`r${value}`) }],
      onWatermark: (_, timestampMs) => void seen.push(`w${timestampMs}`),
    })
    loop.writer.process(1, 1)
    loop.writer.watermark(1)
    loop.writer.process(2, 2)
    loop.writer.process(3, 3)
    loop.writer.watermark(3)
    loop.settle()
    expect(seen).toEqual(['r1', 'w1', 'r2', 'r3', 'w3'])
  })

  it('that outnumber the entries of a ring wait in the overflow', () => {
    const seen: number[] = []
    const loop = new Loopback({
      selector: { kind: 'forward' },
      heads: [collect()],
      onWatermark: (_, timestampMs) => void seen.push(timestampMs),
    })
    for (let i = 0; i < 1000; i++) loop.writer.watermark(i)
    loop.writer.end()
    loop.settle()
    expect(seen).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect(loop.gates[0]!.ended).toBe(true)
  })
})

describe('partitioners', () => {
  const spread = (selector: LoopbackOptions['selector'], n: number, values: unknown[]) => {
    const heads = Array.from({ length: n }, collect)
    const loop = new Loopback({ selector, heads })
    for (const value of values) loop.writer.process(value, 0)
    loop.settle()
    return heads
  }

  it('send equal keys to one subtask, and ship their hash', () => {
    const keys = [1, -0, 0, 'a', 'ä', true, 5n, [1, 'x'], [1, 'x'], 1.5, 2 ** 40]
    const heads = spread(
      { kind: 'key', keyOf: (v) => v.k, maxParallelism: 128 },
      4,
      keys.map((k) => ({ k })),
    )
    for (const head of heads) expect(head.hashes).toEqual(head.values.map((v) => hashKey((v as { k: any }).k)))
    const owner = (k: unknown) => heads.findIndex((h) => h.values.some((v) => (v as { k: unknown }).k === k))
    expect(owner(0)).toBeGreaterThanOrEqual(0)
    expect(heads.reduce((n, h) => n + h.values.length, 0)).toBe(keys.length)
  })

  it('refuse null, undefined, NaN and objects as keys', () => {
    for (const k of [null, undefined, Number.NaN, {}, new Date()]) {
      expect(codeOf(() => spread({ kind: 'key', keyOf: (v) => v.k, maxParallelism: 128 }, 2, [{ k }]))).toBe(
        'TR-RECORD-001',
      )
    }
  })

  it('rebalance deals in turn, broadcast to all, custom where it says', () => {
    const values = Array.from({ length: 12 }, (_, i) => ({ i }))
    expect(spread({ kind: 'rebalance' }, 3, values).map((h) => h.values.length)).toEqual([4, 4, 4])
    expect(spread({ kind: 'broadcast' }, 3, values).map((h) => h.values.length)).toEqual([12, 12, 12])
    expect(spread({ kind: 'custom', keyOf: (v) => v.i, partition: (k, n) => k % n }, 3, values)[1]!.values).toEqual(
      [1, 4, 7, 10].map((i) => ({ i })),
    )
    expect(() => spread({ kind: 'custom', keyOf: (v) => v.i, partition: () => 3 }, 3, values)).toThrow(
      /must return 0 to 2/,
    )
  })
})
