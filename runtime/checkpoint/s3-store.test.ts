/** Over a server in this process; s3-real.test.ts runs the same cases over a real one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { openCheckpointStore } from './open-checkpoint-store.ts'
import { openOn, s3Cases } from './s3-cases.suite.ts'
import { startToyS3, type ToyS3 } from './toy-s3.suite.ts'

let toy: ToyS3
beforeAll(async () => {
  toy = await startToyS3()
})
afterAll(() => toy.close())

s3Cases('openS3Store() on a toy server', () => toy, { timeoutMs: 100, seeds: 4 })

describe('openS3Store()', () => {
  it('puts objects below the path of its URL, and lists no others', async () => {
    const store = await openOn(toy, 'a/b')
    await store.put('k', Uint8Array.of(1))
    toy.objects.set('a/bc/k', Uint8Array.of(2))
    toy.objects.set('a/b/folder/', new Uint8Array(0))
    expect(toy.objects.get('a/b/k')).toEqual(Buffer.of(1))
    expect((await store.list('')).map(({ key }) => key)).toEqual(['k'])
    await store.close()
  })

  it('deletes one by one where many at once are not to be had', async () => {
    const store = await openOn(toy, 'google')
    for (const key of ['a', 'b', 'c']) await store.put(key, Uint8Array.of(1))
    toy.lacks.add('deleteMany')
    await store.delete(['a', 'b', 'c'])
    toy.lacks.clear()
    expect(await store.list('')).toEqual([])
    await store.close()
  })

  it('deletes a thousand with one request', async () => {
    const store = await openOn(toy, 'many')
    toy.requests.length = 0
    await store.delete(Array.from({ length: 2_001 }, (_, i) => `k${i}`))
    expect(toy.requests.toSorted()).toEqual(['DELETE many/k2000', 'POST ', 'POST '])
    await store.close()
  })

  it('is refused for checkpoints when the server ignores conditions', async () => {
    const store = await openOn(toy, 'unsafe')
    toy.lacks.add('conditions')
    const open = openCheckpointStore({
      store,
      folder: 'job',
      owner: 'o',
      retained: 1,
      clock: new ManualClock(),
      warn: () => {},
    })
    await expect(open).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-005',
      message: expect.stringContaining(
        'Cannot use "s3://toy/unsafe" for checkpoints: it created an object although it was there',
      ),
    })
    toy.lacks.clear()
    await store.close()
  })
})
