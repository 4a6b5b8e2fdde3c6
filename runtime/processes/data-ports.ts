/**
 * The ports of a TaskManager's slots, by `taskmanager.data.port` and `taskmanager.data.bind-port`: each slot takes the first one that is free. Where both are given they are pairs: what
 * is listened on, and what others are told.
 */
import type { ConfigValues } from '../config/option.ts'
import { NETWORK } from '../config/options/network.ts'
import { parsePorts } from '../metrics/listen.ts'

export interface DataPorts {
  port: readonly number[]
  /** As many; absent: others are told what is listened on. */
  advertisedPort?: readonly number[]
}

/**
 * Throws TR-CONFIG-001 for fewer ports than slots, and for two lists that are no pairs. A slot's next thread may begin before the last one has let go of its port: give some more
 * than there are slots.
 *
 * @example
 * dataPorts(values, 2) // with taskmanager.data.port=6130-6133: { port: [6130, 6131, 6132, 6133] }
 */
export function dataPorts(read: ConfigValues, slots: number): DataPorts {
  const told = parsePorts(read.get(NETWORK.dataPort))
  const bound = parsePorts(read.get(NETWORK.dataBindPort) ?? read.get(NETWORK.dataPort))
  // It is there: without one any port will do.
  const refusal = (wanted: string) => read.refusal(read.find(NETWORK.dataBindPort)!, wanted)
  if (!bound.includes(0) && bound.length < slots) throw refusal(`a port for each of the ${slots} slots`)
  if (told.includes(0) || told.join() === bound.join()) return { port: bound }
  if (bound.includes(0) || bound.length !== told.length)
    throw refusal(`a port for each of the ${told.length} of ${NETWORK.dataPort.key}`)
  return { port: bound, advertisedPort: told }
}
