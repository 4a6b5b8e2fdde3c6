/**
 * What a job may set of its exchanges, from its configuration keys.
 */
import { ConfigValues } from '../config/option.ts'
import { NETWORK } from '../config/options/network.ts'
import type { OverflowLimits } from './overflow.ts'

export interface ExchangeSettings {
  /** `tailrace.exchange.records-per-batch`, 1 to 256. */
  recordsMax: number
  /** `tailrace.exchange.buffers-per-slot`: floating buffers of 32 KB. */
  poolBuffers: number
  /** `tailrace.task.overflow.memory-size` and `tailrace.task.overflow.disk-size`. */
  overflow: OverflowLimits
  /** `taskmanager.network.compression.codec`: of batches between processes. */
  compression: 'none' | 'lz4'
}

/** Throws TR-CONFIG-001. */
export function exchangeSettings(options: Readonly<Record<string, string>>): ExchangeSettings {
  const read = new ConfigValues(options, 'TR-CONFIG-001')
  return {
    recordsMax: read.get(NETWORK.recordsPerBatch),
    poolBuffers: read.get(NETWORK.poolBuffers),
    overflow: {
      memoryBytesMax: read.get(NETWORK.overflowMemory),
      diskBytesMax: read.get(NETWORK.overflowDisk),
    },
    compression: read.get(NETWORK.compression) === 'LZ4' ? 'lz4' : 'none',
  }
}

/** What holds when nobody sets anything. */
export const EXCHANGE_SETTINGS: ExchangeSettings = exchangeSettings({})
