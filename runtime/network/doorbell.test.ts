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
