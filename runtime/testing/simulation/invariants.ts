/**
 * What must hold at every moment of a run, whoever is dead, paused or deposed:
 *
 * - ids of checkpoints rise, in each process and in what anyone is told;
 * - nobody is told of a checkpoint that the store does not have, nor of one that the newest owner does not go on from;
 * - a new owner goes on from everything that anyone was told of;
 * - what the newest owner keeps is in the store, with all of its files;
 * - who is told that the job was stopped with a savepoint can begin from it: nobody goes on with the job.
 */
import type { CheckpointStore } from '../../checkpoint/checkpoint-store.ts'
import { handlesOf } from '../../checkpoint/handles.ts'
import { MemoryObjects } from '../../checkpoint/memory-store.ts'
import { decodeMetadata } from '../../checkpoint/metadata.ts'
import type { CheckpointMetadata } from '../../checkpoint/model.ts'
import type { ToSlotData } from '../../rpc/messages/to-slot.ts'
import type { ToSlotThread } from '../../rpc/slot-messages.ts'
import type { Happenings } from './happenings.ts'
import type { World } from './world.ts'

/** What matters of the objects: their deployment, and the name in it. */
const KEY =
  /^(?:checkpoints|stops)\/(\w+)\/((?:chk-\d+|savepoint-[^/]+)\/_metadata|shared\/.*|claims\/\d+(?:\.start)?)$/

/** What was stored of a deployment. */
class StoredDeployment {
  /** `epoch/id` of each checkpoint that was ever complete; `any/id` of savepoints, which belong to no owner. */
  readonly everComplete = new Set<string>()
  /** The last checkpoint of the last owner. */
  last: CheckpointMetadata | undefined
  /** Savepoints that were to stop the job. */
  readonly stops: { path: string; metadata: CheckpointMetadata }[] = []
  /** The job has ended: all checkpoints were given up. */
  over = false

  add(name: string, bytes: Uint8Array, key: string): void {
    const metadata = decodeMetadata(bytes, key)
    const { checkpointId, epoch } = metadata
    if (name.startsWith('savepoint-')) {
      this.everComplete.add(`any/${checkpointId}`)
      this.stops.push({ path: `/${key.slice(0, key.lastIndexOf('/'))}`, metadata })
      return
    }
    this.everComplete.add(`${epoch}/${checkpointId}`)
    const { last } = this
    if (last === undefined || epoch > last.epoch || (epoch === last.epoch && checkpointId > last.checkpointId))
      this.last = metadata
  }

  /** The savepoint that has stopped the job: nothing came after it. */
  get stoppedAt(): string | undefined {
    const { last } = this
    if (!this.over || last === undefined) return undefined
    const isLast = ({ jobId, checkpointId }: CheckpointMetadata) =>
      jobId === last.jobId && checkpointId === last.checkpointId
    return this.stops.find(({ metadata }) => isLast(metadata))?.path
  }
}

/** The bytes of the store, with a memory of what was there. */
export class WatchedObjects extends MemoryObjects {
  readonly #happenings: Happenings
  readonly #deployments = new Map<string, StoredDeployment>()

  constructor(now: () => number, happenings: Happenings) {
    super(now)
    this.#happenings = happenings
  }

  of(deployment: string): StoredDeployment {
    const known = this.#deployments.get(deployment) ?? new StoredDeployment()
    this.#deployments.set(deployment, known)
    return known
  }

  /** Of all deployments. */
  get completeCount(): number {
    return [...this.#deployments.values()].reduce((n, { everComplete }) => n + everComplete.size, 0)
  }

  override set(key: string, bytes: Uint8Array): void {
    super.set(key, bytes)
    const [, deployment, name] = KEY.exec(key) ?? []
    if (name === undefined) return
    const stored = this.of(deployment!)
    if (name.endsWith('/_metadata')) stored.add(name, bytes, key)
    else if (/^claims\/\d+$/.test(name) && !stored.over) {
      stored.over = 'ends' in JSON.parse(new TextDecoder().decode(bytes))
      if (stored.over) this.#happenings.tell('the end is stored')
    }
    this.#happenings.tell(momentOf(name))
  }
}

function momentOf(name: string): string {
  if (name.endsWith('/_metadata')) return 'metadata is stored'
  if (name.startsWith('shared/')) return 'state is stored'
  return name.endsWith('.start') ? 'a start is stored' : 'a claim is stored'
}

/** A process as far as its checkpoints count. */
export interface Owner {
  readonly name: string
  readonly store: CheckpointStore | undefined
}

interface Opened {
  owner: Owner
  epoch: number
  /** What it went on from; 0: nothing. */
  from: number
}

export class Invariants {
  readonly #world: World
  readonly #objects: WatchedObjects
  readonly #deployment: string
  /** By process: the last id that it began with, and told of. */
  readonly #begun = new Map<string, number>()
  readonly #told = new Map<string, number>()
  #newest: Opened | undefined
  #lastTold = 0
  /** Keys that the newest owner needs. */
  #needed: readonly string[] = []
  #seenCompleted: CheckpointStore['completed'] | undefined
  constructor(world: World, objects: WatchedObjects, deployment: string) {
    this.#world = world
    this.#objects = objects
    this.#deployment = deployment
  }

