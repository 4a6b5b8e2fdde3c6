import { describe, expect, it } from 'vitest'
import { CombinedWatermark } from './combined-watermark.ts'

function combinedOf(parts: number) {
  const out: (number | 'idle' | 'active')[] = []
  const combined = new CombinedWatermark({
    watermark: (ts) => out.push(ts),
    status: (idle) => out.push(idle ? 'idle' : 'active'),
  })
  return { combined, parts: Array.from({ length: parts }, () => combined.add()), take: () => out.splice(0) }
}

describe('CombinedWatermark', () => {
  it('puts out the least of all parts, rising only', () => {
    const { combined, parts, take } = combinedOf(3)
    combined.emit(parts[0]!, 7)
    combined.emit(parts[1]!, 4)
    expect(take()).toEqual([])
    combined.emit(parts[2]!, 5)
    combined.emit(parts[2]!, 3)
    expect(take()).toEqual([4])
  })

  it('leaves out idle parts and counts a part that wakes at once, without going back', () => {
    const { combined, parts, take } = combinedOf(2)
    combined.emit(parts[0]!, 7)
    combined.setIdle(parts[1]!, true)
    expect(take()).toEqual([7])
    combined.emit(parts[1]!, 2)
    combined.emit(parts[0]!, 9)
    expect(take()).toEqual([])
    combined.emit(parts[1]!, 8)
    expect(take()).toEqual([8])
  })

  it('flushes what the last part to fall idle held back', () => {
    const { combined, parts, take } = combinedOf(2)
    combined.emit(parts[0]!, 7)
    combined.emit(parts[1]!, 4)
    combined.setIdle(parts[0]!, true)
    combined.setIdle(parts[1]!, true)
    expect(take()).toEqual([4, 7, 'idle'])
    combined.emit(parts[1]!, 6)
    expect(take()).toEqual(['active'])
  })

  it('advances by the removal of a part, and stays as it is without parts', () => {
    const { combined, parts, take } = combinedOf(2)
    combined.emit(parts[0]!, 7)
    combined.emit(parts[1]!, 4)
    take()
    expect(combined.remove(parts[1]!)).toBe(true)
    combined.update()
    expect(take()).toEqual([7])
    expect(combined.remove(parts[1]!)).toBe(false)
    combined.remove(parts[0]!)
    combined.update()
    expect(take()).toEqual([])
    expect(combined.idle).toBe(false)
  })

  it('reaches the end with the last part only, though others are idle', () => {
    const { combined, parts, take } = combinedOf(2)
    combined.emit(parts[0]!, 3)
    combined.setIdle(parts[0]!, true)
    combined.emit(parts[1]!, Infinity)
    expect(take()).toEqual([3, 'idle'])
    combined.emit(parts[0]!, Infinity)
    expect(take()).toEqual(['active', Infinity])
  })
})
