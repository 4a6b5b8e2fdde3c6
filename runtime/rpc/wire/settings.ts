/** Bounds and times of the connections between processes, from Flink's keys in the spellings of 1.x (akka) and 2.x (pekko). */
import { ConfigValues } from '../../config/option.ts'
import { CLUSTER } from '../../config/options/processes.ts'

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

/** Frames of this size are possible; more is taken down to it. */
const FRAME_BYTES_MAX = 2 ** 30

/**
 * Throws TR-CONFIG-001 for a value that cannot be used.
 *
 * @example
 * readWireSettings({ 'heartbeat.timeout': '10 s' }).heartbeatTimeoutMs // 10000
 */
export function readWireSettings(values: Readonly<Record<string, string>>): WireSettings {
  const read = new ConfigValues(values, 'TR-CONFIG-001')
  const frameBytesMax = Math.min(FRAME_BYTES_MAX, read.get(CLUSTER.rpcFrame))
  const heartbeatIntervalMs = read.get(CLUSTER.heartbeatInterval)
  const heartbeatTimeoutMs = read.get(CLUSTER.heartbeatTimeout)
  if (heartbeatTimeoutMs < heartbeatIntervalMs) {
    const { key, standard } = CLUSTER.heartbeatTimeout
    const found = read.find(CLUSTER.heartbeatTimeout) ?? { key, text: standard! }
    throw read.refusal(found, `no less than ${CLUSTER.heartbeatInterval.key}, ${heartbeatIntervalMs} ms,`)
  }
  return {
    frameBytesMax,
    outgoingBytesMax: Math.max(WIRE_SETTINGS.outgoingBytesMax, 2 * frameBytesMax),
    callsMax: WIRE_SETTINGS.callsMax,
    callMs: read.get(CLUSTER.rpcAnswer),
    connectMs: read.get(CLUSTER.rpcConnect),
    heartbeatIntervalMs,
    heartbeatTimeoutMs,
  }
}