  /** A process has taken over. */
  opened(owner: Owner, store: CheckpointStore): void {
    const from = store.completed.at(-1)?.metadata.checkpointId ?? 0
    if (this.#newest !== undefined && store.epoch <= this.#newest.epoch) return
    if (from < this.#lastTold)
      this.#world.fail(`${owner.name} goes on from checkpoint ${from}, though ${this.#lastTold} was told of`)
    this.#newest = { owner, epoch: store.epoch, from }
  }

  /** Somebody is told that the job was stopped. */
  stopped(owner: Owner): void {
    if (!this.#objects.of(this.#deployment).over)
      this.#world.fail(`${owner.name} says that the job was stopped, and another may go on with it`)
  }

  /** The job has ended, and whoever comes now finds nothing. */
  over(): void {
    this.#newest = undefined
  }

  /** The JobManager of a process says this to a slot. */
  toSlot(owner: Owner, message: ToSlotThread | ToSlotData): void {
    if (message.type === 'triggerCheckpoint') {
      const { checkpointId } = message.barrier
      const before = this.#begun.get(owner.name) ?? 0
      if (checkpointId < before) this.#world.fail(`${owner.name} begins checkpoint ${checkpointId} after ${before}`)
      this.#begun.set(owner.name, checkpointId)
    }
    if (message.type === 'checkpointComplete') this.#isTold(owner, message.checkpointId)
  }

  #isTold(owner: Owner, checkpointId: number): void {
    const before = this.#told.get(owner.name) ?? 0
    if (checkpointId < before) this.#world.fail(`${owner.name} tells of checkpoint ${checkpointId} after ${before}`)
    this.#told.set(owner.name, checkpointId)
    const epoch = owner.store?.epoch ?? 0
    const { everComplete } = this.#objects.of(this.#deployment)
    const known = [epoch, 'any'].some((of) => everComplete.has(`${of}/${checkpointId}`))
    if (!known) this.#world.fail(`${owner.name} tells of checkpoint ${checkpointId}, which the store has never had`)
    const newest = this.#newest
    if (newest !== undefined && newest.epoch > epoch && checkpointId > newest.from)
      this.#world.fail(
        `${owner.name} tells of checkpoint ${checkpointId}, but ${newest.owner.name} has taken over and went on from ${newest.from}`,
      )
    this.#lastTold = Math.max(this.#lastTold, checkpointId)
  }

  /** After each event. */
  check(): void {
    const newest = this.#newest
    const completed = newest?.owner.store?.completed
    if (newest === undefined || completed === undefined) return
    if (completed !== this.#seenCompleted) this.#needed = completed.flatMap((c) => this.#keysOf(c))
    this.#seenCompleted = completed
    for (const key of this.#needed)
      if (!this.#objects.objects.has(key))
        this.#world.fail(`"${key}" is gone, which ${newest.owner.name} keeps or needs for a checkpoint that it keeps`)
  }

  #keysOf({ metadata }: CheckpointStore['completed'][number]): string[] {
    const folder = `checkpoints/${this.#deployment}`
    const files = handlesOf(metadata).flatMap((handle) => ('bytes' in handle ? [] : [keyOf(folder, handle.file)]))
    return [`${folder}/chk-${metadata.checkpointId}/_metadata`, ...files]
  }
}

/** Files of others have absolute names. */
function keyOf(folder: string, file: string): string {
  return file.startsWith('/') ? file.slice(1) : `${folder}/${file}`
}
