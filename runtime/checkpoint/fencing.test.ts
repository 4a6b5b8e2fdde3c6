/**
 * Owners of one deployment in each other's way, over a store that delays, fails, answers late or not at all, and takes up requests long after they were given up.
 *
 * The history of a checkpoint is the tokens of those before it and its own; each file says what it is. What must hold in every order of events:
 * - whoever opens the store, or completes a checkpoint, has all tokens that anyone was told of;
 * - whoever opens it goes on from what the owner before it went on from: no two histories fork and both count;
 * - whatever counts can be read, whoever deletes what in the meantime;
 * - in the end nothing is left that nobody needs.
 *
 * A failing seed is in the message; TAILRACE_SEED=n runs it alone.
 */
import { describe, expect, it } from 'vitest'
import { isTailraceError } from '../core/errors.ts'
import { checkpointOf } from './checkpoint-of.suite.ts'
import type { CheckpointStore } from './checkpoint-store.ts'
import { handlesOf } from './handles.ts'
import { type MemoryFault, MemoryObjects, memoryStore } from './memory-store.ts'
import type { StateHandle } from './model.ts'
import { openCheckpointStore } from './open-checkpoint-store.ts'
import { SeededTime } from './seeded-time.suite.ts'

const SEEDS = 1_000
const GRACE_MS = 500
const FOLDER = 'deployment'

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const contentOf = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes))
const EXPECTED = ['TR-CHECKPOINT-001', 'TR-CHECKPOINT-002', 'TR-CHECKPOINT-005', 'TR-CHECKPOINT-007']

class World {
  readonly time: SeededTime
  readonly objects: MemoryObjects
  /** Tokens of completed checkpoints that an owner was told of. */
  announced: string[] = []
  /** What the last owner that opened went on from. */
  lastStart: string[] = []
  /** Owners that have begun to give up all checkpoints, and nobody has begun anew since. */
  readonly ending = new Set<string>()
  /** One of them was told that it has. */
  ended = false
  readonly failures: string[] = []
  readonly log: string[] = []
  readonly retained: number
  #tokens = 0

  constructor(seed: number) {
    this.time = new SeededTime(seed)
    this.objects = new MemoryObjects(() => this.time.now())
    this.retained = 1 + this.time.below(2)
  }

  check(holds: boolean, text: string): void {
    if (!holds) this.failures.push(text)
  }

  token(): string {
    return `t${++this.#tokens}`
  }

  open(owner: string, fault?: () => MemoryFault | undefined): Promise<CheckpointStore> {
    return openCheckpointStore({
      store: memoryStore(this.objects, { schedule: this.time.schedule, ...(fault && { fault }) }),
      folder: FOLDER,
      owner,
      retained: this.retained,
      clock: this.time,
      inlineBytesMax: 0,
      graceMs: GRACE_MS,
      warn: (text) => this.log.push(text),
    })
  }

  /** An owner has opened the store: what does it go on from? */
  hasOpened(owner: string, history: string[]): void {
    this.log.push(`${owner} goes on from [${history}]`)
    if (history.length === 0 && this.ending.size > 0) {
      this.announced = []
      this.ended = false
      this.ending.clear()
    } else {
      this.check(!this.ended, `${owner} goes on from [${history}], which was given up`)
      this.check(
        this.lastStart.every((token, i) => history[i] === token),
        `${owner} goes on from [${history}], the one before from [${this.lastStart}]`,
      )
      this.hasAll(owner, history)
    }
    this.lastStart = history
  }

  hasAll(owner: string, history: string[]): void {
    const lost = this.announced.filter((token) => !history.includes(token))
    this.check(lost.length === 0, `${owner} lacks [${lost}] in [${history}]`)
  }
}

/** The history of the newest checkpoint, with all files of all kept ones read and compared. */
function readHistory(world: World, owner: string, store: CheckpointStore): string[] {
  let history: string[] = []
  for (const { metadata } of store.completed) {
    const values = handlesOf(metadata).map((handle) => contentOf(readNow(world, owner, handle)))
    history = values[0].history
    world.check(
      values.every((value, i) => i === 0 || value.history.length <= history.length),
      `${owner} reads ${JSON.stringify(values)}`,
    )
  }
  return history
}

