/** What the user's code of a simulated job can reach from where it runs: the world outside of the cluster, by ways that take time and fail. */
import type { Hazards } from './hazards.ts'
import type { Ledger } from './ledger.ts'
import type { PlantedBug } from './planted.ts'
import type { Party, World } from './world.ts'

export interface Here {
  readonly world: World
  /** The thread. */
  readonly party: Party
  readonly hazards: Hazards
  readonly ledger: Ledger
  readonly pace: Pace
  readonly planted: PlantedBug | undefined
  /** Resolves after so many milliseconds. */
  pause(ms: number): Promise<void>
}

/** How fast sources read. */
export interface Pace {
  /** In one turn. */
  eventsMax: number
  /** Between two turns. */
  pauseMaxMs: number
}
