/** Bounds and times of the connections between processes, from Flink's keys in the spellings of 1.x (akka) and 2.x (pekko). */
import { memoryBytes } from '../../core/memory-size.ts'
import { OptionReader } from '../../core/option-reader.ts'

export interface WireSettings {
  /** `pekko.framesize`, `akka.framesize`: the longest message, bytes. */
  frameBytesMax: number
  /** Written and not yet taken by the system; a connection that has more is closed. At least one message fits. */
  outgoingBytesMax: number
  /** Under way at a time, in each direction. */
  callsMax: number
  /** `pekko.ask.timeout`, `akka.ask.timeout`: deadline of calls without one of their own. */
  callMs: number
  /** `pekko.tcp.timeout`, `akka.tcp.timeout`: for opening a connection, with TLS, and as long again for the hellos. */
  connectMs: number
  /** `heartbeat.interval`. 1 s; 10 s in Flink. */
  heartbeatIntervalMs: number
  /** `heartbeat.timeout`: without a sign of life for so long the other side counts as lost. 5 s; 50 s in Flink. */
  heartbeatTimeoutMs: number
}

export const WIRE_SETTINGS: WireSettings = {
  frameBytesMax: 64 * 2 ** 20,
  outgoingBytesMax: 256 * 2 ** 20,
  callsMax: 10_000,
  callMs: 10_000,
  connectMs: 20_000,
  heartbeatIntervalMs: 1_000,
  heartbeatTimeoutMs: 5_000,
}

/** Smaller frames would not take a deployment. */
const FRAME_BYTES_MIN = 64 * 2 ** 10
const FRAME_BYTES_MAX = 2 ** 30

/**
 * Throws TR-CONFIG-001 for a value that cannot be used.
 *
 * @example
 * readWireSettings({ 'heartbeat.timeout': '10 s' }).heartbeatTimeoutMs // 10000
 */
export function readWireSettings(options: Readonly<Record<string, string>>): WireSettings {
  const read = new OptionReader(options, 'TR-CONFIG-001')
  const fallback = WIRE_SETTINGS
  const atLeast = (atLeastMs: number) => ({ atLeastMs })
  const frameBytesMax = frameBytes(read) ?? fallback.frameBytesMax
  const heartbeatIntervalMs = read.duration(fallback.heartbeatIntervalMs, atLeast(10), 'heartbeat.interval')
  return {
    frameBytesMax,
    outgoingBytesMax: Math.max(fallback.outgoingBytesMax, 2 * frameBytesMax),
    callsMax: fallback.callsMax,
    callMs: read.duration(fallback.callMs, atLeast(1), 'pekko.ask.timeout', 'akka.ask.timeout'),
    connectMs: read.duration(fallback.connectMs, atLeast(1), 'pekko.tcp.timeout', 'akka.tcp.timeout'),
    heartbeatIntervalMs,
    // One that is lost on the way must not count as an end.
    heartbeatTimeoutMs: read.duration(fallback.heartbeatTimeoutMs, atLeast(heartbeatIntervalMs), 'heartbeat.timeout'),
  }
}

function frameBytes(read: OptionReader): number | undefined {
  const found = read.find('pekko.framesize', 'akka.framesize')
  if (found === undefined) return undefined
  const wanted = 'a size from 64kb to 1g, such as "64mb",'
  let bytes: number
  try {
    bytes = memoryBytes(found.text)
  } catch (cause) {
    throw read.refusal(found, wanted, cause)
  }
  if (bytes < FRAME_BYTES_MIN || bytes > FRAME_BYTES_MAX) throw read.refusal(found, wanted)
  return bytes
}
