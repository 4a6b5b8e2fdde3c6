/**
 * Some seeds at every commit; scripts/gate.ts runs a thousand. And what makes them worth something: a run is a function of its seed, and finds bugs that are there.
 */
import { describe, expect, it } from 'vitest'
import { JOBS } from './jobs/index.ts'
import type { PlantedBug } from './planted.ts'
import { Random } from './random.ts'
import { CLOCK_FAULTS, CLUSTER_FAULTS, drawScenario, FAULTS, TOPOLOGIES, type Topology } from './scenario.ts'
import { FailedRun, simulate } from './simulation.ts'

describe('seeds', () => {
  it.each([
    // Without the fence of a savepoint that stops the job:
    [335, 'a JobManager that was taken over from told its tasks to commit'],
    [584, 'the next process began from before what the tasks of the one that stopped had committed'],
    [767, 'a job was said to be stopped, and another process went on with it'],
  ])('%i: once %s', async (seed) => {
    expect((await simulate({ seed, topology: 'one process' })).checkpoints).toBeGreaterThan(0)
  })

  it.each(Array.from({ length: 24 }, (_, i) => i + 1))('%i', async (seed) => {
    expect(await simulate({ seed })).toMatchObject({ seed, job: expect.any(String) })
  })

  it('draw every job and every fault, alone and together', () => {
    for (const [topology, all] of [
      ['one process', [...FAULTS, ...CLOCK_FAULTS]],
      ['cluster', [...FAULTS, ...CLUSTER_FAULTS, ...CLOCK_FAULTS]],
    ] as const) {
      const scenarios = Array.from({ length: 400 }, (_, seed) => drawScenario(new Random(seed), topology))
      const faults = scenarios.map((scenario) => scenario.faults.map(({ fault }) => fault))
      expect(new Set(scenarios.map(({ job }) => job))).toEqual(new Set(JOBS))
      expect(new Set(faults.flat())).toEqual(new Set(all))
      expect(faults.map(({ length }) => length)).toEqual(expect.arrayContaining([0, 1, 12]))
    }
  })

  it('draw clusters of one to four TaskManagers that have as many slots as the job may want', () => {
    const clusters = Array.from({ length: 200 }, (_, seed) => drawScenario(new Random(seed), 'cluster'))
    expect(new Set(clusters.map(({ cluster }) => cluster!.slots.length))).toEqual(new Set([1, 2, 3, 4]))
    expect(new Set(clusters.map(({ cluster }) => cluster!.isElected))).toEqual(new Set([true, false]))
    expect(new Set(clusters.map(({ cluster }) => cluster!.jobManagers))).toEqual(new Set([1, 2]))
    for (const { cluster, parallelismMax } of clusters) {
      const slots = cluster!.slots.reduce((sum, n) => sum + n, 0)
      expect(slots).toBeGreaterThanOrEqual(parallelismMax)
    }
  })
})

describe('a run', () => {
  it.each(TOPOLOGIES)('of %s is the same whenever it is run, whatever was run before', async (topology) => {
    const lines = async (seed: number) => {
      const all: string[] = []
      const report = await simulate({ seed, topology, follow: (line) => all.push(line) })
      return { all, report }
    }
    const first = await lines(40)
    const other = await lines(41)
    expect(await lines(40)).toEqual(first)
    expect(other.report.fingerprint).not.toBe(first.report.fingerprint)
    expect(first.all).toHaveLength(first.report.events)
  })
})

/** A seed from which on a bug is soon found, and by what. */
const PLANTED: [PlantedBug, number, RegExp][] = [
  ['a sink commits early', 2, /is shown too often/],
  ['a sink forgets to commit', 1, /results are lost/],
  ['the store forgets files', 2, /shared\/.* is gone, which p\d+ keeps or needs/],
  [
    'the store lists what was',
    6,
    /p\d+ tells of checkpoint \d+, but p\d+ has taken over|goes on from checkpoint \d+, though \d+ was told of/,
  ],
  ['a snapshot lacks rows', 2, /results are lost|which nobody expects/],
  ['barriers are not aligned', 11, /is shown too often|which nobody expects/],
  ['an end is not told', 3, /the job has not ended, though nothing has gone wrong for 180 s/],
]
const PLANTED_IN_CLUSTERS: [PlantedBug, number, RegExp][] = [
  ['a sink commits early', 2, /is shown too often/],
  ['threads outlive their registration', 4, /was started by an earlier registration, and lives beside one of a later/],
  ['a lost TaskManager is not noticed', 5, /p\d+ counts on t\d+, which has died \d+ ms ago/],
  ['a clock goes slowly', 4, /p1 and p\d+ lead at once/],
  ['leases are judged by the wall clock', 12, /p\d+ and p\d+ lead at once/],
  ['the registry forgets ends', 9, /p\d+ leads and begins the job anew, which has ended/],
  ['the end of a thread is not told', 5, /the job has not ended/],
]
const SEEDS_MAX = 60

describe('a bug is found:', () => {
  it.each(PLANTED)('%s', async (planted, from, text) => {
    const failed = await firstFailure(planted, from, 'one process')
    expect(failed?.message).toMatch(text)
    const again = firstFailure(planted, failed!.seed, 'one process', 1)
    expect((await again)?.message).toBe(failed!.message)
  })

  it.each(PLANTED_IN_CLUSTERS)('%s, between processes', async (planted, from, text) => {
    expect((await firstFailure(planted, from, 'cluster'))?.message).toMatch(text)
  })

  it('and told with the scenario, what happened, and how to see it again', async () => {
    const { message, seed } = (await firstFailure('a sink commits early', 2, 'one process'))!
    const [first, ...rest] = message.split('\n')
    expect(first).toMatch(/^Seed \d+: "/)
    expect(rest).toContain(first)
    expect(rest.at(-1)).toMatch(`Run it again: npm run simulate -- --seed ${seed}`)
    expect(message).toMatch(/^job ".*" reads .* events/m)
    expect(message).toMatch(/^ {2}execution\.checkpointing\.interval: \d+ ms$/m)
    expect(message).toMatch(/^ +\d+\.\d{3} {2}p\d+\/slot-\d/m)
  })
})

async function firstFailure(
  planted: PlantedBug,
  from: number,
  topology: Topology,
  seeds = SEEDS_MAX,
): Promise<FailedRun | undefined> {
  for (let seed = from; seed < from + seeds; seed++) {
    try {
      await simulate({ seed, topology, planted })
    } catch (error) {
      if (error instanceof FailedRun) return error
      throw error
    }
  }
  return undefined
}
