import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AbortedTransaction, AbortedTransactions } from './aborted.ts'
import { batchOf, markerOf, readAll, withChecksum } from './batches.suite.ts'
import { ATTRIBUTES, CONTROL } from './layout.ts'

/** A log that producers have written transactions to, in any order, and what a reader of committed records is to see of it. */
interface Log {
  /** With the offset behind each. */
  batches: { bytes: Buffer; end: number; producerId: bigint; transactional: boolean }[]
  committed: { offset: number; value: string }[]
  /** With the offset of the marker: a fetch lists those that reach into it. */
  aborted: (AbortedTransaction & { marker: number })[]
  end: number
}

type Step = { producer: number; act: 'write' | 'commit' | 'abort' | 'plain'; records: number; zeroKey: boolean }

function logOf(steps: readonly Step[]): Log {
  const log: Log = { batches: [], committed: [], aborted: [], end: 0 }
  const open = new Map<number, { first: number; written: { offset: number; value: string }[] }>()
  const finish = (producer: number, act: 'commit' | 'abort') => {
    const transaction = open.get(producer)
    if (transaction === undefined) return
    open.delete(producer)
    const producerId = BigInt(producer)
    if (act === 'commit') log.committed.push(...transaction.written)
    else log.aborted.push({ producerId, firstOffset: transaction.first, marker: log.end })
    log.batches.push({ bytes: markerOf(act, producerId, log.end), end: ++log.end, producerId, transactional: true })
  }
  for (const { producer, act, records, zeroKey } of steps) {
    if (act === 'commit' || act === 'abort') {
      finish(producer, act)
      continue
    }
    const base = log.end
    const values = Array.from({ length: records }, (_, i) => ({ offset: base + i, value: `${producer}:${base + i}` }))
    const transactional = act === 'write'
    const bytes = batchOf(
      values.map(({ value }) => ({ key: zeroKey ? Buffer.alloc(4) : 'k', value, timestampMs: 1 })),
      base,
      { producerId: BigInt(producer), transactional },
    )
    log.end += records
    log.batches.push({ bytes, end: log.end, producerId: BigInt(producer), transactional })
    if (!transactional) log.committed.push(...values)
    else {
      const transaction = open.get(producer) ?? { first: base, written: [] }
      transaction.written.push(...values)
      open.set(producer, transaction)
    }
  }
  // What is fetched ends before the first open transaction; here none stays open.
  for (const producer of [...open.keys()]) finish(producer, 'abort')
  log.committed.sort((a, b) => a.offset - b.offset)
  return log
}

/** The fetch that begins at `from` and has so many batches, as a broker answers it; the list is shuffled by `seed`. */
function fetchOf({ batches, aborted }: Log, from: number, count: number, seed: number) {
  const first = batches.findIndex(({ end }) => end > from)
  const taken = batches.slice(first, first + count)
  const end = taken.at(-1)!.end
  const listed = aborted
    .filter(({ firstOffset, marker }) => firstOffset < end && marker >= from)
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
  for (let i = listed.length - 1; i > 0; i--) {
    const j = (seed + i * 7) % (i + 1)
    ;[listed[i], listed[j]] = [listed[j]!, listed[i]!]
  }
  return { part: Buffer.concat(taken.map(({ bytes }) => bytes)), aborted: listed }
}

const steps = fc.array(
  fc.record({
    producer: fc.integer({ min: 1, max: 4 }),
    act: fc.constantFrom('write', 'write', 'write', 'commit', 'abort', 'plain') as fc.Arbitrary<Step['act']>,
    records: fc.integer({ min: 1, max: 3 }),
    zeroKey: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40, size: 'max' },
)

test('a reader of committed records sees those and no others, wherever its fetches begin and end', () => {
  fc.assert(
    fc.property(steps, fc.nat({ max: 30 }), fc.integer({ min: 1, max: 6 }), fc.nat(), (all, start, perFetch, seed) => {
      const log = logOf(all)
      if (log.end === 0) return
      const begin = start % log.end
      const got: { offset: number; value: string | null }[] = []
      for (let position = begin; position < log.end; ) {
        const { part, aborted } = fetchOf(log, position, perFetch, seed)
        const read = readAll(part, position, new AbortedTransactions(aborted))
        got.push(...read.records.map(({ offset, value }) => ({ offset, value })))
        expect(read.position).toBeGreaterThan(position)
        position = read.position
      }
      expect(got).toEqual(log.committed.filter(({ offset }) => offset >= begin))
    }),
    { numRuns: 400 },
  )
})

const write = (producer: number, zeroKey = false): Step => ({ producer, act: 'write', records: 1, zeroKey })
const end = (producer: number, act: 'commit' | 'abort'): Step => ({ producer, act, records: 1, zeroKey: false })
const offsetsSeen = (log: Log, from: number) => {
  const { part, aborted } = fetchOf(log, from, 99, 3)
  return readAll(part, from, new AbortedTransactions(aborted)).records.map(({ offset }) => offset)
}

test('a key of four zero bytes is not a marker: the aborted transaction around it stays hidden', () => {
  const log = logOf([write(1), write(1, true), write(1), end(1, 'abort'), write(1), end(1, 'commit')])
  expect(offsetsSeen(log, 0)).toEqual([4])
})

test('a fetch that begins inside of two aborted transactions hides both', () => {
  const log = logOf([
    write(1),
    write(2),
    write(2),
    write(1),
    write(3),
    end(2, 'abort'),
    end(1, 'abort'),
    end(3, 'commit'),
  ])
  expect(offsetsSeen(log, 2)).toEqual([4])
})

test('the broker need not list them in order', () => {
  const log = logOf([write(1), end(1, 'abort'), write(1), end(1, 'abort'), write(1), end(1, 'commit')])
  const { part, aborted } = fetchOf(log, 0, 99, 0)
  const { records } = readAll(part, 0, new AbortedTransactions(aborted.toReversed()))
  expect(records.map(({ offset }) => offset)).toEqual([4])
})

test('readers of uncommitted records see all of them, and no marker', () => {
  const log = logOf([write(1), write(2), end(1, 'abort'), end(2, 'commit')])
  const { part } = fetchOf(log, 0, 99, 0)
  expect(readAll(part, 0)).toMatchObject({ position: 4, records: [{ offset: 0 }, { offset: 1 }] })
})

test('a marker without a type is told of', () => {
  const marker = batchOf([{ key: null, value: 'x', timestampMs: 0 }], 0, { producerId: 1n, transactional: true })
  marker.writeInt16BE(marker.readInt16BE(ATTRIBUTES) | CONTROL, ATTRIBUTES)
  expect(() => readAll(withChecksum(marker), 0, new AbortedTransactions([]))).toThrow('a marker has no type')
})
