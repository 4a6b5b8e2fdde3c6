/** Where the leading JobManager is, as TaskManagers and commands find it: at a fixed address, or where an election says. */
import { ConfigValues } from '../config/option.ts'
import { JOB_MANAGER } from '../config/options/processes.ts'
import type { SocketAddress } from '../core/socket.ts'

export interface LeaderAddress {
  /** undefined: nobody leads that one knows of. */
  find(): Promise<SocketAddress | undefined>
}

export function fixedAddress(configuration: Readonly<Record<string, string>>): LeaderAddress {
  const read = new ConfigValues(configuration, 'TR-CONFIG-001')
  const address = { host: read.get(JOB_MANAGER.address), port: read.get(JOB_MANAGER.port) }
  return { find: async () => address }
}

/** `host:port` of an election's record. */
export function parseAddress(text: string): SocketAddress {
  const at = text.lastIndexOf(':')
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) }
}
