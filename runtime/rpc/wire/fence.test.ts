import { expect, it } from 'vitest'
import { candidateFence, leaderFence } from './fence.ts'

it('who was started with a clock that was set back leads above the leader before, until somebody knows it', () => {
  const deposed: number[] = []
  const fence = leaderFence(5, (epoch) => deposed.push(epoch), 'started')
  expect(fence.see(9)).toBe(true)
  expect([fence.epoch, fence.newest, fence.see(9)]).toEqual([10, 10, false])
  expect(fence.see(12)).toBe(true)
  expect([fence.epoch, deposed]).toEqual([13, []])
  // A TaskManager has taken it for its leader.
  expect(fence.see(13)).toBe(true)
  expect([fence.see(14), fence.epoch, fence.newest, deposed]).toEqual([true, 13, 14, [14]])
})

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
