/**
 * Where the boxes and arrows of a job graph go. Pure: the same plan and room give the same picture.
 *
 * Where there is room, from left to right by dagre; on a phone one box below the other in the order of the plan, which has every
 * vertex after its inputs, with arrows that skip a box beside them.
 */
import { Graph, layout } from '@dagrejs/dagre'
import type { LivePlan } from '../rest/live-messages.ts'
import { shortName } from './format.ts'

/** Less room than this is a phone's. */
const NARROW_PX = 720
const BOX_WIDTH = 300
/** Characters of a vertex's name that fit a line of a box, beside the parallelism. */
const LINE_CHARS = 29
const LINES_MAX = 3
export const LINE_HEIGHT = 19
/** Under the name: rates, load, watermark. */
const BOX_REST = 112
const GAP = 56
const LANE = 16

export interface Box {
  x: number
  y: number
  width: number
  height: number
  /** The name, broken into lines. */
  lines: string[]
}

export interface Arrow {
  path: string
  /** Triangle at the end. */
  head: string
  /** Where its rate and its kind are written. */
  rateAt: Label
  kindAt: Label
}

export interface Picture {
  width: number
  height: number
  boxes: Box[]
  arrows: Arrow[]
}

interface Point {
  x: number
  y: number
}

export interface Label extends Point {
  anchor: 'start' | 'middle' | 'end'
}

/** Two lines around a point. */
function aroundIt({ x, y }: Point, anchor: Label['anchor']): Pick<Arrow, 'rateAt' | 'kindAt'> {
  return { rateAt: { x, y: y - 8, anchor }, kindAt: { x, y: y + 17, anchor } }
}

export function layoutGraph(plan: LivePlan, roomPx: number): Picture {
  return roomPx < NARROW_PX ? column(plan, roomPx) : leftToRight(plan)
}

function boxOf(name: string, width: number): Box {
  const lines = wrap(name)
  return { x: 0, y: 0, width, height: BOX_REST + lines.length * LINE_HEIGHT, lines }
}

function leftToRight(plan: LivePlan): Picture {
  const graph = new Graph({ multigraph: true })
  graph.setGraph({ rankdir: 'LR', ranksep: 128, nodesep: 30, edgesep: 24, marginx: 2, marginy: 2 })
  const boxes = plan.vertices.map(({ name }) => boxOf(name, BOX_WIDTH))
  boxes.forEach(({ width, height }, i) => {
    graph.setNode(String(i), { width, height })
  })
  for (const { id, from, to } of plan.edges) graph.setEdge(String(from), String(to), {}, String(id))
  layout(graph)
  boxes.forEach((box, i) => {
    const { x, y } = graph.node(String(i)) as Point
    box.x = x - box.width / 2
    box.y = y - box.height / 2
  })
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  const arrows = plan.edges.map(({ id, from, to }) => {
    const { points } = graph.edge({ v: String(from), w: String(to), name: String(id) }) as { points: Point[] }
    return across(boxes[from]!, boxes[to]!, points)
  })
  return { width, height, boxes, arrows }
}

/** A curve that leaves and enters boxes square to their sides, through the points between. */
function across(from: Box, to: Box, points: readonly Point[]): Arrow {
  const start = { x: from.x + from.width, y: points[0]!.y }
  const end = { x: to.x - 8, y: points.at(-1)!.y }
  // Of three points the middle one lies between boxes that face each other, where one curve is smoother than two.
  const stops = points.length <= 3 ? [start, end] : [start, ...points.slice(1, -1), end]
  let path = `M${start.x} ${start.y}`
  for (let i = 1; i < stops.length; i++) {
    const a = stops[i - 1]!
    const b = stops[i]!
    const half = (b.x - a.x) / 2
    path += `C${a.x + half} ${a.y} ${b.x - half} ${b.y} ${b.x} ${b.y}`
  }
  const middle = stops.length === 2 ? { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 } : stops[stops.length >> 1]!
  return { path, head: `M${end.x} ${end.y - 6}l8 6l-8 6Z`, ...aroundIt(middle, 'middle') }
}

function column(plan: LivePlan, roomPx: number): Picture {
  const skips = plan.edges.filter(({ from, to }) => to - from !== 1)
  const width = Math.max(BOX_WIDTH - 44, roomPx - 4 - (skips.length > 0 ? 10 + LANE * skips.length : 0))
  const boxes = plan.vertices.map(({ name }) => boxOf(name, width))
  let y = 2
  for (const box of boxes) {
    box.x = 2
    box.y = y
    y += box.height + GAP
  }
  const arrows = plan.edges.map((edge): Arrow => {
    const from = boxes[edge.from]!
    const to = boxes[edge.to]!
    const lane = skips.indexOf(edge)
    if (lane < 0) {
      const x = 2 + width / 2
      const end = to.y - 8
      const y = (from.y + from.height + to.y) / 2 + 3
      return {
        path: `M${x} ${from.y + from.height}V${end}`,
        head: `M${x - 6} ${end}l6 8l6 -8Z`,
        rateAt: { x: x - 14, y, anchor: 'end' },
        kindAt: { x: x + 14, y, anchor: 'start' },
      }
    }
    const right = 2 + width
    const x = right + 12 + LANE * lane
    const [top, bottom] = [from.y + from.height / 2 + 8 * lane, to.y + to.height / 2]
    return {
      path: `M${right} ${top}H${x - 8}q8 0 8 8V${bottom - 8}q0 8 -8 8H${right + 8}`,
      head: `M${right + 8} ${bottom - 6}l-8 6l8 6Z`,
      ...aroundIt({ x: right - 4, y: to.y - GAP / 2 }, 'end'),
    }
  })
  return { width: roomPx, height: y - GAP + 2, boxes, arrows }
}

/** Breaks a name at its spaces into lines of a box. */
export function wrap(name: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of shortName(name).split(/\s+/)) {
    const longer = line === '' ? word : `${line} ${word}`
    if (longer.length <= LINE_CHARS || line === '') line = longer
    else {
      lines.push(line)
      line = word
    }
  }
  lines.push(line)
  const shown = lines.slice(0, LINES_MAX)
  if (lines.length > LINES_MAX) shown[LINES_MAX - 1] += ' …'
  return shown.map((text) => (text.length > LINE_CHARS + 2 ? `${text.slice(0, LINE_CHARS)}…` : text))
}
