/**
 * Ways for messages between two parties: as between threads, a message is a copy, buffers move, and messages of one direction keep their order. How long each takes is up
 * to the seed; what is under way arrives though its sender has died.
 */
import type { Port } from '../../rpc/port.ts'
import type { Party, World } from './world.ts'

/** Messages about checkpoints: whoever waits for one that is lost gives the checkpoint up in the end. All others are what a job is made of, and nothing works without them. */
const MAY_BE_LOST: readonly string[] = [
  'triggerCheckpoint',
  'checkpointAck',
  'checkpointDeclined',
  'checkpointAborted',
  'checkpointComplete',
  'snapshotEnumerators',
  'enumeratorStates',
]

/** How bad the ways are at the moment. */
export class Network {
  /** How many of the messages about checkpoints are lost, from 0 to 1. */
  lostShare = 0
  /** A job that is told to stop hears once that it may commit, so this is not lost any more. */
  stops = false

  loses({ type }: { type: string }, { random }: World): boolean {
    if (this.lostShare === 0 || !MAY_BE_LOST.includes(type) || (this.stops && type === 'checkpointComplete'))
      return false
    return random.chance(this.lostShare)
  }
}

export function simulatedPorts<A extends { type: string }, B extends { type: string }>(
  near: Party,
  far: Party,
  network: Network,
): [Port<A, B>, Port<B, A>] {
  const there = new Way<A>(near, far, network)
  const back = new Way<B>(far, near, network)
  return [
    {
      post: (message, transfer) => there.post(message, transfer),
      onMessage: (handler) => back.listen(handler),
      close: () => back.close(),
    },
    {
      post: (message, transfer) => back.post(message, transfer),
      onMessage: (handler) => there.listen(handler),
      close: () => there.close(),
    },
  ]
}

/** One direction. */
class Way<M extends { type: string }> {
  readonly #from: Party
  readonly #to: Party
  readonly #network: Network
  #lastMs = 0
  #handler: ((message: M) => void) | undefined
  /** Arrived before anyone listened. */
  #early: M[] = []
  #closed = false

  constructor(from: Party, to: Party, network: Network) {
    this.#from = from
    this.#to = to
    this.#network = network
  }

  post(message: M, transfer: ArrayBuffer[] = []): void {
    // Code of a party that has just died runs to the end of its turn, and nobody hears it.
    if (this.#from.dead) return
    const { world } = this.#to
    world.happenings.tell(`${message.type} is sent`)
    const copy = structuredClone(message, { transfer })
    if (this.#network.loses(message, world)) {
      world.note(this.#from.name, () => `sends to ${this.#to.name}, which is lost: ${describe(copy)}`)
      return
    }
    this.#lastMs = Math.max(this.#lastMs + 1e-4, world.nowMs + world.latencyMs())
    const from = this.#from.name
    this.#to.after(
      this.#lastMs - world.nowMs,
      () => `<- ${from}: ${describe(copy)}`,
      () => this.#arrive(copy),
    )
  }

  listen(handler: (message: M) => void): void {
    this.#handler = handler
    const early = this.#early
    this.#early = []
    for (const message of early) this.#to.after(0, 'reads a message that came early', () => this.#arrive(message))
  }

  close(): void {
    this.#closed = true
  }

  #arrive(message: M): void {
    if (this.#closed) return
    this.#to.world.happenings.tell(`${message.type} arrives`)
    if (this.#to.dead) return
    if (this.#handler === undefined) this.#early.push(message)
    else this.#handler(message)
  }
}

/** The parts of a message that tell it from others. */
function describe(message: { type: string }): string {
  const { type, ...fields } = message as { type: string } & Record<string, unknown>
  const shown = Object.entries(fields).flatMap(([name, value]) => {
    if (name === 'barrier') return [`checkpoint ${(value as { checkpointId: number }).checkpointId}`]
    if (name === 'error') return [(value as { message?: string } | undefined)?.message ?? '']
    if (name === 'splits') return [JSON.stringify(value)]
    return ['string', 'number', 'boolean'].includes(typeof value) && name !== 'jobId' ? [`${name} ${value}`] : []
  })
  return [type, ...shown].join(', ')
}
