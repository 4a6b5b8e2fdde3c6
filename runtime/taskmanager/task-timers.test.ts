import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { TaskTimers } from './task-timers.ts'

describe('TaskTimers', () => {
  it('run what is due, in order of time and then of registration (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 60 }),
        fc.integer({ min: 0, max: 60 }),
        (times, now) => {
          const clock = new ManualClock()
          const timers = new TaskTimers(clock)
          const ran: [number, number][] = []
          times.forEach((t, i) => timers.register(t, () => ran.push([t, i])))
          clock.set(now)
          timers.run(now)
          const due = times.map((t, i) => [t, i] as [number, number]).filter(([t]) => t <= now)
          expect(ran).toEqual(due.sort((a, b) => a[0] - b[0] || a[1] - b[1]))
          expect(timers.dueInMs(now)).toBe(Math.min(...times.filter((t) => t > now)) - now)
        },
      ),
    )
  })
  it('do not run what was cancelled, and cancelling what ran is nothing', () => {
    const clock = new ManualClock()
    const timers = new TaskTimers(clock)
    const ran: number[] = []
    const first = timers.register(1, () => ran.push(1))
    const second = timers.register(2, () => ran.push(2))
    timers.cancel(first)
    expect(timers.dueInMs(0)).toBe(2)
    clock.set(5)
    expect(timers.run(5)).toBe(true)
    timers.cancel(second)
    expect(ran).toEqual([2])
    expect(timers.run(5)).toBe(false)
  })
  it('run one that a callback registers for a time that is over in the same call', () => {
    const clock = new ManualClock(1)
    const timers = new TaskTimers(clock)
    const ran: string[] = []
    timers.register(1, () => {
      ran.push('outer')
      timers.register(0, () => ran.push('inner'))
    })
    timers.run(1)
    expect(ran).toEqual(['outer', 'inner'])
  })

  describe('of a machine whose clock jumps', () => {
    /** At 12 o'clock, `wallMs` later by the clock that people look at. */
    const jumping = () => {
      const monotonic = new ManualClock()
      const clock = {
        wallMs: 43_200_000,
        now: (): number => clock.wallMs + monotonic.now(),
        monotonic: () => monotonic.monotonic(),
      }
      const timers = new TaskTimers(clock)
      const ran: string[] = []
      const every = (ms: number, name: string): void => {
        timers.register(clock.now() + ms, () => {
          ran.push(name)
          every(ms, name)
        })
      }
      const pass = (ms: number) => {
        for (let left = ms; left > 0; left -= 50) {
          monotonic.advance(50)
          timers.run(monotonic.monotonic())
        }
        return ran.splice(0)
      }
      return { clock, monotonic, timers, every, pass, ran }
    }

    it('run as often as before when it is set back: watermarks stood still for an hour', () => {
      const { clock, every, pass, timers, monotonic } = jumping()
      every(200, 'watermark')
      expect(pass(1_000)).toHaveLength(5)
      clock.wallMs -= 3_600_000
      expect(timers.dueInMs(monotonic.monotonic())).toBe(200)
      expect(pass(1_000)).toHaveLength(5)
      clock.wallMs += 3_600_000
      // Once at once, as its time is over by then.
      expect(pass(1_000).length).toBeOneOf([5, 6])
    })

    it('keep their order across the jump', () => {
      const { clock, timers, pass, ran } = jumping()
      timers.register(clock.now() + 300, () => ran.push('third'))
      timers.register(clock.now() + 100, () => ran.push('first'))
      clock.wallMs -= 7_200_000
      timers.register(clock.now() + 200, () => ran.push('second'))
      timers.register(clock.now() + 400, () => ran.push('fourth'))
      expect([pass(150), pass(100), pass(100), pass(100)]).toEqual([['first'], ['second'], ['third'], ['fourth']])
    })

    it('run when the clock shows their time, though it was set forward', () => {
      const { clock, timers, pass, ran } = jumping()
      timers.register(clock.now() + 3_600_000, () => ran.push('in an hour'))
      expect(pass(100)).toEqual([])
      clock.wallMs += 3_600_000
      expect(pass(50)).toEqual(['in an hour'])
    })

    it('wait for a clock that goes a little slowly', () => {
      const { clock, timers, pass, ran } = jumping()
      timers.register(clock.now() + 1_000, () => ran.push('due'))
      for (let i = 0; i < 20; i++) {
        expect(pass(50)).toEqual([])
        clock.wallMs -= 1
      }
      expect(pass(50)).toEqual(['due'])
    })
  })
})
