import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MemoryObjects, memoryStore } from '../checkpoint/memory-store.ts'
import type { LeaseRecord } from './lease-store.ts'
import { openLockFile, openObjectLease } from './object-lease.ts'

const holder = (identity: string) => ({ identity, startId: `start-of-${identity}`, address: `${identity}:6123` })
const record = (identity: string | null, epoch: number): LeaseRecord => ({
  epoch,
  holder: identity === null ? null : holder(identity),
  leaseMs: 5_000,
  acquiredMs: 1_000,
  renewedMs: 2_000,
})
const signal = new AbortController().signal
const warnings: string[] = []
const warn = (text: string) => warnings.push(text)

beforeEach(() => warnings.splice(0))

describe('openObjectLease()', () => {
  const open = (objects: MemoryObjects) =>
    openObjectLease({ store: memoryStore(objects), prefix: 'leader/', pollMs: 100, warn })

  it('replaces the version that was read, and no other', async () => {
    const objects = new MemoryObjects()
    const [a, b] = [open(objects), open(objects)]
    expect(await a.read(signal)).toBeUndefined()
    const first = await a.write(record('a', 1), undefined, signal)
    expect(await b.write(record('b', 1), undefined, signal)).toBeUndefined()
    const seen = await b.read(signal)
    expect(seen?.record).toEqual(record('a', 1))
    const renewed = await a.write(record('a', 1), first, signal)
    expect(renewed?.version).not.toBe(first?.version)
    expect(await b.write(record('b', 2), seen, signal)).toBeUndefined()
    expect(await b.write(record('b', 2), await b.read(signal), signal)).toMatchObject({ record: record('b', 2) })
    expect(await a.write(record('a', 1), renewed, signal)).toBeUndefined()
  })

  it('gives the lease to one of many who take it at the same moment', async () => {
    const objects = new MemoryObjects()
    const leases = Array.from({ length: 20 }, () => open(objects))
    for (let epoch = 1; epoch <= 5; epoch++) {
      const seen = await leases[0]!.read(signal)
      const written = await Promise.all(leases.map((lease, i) => lease.write(record(`c${i}`, epoch), seen, signal)))
      expect(written.filter((one) => one !== undefined)).toHaveLength(1)
    }
  })

  it('refuses a writer who stood still while the number that it creates was used and deleted', async () => {
    const objects = new MemoryObjects()
    const [a, b] = [open(objects), open(objects)]
    let held = await a.write(record('a', 1), undefined, signal)
    held = await a.write(record('a', 1), held, signal)
    const seen = await b.read(signal)
    for (let i = 0; i < 30; i++) held = await a.write(record('a', 1), held, signal)
    await a.close()
    expect(objects.objects.has(`leader/${Number(seen?.version) + 1}`)).toBe(false)
    expect(await b.write(record('b', 2), seen, signal)).toBeUndefined()
    expect((await b.read(signal))?.record).toEqual(record('a', 1))
  })

  it('keeps few records, and the one that began the term', async () => {
    const objects = new MemoryObjects()
    const lease = open(objects)
    let held = await lease.write(record('a', 1), undefined, signal)
    held = await lease.write(record(null, 1), held, signal)
    for (let i = 0; i < 40; i++) held = await lease.write(record('b', 2), held, signal)
    await lease.close()
    const numbers = [...objects.objects.keys()].map((key) => Number(key.slice('leader/'.length)))
    expect(Math.min(...numbers)).toBe(3)
    expect(numbers.length).toBeLessThan(12)
  })

  it('finds out whether a write took effect whose answer was lost', async () => {
    const objects = new MemoryObjects()
    let fail: 'before' | 'after' | undefined
    const fault = ({ kind }: { kind: string }) => (kind === 'putIfAbsent' && fail ? { fail } : undefined)
    const lease = openObjectLease({ store: memoryStore(objects, { fault }), prefix: '', pollMs: 100, warn })
    const first = await lease.write(record('a', 1), undefined, signal)
    fail = 'after'
    expect(await lease.write(record('a', 1), first, signal)).toMatchObject({ version: '2' })
    fail = 'before'
    await expect(lease.write(record('a', 1), await lease.read(signal), signal)).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-007',
    })
  })

  it('refuses a store that does not keep its conditions', async () => {
    const store = memoryStore(new MemoryObjects())
    const careless = {
      ...store,
      async putIfAbsent(key: string, bytes: Uint8Array) {
        await store.put(key, bytes)
        return true
      },
    }
    const lease = openObjectLease({ store: careless, prefix: '', pollMs: 100, warn })
    await expect(lease.write(record('a', 1), undefined, signal)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-005' })
  })
})

describe('openLockFile()', () => {
  let directory: string
  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'lock-file-')), 'leader')
  })
  afterEach(() => rm(join(directory, '..'), { recursive: true, force: true }))

  it('has one line of JSON in each file', async () => {
    const lease = await openLockFile(directory, { warn })
    const first = await lease.write(record('a', 1), undefined, signal)
    await lease.write(record('a', 1), first, signal)
    expect((await readdir(directory)).filter((name) => !name.startsWith('.'))).toEqual(['1', '2'])
    expect(await readFile(join(directory, '2'), 'utf8')).toBe(
      '{"formatVersion":1,"epoch":1,"began":1,"holder":{"identity":"a","startId":"start-of-a","address":"a:6123"},"leaseMs":5000,"acquiredMs":1000,"renewedMs":2000}\n',
    )
    await lease.close()
  })

  it('takes a record that was cut off for one of somebody, with an epoch that nobody has had', async () => {
    const lease = await openLockFile(directory, { warn })
    const first = await lease.write(record('a', 1), undefined, signal)
    await writeFile(join(directory, '2'), '')
    const seen = await lease.read(signal)
    expect(seen).toMatchObject({ version: '2', record: { epoch: 2, holder: { identity: '' } } })
    expect(warnings[0]).toMatch(/Cannot read the lease ".*2": it is no JSON \(0 bytes\), wanted a record/)
    expect(await lease.write(record('a', 1), first, signal)).toBeUndefined()
    expect(await lease.write(record('b', 3), seen, signal)).toMatchObject({ version: '3' })
    await writeFile(join(directory, '4'), '{"formatVersion":1,"epoch":-3}')
    expect(await lease.read(signal)).toMatchObject({ record: { epoch: 4 } })
    await lease.close()
  })

  it('does not touch what a newer version has written', async () => {
    const lease = await openLockFile(directory, { warn })
    await lease.write(record('a', 1), undefined, signal)
    await writeFile(join(directory, '2'), '{"formatVersion":2}')
    await expect(lease.read(signal)).rejects.toMatchObject({
      code: 'TR-HA-003',
      message: expect.stringMatching(/has format version 2, wanted 1/),
    })
    await lease.close()
  })
})
