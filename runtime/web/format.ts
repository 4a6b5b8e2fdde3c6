/** Numbers and times as people read them. */

const SHORT = [
  [1e9, 'B'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const

/** `7`, `0.4`, `12.3k`, `4.56M`: three digits that count. */
export function count(value: number): string {
  for (const [size, letter] of SHORT) {
    // 999.95k is 1M.
    if (value >= size * 0.9995) return digits(value / size) + letter
  }
  return value > 0 && value < 10 && !Number.isInteger(value) ? value.toFixed(1) : String(Math.round(value))
}

function digits(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)
}

export const perSecond = (value: number) => `${count(value)}/s`

/** `1,234,567`, in the reader's own way. */
export const exact = (value: number) => Math.round(value).toLocaleString()

export function bytes(value: number): string {
  let size = value
  for (const unit of ['B', 'KB', 'MB', 'GB']) {
    if (size < 1000) return `${unit === 'B' ? Math.round(size) : digits(size)} ${unit}`
    size /= 1000
  }
  return `${digits(size)} TB`
}

/** `0 %`, `<1 %`, `63 %`. */
export const percent = (share: number) => (share > 0 && share < 0.005 ? '<1 %' : `${Math.round(share * 100)} %`)

/** `850 ms`, `12 s`, `3 min 5 s`, `2 h 14 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`
  const s = Math.floor(ms / 1000)
  const parts: [number, string][] = [
    [Math.floor(s / 86_400), 'd'],
    [Math.floor(s / 3600) % 24, 'h'],
    [Math.floor(s / 60) % 60, 'min'],
    [s % 60, 's'],
  ]
  const first = parts.findIndex(([amount]) => amount > 0)
  return parts
    .slice(first, first + 2)
    .filter(([amount], i) => i === 0 || amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ')
}

/** `just now`, `4 s ago`. */
export const ago = (ms: number) => (ms < 1000 ? 'just now' : `${duration(ms)} ago`)

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' })

/** Date and time in the reader's zone. */
export const dateTime = (ms: number) => `${DATE.format(ms)}, ${TIME.format(ms)}`
export const date = (ms: number) => DATE.format(ms)
export const time = (ms: number) => TIME.format(ms)

/** A vertex's name with arrows for people. */
export const shortName = (name: string) => name.replaceAll(' -> ', ' → ')

/** The name at the end of a path. */
export const lastPart = (path: string | undefined) => path?.split('/').at(-1) ?? ''
