import { describe, expect, it } from 'vitest'
import { MemoryObjects, memoryStore } from './memory-store.ts'
import { judgeProof, proveStore } from './prove-store.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

describe('judgeProof()', () => {
  it.each([
    [{ first: true, second: false, found: bytesOf('first') }, undefined],
    // The answer to the first was lost, and the store tried again.
    [{ first: false, second: false, found: bytesOf('first') }, undefined],
    [{ first: true, second: true, found: bytesOf('second') }, /although it was there/],
    [{ first: true, second: true, found: bytesOf('first') }, /although it was there/],
    [{ first: true, second: false, found: bytesOf('second') }, /wrote over/],
    [{ first: true, second: false, found: undefined }, /does not show/],
    [{ first: true, second: false, found: bytesOf('firs') }, /other bytes/],
  ])('of %j is %s', (facts, problem) => {
    if (problem === undefined) expect(judgeProof(facts)).toBeUndefined()
    else expect(judgeProof(facts)).toMatch(problem)
  })
})

describe('proveStore()', () => {
  it('leaves nothing behind', async () => {
    const objects = new MemoryObjects()
    await proveStore(memoryStore(objects), 'probes/me')
    expect(objects.objects.size).toBe(0)
  })

  it('refuses a store that ignores the condition', async () => {
    const store = memoryStore(new MemoryObjects(), { url: 's3://bucket/c' })
    const putIfAbsent = async (key: string, bytes: Uint8Array) => {
      await store.put(key, bytes)
      return true
    }
    const ignoring = { ...store, putIfAbsent }
    await expect(proveStore(ignoring, 'probes/me')).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-005',
      message: expect.stringMatching(
        /^Cannot use "s3:\/\/bucket\/c" for checkpoints: .* \(key "probes\/me"\); wanted: /,
      ),
    })
  })
})
