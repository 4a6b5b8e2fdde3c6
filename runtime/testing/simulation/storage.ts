/**
 * The store of a simulated cluster: objects in memory behind a network. Operations take time, fail before or after they take effect, and take effect after they were given
 * up; what a JobManager has sent takes effect though it has died meanwhile.
 */
import { type MemoryFault, type MemoryObjects, memoryStore } from '../../checkpoint/memory-store.ts'
import type { ObjectStore } from '../../checkpoint/object-store.ts'
import type { Party, World } from './world.ts'

/** How bad the store is at the moment. */
export class StoreTrouble {
  /** How many of all operations fail, from 0 to 1. */
  failShare = 0
  /** Operations take up to so much longer. */
  slowMs = 0

  fault(world: World): MemoryFault {
    const { random } = world
    const beforeMs = world.latencyMs() + random.next() * this.slowMs
    if (!random.chance(this.failShare)) return { beforeMs }
    const fail = random.pick(['before', 'after', 'late'] as const)
    return { beforeMs, fail, ...(fail === 'late' ? { lateMs: random.between(0, 300) } : {}) }
  }
}

/** The store at `url`, such as `/checkpoints`, as one party sees it. */
export function simulatedStore(party: Party, objects: MemoryObjects, trouble: StoreTrouble, url: string): ObjectStore {
  const { world } = party
  const network = world.party('store')
  const store = memoryStore(objects, {
    url,
    schedule: (ms, callback) => network.after(ms, `an operation of ${party.name}`, callback),
    // Some places of a store are not within reach of others.
    keyOf: (place) => (world.random.chance(0.8) ? place.slice(1) : undefined),
    fault: ({ kind, key }) => {
      const fault = trouble.fault(world)
      world.note(party.name, () => `${kind} ${key}${fault.fail === undefined ? '' : ` (fails ${fault.fail})`}`)
      return fault
    },
  })
  const prefix = `${url.replace(/^\//, '')}/`
  const inside = (key: string) => prefix + key
  const call = <T>(what: string, begin: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      // Code of a party that has just died runs to the end of its turn, and nobody hears it.
      if (party.dead) return
      const answer = (text: string, then: () => void) => party.after(world.latencyMs(), `${what} ${text}`, then)
      begin().then(
        (value) => answer('is done', () => resolve(value)),
        (error) => answer('failed', () => reject(error)),
      )
    })
  return {
    url,
    put: (key, bytes) => call(`put ${key}`, () => store.put(inside(key), bytes)),
    putIfAbsent: (key, bytes) => call(`putIfAbsent ${key}`, () => store.putIfAbsent(inside(key), bytes)),
    copyFrom: (key, from) => call(`copy ${from} to ${key}`, () => store.copyFrom!(inside(key), from)),
    get: (key, range) => call(`get ${key}`, () => store.get(inside(key), range)),
    list: (below) =>
      call(`list ${below}`, async () => {
        const found = await store.list(inside(below))
        return found.map((object) => ({ ...object, key: object.key.slice(prefix.length) }))
      }),
    delete: (keys) => call(`delete ${keys.length} objects`, () => store.delete(keys.map(inside))),
    close: () => store.close(),
  }
}
