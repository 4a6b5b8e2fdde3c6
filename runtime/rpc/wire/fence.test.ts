import { expect, it } from 'vitest'
import { candidateFence } from './fence.ts'

it('who may come to lead takes notice of epochs once it leads', () => {
  const deposed: number[] = []
  const fence = candidateFence((epoch) => deposed.push(epoch))
  expect(fence.see(7)).toBe(true)
  expect([fence.epoch, fence.newest]).toEqual([0, 0])
  fence.lead(8)
  expect([fence.see(7), fence.see(8), fence.epoch]).toEqual([false, true, 8])
  expect(fence.see(9)).toBe(true)
  expect(fence.see(10)).toBe(true)
  expect([fence.epoch, fence.newest, deposed]).toEqual([8, 10, [9]])
})
