/** The job graph: a box for each vertex with its numbers, coloured by load, and arrows with rates. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { LiveEdge, LiveNumbers, LivePlan, LiveVertex, VertexNumbers } from '../rest/live-messages.ts'
import { count, percent, perSecond } from './format.ts'
import { type Arrow, type Box, LINE_HEIGHT, layoutGraph } from './graph-layout.ts'
import { toneOf } from './status.tsx'
import { watermark } from './vertex-table.tsx'

/** A wide graph is made smaller down to this, then it scrolls. */
const SCALE_MIN = 0.66
/** From here on a box's colour is so dark that its name is white. */
const STRONG_SHARE = 0.6

interface Props {
  plan: LivePlan
  numbers: LiveNumbers
  selected: string | undefined
  onSelect(vertexId: string | undefined): void
}

export function Graph({ plan, numbers, selected, onSelect }: Props) {
  const holder = useRef<HTMLDivElement>(null)
  const room = useWidth(holder)
  const picture = useMemo(() => layoutGraph(plan, room), [plan, room])
  const ended = numbers.endTime >= 0
  const width = Math.min(picture.width, Math.max(room, picture.width * SCALE_MIN))
  return (
    <div class="card graph">
      <div class="canvas" ref={holder}>
        {room > 0 && (
          <svg
            viewBox={`0 0 ${picture.width} ${picture.height}`}
            width={width}
            height={(picture.height * width) / picture.width}
            role="img"
            aria-label={`Graph of ${plan.name}`}
          >
            {plan.edges.map((edge, i) => (
              <Flow
                key={edge.id}
                edge={edge}
                arrow={picture.arrows[i]!}
                rate={ended ? null : (numbers.edges[i] ?? null)}
              />
            ))}
            {plan.vertices.map((vertex, i) => (
              <Vertex
                key={vertex.id}
                vertex={vertex}
                box={picture.boxes[i]!}
                numbers={numbers.vertices[i]!}
                ended={ended}
                selected={selected === vertex.id}
                onSelect={() => onSelect(selected === vertex.id ? undefined : vertex.id)}
              />
            ))}
          </svg>
        )}
      </div>
      <p class="legend">
        <span class="ramp busy" /> idle to busy
        <span class="ramp blocked" /> back-pressured
      </p>
    </div>
  )
}

function useWidth(of: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const element = of.current
    if (element === null) return
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)))
    watch.observe(element)
    return () => watch.disconnect()
  }, [of])
  return width
}

interface VertexProps {
  vertex: LiveVertex
  box: Box
  numbers: VertexNumbers
  /** The job is: boxes have totals instead of rates. */
  ended: boolean
  selected: boolean
  onSelect(): void
}

function Vertex({ vertex, box, numbers, ended, selected, onSelect }: VertexProps) {
  const { busy, backPressured, state } = numbers
  const live = state === 'RUNNING'
  const blocked = backPressured > busy
  const share = live ? Math.max(busy, backPressured) : 0
  const tint = live ? (blocked ? 'live blocked' : 'live') : ''
  const head = 15 + box.lines.length * LINE_HEIGHT
  const inner = box.width - 28
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' && event.key !== ' ') return
    event.preventDefault()
    onSelect()
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: SVG has no button
    <g
      class={`vertex tone-${toneOf(state)} ${tint} ${share > STRONG_SHARE ? 'strong' : ''} ${selected ? 'selected' : ''}`}
      transform={`translate(${box.x} ${box.y})`}
      style={{ '--share': share.toFixed(2) }}
      tabindex={0}
      role="button"
      aria-label={`${vertex.name}, ${percent(busy)} busy`}
      data-vertex={vertex.id}
      onClick={onSelect}
      onKeyDown={onKey}
    >
      <title>{vertex.operators.map(({ name }) => name).join('\n')}</title>
      <rect class="box" width={box.width} height={box.height} rx="10" />
      <path class="load" d={`M1 11a10 10 0 0 1 10-10h${box.width - 22}a10 10 0 0 1 10 10v${head - 11}H1Z`} />
      {box.lines.map((line, i) => (
        <text key={line} class="name" x="14" y={24 + i * LINE_HEIGHT}>
          {line}
        </text>
      ))}
      <text class="times" x={box.width - 14} y="24">
        ×{vertex.parallelism}
      </text>
      <g transform={`translate(14 ${head})`}>
        <Pair x={0} label="in" value={ended ? count(numbers.recordsIn) : perSecond(numbers.inPerSecond)} />
        <Pair x={inner / 2} label="out" value={ended ? count(numbers.recordsOut) : perSecond(numbers.outPerSecond)} />
        <rect class="track" y="37" width={inner} height="5" rx="2.5" />
        <rect class="part" y="37" width={share === 0 ? 0 : busy * inner} height="5" rx="2.5" />
        <rect
          class="part wait"
          x={(1 - backPressured) * inner}
          y="37"
          width={share === 0 ? 0 : backPressured * inner}
          height="5"
          rx="2.5"
        />
        <text class="small" y="60">
          {live ? `${percent(busy)} busy` : state.toLowerCase().replace('canceled', 'cancelled')}
        </text>
        {live && backPressured >= 0.005 && (
          <text class="small right" x={inner} y="60">
            {percent(backPressured)} back-pressured
          </text>
        )}
        <text class="small" y="80">
          watermark
        </text>
        <text class="small right mark" x={inner} y="80">
          {watermark(numbers)}
        </text>
      </g>
    </g>
  )
}

function Pair({ x, label, value }: { x: number; label: string; value: string }) {
  return (
    <text class="pair" x={x} y="24">
      <tspan class="label">{label} </tspan>
      <tspan class={`rate ${label}`}>{value}</tspan>
    </text>
  )
}

function Flow({ edge, arrow, rate }: { edge: LiveEdge; arrow: Arrow; rate: number | null }) {
  const kind = edge.tag === null ? (edge.partitioner === 'key' ? 'by key' : edge.partitioner) : `side: ${edge.tag}`
  const { rateAt, kindAt } = arrow
  return (
    <g class={`flow ${rate !== null && rate > 0 ? 'moving' : ''} ${edge.tag === null ? '' : 'side'}`}>
      <path class="pipe" d={arrow.path} />
      <path class="stream" d={arrow.path} />
      <path class="head" d={arrow.head} />
      <text class="rate" x={rateAt.x} y={rateAt.y} text-anchor={rateAt.anchor}>
        {rate === null ? '' : perSecond(rate)}
      </text>
      <text class="kind" x={kindAt.x} y={kindAt.y} text-anchor={kindAt.anchor}>
        {kind}
      </text>
    </g>
  )
}
