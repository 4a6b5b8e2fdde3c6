/** A slice of `npm run chaos` for the gate: runs of each kind whose seeds strike often. Side by side, as they mostly wait. */
import { expect, it } from 'vitest'
import { chaosRun } from './run.ts'
import type { Kind } from './schedule.ts'

it.concurrent.each<[seed: number, kind: Kind]>([
  [1, 'slot'],
  [3, 'process'],
  [4, 'store'],
])('a job to files loses and doubles nothing: seed %i, kind %s', { timeout: 180_000 }, async (seed, kind) => {
  const outcome = await chaosRun(seed, kind)
  // Else the rest proves little.
  expect(outcome.processesKilled + outcome.slotsKilled).toBeGreaterThan(0)
  expect(outcome).toMatchObject({ seed, problems: [] })
})
