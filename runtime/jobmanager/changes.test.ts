import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { systemSchedule } from '../core/clock.ts'
import { Changes } from './changes.ts'

function counted(firstVersion = 100) {
  const state = { jobs: 0, looks: 0 }
  const changes = new Changes({
    view: () => {
      state.looks++
      return { jobs: state.jobs }
    },
    schedule: systemSchedule,
    firstVersion,
    waitersMax: 200,
  })
  return { state, changes }
}

it('answers at once who has seen another version, or waits for nothing', async () => {
  const { changes } = counted()
  const first = (await changes.next(undefined, 60_000))!
  expect(first).toEqual({ version: 101, value: { jobs: 0 } })
  expect((await changes.next(5, 60_000))!.version).toBe(101)
  expect((await changes.next(101, 0))!.version).toBe(101)
})

it('answers who waits when something has changed, and not when all is as it was', async () => {
  const { state, changes } = counted()
  const { version } = changes.now()
  const waiting = changes.next(version, 60_000)
  changes.touch()
  await sleep(30)
  expect(changes.waiting).toBe(1)
  state.jobs = 1
  for (let i = 0; i < 1000; i++) changes.touch()
  expect(await waiting).toEqual({ version: version + 1, value: { jobs: 1 } })
  expect(state.looks).toBe(3)
  expect(changes.waiting).toBe(0)
})

it('answers with the same version when the time is over, or the asker has gone', async () => {
  const { changes } = counted()
  const { version } = changes.now()
  expect((await changes.next(version, 5))!.version).toBe(version)
  const abort = new AbortController()
  const waiting = changes.next(version, 60_000, abort.signal)
  abort.abort()
  await waiting
  expect(changes.waiting).toBe(0)
})

it('looks at nothing for two hundred who wait while nothing happens, and refuses more', async () => {
  const { state, changes } = counted()
  const { version } = changes.now()
  const polls = Array.from({ length: 200 }, () => changes.next(version, 60_000))
  await sleep(20)
  expect(state.looks).toBe(1)
  expect(await changes.next(version, 60_000)).toBeUndefined()
  state.jobs = 1
  changes.touch()
  expect(new Set((await Promise.all(polls)).map((one) => one!.version))).toEqual(new Set([version + 1]))
  expect(state.looks).toBe(2)
})

it('looks at nothing while nobody waits', () => {
  const { state, changes } = counted()
  for (let i = 0; i < 1000; i++) changes.touch()
  expect(state.looks).toBe(0)
})
