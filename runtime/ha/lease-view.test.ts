import { describe, expect, it } from 'vitest'
import { checkTiming, LEASE_TIMING } from './election.ts'
import { LeaseView } from './lease-view.ts'

const candidate = (identity: string) => ({ identity, startId: `start-of-${identity}`, address: '' })
const stored = (version: string, epoch: number, holder: string | null, leaseMs = 5_000) => ({
  version,
  record: { epoch, holder: holder === null ? null : candidate(holder), leaseMs, acquiredMs: 0, renewedMs: 0 },
})
const B = candidate('b')

describe('LeaseView', () => {
  it('waits for the duration of the lease from the last change that it saw, by its own clock', () => {
    const view = new LeaseView(5_000, true)
    view.observe(stored('1', 1, 'a'), 1_000)
    expect([view.freeInMs(B, 1_000), view.freeInMs(B, 5_999), view.freeInMs(B, 6_000)]).toEqual([5_000, 1, 0])
    view.observe(stored('1', 1, 'a'), 5_000)
    expect(view.freeInMs(B, 5_000)).toBe(1_000)
    view.observe(stored('2', 1, 'a'), 5_500)
    expect(view.freeInMs(B, 6_000)).toBe(4_500)
    expect(view.leader(10_499)).toMatchObject({ identity: 'a', epoch: 1 })
    expect(view.leader(10_500)).toBeUndefined()
  })

  it('waits for the longer one of the holder and its own', () => {
    const view = new LeaseView(5_000, true)
    view.observe(stored('1', 1, 'a', 15_000), 0)
    expect(view.freeInMs(B, 0)).toBe(15_000)
    view.observe(stored('2', 1, 'a', 1_000), 0)
    expect(view.freeInMs(B, 0)).toBe(5_000)
  })

  it('waits for nobody who has released it, or has its own identity, or where nobody has led', () => {
    const view = new LeaseView(5_000, true)
    view.observe(undefined, 0)
    expect(view.freeInMs(B, 0)).toBe(0)
    view.observe(stored('1', 1, 'b'), 0)
    expect(view.freeInMs(B, 0)).toBe(0)
    view.observe(stored('2', 1, 'a'), 0)
    view.observe(stored('3', 1, null), 10)
    expect(view.freeInMs(B, 10)).toBe(0)
  })

  it('waits for a later start in its own name, once it has led itself', () => {
    const view = new LeaseView(5_000, true)
    view.observe(stored('1', 2, 'b'), 0)
    expect(view.freeInMs({ ...B, startId: 'earlier' }, 0, true)).toBe(5_000)
    expect(view.freeInMs(B, 0, true)).toBe(0)
  })

  it('waits for the leader of a record that was deleted or made anew', () => {
    const absent = new LeaseView(5_000, false)
    absent.observe(undefined, 1_000)
    expect(absent.freeInMs(B, 1_000)).toBe(5_000)
    for (const next of [undefined, stored('x', 0, null)]) {
      const view = new LeaseView(5_000, true)
      view.observe(stored('1', 7, 'a'), 1_000)
      view.observe(next, 2_000)
      expect([view.freeInMs(B, 2_000), view.epochMax]).toEqual([4_000, 7])
      expect(view.leader(2_000)).toBeUndefined()
    }
  })
})

describe('checkTiming()', () => {
  it('wants time for a second try, and the leader to stop before others begin', () => {
    expect(() => checkTiming(LEASE_TIMING)).not.toThrow()
    for (const wrong of [{ renewDeadlineMs: 5_000 }, { retryMs: 1_500 }, { retryMs: 0 }, { leaseMs: Number.NaN }])
      expect(() => checkTiming({ ...LEASE_TIMING, ...wrong })).toThrow(/Cannot elect a leader with lease duration/)
  })
})
