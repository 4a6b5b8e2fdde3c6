/**
 * When a part file ends and the next begins.
 */
import { type Duration, durationMs } from '../../core/duration.ts'
import { memoryBytes } from '../../core/memory-size.ts'

/** A part ends at the first of these. */
export interface RollingPolicy {
  /** Bytes, or a text such as `'64mb'`: it has so many; 128 MiB when not given. */
  maxPartSize?: number | string
  /** It is so old; 60 s when not given. */
  rolloverInterval?: Duration
  /** Nothing was written to it for so long; 60 s when not given. */
  inactivityInterval?: Duration
  /** A checkpoint is taken; false when not given. */
  onCheckpoint?: boolean
}

export interface Rolling {
  partBytesMax: number
  rolloverMs: number
  inactivityMs: number
  onCheckpoint: boolean
}

/** Parts end with the input. */
export const ONE_PART: Rolling = {
  partBytesMax: Number.POSITIVE_INFINITY,
  rolloverMs: Number.POSITIVE_INFINITY,
  inactivityMs: Number.POSITIVE_INFINITY,
  onCheckpoint: false,
}

/** Throws RangeError. */
export function rollingOf(policy: RollingPolicy): Rolling {
  const { maxPartSize = '128mb', rolloverInterval = '60 s', inactivityInterval = '60 s', onCheckpoint = false } = policy
  const above0 = (option: keyof RollingPolicy, given: number | string, value: number) => {
    if (value > 0) return value
    throw new RangeError(`Cannot use ${given} as "${option}" of a rolling policy: it must be above 0`)
  }
  return {
    partBytesMax: above0(
      'maxPartSize',
      maxPartSize,
      maxPartSize === Number.POSITIVE_INFINITY ? maxPartSize : memoryBytes(maxPartSize),
    ),
    rolloverMs: above0('rolloverInterval', rolloverInterval, durationMs(rolloverInterval)),
    inactivityMs: above0('inactivityInterval', inactivityInterval, durationMs(inactivityInterval)),
    onCheckpoint,
  }
}

/** When a part ends if nothing more is written to it; Infinity: not by itself. */
export function dueMs(part: { openedMs: number; writtenMs: number }, rolling: Rolling): number {
  return Math.min(part.openedMs + rolling.rolloverMs, part.writtenMs + rolling.inactivityMs)
}
