import { expect, it } from 'vitest'
import { Doorbell } from './doorbell.ts'

it('Doorbell wakes a sleeper, and one that was rung between the announcement and the wait does not sleep', async () => {
  const memory = Doorbell.allocate()
  const sleeper = new Doorbell(memory)
  const ringer = new Doorbell(memory)
  const before = sleeper.announceSleep()
  ringer.ring()
  expect(sleeper.wait(before, 10_000)).toBeUndefined()

  const sequence = sleeper.announceSleep()
  const woken = sleeper.wait(sequence, 10_000)
  ringer.ring()
  expect(await woken).toBe('ok')
})

it('Doorbell stays silent when no one sleeps', () => {
  const memory = Doorbell.allocate()
  const bell = new Doorbell(memory)
  bell.announceSleep()
  bell.stayAwake()
  bell.ring()
  expect(new Int32Array(memory)[0]).toBe(0)
})

it('Doorbell lets a thread block until it is rung by another, or the time is over', async () => {
  const memory = Doorbell.allocate()
  const sleeper = new Doorbell(memory)
  sleeper.block(sleeper.announceSleep(), 1)
  expect(new Int32Array(memory)[1]).toBe(0)

  const sequence = sleeper.announceSleep()
  new Doorbell(memory).ring()
  // Rung before: it must not block at all.
  sleeper.block(sequence, 60_000)
  expect(new Int32Array(memory)[0]).toBe(sequence + 1)
})
