/**
 * Whether a job that runs should change its parallelism now. Pure.
 *
 * | now | then |
 * |---|---|
 * | it runs as it should | stay |
 * | it rescaled a moment ago | wait for the cooldown |
 * | what was wanted has changed | rescale |
 * | all that is wanted has become possible | rescale |
 * | more is possible, but not all | wait whether more comes, then rescale |
 */
import { type Parallelism, sameParallelism } from './decide-parallelism.ts'
import type { SchedulerSettings } from './settings.ts'

export interface RescaleFacts {
  current: Parallelism
  /** With the slots that there are; undefined: there are too few, and the job goes on with what it has. */
  possible: Parallelism | undefined
  /** With as many slots as one likes. */
  wanted: Parallelism
  /** The bounds were changed since it was deployed. */
  changed: boolean
  nowMs: number
  /** When it was deployed. */
  sinceMs: number
  /** When more became possible. */
  moreSinceMs: number
  settings: Pick<SchedulerSettings, 'cooldownMs' | 'stabilizationMs'>
}

export type RescaleDecision =
  | { action: 'stay' }
  | { action: 'wait'; untilMs: number }
  | { action: 'rescale'; to: Parallelism }

export function decideRescale(facts: RescaleFacts): RescaleDecision {
  const { current, possible, wanted, changed, nowMs, sinceMs, moreSinceMs, settings } = facts
  if (possible === undefined || sameParallelism(current, possible)) return { action: 'stay' }
  const cooldownEndsMs = sinceMs + settings.cooldownMs
  if (nowMs < cooldownEndsMs) return { action: 'wait', untilMs: cooldownEndsMs }
  if (changed || sameParallelism(possible, wanted)) return { action: 'rescale', to: possible }
  const stableMs = moreSinceMs + settings.stabilizationMs
  return nowMs < stableMs ? { action: 'wait', untilMs: stableMs } : { action: 'rescale', to: possible }
}
