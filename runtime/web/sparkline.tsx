/** A small chart of the last seconds, without axes. */

const WIDTH = 120
const HEIGHT = 32

export function Sparkline({ values, max }: { values: number[]; max?: number | undefined }) {
  if (values.length < 2) return null
  const top = max ?? Math.max(1e-9, ...values)
  const step = WIDTH / (values.length - 1)
  const line = values
    .map((value, i) => `${(i * step).toFixed(1)},${(HEIGHT - 1 - (value / top) * (HEIGHT - 3)).toFixed(1)}`)
    .join(' ')
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <polygon points={`0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}`} />
      <polyline points={line} />
    </svg>
  )
}
