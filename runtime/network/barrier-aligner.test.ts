import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Barrier } from '../core/checkpoint.ts'
import { BarrierAligner, barrierCode, barrierOfCode } from './barrier-aligner.ts'

const barrier = (checkpointId: number): Barrier => ({
  checkpointId,
  timestampMs: 1000 * checkpointId,
  kind: 'checkpoint',
  then: 'go on',
})

function start(channels: number, exactlyOnce = true) {
  const events: string[] = []
  let nowMs = 10_000
  const clock = { now: () => nowMs, monotonic: () => nowMs }
  const aligner = new BarrierAligner(channels, exactlyOnce, clock, {
    aligned: (b, alignmentMs, delayMs) => events.push(`aligned ${b.checkpointId} ${alignmentMs} ${delayMs}`),
    overtaken: (id) => events.push(`overtaken ${id}`),
  })
  const waiting = () => Array.from({ length: channels }, (_, i) => i).filter((i) => aligner.isBlocked(i))
  return { aligner, events, waiting, pass: (ms: number) => (nowMs += ms) }
}

describe('BarrierAligner', () => {
  it('lets channels wait until the last barrier, and tells how long', () => {
    const { aligner, events, waiting, pass } = start(3)
    aligner.barrier(1, barrier(5))
    pass(7)
    aligner.barrier(0, barrier(5))
    expect(waiting()).toEqual([0, 1])
    expect(events).toEqual([])
    pass(3)
    aligner.barrier(2, barrier(5))
    expect(events).toEqual(['aligned 5 10 5000'])
    expect(waiting()).toEqual([])
  })

  it('lets nothing wait at least once', () => {
    const { aligner, events, waiting } = start(2, false)
    aligner.barrier(0, barrier(1))
    expect(waiting()).toEqual([])
    aligner.barrier(1, barrier(1))
    expect(events).toHaveLength(1)
  })

  it('takes a channel that has ended for one that brought its barrier, before and after it came', () => {
    const { aligner, events } = start(3)
    aligner.ended(2)
    aligner.barrier(0, barrier(1))
    aligner.ended(0)
    expect(events).toEqual([])
    aligner.barrier(1, barrier(1))
    expect(events).toEqual(['aligned 1 0 9000'])
    aligner.barrier(1, barrier(2))
    expect(events).toHaveLength(2)
  })

  it('is aligned by the end of the last channel that was awaited', () => {
    const { aligner, events } = start(2)
    aligner.barrier(0, barrier(1))
    aligner.ended(1)
    expect(events).toEqual(['aligned 1 0 9000'])
  })

  it('gives way to a newer checkpoint, and passes over what is left of the older', () => {
    const { aligner, events, waiting } = start(3)
    aligner.barrier(0, barrier(1))
    aligner.barrier(1, barrier(2))
    expect(events).toEqual(['overtaken 1'])
    expect(waiting()).toEqual([1])
    aligner.barrier(2, barrier(1))
    expect(waiting()).toEqual([1])
    aligner.barrier(0, barrier(2))
    aligner.barrier(2, barrier(2))
    expect(events[1]).toMatch(/aligned 2/)
  })

  it('lets go when the checkpoint is given up; its other barriers do nothing', () => {
    const { aligner, events, waiting } = start(2)
    aligner.barrier(0, barrier(3))
    aligner.abort(3)
    expect(waiting()).toEqual([])
    aligner.barrier(1, barrier(3))
    expect(waiting()).toEqual([])
    expect(events).toEqual([])
  })

  it('aligns every checkpoint that all channels bring, in order, whatever the interleaving (property)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(), { minLength: 40, maxLength: 200 }), (n, turns) => {
        const { aligner, events } = start(n)
        const next = new Array(n).fill(1)
        for (const turn of turns) {
          const channel = turn % n
          if (aligner.isBlocked(channel)) continue
          aligner.barrier(channel, barrier(next[channel]++))
        }
        const aligned = events.map((e) => Number(e.split(' ')[1]))
        expect(aligned).toEqual(aligned.map((_, i) => i + 1))
        expect(aligned.length).toBe(Math.min(...next) - 1)
      }),
    )
  })
})

describe('barrierCode()', () => {
  it('has an inverse', () => {
    for (const kind of ['checkpoint', 'savepoint'] as const)
      for (const then of ['go on', 'suspend', 'end'] as const) {
        const b: Barrier = { checkpointId: 2 ** 40 + 3, timestampMs: 1_700_000_000_123, kind, then }
        expect(barrierOfCode(barrierCode(b), b.timestampMs)).toEqual(b)
      }
  })
})
