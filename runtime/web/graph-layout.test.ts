import { describe, expect, test } from 'vitest'
import type { LivePlan } from '../rest/live-messages.ts'
import { type Box, layoutGraph, wrap } from './graph-layout.ts'

/** A plan from edges such as `[0, 1]`. */
function planOf(names: string[], edges: [number, number][]): LivePlan {
  return {
    id: '0',
    name: 'job',
    vertices: names.map((name, i) => ({
      id: String(i),
      name,
      parallelism: 1,
      isSource: i === 0,
      isSink: false,
      operators: [{ name, parent: -1 }],
    })),
    edges: edges.map(([from, to], id) => ({ id, from, to, partitioner: 'key', tag: null })),
  }
}

const DIAMOND = planOf(
  ['source', 'left', 'right', 'join', 'sink'],
  [
    [0, 1],
    [0, 2],
    [1, 3],
    [2, 3],
    [3, 4],
    [0, 4],
  ],
)

const overlap = (a: Box, b: Box) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height

const numbersOf = (path: string) => path.match(/-?\d+(\.\d+)?/g)!.map(Number)

describe.each([1280, 360])('with room for %i px', (room) => {
  const { boxes, arrows, width, height } = layoutGraph(DIAMOND, room)

  test('boxes do not overlap and are inside the picture', () => {
    for (const [i, a] of boxes.entries()) {
      for (const b of boxes.slice(i + 1)) expect(overlap(a, b)).toBe(false)
      expect(a.x).toBeGreaterThanOrEqual(0)
      expect(a.y).toBeGreaterThanOrEqual(0)
      expect(a.x + a.width).toBeLessThanOrEqual(width)
      expect(a.y + a.height).toBeLessThanOrEqual(height)
    }
  })

  test('arrows leave the side of their sender and point at their receiver', () => {
    for (const [i, { from, to }] of DIAMOND.edges.entries()) {
      const [x, y] = numbersOf(arrows[i]!.path) as [number, number]
      const sender = boxes[from]!
      expect(x === sender.x + sender.width || y === sender.y + sender.height).toBe(true)
      const [headX, headY] = numbersOf(arrows[i]!.head) as [number, number]
      const { x: left, y: top, width, height } = boxes[to]!
      expect(headX).toBeGreaterThanOrEqual(left - 8)
      expect(headX).toBeLessThanOrEqual(left + width + 8)
      expect(headY).toBeGreaterThanOrEqual(top - 8)
      expect(headY).toBeLessThanOrEqual(top + height)
    }
  })
})

test('on a phone the picture is as wide as the room', () => {
  expect(layoutGraph(DIAMOND, 360).width).toBe(360)
})

test('a vertex without edges and two edges between the same vertices have a place', () => {
  const { boxes, arrows } = layoutGraph(
    planOf(
      ['a', 'b', 'alone'],
      [
        [0, 1],
        [0, 1],
      ],
    ),
    1280,
  )
  expect(new Set(arrows.map(({ path }) => path)).size).toBe(2)
  expect(overlap(boxes[0]!, boxes[2]!) || overlap(boxes[1]!, boxes[2]!)).toBe(false)
})

test('wrap() breaks names at spaces, cuts what is too long and says so', () => {
  expect(wrap('Source: flights -> parse')).toEqual(['Source: flights → parse'])
  expect(wrap('delays per airport and day -> top ten')).toEqual(['delays per airport and day →', 'top ten'])
  expect(wrap('x'.repeat(40))).toEqual([`${'x'.repeat(29)}…`])
  const long = wrap(Array.from({ length: 30 }, (_, i) => `word${i}`).join(' '))
  expect(long).toHaveLength(3)
  expect(long[2]).toMatch(/…$/)
})
