/**
 * What a job may set of its exchanges, from its configuration keys.
 */

import { RECORDS_MAX } from '../codec/batch.ts'
import { TailraceError } from '../core/errors.ts'
import { memoryBytes } from '../core/memory-size.ts'
import { OVERFLOW_LIMITS, type OverflowLimits } from './overflow.ts'

export interface ExchangeSettings {
  /** `tailrace.exchange.records-per-batch`, 1 to 256. */
  recordsMax: number
  /** `tailrace.exchange.buffers-per-slot`: floating buffers of 32 KB. */
  poolBuffers: number
  /** `tailrace.task.overflow.memory-size` and `tailrace.task.overflow.disk-size`. */
  overflow: OverflowLimits
}

/** 128 buffers are 4 MiB for each slot of the job. */
export const POOL_BUFFERS = 128
const POOL_BUFFERS_LIMIT = 32_768

export function exchangeSettings(options: Readonly<Record<string, string>>): ExchangeSettings {
  return {
    recordsMax: whole(options, 'tailrace.exchange.records-per-batch', RECORDS_MAX, RECORDS_MAX),
    poolBuffers: whole(options, 'tailrace.exchange.buffers-per-slot', POOL_BUFFERS, POOL_BUFFERS_LIMIT),
    overflow: {
      memoryBytesMax: size(options, 'tailrace.task.overflow.memory-size', OVERFLOW_LIMITS.memoryBytesMax),
      diskBytesMax: size(options, 'tailrace.task.overflow.disk-size', OVERFLOW_LIMITS.diskBytesMax),
    },
  }
}

function whole(options: Readonly<Record<string, string>>, key: string, otherwise: number, max: number): number {
  const text = options[key]
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new TailraceError('TR-CONFIG-001', `Cannot set ${key} to "${text}": wanted a whole number from 1 to ${max}`)
  }
  return value
}

function size(options: Readonly<Record<string, string>>, key: string, otherwise: number): number {
  const text = options[key]
  if (text === undefined) return otherwise
  try {
    return memoryBytes(text)
  } catch (cause) {
    throw new TailraceError('TR-CONFIG-001', `Cannot set ${key} to "${text}": wanted a size such as "64mb"`, { cause })
  }
}