/** One run of a JobManager, until it is killed, deposed or has had enough. */
async function runOwner(world: World, owner: string): Promise<void> {
  const { time } = world
  let killed = false
  const calm = time.chance(0.3)
  const fault = (): MemoryFault => {
    if (killed) return { beforeMs: Infinity }
    const delays = { beforeMs: time.chance(0.03) ? time.below(2_000) : time.below(12), afterMs: time.below(12) }
    if (calm || !time.chance(0.1)) return delays
    const fail = (['before', 'after', 'late'] as const)[time.below(3)]!
    return { ...delays, fail, lateMs: time.below(400) }
  }
  if (time.chance(0.6)) {
    time.schedule(time.below(1_200), () => {
      killed = true
      world.log.push(`${owner} is killed`)
    })
  }
  const guarded = async <T>(work: Promise<T>): Promise<T | { failed: string }> => {
    try {
      const result = await work
      // A killed process hears nothing.
      if (killed) await new Promise(() => {})
      return result
    } catch (error) {
      if (killed) await new Promise(() => {})
      if (!isTailraceError(error) || !EXPECTED.includes(error.code)) throw error
      return { failed: error.code }
    }
  }
  const didFail = (result: unknown): result is { failed: string } =>
    typeof result === 'object' && result !== null && 'failed' in result

  const store = await guarded(world.open(owner, fault))
  if (didFail(store)) return void world.log.push(`${owner} could not open: ${store.failed}`)
  let history = readHistory(world, owner, store)
  world.hasOpened(owner, history)

  for (let id = store.nextCheckpointId, rounds = 2 + time.below(8); rounds > 0; id++, rounds--) {
    await time.wait(time.below(60))
    const token = world.token()
    const contents = [{ history: [...history, token] }, { history: history.slice(0, 1), common: time.below(2) }]
    if (time.chance(0.5)) contents.push({ history: [], common: time.below(2) } as any)
    const written = await Promise.all(contents.map((content) => guarded(store.write(bytesOf(content)))))
    const handles = written.filter((one): one is StateHandle => !didFail(one))
    const discard = async () => {
      const discarded = await guarded(store.discard(id, handles))
      return didFail(discarded) && discarded.failed === 'TR-CHECKPOINT-002'
    }
    if (handles.length < contents.length || time.chance(0.15)) {
      if (await discard()) return void world.log.push(`${owner} is deposed`)
      continue
    }
    const completed = await guarded(store.complete(checkpointOf(id, handles)))
    if (didFail(completed)) {
      world.log.push(`${owner} failed at ${id} ${token}: ${completed.failed}`)
      if (completed.failed === 'TR-CHECKPOINT-002' || (await discard())) return
      continue
    }
    history = [...history, token]
    world.hasAll(owner, history)
    world.check(!world.ended, `${owner} completed ${token} after the end`)
    world.announced.push(token)
    world.log.push(`${owner} completed ${id} ${token}`)
  }
  if (time.chance(0.2)) {
    world.ending.add(owner)
    const ended = await guarded(store.discardAll())
    world.log.push(`${owner} ended: ${didFail(ended) ? ended.failed : 'yes'}`)
    if (!didFail(ended) && world.ending.has(owner)) world.ended = true
    return
  }
  if (time.chance(0.5)) await store.close()
}

/** The file of a handle as the store has it now: no faults, no time. */
function readNow(world: World, owner: string, handle: StateHandle): Uint8Array {
  const file = 'file' in handle ? handle.file : ''
  const object = world.objects.objects.get(`${FOLDER}/${file}`)
  world.check(object !== undefined, `"${file}" is gone, which counts for ${owner}`)
  return object?.bytes ?? bytesOf({ history: [] })
}

async function runSeed(seed: number): Promise<World> {
  const world = new World(seed)
  const { time } = world
  const owners = Array.from({ length: 2 + time.below(4) }, async (_, i) => {
    await time.wait(time.below(1_500))
    await runOwner(world, `owner${i}`)
  })
  const all = Promise.all(owners).catch((error) => {
    world.failures.push(String(error?.stack ?? error))
  })
  void all
  await time.run()
  // Whoever was killed is gone; another takes over in peace, and again when all grace is over.
  for (const owner of ['last', 'very-last']) {
    const end = (async () => {
      await time.wait(GRACE_MS * 10)
      const store = await world.open(owner)
      world.hasOpened(owner, readHistory(world, owner, store))
      await store.close()
      if (owner === 'very-last') checkNothingIsLeft(world, store)
    })().catch((error) => {
      world.failures.push(String(error?.stack ?? error))
    })
    await time.run(end)
  }
  return world
}

function checkNothingIsLeft(world: World, store: CheckpointStore): void {
  const needed = store.completed.flatMap(({ metadata, path }) => [
    path.slice('memory:/'.length),
    ...handlesOf(metadata).map((handle) => ('file' in handle ? `${FOLDER}/${handle.file}` : '')),
  ])
  const there = [...world.objects.objects.keys()].filter((key) => /\/(chk-\d+|shared)\//.test(key))
  const left = there.filter((key) => !needed.includes(key))
  world.check(left.length === 0, `[${left}] is left, needed is [${needed}]`)
}

describe('fencing', () => {
  const only = process.env.TAILRACE_SEED
  const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(only)]

  it(`holds for ${seeds.length} seeds`, { timeout: 120_000 }, async () => {
    let told = 0
    let takenOver = 0
    for (const seed of seeds) {
      const world = await runSeed(seed)
      if (world.failures.length > 0)
        expect.fail(`seed ${seed}:\n${world.failures.join('\n')}\n---\n${world.log.join('\n')}`)
      told += world.log.filter((line) => line.includes(' completed ')).length
      takenOver += world.log.filter((line) => line.includes('goes on from [t')).length
    }
    // The seeds try something: most complete checkpoints, and somebody goes on from them.
    if (only === undefined) {
      expect(told).toBeGreaterThan(seeds.length * 3)
      expect(takenOver).toBeGreaterThan(seeds.length)
    }
  })
})
