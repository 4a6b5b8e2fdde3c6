/**
 * The epoch of the leader, on every message: what an older leader says is refused, and a leader that hears of a newer one stops.
 *
 * A leader says its own epoch for as long as it lives. A follower says the newest that it has seen, whoever told it.
 */
export interface Fence {
  /** Goes out with everything. */
  readonly epoch: number
  /** The newest that was seen, its own included: what is older is refused. */
  readonly newest: number
  /** Takes notice of the epoch of something that came in. False: it is older than {@link newest}, refuse it. */
  see(epoch: number): boolean
}

/**
 * How a leader came to lead. One that was `started`, as the only one of its cluster, has its epoch from a clock, which may have been set back since the leader before it was started: as long as nobody knows it by
 * its epoch, it leads above whatever epoch it hears of. Once somebody does, a newer one deposes it like others: it stood still, and another was started meanwhile.
 */
export type Lead = 'elected' | 'started'

/** @param onDeposed called once, with the epoch of the newer leader: stop, and change nothing any more */
export function leaderFence(epoch: number, onDeposed: (epoch: number) => void, lead: Lead = 'elected'): Fence {
  let own = epoch
  let newest = epoch
  let isKnown = lead === 'elected'
  return {
    get epoch() {
      return own
    },
    get newest() {
      return newest
    },
    see: (seen) => {
      if (seen < newest) return false
      if (seen === newest) {
        isKnown = true
      } else if (!isKnown) {
        own = seen + 1
        newest = own
      } else {
        const first = newest === own
        newest = seen
        if (first) onDeposed(seen)
      }
      return true
    },
  }
}

/** Of a process that may come to lead. Before that it takes notice of nobody's epoch: it refuses who comes anyway. */
export interface CandidateFence extends Fence {
  /** From now on it is a leader's. */
  lead(epoch: number, lead?: Lead): void
}

/** @param onDeposed as for {@link leaderFence}, once it leads */
export function candidateFence(onDeposed: (epoch: number) => void): CandidateFence {
  let leads: Fence | undefined
  return {
    get epoch() {
      return leads?.epoch ?? 0
    },
    get newest() {
      return leads?.newest ?? 0
    },
    see: (seen) => leads?.see(seen) ?? true,
    lead: (epoch, lead) => {
      leads = leaderFence(epoch, onDeposed, lead)
    },
  }
}

/** @param onNewer called with each epoch that is newer than all before */
export function followerFence(onNewer: (epoch: number) => void = () => {}, epoch = 0): Fence {
  let newest = epoch
  return {
    get epoch() {
      return newest
    },
    get newest() {
      return newest
    },
    see: (seen) => {
      if (seen < newest) return false
      if (seen > newest) {
        newest = seen
        onNewer(seen)
      }
      return true
    },
  }
}
