/** Parts of files that are read one after the other: by how many requests, and that each gets its own bytes. */
import { describe, expect, it } from 'vitest'
import { MemoryObjects, memoryStore } from './memory-store.ts'
import type { ObjectStore } from './object-store.ts'
import { ReadAhead } from './read-ahead.ts'

const PART = 256 << 10
const FILE = new Uint8Array(9 << 20).map((_, i) => (i * 31 + (i >> 12)) & 0xff)

async function begin() {
  const inner = memoryStore(new MemoryObjects(() => 0))
  await inner.put('file', FILE)
  await inner.put('other', FILE.subarray(0, PART))
  const requests: string[] = []
  let error: Error | undefined
  const store = Object.assign(Object.create(inner) as ObjectStore, {
    get: async (key: string, range: { offset: number; length: number }) => {
      requests.push(`${key} ${range.offset} ${range.length}`)
      if (error !== undefined) throw error
      return inner.get(key, range)
    },
  })
  const ahead = new ReadAhead()
  const part = (at: number) => ahead.get(store, 'file', at * PART, PART)
  const fail = (with_: Error | undefined) => {
    error = with_
  }
  return { ahead, store, requests, part, fail }
}

describe('ReadAhead', () => {
  it('gives all parts of a file with a few requests, a few of them asked for at a time', async () => {
    const { part, requests } = await begin()
    const asked: Promise<Uint8Array | undefined>[] = []
    for (let at = 0; at < 36; at++) {
      asked.push(part(at))
      if (asked.length > 5) await asked[at - 5]
    }
    const parts = await Promise.all(asked)
    expect(Buffer.concat(parts as Uint8Array[]).equals(FILE)).toBe(true)
    expect(requests.map((request) => request.split(' ')[1])).toEqual(['0', String(16 * PART), String(32 * PART)])
  })

  it('gives what there is behind the end, and nothing of a file that is missing', async () => {
    const { ahead, store } = await begin()
    expect((await ahead.get(store, 'file', FILE.length - 10, PART))?.length).toBe(10)
    expect((await ahead.get(store, 'file', FILE.length, PART))?.length).toBe(0)
    expect(await ahead.get(store, 'nothing', 0, PART)).toBeUndefined()
  })

  it('reads small parts as they are', async () => {
    const { ahead, store, requests } = await begin()
    await ahead.get(store, 'file', 5, 10)
    expect(requests).toEqual(['file 5 10'])
  })

  it('asks again after a failure, which all that wait for it see', async () => {
    const { part, requests, fail } = await begin()
    fail(new Error('no answer'))
    const failed = await Promise.allSettled([part(0), part(1)])
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    fail(undefined)
    expect(await part(1)).toEqual(FILE.slice(PART, 2 * PART))
    expect(requests).toHaveLength(2)
  })

  it('asks again for what has been let go, and holds no more than eight windows', async () => {
    const { ahead, part, requests, store } = await begin()
    await part(0)
    ahead.clear()
    await part(1)
    expect(requests).toHaveLength(2)
    for (let i = 0; i < 8; i++) {
      await store.put(`f${i}`, FILE)
      await ahead.get(store, `f${i}`, 0, PART)
    }
    await ahead.get(store, 'f7', PART, PART)
    expect(requests).toHaveLength(10)
    await part(2)
    expect(requests).toHaveLength(11)
  })
})
