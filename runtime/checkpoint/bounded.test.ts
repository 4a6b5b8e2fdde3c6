import { expect, it } from 'vitest'
import { bounded } from './bounded.ts'

it('runs so many at a time, the others in order, and goes on after a failure', async () => {
  const bound = bounded(2)
  const started: number[] = []
  const ends: (() => void)[] = []
  const work = (i: number) =>
    bound(async () => {
      started.push(i)
      await new Promise<void>((resolve, reject) => ends.push(i === 1 ? () => reject(new Error('one')) : resolve))
      return i
    })
  const all = Promise.allSettled([0, 1, 2, 3, 4].map(work))
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  await turn()
  expect(started).toEqual([0, 1])
  ends[1]!()
  await turn()
  expect(started).toEqual([0, 1, 2])
  ends[0]!()
  ends[2]!()
  await turn()
  expect(started).toEqual([0, 1, 2, 3, 4])
  ends[3]!()
  ends[4]!()
  expect((await all).map((one) => (one.status === 'fulfilled' ? one.value : 'failed'))).toEqual([0, 'failed', 2, 3, 4])
  expect(() => bounded(0)).toThrow(RangeError)
})
