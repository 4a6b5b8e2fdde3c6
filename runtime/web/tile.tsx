/** A number with what it is and what goes with it. */
import { Sparkline } from './sparkline.tsx'

interface TileProps {
  label: string
  value: string
  note: string
  chart?: number[]
  max?: number
}

export function Tile({ label, value, note, chart, max }: TileProps) {
  return (
    <div class="card tile">
      <h2>{label}</h2>
      <p class="value">{value}</p>
      <p class="note" title={note}>
        {note}
      </p>
      {chart !== undefined && <Sparkline values={chart} max={max} />}
    </div>
  )
}
