/**
 * Windows and their assigners, as data. The operators that run them are in operators/window*.ts; which assigner runs on which
 * operator is decided there. Later assigners (sliding, session, global) join this file's union.
 */
import { type Duration, durationMs } from './duration.ts'

/** Half-open: [start, end). Milliseconds since 1970. */
export class TimeWindow {
  readonly start: number
  readonly end: number
  constructor(start: number, end: number) {
    this.start = start
    this.end = end
  }
  /** The last millisecond that belongs to the window; the timestamp of its results. */
  get maxTimestamp(): number {
    return this.end - 1
  }
  /** Whether the two overlap or touch: `[0, 10)` and `[10, 20)` do [W-07]. */
  intersects(other: TimeWindow): boolean {
    return this.start <= other.end && this.end >= other.start
  }
  toString(): string {
    return `TimeWindow{start=${this.start}, end=${this.end}}`
  }
}

export interface TumblingAssigner {
  readonly kind: 'tumbling'
  readonly time: 'event' | 'processing'
  readonly sizeMs: number
  readonly offsetMs: number
  readonly stagger: WindowStagger
}

/**
 * Where the windows of an operator instance begin: at multiples of the size (ALIGNED), by one random offset per instance
 * (RANDOM), or at the first record of the instance (NATURAL).
 */
export type WindowStagger = 'ALIGNED' | 'RANDOM' | 'NATURAL'

export type WindowAssigner = TumblingAssigner

/**
 * Start of the window of `size` that holds `timestamp` [W-01]; right for negative timestamps.
 *
 * @example
 * windowStart(-1, 0, 10) // -10
 */
export function windowStart(timestampMs: number, offsetMs: number, sizeMs: number): number {
  const remainder = (timestampMs - offsetMs) % sizeMs
  return remainder < 0 ? timestampMs - (remainder + sizeMs) : timestampMs - remainder
}

function tumbling(
  time: 'event' | 'processing',
  size: Duration,
  offset: Duration,
  stagger: WindowStagger,
): TumblingAssigner {
  const sizeMs = durationMs(size)
  const offsetMs = durationMs(offset)
  if (!(sizeMs > 0) || !(Math.abs(offsetMs) < sizeMs)) {
    throw new RangeError(
      `Cannot make tumbling windows of size ${String(size)} with offset ${String(offset)}: the size must be above 0 and the offset between minus and plus the size`,
    )
  }
  return Object.freeze({ kind: 'tumbling', time, sizeMs, offsetMs, stagger })
}

/**
 * Windows of one size that follow each other in event time.
 *
 * @example
 * clicks.keyBy((c) => c.user).window(TumblingEventTimeWindows.of('5 min'))
 */
export const TumblingEventTimeWindows = {
  of: (size: Duration, offset: Duration = 0, stagger: WindowStagger = 'ALIGNED'): TumblingAssigner =>
    tumbling('event', size, offset, stagger),
}

/** Windows of one size that follow each other by the task's clock. */
export const TumblingProcessingTimeWindows = {
  of: (size: Duration, offset: Duration = 0, stagger: WindowStagger = 'ALIGNED'): TumblingAssigner =>
    tumbling('processing', size, offset, stagger),
}
