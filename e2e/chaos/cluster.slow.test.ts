/** A slice of `npm run chaos` for the gate: clusters of processes whose seeds strike often. */
import { expect, it } from 'vitest'
import { clusterRun } from './cluster-run.ts'
import type { ClusterKind } from './cluster-schedule.ts'

it.each<[seed: number, kind: ClusterKind]>([
  [44, 'taskmanager'],
  [32, 'links'],
  [53, 'cluster'],
  [2, 'standby'],
])('a cluster of processes loses and doubles nothing: seed %i, kind %s', { timeout: 180_000 }, async (seed, kind) => {
  const outcome = await clusterRun(seed, kind)
  // Else the rest proves little.
  expect(outcome.hits.length).toBeGreaterThan(0)
  expect(outcome).toMatchObject({ seed, problems: [] })
})
