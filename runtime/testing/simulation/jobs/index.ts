/** All jobs of the simulation. */
import type { Job } from './job.ts'
import { buckets, parts, rolling, running } from './keyed.ts'
import { listsDealtOut, listsGivenToAll } from './operator-lists.ts'
import { chain, copies, shuffles, sides, union } from './stateless.ts'
import { broadcastRules, join } from './two-inputs.ts'
import { windowAggregates, windowLists, windowSums, windowsOfTheDay } from './windows.ts'

export const JOBS: readonly Job[] = [
  chain,
  shuffles,
  copies,
  union,
  sides,
  running,
  rolling,
  buckets,
  parts,
  windowSums,
  windowAggregates,
  windowLists,
  windowsOfTheDay,
  join,
  broadcastRules,
  listsDealtOut,
  listsGivenToAll,
]
