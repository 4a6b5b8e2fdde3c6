/**
 * Leaders of one cluster in each other's way, over a store that delays, fails, answers late or not at all, and takes up requests long after they were given up; none of them is
 * told that it was deposed. What must hold in every order of events:
 * - whoever opens the registry has everything that anyone was told of before: programs, and that they have ended;
 * - nobody is told anything by a leader after a newer one has opened the registry.
 *
 * A failing seed is in the message; TAILRACE_SEED=n runs it alone.
 */
import { expect, it } from 'vitest'
import { type MemoryFault, MemoryObjects, memoryStore } from '../checkpoint/memory-store.ts'
import { SeededTime } from '../checkpoint/seeded-time.suite.ts'
import { isTailraceError } from '../core/errors.ts'
import { type JobRegistry, openRegistry } from './registry.ts'

const SEEDS = 500
const EXPECTED = ['TR-CHECKPOINT-002', 'TR-CHECKPOINT-005', 'TR-CHECKPOINT-007']
const PROGRAM = { url: 'file:///job.ts', args: [], parameters: {}, options: {} }

class World {
  readonly time: SeededTime
  readonly objects: MemoryObjects
  /** What somebody was told: of each program, whether it has ended. */
  readonly told = new Map<string, boolean>()
  readonly failures: string[] = []
  /** Of leaders that have opened it. */
  openedEpoch = 0
  changes = 0
  deposed = 0

  constructor(seed: number) {
    this.time = new SeededTime(seed)
    this.objects = new MemoryObjects(() => this.time.now())
  }

  open(owner: string, fault?: () => MemoryFault | undefined): Promise<JobRegistry> {
    return openRegistry({
      store: memoryStore(this.objects, { schedule: this.time.schedule, ...(fault && { fault }) }),
      folder: 'cluster',
      owner,
      leaderEpoch: 1,
      clock: this.time,
      warn: () => {},
    })
  }

  hasOpened(registry: JobRegistry): void {
    // One that was deposed while the last answer was on its way does not know it yet; it tells nobody anything.
    if (registry.epoch < this.openedEpoch) return
    this.openedEpoch = registry.epoch
    for (const [programId, ended] of this.told) {
      const found = registry.programs.find((one) => one.programId === programId)
      if (found === undefined) this.failures.push(`epoch ${registry.epoch} lacks program ${programId}`)
      else if (ended && found.outcome === undefined)
        this.failures.push(`epoch ${registry.epoch} would run program ${programId} again`)
    }
  }

  tell(registry: JobRegistry, programId: string, ended: boolean): void {
    this.changes++
    this.told.set(programId, ended)
    if (registry.epoch < this.openedEpoch)
      this.failures.push(`epoch ${registry.epoch} tells of ${programId} although epoch ${this.openedEpoch} leads`)
  }
}

/** One run of a JobManager, until it is killed, deposed or has had enough. */
async function lead(world: World, owner: string): Promise<void> {
  const { time } = world
  let killed = false
  const calm = time.chance(0.3)
  const fault = (): MemoryFault => {
    if (killed) return { beforeMs: Infinity }
    const delays = { beforeMs: time.chance(0.03) ? time.below(2_000) : time.below(12), afterMs: time.below(12) }
    if (calm || !time.chance(0.08)) return delays
    return { ...delays, fail: (['before', 'after', 'late'] as const)[time.below(3)]!, lateMs: time.below(1_500) }
  }
  time.schedule(100 + time.below(3_000), () => {
    killed = true
  })
  await time.wait(time.below(1_500))
  const attempt = async (work: () => Promise<void>): Promise<boolean> => {
    try {
      await work()
      return true
    } catch (error) {
      if (!isTailraceError(error) || !EXPECTED.includes(error.code)) throw error
      if (error.code === 'TR-CHECKPOINT-002') world.deposed++
      return error.code !== 'TR-CHECKPOINT-002'
    }
  }
  let registry: JobRegistry | undefined
  const goesOn = await attempt(async () => {
    registry = await world.open(owner, fault)
  })
  if (registry === undefined || killed || !goesOn) return
  world.hasOpened(registry)
  const led = registry
  for (let i = 0; i < 25 && !killed; i++) {
    await time.wait(time.below(60))
    const running = led.toRun()
    const going =
      running.length > 0 && time.chance(0.4)
        ? await attempt(async () => {
            const { programId } = running[time.below(running.length)]!
            await led.endProgram(programId, { status: 'FINISHED' })
            world.tell(led, programId, true)
          })
        : await attempt(async () => {
            const programId = `${owner}-${i}`
            // Some are too long for a record.
            const args = [time.chance(0.3) ? 'x'.repeat(5_000) : 'x']
            await led.addProgram({ programId, program: { ...PROGRAM, args } })
            world.tell(led, programId, false)
          })
    if (!going) return
  }
}

async function run(seed: number): Promise<World> {
  const world = new World(seed)
  const owners = Array.from({ length: 3 + world.time.below(3) }, (_, i) => `owner${i}`)
  const failed = (error: unknown) => world.failures.push(String(error))
  const all = Promise.all(owners.map((owner) => lead(world, owner).catch(failed)))
  // What waits for ever was asked by somebody who is dead.
  await world.time.run(all)
  await world.time.run()
  const last = world.open('last')
  await world.time.run(last)
  const registry = await last
  world.hasOpened(registry)
  for (const { programId } of registry.programs) await registry.program(programId)
  if (world.failures.length > 0) throw new Error(`seed ${seed}: ${world.failures.join('; ')}`)
  return world
}

it(`whoever leads has what anyone was told, in every order of events (${SEEDS} seeds)`, async () => {
  const given = process.env.TAILRACE_SEED
  const seeds = given === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(given)]
  let changes = 0
  let deposed = 0
  for (const seed of seeds) {
    const world = await run(seed)
    changes += world.changes
    deposed += world.deposed
  }
  // It is about something.
  if (given === undefined) expect(Math.min(changes / SEEDS, (deposed / SEEDS) * 10)).toBeGreaterThan(5)
}, 60_000)
