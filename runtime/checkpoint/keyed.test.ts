import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashKey } from '../core/hash.ts'
import { keyGroupRange } from '../core/key-groups.ts'
import { inferType, type TypeDescription } from '../core/types.ts'
import { restoreKeyed } from './keyed-restore.ts'
import { CHUNK_BYTES, KeyedSnapshotWriter } from './keyed-snapshot.ts'
import type { KeyedSnapshot } from './model.ts'

const MAX_PARALLELISM = 16

/** Chunks in memory. */
function memory() {
  const chunks: Uint8Array[] = []
  let taken = 0
  return {
    chunks,
    /** Buffers that were taken and not given. */
    open: () => taken - chunks.length,
    sink: {
      take: (bytes: number) => {
        taken++
        return new ArrayBuffer(Math.max(bytes, CHUNK_BYTES))
      },
      give: (buffer: ArrayBuffer, length: number) => chunks.push(new Uint8Array(buffer.slice(0, length))) - 1,
    },
  }
}

const writer = (sink: ReturnType<typeof memory>['sink']) =>
  new KeyedSnapshotWriter((hash) => (hash >>> 0) % MAX_PARALLELISM, sink)

async function readBack(snapshot: KeyedSnapshot, chunks: Uint8Array[], p: number, index: number) {
  const rows: [string, any, number, number][] = []
  await restoreKeyed({
    snapshots: [snapshot],
    range: keyGroupRange(MAX_PARALLELISM, p, index),
    maxParallelism: MAX_PARALLELISM,
    read: async (handle) => ('bytes' in handle ? handle.bytes : chunks[handle.offset]!),
    take: (table) => (row, hash, timestamp) => rows.push([table.name, row, hash >>> 0, timestamp]),
  })
  return rows
}

const value = fc.oneof(
  fc.record({ n: fc.integer(), text: fc.string({ unit: 'binary', maxLength: 40 }) }, { noNullPrototype: true }),
  fc.constant({ other: 'shape' }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.array(fc.integer(), { maxLength: 4 }),
)

describe('KeyedSnapshotWriter and restoreKeyed()', () => {
  it('give back every row once, to the subtask of its key group, at any parallelism (property)', async () => {
    const row = fc.record({ key: fc.oneof(fc.integer(), fc.string()), value, early: fc.boolean(), table: fc.nat(2) })
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 600 }), fc.integer({ min: 1, max: 5 }), async (rows, p) => {
        const { sink, chunks, open } = memory()
        const snapshots = writer(sink)
        const type: TypeDescription = inferType([{ k: 'a', v: { n: 1, text: '' } }])
        const tables = ['typed', 'untyped', 'other'].map((name, i) =>
          snapshots.table({ name, kind: 'value', row: i === 1 ? { kind: 'any' } : type }),
        )
        const expected: string[] = []
        for (const { key, value, early, table } of rows) {
          const hash = hashKey(key)
          tables[table]![early ? 'putEarly' : 'put']({ k: key, v: value }, hash, 7)
          expected.push(JSON.stringify([['typed', 'untyped', 'other'][table], { k: key, v: value }, hash, 7]))
        }
        const snapshot = snapshots.finish()!
        expect(open()).toBe(0)
        expect(snapshot.chunks.reduce((n, chunk) => n + chunk.rows, 0)).toBe(rows.length)
        expect(snapshot.totals!.map((total) => total.rows)).toEqual(
          [0, 1, 2].map((table) => rows.filter((one) => one.table === table).length),
        )
        expect(snapshot.totals!.reduce((n, total) => n + total.bytes, 0)).toBe(
          chunks.reduce((n, chunk) => n + chunk.length, 0),
        )
        const found: string[] = []
        for (let i = 0; i < p; i++) {
          const { start, end } = keyGroupRange(MAX_PARALLELISM, p, i)
          for (const read of await readBack(snapshot, chunks, p, i)) {
            expect(read[2] % MAX_PARALLELISM).toBeGreaterThanOrEqual(start)
            expect(read[2] % MAX_PARALLELISM).toBeLessThanOrEqual(end)
            found.push(JSON.stringify(read))
          }
        }
        expect(found.sort()).toEqual(expected.sort())
      }),
      { numRuns: 60 },
    )
  })

  it('fill chunks and give narrow ranges to rows that come in the order of their groups', async () => {
    const { sink, chunks } = memory()
    const snapshots = writer(sink)
    const table = snapshots.table({ name: 't', kind: 'value', row: inferType([{ k: 1, v: 'a' }]) })
    const keys = Array.from({ length: 40_000 }, (_, i) => i).sort(
      (a, b) => (hashKey(a) % MAX_PARALLELISM) - (hashKey(b) % MAX_PARALLELISM),
    )
    for (const k of keys) table.put({ k, v: 'x'.repeat(40) }, hashKey(k), -Infinity)
    const snapshot = snapshots.finish()!
    expect(snapshot.chunks.length).toBeGreaterThan(8)
    for (const chunk of snapshot.chunks) expect(chunk.lastGroup - chunk.firstGroup).toBeLessThanOrEqual(3)
    expect(chunks.slice(0, -1).every((chunk) => chunk.length > CHUNK_BYTES * 0.8)).toBe(true)
    const read = await readBack(snapshot, chunks, 1, 0)
    expect(new Set(read.map(([, row]) => row.k)).size).toBe(40_000)
  })

  it('hold a row that is larger than a chunk', async () => {
    const { sink, chunks } = memory()
    const snapshots = writer(sink)
    const table = snapshots.table({ name: 't', kind: 'value', row: inferType([{ k: 1, v: 'a' }]) })
    const large = 'é'.repeat(400_000)
    table.put({ k: 1, v: 'small' }, hashKey(1), 0)
    table.put({ k: 2, v: large }, hashKey(2), 0)
    table.put({ k: 3, v: 'ü' }, hashKey(3), 0)
    const read = await readBack(snapshots.finish()!, chunks, 1, 0)
    expect(read.map(([, row]) => row.v)).toEqual(['small', large, 'ü'])
  })

  it('refuse a chunk that was cut off', async () => {
    const { sink, chunks } = memory()
    const snapshots = writer(sink)
    snapshots.table({ name: 't', kind: 'value', row: { kind: 'any' } }).put({ k: 1, v: 2 }, hashKey(1), 0)
    const snapshot = snapshots.finish()!
    chunks[0] = chunks[0]!.subarray(0, chunks[0]!.length - 1)
    await expect(readBack(snapshot, chunks, 1, 0)).rejects.toThrow(/TR-CHECKPOINT-003|ends within a batch/)
  })
})
