/**
 * Durations as users write them: milliseconds, `'5 min'`, `'10s'`, `'1 h 30 min'`, ISO-8601 `'PT1M30S'`, and Flink's spellings.
 */

/** Milliseconds or a text. */
export type Duration = number | string

const UNITS_MS: Record<string, number> = {
  ns: 1e-6,
  nano: 1e-6,
  nanos: 1e-6,
  nanosecond: 1e-6,
  nanoseconds: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  micro: 1e-3,
  micros: 1e-3,
  microsecond: 1e-3,
  microseconds: 1e-3,
  ms: 1,
  milli: 1,
  millis: 1,
  millisecond: 1,
  milliseconds: 1,
  s: 1000,
  sec: 1000,
  secs: 1000,
  second: 1000,
  seconds: 1000,
  m: 60_000,
  min: 60_000,
  mins: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  hours: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  days: 86_400_000,
}

const ISO =
  /^([+-])?P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i

/**
 * Milliseconds of a duration. A bare number is milliseconds, in a text too.
 *
 * Throws RangeError when the text is no duration.
 *
 * @example
 * durationMs('5 min') // 300000
 * durationMs('PT0.5S') // 500
 */
export function durationMs(duration: Duration): number {
  if (typeof duration === 'number') {
    if (Number.isNaN(duration))
      throw new RangeError(
        'Cannot read the duration NaN: it must be a number of milliseconds or a text such as "5 min"',
      )
    return duration
  }
  const text = duration.trim()
  const iso = ISO.exec(text)
  if (iso !== null && /\d/.test(text) && !/T$/i.test(text)) {
    const [, sign, weeks, days, hours, minutes, seconds] = iso
    const ms =
      Number(weeks ?? 0) * 604_800_000 +
      Number(days ?? 0) * 86_400_000 +
      Number(hours ?? 0) * 3_600_000 +
      Number(minutes ?? 0) * 60_000 +
      Number(seconds ?? 0) * 1000
    return sign === '-' ? -ms : ms
  }
  const sign = text.startsWith('-') ? -1 : 1
  let rest = text.replace(/^[+-]/, '').trim()
  let ms = 0
  let parts = 0
  while (rest !== '') {
    const part = /^(\d+(?:\.\d+)?)\s*([a-zµ]*)\s*/i.exec(rest)
    const unit = part?.[2] === '' ? 1 : UNITS_MS[part?.[2]?.toLowerCase() ?? '']
    if (part === null || unit === undefined || (part[2] === '' && (parts > 0 || part[0].length < rest.length))) {
      parts = 0
      break
    }
    ms += Number(part[1]) * unit
    parts++
    rest = rest.slice(part[0].length)
  }
  if (parts === 0) {
    throw new RangeError(
      `Cannot read the duration "${duration}": wanted milliseconds, or a text such as "10s", "5 min", "1 h 30 min" or "PT1M30S"`,
    )
  }
  return sign * ms
}
