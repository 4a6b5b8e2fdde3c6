/** Where the leading JobManager is, as TaskManagers and commands find it: at a fixed address, or where an election says. */
import { ConfigValues } from '../config/option.ts'
import { JOB_MANAGER } from '../config/options/processes.ts'
import type { SocketAddress } from '../core/socket.ts'
import type { Election, Leader } from '../ha/election.ts'

export interface LeaderAddress {
  /** undefined: nobody leads that one knows of. */
  find(): Promise<SocketAddress | undefined>
  /** Calls back when another process leads than was known: whoever led before does not any more. Returns how to stop. */
  watch(changed: () => void): () => void
  close(): Promise<void>
}

/** Throws TR-CONFIG-001. */
export function fixedAddress(configuration: Readonly<Record<string, string>>): LeaderAddress {
  const read = new ConfigValues(configuration, 'TR-CONFIG-001')
  // Of a JobManager it means any port that is free.
  if (read.get(JOB_MANAGER.port) === 0)
    throw read.refusal(read.find(JOB_MANAGER.port)!, 'the port that the JobManager says it listens on')
  const address = { host: read.get(JOB_MANAGER.address), port: read.get(JOB_MANAGER.port) }
  return { find: async () => address, watch: () => () => {}, close: async () => {} }
}

/** The address in the record of an election, followed from now on. The election is closed with it. */
export function electedAddress(election: Election): LeaderAddress {
  let leader: Leader | undefined
  /** As it was given out last. */
  let given: { leader: Leader | undefined } | undefined
  const listeners = new Set<() => void>()
  const stop = election.watch((now) => {
    // A record that is up says nothing of who comes next: whoever led may still be reached.
    if (now === undefined) return
    leader = now
    const isNews = given !== undefined && (given.leader?.startId !== now.startId || given.leader.epoch !== now.epoch)
    if (isNews) for (const changed of [...listeners]) changed()
  })
  return {
    find: async () => {
      // Who asks again did not find a leader where it was told: the record may say another before the next look at it.
      if (leader === undefined || given !== undefined) {
        const found = await election.leader().catch((error) => {
          if (leader === undefined) throw error
          return undefined
        })
        // The watch may have told of a newer one meanwhile.
        if (found !== undefined && found.epoch >= (leader?.epoch ?? 0)) leader = found
      }
      given = { leader }
      return leader && parseAddress(leader.address)
    },
    watch: (changed) => {
      listeners.add(changed)
      return () => listeners.delete(changed)
    },
    close: async () => {
      stop()
      await election.close()
    },
  }
}

/** `host:port` of an election's record. */
export function parseAddress(text: string): SocketAddress {
  const at = text.lastIndexOf(':')
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) }
}

export function formatAddress({ host, port }: SocketAddress): string {
  return `${host}:${port}`
}
