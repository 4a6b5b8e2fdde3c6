import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TaskTimers } from './task-timers.ts'

describe('TaskTimers', () => {
  it('run what is due, in order of time and then of registration (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 60 }),
        fc.integer({ min: 0, max: 60 }),
        (times, now) => {
          const timers = new TaskTimers()
          const ran: [number, number][] = []
          times.forEach((t, i) => timers.register(t, () => ran.push([t, i])))
          timers.run(now)
          const due = times.map((t, i) => [t, i] as [number, number]).filter(([t]) => t <= now)
          expect(ran).toEqual(due.sort((a, b) => a[0] - b[0] || a[1] - b[1]))
          expect(timers.nextMs).toBe(times.filter((t) => t > now).sort((a, b) => a - b)[0])
        },
      ),
    )
  })
  it('do not run what was cancelled, and cancelling what ran is nothing', () => {
    const timers = new TaskTimers()
    const ran: number[] = []
    const first = timers.register(1, () => ran.push(1))
    const second = timers.register(2, () => ran.push(2))
    timers.cancel(first)
    expect(timers.nextMs).toBe(2)
    expect(timers.run(5)).toBe(true)
    timers.cancel(second)
    expect(ran).toEqual([2])
    expect(timers.run(5)).toBe(false)
  })
  it('run one that a callback registers for a time that is over in the same call', () => {
    const timers = new TaskTimers()
    const ran: string[] = []
    timers.register(1, () => {
      ran.push('outer')
      timers.register(0, () => ran.push('inner'))
    })
    timers.run(1)
    expect(ran).toEqual(['outer', 'inner'])
  })
})
