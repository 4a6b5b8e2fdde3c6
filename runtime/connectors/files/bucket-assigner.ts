/**
 * Which folder a record's file is in.
 */

/** What an assigner may know beside the record. */
export interface BucketContext {
  /** The record's, milliseconds; null when it has none. */
  timestamp(): number | null
  /** Milliseconds since 1970, of the task's turn. */
  currentProcessingTime(): number
  /** -Infinity before the first watermark. */
  currentWatermark(): number
}

/**
 * @example
 * const byPage: BucketAssigner<Click> = { getBucketId: (click) => `page=${click.page}` }
 */
export interface BucketAssigner<T> {
  /** A folder below the sink's, with slashes; empty for the sink's own. */
  getBucketId(value: T, context: BucketContext): string
}

/** All files are in the sink's own folder. */
export class BasePathBucketAssigner<T> implements BucketAssigner<T> {
  getBucketId(): string {
    return ''
  }
}

/**
 * A folder for each hour (or another span) of processing time.
 *
 * @example
 * new DateTimeBucketAssigner<Click>() // 2024-05-31--23
 * new DateTimeBucketAssigner<Click>("'day='yyyy-MM-dd", 'UTC') // day=2024-05-31
 */
export class DateTimeBucketAssigner<T> implements BucketAssigner<T> {
  readonly #format: (timeMs: number) => string
  readonly #spanMs: number
  #fromMs = 0
  #untilMs = 0
  #bucket = ''

  /**
   * `pattern` has y, M, d, H, m and s as Java's DateTimeFormatter has them; other letters stand in single quotes. The zone is the system's when not given,
   * else a name such as `Europe/Oslo`.
   */
  constructor(pattern = 'yyyy-MM-dd--HH', timeZone?: string) {
    const parts = parsePattern(pattern)
    const zoned = new Intl.DateTimeFormat('en-US', {
      ...(timeZone === undefined ? {} : { timeZone }),
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    this.#format = (timeMs) => {
      const fields = new Map(zoned.formatToParts(timeMs).map(({ type, value }) => [type, value]))
      return parts.map((part) => ('text' in part ? part.text : fieldText(part, fields.get(part.field)!))).join('')
    }
    // Offsets of zones are whole minutes, since a long time.
    this.#spanMs = parts.some((part) => 'field' in part && part.field === 'second') ? 1000 : 60_000
  }

  getBucketId(_value: T, context: BucketContext): string {
    const nowMs = context.currentProcessingTime()
    if (nowMs < this.#fromMs || nowMs >= this.#untilMs) {
      this.#bucket = this.#format(nowMs)
      this.#fromMs = Math.floor(nowMs / this.#spanMs) * this.#spanMs
      this.#untilMs = this.#fromMs + this.#spanMs
    }
    return this.#bucket
  }
}

type Field = 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second'
type PatternPart = { text: string } | { field: Field; width: number }

const FIELDS: Record<string, Field> = { y: 'year', M: 'month', d: 'day', H: 'hour', m: 'minute', s: 'second' }

function parsePattern(pattern: string): PatternPart[] {
  const parts: PatternPart[] = []
  for (const [token] of pattern.matchAll(/'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z']+|'/g)) {
    const field = FIELDS[token[0]!]
    if (/^'.*'$/s.test(token)) parts.push({ text: token === "''" ? "'" : token.slice(1, -1).replaceAll("''", "'") })
    else if (!/^[A-Za-z']/.test(token)) parts.push({ text: token })
    else if (field !== undefined && token.length <= (field === 'year' ? 4 : 2))
      parts.push({ field, width: token.length })
    else {
      throw new RangeError(
        `Cannot name buckets by "${pattern}": "${token}" is none of yyyy, MM, dd, HH, mm and ss; put text in single quotes`,
      )
    }
  }
  return parts
}

function fieldText({ field, width }: { field: Field; width: number }, value: string): string {
  const text = value.replace(/^0+(?=.)/, '').padStart(width, '0')
  return field === 'year' && width === 2 ? text.slice(-2) : text
}

/** Throws TypeError when a bucket is no folder below the sink's that readers look into. */
export function checkBucket(bucket: string): void {
  if (bucket === '' || bucket.split('/').every((folder) => /^[^._\\\0][^\\\0]*$/.test(folder))) return
  throw new TypeError(
    `Cannot write to the bucket "${bucket}": wanted names of folders with single slashes between them, none of which begins with "." or "_", which readers pass over`,
  )
}

/** The context of a writer's records, one after the other. */
export class RecordContext implements BucketContext {
  timestampMs = Number.NEGATIVE_INFINITY
  nowMs = 0
  watermarkMs = Number.NEGATIVE_INFINITY

  timestamp(): number | null {
    return this.timestampMs === Number.NEGATIVE_INFINITY ? null : this.timestampMs
  }
  currentProcessingTime(): number {
    return this.nowMs
  }
  currentWatermark(): number {
    return this.watermarkMs
  }
}
