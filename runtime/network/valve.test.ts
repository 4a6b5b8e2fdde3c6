import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WatermarkValve } from './valve.ts'

type Out = number | 'idle' | 'active'

function valveOf(channels: number) {
  const out: Out[] = []
  const valve = new WatermarkValve(channels, {
    watermark: (ts) => out.push(ts),
    status: (idle) => out.push(idle ? 'idle' : 'active'),
  })
  return { valve, take: () => out.splice(0) }
}

describe('WatermarkValve', () => {
  it('passes rising watermarks of a single channel and drops others', () => {
    const { valve, take } = valveOf(1)
    for (const ts of [0, 25, 25, 24]) valve.inputWatermark(0, ts)
    expect(take()).toEqual([0, 25])
  })

  it('waits for a watermark of every active channel, then puts out the least', () => {
    const { valve, take } = valveOf(3)
    valve.inputWatermark(0, 4)
    valve.inputWatermark(1, 7)
    expect(take()).toEqual([])
    valve.inputWatermark(2, 5)
    expect(take()).toEqual([4])
    valve.inputWatermark(0, 9)
    expect(take()).toEqual([5])
  })

  it('advances when the channel that held it back falls idle, and ignores watermarks of idle channels', () => {
    const { valve, take } = valveOf(2)
    valve.inputWatermark(0, 10)
    valve.inputWatermark(1, 3)
    expect(take()).toEqual([3])
    valve.inputStatus(1, true)
    expect(take()).toEqual([10])
    valve.inputWatermark(1, 50)
    expect(valve.channel(1).watermarkMs).toBe(3)
    valve.inputWatermark(0, 20)
    expect(take()).toEqual([20])
  })

  it('does not let a channel that came back hold back, nor count, until it has caught up', () => {
    const { valve, take } = valveOf(2)
    valve.inputWatermark(0, 10)
    valve.inputWatermark(1, 3)
    valve.inputStatus(1, true)
    take()
    valve.inputStatus(1, false)
    valve.inputWatermark(1, 9)
    valve.inputWatermark(0, 12)
    expect(take()).toEqual([12])
    valve.inputWatermark(1, 12)
    expect(valve.channel(1).aligned).toBe(true)
    valve.inputWatermark(0, 30)
    expect(take()).toEqual([])
    valve.inputWatermark(1, 20)
    expect(take()).toEqual([20])
  })

  it('flushes the largest watermark before idleness when the last channel to fall idle held the output', () => {
    const { valve, take } = valveOf(3)
    valve.inputWatermark(0, 30)
    valve.inputWatermark(1, 10)
    valve.inputWatermark(2, 20)
    take()
    valve.inputStatus(0, true)
    valve.inputStatus(2, true)
    expect(take()).toEqual([])
    valve.inputStatus(1, true)
    expect(take()).toEqual([30, 'idle'])
    valve.inputStatus(1, false)
    expect(take()).toEqual(['active'])
  })

  it('does not flush when the last channel to fall idle was not aligned', () => {
    const { valve, take } = valveOf(2)
    valve.inputWatermark(0, 5)
    valve.inputWatermark(1, 10)
    valve.inputStatus(0, true)
    valve.inputStatus(0, false)
    take()
    valve.inputStatus(1, true)
    expect(take()).toEqual([])
    valve.inputStatus(0, true)
    expect(take()).toEqual(['idle'])
  })

  it('puts out the end when all channels have it, though some are idle', () => {
    const { valve, take } = valveOf(2)
    valve.inputWatermark(0, 5)
    valve.inputStatus(1, true)
    valve.inputWatermark(0, Infinity)
    expect(take()).toEqual([5, 'idle'])
    valve.inputWatermark(1, Infinity)
    expect(take()).toEqual(['active', Infinity])
    valve.inputWatermark(1, Infinity)
    expect(take()).toEqual([])
  })

  it('is not held back by an ended channel', () => {
    const { valve, take } = valveOf(3)
    for (let c = 0; c < 3; c++) valve.inputWatermark(c, c)
    take()
    valve.inputWatermark(0, Infinity)
    expect(take()).toEqual([1])
    valve.end(1)
    expect(take()).toEqual([2])
    valve.inputWatermark(1, 99)
    valve.inputStatus(1, true)
    valve.inputWatermark(2, 7)
    expect(take()).toEqual([7])
  })

  it('gives what a scan over all channels gives, for any sequence of inputs', () => {
    const step = fc.record({
      channel: fc.nat(6),
      what: fc.constantFrom('watermark', 'watermark', 'watermark', 'idle', 'active', 'end'),
      ts: fc.nat(40),
    })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.array(step, { maxLength: 60 }), (channels, steps) => {
        const { valve, take } = valveOf(channels)
        const model = new NaiveValve(channels)
        for (const { channel, what, ts } of steps) {
          const c = channel % channels
          if (what === 'watermark') valve.inputWatermark(c, ts)
          else if (what === 'end') valve.inputWatermark(c, Infinity)
          else valve.inputStatus(c, what === 'idle')
          model.input(c, what, ts)
          expect(take()).toEqual(model.out.splice(0))
        }
      }),
      { numRuns: 300 },
    )
  })
})

/** The rules [E-07..E-09] as scans. */
class NaiveValve {
  out: Out[] = []
  last = -Infinity
  idle = false
  channels: { ts: number; idle: boolean; ended: boolean; aligned: boolean }[]
  constructor(n: number) {
    this.channels = Array.from({ length: n }, () => ({ ts: -Infinity, idle: false, ended: false, aligned: true }))
  }
  input(c: number, what: string, ts: number): void {
    const channel = this.channels[c]!
    if (channel.ended) return
    const wasActive = !channel.idle
    const held = wasActive && channel.ts === this.last
    if (what === 'watermark') {
      if (channel.idle || ts <= channel.ts) return
      channel.ts = ts
      if (ts >= this.last) channel.aligned = true
    } else if (what === 'end') channel.ended = true
    else if ((what === 'idle') === channel.idle) return
    else channel.idle = what === 'idle'
    if (what === 'active') {
      channel.aligned = channel.ts >= this.last
      this.status(false)
      return
    }
    if (channel.idle || channel.ended) channel.aligned = false
    const active = this.channels.filter((x) => !x.idle && !x.ended)
    if (this.channels.every((x) => x.ended)) {
      this.status(false)
      this.emit(Infinity)
    } else if (active.length > 0) {
      const aligned = active.filter((x) => x.aligned)
      if (aligned.length > 0) this.emit(Math.min(...aligned.map((x) => x.ts)))
    } else if (wasActive) {
      if (held) this.emit(Math.max(...this.channels.map((x) => x.ts)))
      this.status(true)
    }
  }
  emit(ts: number): void {
    if (ts <= this.last) return
    this.last = ts
    this.out.push(ts)
  }
  status(idle: boolean): void {
    if (this.idle === idle) return
    this.idle = idle
    this.out.push(idle ? 'idle' : 'active')
  }
}
