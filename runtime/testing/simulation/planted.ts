/**
 * Bugs that a run can be given, so that a test can show that it would find them: a simulation that never fails proves nothing.
 */

import type { ObjectStore, StoredObject } from '../../checkpoint/object-store.ts'
import type { Clock } from '../../core/clock.ts'
import type { Leadership } from '../../processes/high-availability.ts'
import type { ToJobManager, ToTaskManager } from '../../rpc/messages/catalog.ts'
import type { FromSlotThread } from '../../rpc/slot-messages.ts'
import type { Peer } from '../../rpc/wire/peer.ts'
import type { Party } from './world.ts'

export type PlantedBug =
  /** A sink shows a batch when it is prepared, before the checkpoint is complete. */
  | 'a sink commits early'
  /** A committer says that it has committed, and has not. */
  | 'a sink forgets to commit'
  /** The store says that it has stored a file of state, and now and then has not. */
  | 'the store forgets files'
  /** Whoever has taken over the job sees no claim that came later, as from a directory's old listing: nobody is fenced. */
  | 'the store lists what was'
  /** The last rows of a keyed state are not in the snapshot. */
  | 'a snapshot lacks rows'
  /** Barriers do not hold back what overtakes them. */
  | 'barriers are not aligned'
  /** Nobody hears that a task has finished. */
  | 'an end is not told'
  /** A TaskManager that has registered again still runs what the registration before has begun. */
  | 'threads outlive their registration'
  /** The JobManager does not hear that a thread of a TaskManager has ended. */
  | 'the end of a thread is not told'
  /** The JobManager does not hear that the connection to a TaskManager is lost. */
  | 'a lost TaskManager is not noticed'
  /** The clock of the first JobManager goes slowly, so it thinks that it leads for longer than it may. */
  | 'a clock goes slowly'
  /** The registry says that it has kept the end of a job, and has not. */
  | 'the registry forgets ends'
  /** Candidates judge leases by clocks that people set. */
  | 'leases are judged by the wall clock'

/** Every so many files is forgotten. */
const FORGETS = 5

/** The store as it is with `bug`. */
export function storeWith(bug: PlantedBug | undefined, store: ObjectStore): ObjectStore {
  let files = 0
  let started = false
  let claims: Promise<StoredObject[]> | undefined
  switch (bug) {
    case 'the store forgets files':
      return {
        ...store,
        putIfAbsent: async (key, bytes) =>
          key.includes('/shared/') && ++files % FORGETS === 0 ? true : store.putIfAbsent(key, bytes),
        put: async (key, bytes) => {
          if (!key.includes('/shared/') || ++files % FORGETS !== 0) await store.put(key, bytes)
        },
      }
    case 'the store lists what was':
      return {
        ...store,
        list(prefix) {
          if (!prefix.endsWith('/claims/')) return store.list(prefix)
          const listed = claims ?? store.list(prefix)
          if (started) claims = listed
          return listed
        },
        async putIfAbsent(key, bytes) {
          started ||= key.endsWith('.start')
          return store.putIfAbsent(key, bytes)
        },
      }
    default:
      return store
  }
}

/** The clock of a party with `bug`. */
export function clockWith(bug: PlantedBug | undefined, { name, clock }: Party): Clock {
  if (bug === 'leases are judged by the wall clock') return { ...clock, monotonic: () => clock.now() }
  if (bug !== 'a clock goes slowly' || name !== 'p1/main') return clock
  return { ...clock, monotonic: () => clock.monotonic() / 10 }
}

/** What a leader has with `bug`. */
export function leadershipWith(bug: PlantedBug | undefined, leadership: Leadership): Leadership {
  const { registry } = leadership
  if (bug === 'the registry forgets ends' && registry !== undefined) {
    registry.endJob = async () => {}
    registry.endProgram = async () => {}
  }
  return leadership
}

/** What a slot says with `bug`; undefined: nothing. */
export function messageWith(bug: PlantedBug | undefined, message: FromSlotThread): FromSlotThread | undefined {
  if (bug === 'an end is not told' && message.type === 'taskState' && message.state === 'FINISHED') return undefined
  if (bug !== 'a snapshot lacks rows' || message.type !== 'checkpointAck') return message
  const operators = message.snapshot.operators.map(({ keyed, ...operator }) => ({
    ...operator,
    ...(keyed === undefined ? {} : { keyed: { ...keyed, chunks: keyed.chunks.slice(0, -1) } }),
  }))
  return { ...message, snapshot: { ...message.snapshot, operators } }
}

/** A connection of the JobManager to a TaskManager with `bug`. */
export function plantInPeer(bug: PlantedBug | undefined, peer: Peer<ToJobManager, ToTaskManager>): void {
  if (bug === 'a lost TaskManager is not noticed') peer.onLost = () => {}
  if (bug !== 'the end of a thread is not told') return
  const handle = peer.handle.bind(peer)
  peer.handle = (handlers) => handle({ ...handlers, slotEnded: () => {} })
}
