import { describe, expect, it } from 'vitest'
import { Claims, createAndCompare, parseClaimKeys } from './claims.ts'
import { type MemoryFault, MemoryObjects, type MemoryOperation, memoryStore } from './memory-store.ts'

const setup = (fault?: (operation: MemoryOperation) => MemoryFault | undefined) => {
  const objects = new MemoryObjects()
  const claims = new Claims(memoryStore(objects, fault && { fault }), 'd/')
  const keys = () => [...objects.objects.keys()].sort()
  const record = (name: string) => JSON.parse(new TextDecoder().decode(objects.objects.get(`d/claims/${name}`)!.bytes))
  return { objects, claims, keys, record }
}
/** The n-th operation of a kind gets the fault. */
const at = (kind: MemoryOperation['kind'], n: number, fault: MemoryFault) => {
  let count = 0
  return (operation: MemoryOperation) => (operation.kind === kind && ++count === n ? fault : undefined)
}

describe('parseClaimKeys()', () => {
  it('knows claims and starts, by number and not by text, and leaves others alone', () => {
    expect(parseClaimKeys(['10', '9', '10.start', '2.start', 'x', '3.other', '-1', '1/2', ''])).toEqual({
      claims: [9, 10],
      starts: [2, 10],
    })
  })
})

describe('Claims', () => {
  it('gives each owner the epoch above all others', async () => {
    const { claims, keys, record } = setup()
    expect(await claims.claim('a', 5)).toEqual({ epoch: 1, owner: 'a', claimedMs: 5 })
    expect((await claims.claim('b', 6)).epoch).toBe(2)
    expect(keys()).toEqual(['d/claims/1', 'd/claims/2'])
    expect(record('2')).toEqual({ formatVersion: 1, epoch: 2, owner: 'b', claimedMs: 6 })
  })

  it('gives at least the epoch that is asked for', async () => {
    const { claims } = setup()
    expect((await claims.claim('a', 5, 7)).epoch).toBe(7)
    expect((await claims.claim('b', 6, 3)).epoch).toBe(8)
  })

  it('goes one higher when another was faster', async () => {
    const { claims, objects } = setup((operation) => {
      if (operation.kind === 'putIfAbsent' && operation.key === 'd/claims/1')
        objects.set(operation.key, Uint8Array.of(1))
      return undefined
    })
    expect((await claims.claim('a', 5)).epoch).toBe(2)
  })

  it('stops when others are always faster', async () => {
    const { claims, objects } = setup((operation) => {
      if (operation.kind === 'putIfAbsent') objects.set(operation.key, Uint8Array.of(1))
      return undefined
    })
    await expect(claims.claim('a', 5)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-002' })
  })

  it('reads back when the answer was lost: its own', async () => {
    const { claims, keys } = setup(at('putIfAbsent', 1, { fail: 'after' }))
    expect((await claims.claim('a', 5)).epoch).toBe(1)
    expect(keys()).toEqual(['d/claims/1'])
  })

  it('reads back when the answer was lost: another’s', async () => {
    const { claims, objects } = setup(at('putIfAbsent', 1, { fail: 'after' }))
    const later = claims.claim('a', 5)
    objects.set('d/claims/1', Uint8Array.of(1))
    expect((await later).epoch).toBe(2)
  })

  it('fails when the answer was lost and nothing is there', async () => {
    const { claims } = setup(at('putIfAbsent', 1, { fail: 'before' }))
    await expect(claims.claim('a', 5)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-007' })
  })

  it('refuses whoever is not the newest, and names both', async () => {
    const { claims } = setup()
    await claims.claim('a', 5)
    await claims.refuseIfDeposed(1, 'x')
    await claims.claim('b', 5)
    await expect(claims.refuseIfDeposed(1, 'do something')).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-002',
      message:
        'Cannot do something: another JobManager has claimed "memory:/d/claims/2", and this one has epoch 1; wanted: the older one stops',
    })
  })

  it('notices when its own claim is gone', async () => {
    const { claims, objects } = setup()
    await claims.claim('a', 5)
    objects.objects.clear()
    await expect(claims.refuseIfDeposed(1, 'x')).rejects.toMatchObject({ code: 'TR-CHECKPOINT-005' })
  })

  it('ends by taking the next epoch, or not at all', async () => {
    const { claims, record } = setup()
    const first = await claims.claim('a', 5)
    await claims.end(first, 7, 'end')
    expect(record('2')).toEqual({ formatVersion: 1, epoch: 2, owner: 'a', claimedMs: 5, ends: { nextCheckpointId: 7 } })
    // Again, as after a lost answer.
    await claims.end(first, 7, 'end')
    const third = await claims.claim('b', 6)
    expect(third.epoch).toBe(3)
    await claims.claim('c', 6)
    await expect(claims.end(third, 9, 'end')).rejects.toMatchObject({ code: 'TR-CHECKPOINT-002' })
  })

  it('does not end what a newer owner has, when the claim in between was deleted', async () => {
    const { claims, objects } = setup()
    const first = await claims.claim('a', 5)
    await claims.claim('b', 6)
    await claims.claim('c', 7)
    objects.objects.delete('d/claims/2')
    await expect(claims.end(first, 7, 'end')).rejects.toMatchObject({ code: 'TR-CHECKPOINT-002' })
  })

  it('writes and reads what an owner went on from', async () => {
    const { claims } = setup()
    const start = { epoch: 3, owner: 'a', takesOver: { epoch: 2, checkpointId: 5 }, nextCheckpointId: 6 }
    await claims.writeStart(start)
    expect(await claims.readStart(3)).toEqual({ formatVersion: 1, ...start })
    expect(await claims.readStart(4)).toBeUndefined()
    await expect(claims.writeStart({ ...start, owner: 'b' })).rejects.toMatchObject({ code: 'TR-INTERNAL-001' })
  })

  it.each([
    ['{"formatVersion":2}', 'it has format version 2'],
    ['{"formatV', 'it is no JSON'],
    ['null', 'it is no JSON'],
  ])('refuses to read %s', async (content, found) => {
    const { claims, objects } = setup()
    objects.set('d/claims/1.start', new TextEncoder().encode(content))
    await expect(claims.readStart(1)).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-003',
      message: expect.stringContaining(`"memory:/d/claims/1.start": ${found}`),
    })
  })
})

describe('createAndCompare()', () => {
  const bytes = Uint8Array.of(1, 2)
  it('knows its own bytes, and gives back others’', async () => {
    const { objects } = setup()
    const store = memoryStore(objects)
    expect(await createAndCompare(store, 'k', bytes)).toBe('ours')
    expect(await createAndCompare(store, 'k', bytes)).toBe('ours')
    expect(await createAndCompare(store, 'k', Uint8Array.of(3))).toEqual({ others: bytes })
  })

  it('says so when an object is there and then is not', async () => {
    const store = { ...memoryStore(new MemoryObjects()), putIfAbsent: async () => false }
    await expect(createAndCompare(store, 'k', bytes)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-007' })
  })
})
