/** A Lease of Kubernetes in the memory of a simulation: the semantics of resourceVersion, 409, 404, watches and 410, over ways that take time and fail. */
import { TailraceError } from '../core/errors.ts'
import type { Party, World } from '../testing/simulation/world.ts'
import type { LeaseClient, LeaseEvents, LeaseObject } from './lease-client.ts'

interface Change {
  version: number
  object: LeaseObject | undefined
}

interface Watcher {
  party: Party
  events: LeaseEvents
  /** Of the last delivery: events of one watch keep their order. */
  lastMs: number
  /** The connection is dead and nobody knows. */
  deaf: boolean
}

/** What goes wrong with requests at the moment. */
export interface LeaseTrouble {
  failShare: number
  slowMs: number
}

/** The server's side. */
export class SimulatedLeases {
  readonly world: World
  readonly trouble: LeaseTrouble
  readonly #server: Party
  readonly #watchers = new Set<Watcher>()
  #history: Change[] = []
  #object: LeaseObject | undefined
  #version = 100
  #uids = 0

  constructor(world: World, trouble: LeaseTrouble) {
    this.world = world
    this.trouble = trouble
    this.#server = world.party('api-server')
  }

  get object(): LeaseObject | undefined {
    return this.#object
  }

  /** As a person does it, or the operator. */
  delete(): void {
    if (this.#object !== undefined) this.#change(undefined)
  }

  /** Versions up to now are too old for new watches. */
  compact(): void {
    this.#history = []
  }

  endWatches(how: 'peace' | 'deaf' | 'error'): void {
    for (const watcher of this.#watchers) {
      if (how === 'deaf') watcher.deaf = true
      else this.#end(watcher, how === 'peace' ? {} : { error: new Error('the connection was reset') })
    }
  }

  client(party: Party, isCutOff: () => boolean): LeaseClient {
    const call = <T>(what: string, signal: AbortSignal, effect: () => T) => {
      const { promise, reject } = Promise.withResolvers<never>()
      signal.addEventListener('abort', () => reject(new Error('aborted')))
      return Promise.race([promise, this.#call(party, isCutOff, what, effect)])
    }
    return {
      place: 'the Lease "jobs/simulated"',
      get: (signal) => call('read', signal, () => structuredClone(this.#object)),
      create: (object, signal) =>
        call('create', signal, () =>
          this.#object === undefined ? this.#change(object, `uid-${++this.#uids}`) : undefined,
        ),
      replace: (object, signal) =>
        call('replace', signal, () => {
          const { uid, resourceVersion } = this.#object?.metadata ?? {}
          const isIt = uid === object.metadata.uid && resourceVersion === object.metadata.resourceVersion
          return this.#object !== undefined && isIt ? this.#change(object, uid) : undefined
        }),
      watch: (version, events) => this.#watch(party, isCutOff, version, events),
      close: () => {},
    }
  }

  #change(object: LeaseObject | undefined, uid = ''): LeaseObject | undefined {
    const version = ++this.#version
    this.#object = object && {
      ...structuredClone(object),
      metadata: { ...structuredClone(object.metadata), uid, resourceVersion: String(version) },
    }
    const change = { version, object: structuredClone(this.#object) }
    this.#history.push(change)
    for (const watcher of this.#watchers) this.#deliver(watcher, change)
    return structuredClone(this.#object)
  }

  #call<T>(party: Party, isCutOff: () => boolean, what: string, effect: () => T): Promise<T> {
    const { world, trouble } = this
    const { random } = world
    return new Promise((resolve, reject) => {
      if (party.dead || isCutOff()) return
      const failure = random.chance(trouble.failShare) ? random.pick(['before', 'after', 'late'] as const) : undefined
      const answer = (then: () => void) => party.after(world.latencyMs(), `the answer to "${what}"`, then)
      const error = new TailraceError('TR-HA-002', `Cannot ${what} the Lease: the API server answered 500`)
      const arrive = () => {
        if (failure === 'late') this.#server.after(random.between(0, 4_000), `a late "${what}"`, effect)
        const result = failure === 'before' || failure === 'late' ? undefined : effect()
        if (failure !== undefined) answer(() => reject(error))
        else if (!isCutOff()) answer(() => resolve(result as T))
      }
      this.#server.after(world.latencyMs() + random.next() * trouble.slowMs, `"${what}" of ${party.name}`, arrive)
    })
  }

  #watch(party: Party, isCutOff: () => boolean, from: string | undefined, events: LeaseEvents): () => void {
    const watcher: Watcher = { party, events, lastMs: 0, deaf: isCutOff() }
    this.#server.after(this.world.latencyMs(), `a watch of ${party.name}`, () => {
      if (stopped || party.dead) return
      this.#watchers.add(watcher)
      const version = Number(from)
      const oldest = this.#history[0]?.version ?? this.#version + 1
      if (from !== undefined && version < oldest - 1) this.#end(watcher, { gone: true })
      else if (from !== undefined)
        for (const change of this.#history) if (change.version > version) this.#deliver(watcher, change)
      if (from === undefined && this.#object !== undefined)
        this.#deliver(watcher, { version: this.#version, object: structuredClone(this.#object) })
    })
    let stopped = false
    return () => {
      stopped = true
      this.#watchers.delete(watcher)
    }
  }

  #deliver(watcher: Watcher, { object, version }: Change): void {
    this.#post(watcher, () => watcher.events.changed(structuredClone(object), String(version)))
  }

  #end(watcher: Watcher, end: Parameters<LeaseEvents['ended']>[0]): void {
    this.#post(watcher, () => watcher.events.ended(end))
    this.#watchers.delete(watcher)
  }

  #post(watcher: Watcher, then: () => void): void {
    const { world } = this
    if (watcher.deaf) return
    watcher.lastMs = Math.max(watcher.lastMs + 1e-4, world.nowMs + world.latencyMs())
    watcher.party.after(watcher.lastMs - world.nowMs, 'hears of the Lease', then)
  }
}
