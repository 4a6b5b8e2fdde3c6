/** Opens the way to slots of other processes, by the configuration of the TaskManager: its data port, TLS, compression. */

import { ConfigValues } from '../config/option.ts'
import { NETWORK } from '../config/options/network.ts'
import type { TailraceError } from '../core/errors.ts'
import { keepAliveOf } from '../network/remote/connection.ts'
import { DataPort } from '../network/remote/data-port.ts'
import { connectSockets, listenSockets } from '../network/remote/sockets.ts'
import { exchangeSettings } from '../network/settings.ts'
import { type InternalTls, internalTls } from '../rpc/tls/internal-tls.ts'
import { readWireSettings } from '../rpc/wire/settings.ts'
import type { SlotData } from './slot.ts'

/** Plain data, for the thread of the slot. */
export interface DataPortSettings {
  /** Address that is bound, and what others are told. */
  host: string
  advertised: string
  /** The first one that is free; 0 is any. */
  port: readonly number[]
  /** What others are told instead of each of these. */
  advertisedPort?: readonly number[]
  /** Of the process. */
  configuration: Readonly<Record<string, string>>
}

/** Rejects with TR-CLUSTER-003 when no port is free; throws TR-TLS-001 for files of TLS. */
export async function openSlotData(
  { configuration, ...port }: DataPortSettings,
  log: (text: string) => void = (text) => void process.stderr.write(`${text}\n`),
): Promise<SlotData> {
  const tls = tlsOf(configuration)
  const { heartbeatIntervalMs, heartbeatTimeoutMs } = readWireSettings(configuration)
  const onStranger = ({ code, message }: TailraceError) => log(`${code} ${message}`)
  const keepAlive = keepAliveOf(heartbeatIntervalMs, heartbeatTimeoutMs)
  const dataPort = await DataPort.listen({ ...port, keepAlive, listen: listenSockets(tls, onStranger) })
  const { compression } = exchangeSettings(configuration)
  return { dataPort, connect: connectSockets(tls), compression }
}

/** undefined: records go as they are. */
function tlsOf(configuration: Readonly<Record<string, string>>): InternalTls | undefined {
  if (!new ConfigValues(configuration, 'TR-CONFIG-001').get(NETWORK.dataTls)) return undefined
  return internalTls(configuration)
}
