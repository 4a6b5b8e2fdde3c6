/** A slice of `npm run chaos` for the gate: clusters of processes whose seeds strike often. Side by side, as they mostly wait. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installS3, missingOwnS3, type OwnS3Lab, startOwnS3 } from '../../scripts/lab/s3.ts'
import { clusterRun } from './cluster-run.ts'
import type { ClusterKind } from './cluster-schedule.ts'

const missing = missingOwnS3()
const skipped = missing !== undefined && process.env.TAILRACE_REQUIRE_ALL !== '1'
if (skipped) console.log(`${missing} (skipped)`)
const INSTALL_MS = 10 * 60_000

describe.skipIf(skipped)('on S3', () => {
  let s3: OwnS3Lab
  beforeAll(async () => {
    installS3()
    s3 = await startOwnS3()
  }, INSTALL_MS)
  afterAll(() => s3?.stop())

  it('a cluster of processes loses and doubles nothing though its server is killed, and a JobManager', {
    timeout: 180_000,
  }, async () => {
    const outcome = await clusterRun(15, 'cluster-s3', { s3 })
    expect(outcome.hits.join()).toMatch(/kill s3.*kill JobManager.*S3 is started/)
    expect(outcome).toMatchObject({ problems: [] })
  })
})

it.concurrent.each<[seed: number, kind: ClusterKind]>([
  [44, 'taskmanager'],
  [24, 'links'],
  [53, 'cluster'],
  [2, 'standby'],
])('a cluster of processes loses and doubles nothing: seed %i, kind %s', { timeout: 180_000 }, async (seed, kind) => {
  const outcome = await clusterRun(seed, kind)
  // Else the rest proves little.
  expect(outcome.hits.length).toBeGreaterThan(0)
  expect(outcome).toMatchObject({ seed, problems: [] })
})
