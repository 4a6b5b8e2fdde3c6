import { describe, expect, it } from 'vitest'
import { type MemoryFault, MemoryObjects, memoryStore } from './memory-store.ts'
import { objectStoreSuite } from './object-store.suite.ts'
import type { Schedule } from './retry.ts'

objectStoreSuite('memoryStore()', () => {
  const objects = new MemoryObjects()
  return { store: memoryStore(objects), another: () => memoryStore(objects) }
})

objectStoreSuite('memoryStore() that copies', () => {
  const objects = new MemoryObjects()
  const url = 'memory:here'
  const keyOf = (place: string) => (place.startsWith(`${url}/`) ? place.slice(url.length + 1) : undefined)
  return { store: memoryStore(objects, { url, keyOf }), another: () => memoryStore(objects, { url, keyOf }) }
})

const bytes = Uint8Array.of(1)

describe('memoryStore() with faults', () => {
  const once = (...faults: (MemoryFault | undefined)[]) => ({ fault: () => faults.shift() })
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => 'done',
      (error) => error.code,
    )

  it('fails before, or after it took effect', async () => {
    const objects = new MemoryObjects()
    const store = memoryStore(objects, once({ fail: 'before' }, { fail: 'after' }))
    expect(await code(store.putIfAbsent('a', bytes))).toBe('TR-CHECKPOINT-007')
    expect(objects.objects.size).toBe(0)
    expect(await code(store.putIfAbsent('a', bytes))).toBe('TR-CHECKPOINT-007')
    expect(await store.putIfAbsent('a', bytes)).toBe(false)
  })

  it('fails with the error that it is given', async () => {
    const store = memoryStore(new MemoryObjects(), once({ fail: 'before', error: new Error('disk on fire') }))
    await expect(store.list('')).rejects.toThrow('disk on fire')
  })

  it('takes effect in the time of its schedule, also after it was given up', async () => {
    const waiting: { atMs: number; callback: () => void }[] = []
    let nowMs = 0
    const schedule: Schedule = (ms, callback) => {
      waiting.push({ atMs: nowMs + ms, callback })
      return () => {}
    }
    const advance = async (ms: number) => {
      nowMs = ms
      for (const one of waiting.splice(0)) {
        if (one.atMs <= nowMs) one.callback()
        else waiting.push(one)
      }
      for (let i = 0; i < 10; i++) await undefined
    }
    const objects = new MemoryObjects(() => nowMs)
    const store = memoryStore(objects, { schedule, ...once({ beforeMs: 5, afterMs: 5 }, { fail: 'late', lateMs: 7 }) })
    let answered = false
    const put = store.put('a', bytes).then(() => (answered = true))
    await advance(4)
    expect(objects.objects.has('a')).toBe(false)
    await advance(5)
    expect(objects.objects.get('a')).toEqual({ bytes, modifiedMs: 5 })
    expect(answered).toBe(false)
    await advance(10)
    await put
    expect(await code(store.put('b', bytes))).toBe('TR-CHECKPOINT-007')
    expect(objects.objects.has('b')).toBe(false)
    await advance(17)
    expect(objects.objects.has('b')).toBe(true)
  })
})
