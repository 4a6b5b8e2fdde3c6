/**
 * A slot as a party of its own: the code of taskmanager/slot.ts behind simulated ports, its loop in virtual time, and an end that can come at any moment.
 */
import { oneCopy } from '../../core/hot-copy.ts'
import type { KeepAlive } from '../../network/remote/connection.ts'
import { DataPort } from '../../network/remote/data-port.ts'
import type { Compression } from '../../network/remote/remote-output.ts'
import type { HostExit } from '../../rpc/host.ts'
import type { FromSlotThread, SlotThreadHost, ToSlotThread } from '../../rpc/slot-messages.ts'
import { Slot, type SlotData, type SlotOptions } from '../../taskmanager/slot.ts'
import type { SlotPace } from '../../taskmanager/slot-pace.ts'
import { connectSimulated, listenSimulated } from './data-sockets.ts'
import { messageWith, type PlantedBug } from './planted.ts'
import { type Network, simulatedPorts } from './ports.ts'
import type { SocketHost } from './sockets.ts'
import type { Party, World } from './world.ts'

export interface SimulatedSlotOptions {
  /** Where the JobManager's end of it is. */
  main: Party
  party: Party
  network: Network
  planted: PlantedBug | undefined
  buildGraph: SlotOptions['buildGraph']
  /** To slots of other processes; absent where there are none. */
  sockets?: SocketHost
  compression?: Compression
  /** Hears what the JobManager says to it, when it says it. */
  onPost(message: ToSlotThread): void
  /** Hears what it says, when it says it. */
  onSay?(message: FromSlotThread): void
}

export class SimulatedSlot implements SlotThreadHost {
  readonly port: SlotThreadHost['port']
  readonly party: Party
  readonly #main: Party
  readonly sockets: SocketHost | undefined
  readonly #onExit: ((exit: HostExit) => void)[] = []
  #exit: HostExit | undefined

  constructor(options: SimulatedSlotOptions) {
    const { main, party, network, planted, buildGraph, sockets, compression = 'none', onPost } = options
    const { onSay = () => {} } = options
    this.party = party
    this.#main = main
    this.sockets = sockets
    const { world } = party
    const [near, far] = simulatedPorts<ToSlotThread, FromSlotThread>(main, party, network)
    this.port = {
      ...near,
      post: (message, transfer) => {
        onPost(message)
        if (message.type === 'handOver' && planted === 'threads outlive their registration') return
        near.post(message, transfer)
      },
    }
    const port: typeof far = {
      ...far,
      post: (message, transfer) => {
        if (!party.dead) onSay(message)
        const said = messageWith(planted, message)
        if (said !== undefined) far.post(said, transfer)
      },
      onMessage: (handler) =>
        far.onMessage((message) => {
          if (message.type === 'retire') this.end({ code: 0 })
          else handler(message)
        }),
    }
    party.after(world.random.between(1, 30), 'is up', () => {
      const { random } = world
      // With one buffer the snapshots of a slot wait for each other, while records change what they are about to take.
      const snapshotBuffersMax = random.pick([1, 1, 8])
      const pace = paceOf(party)
      const { clock } = party
      const more = { clock, pace, random: random.next, snapshotBuffersMax, copies: oneCopy, buildGraph }
      if (sockets === undefined) new Slot({ port, ...more })
      else void this.#begin(sockets, (data) => new Slot({ port, ...more, data: { ...data, compression } }))
    })
  }

  async #begin(sockets: SocketHost, begin: (data: SlotData) => void): Promise<void> {
    const { party } = this
    const { random } = party.world
    const dataPort = await DataPort.listen({
      host: sockets.name,
      port: 0,
      listen: listenSimulated(sockets, random),
      schedule: party.schedule,
      keepAlive: KEEP_ALIVE,
      helloTimeoutMs: HELLO_TIMEOUT_MS,
    })
    if (!party.dead) begin({ dataPort, connect: connectSimulated(sockets, random) })
  }

  onExit(handler: (exit: HostExit) => void): void {
    if (this.#exit === undefined) this.#onExit.push(handler)
    else this.#tell(handler, this.#exit)
  }

  terminate(): void {
    this.end({ code: 1 })
  }

  /** Ends it now; the JobManager hears of it later, before or after the last messages. */
  end(exit: HostExit): void {
    if (this.#exit !== undefined) return
    this.#exit = exit
    this.party.kill()
    this.sockets?.die()
    for (const link of this.sockets?.links ?? []) link.cut()
    for (const handler of this.#onExit) this.#tell(handler, exit)
  }

  #tell(handler: (exit: HostExit) => void, exit: HostExit): void {
    const ms = this.party.world.latencyMs()
    this.#main.after(
      ms,
      () => `hears that ${this.party.name} has ended`,
      () => handler(exit),
    )
  }
}

/** Shorter than in production: a connection that is silent is soon found out, and runs stay short. */
const KEEP_ALIVE: KeepAlive = { intervalMs: 300, silentMax: 4, busyMax: 12 }
const HELLO_TIMEOUT_MS = 3_000

/** The loop sleeps so long when nothing is due. */
const NOTHING_DUE_MS = 900

/** From one turn of the loop to the next: now and then a user's function takes its time. */
function turnMs({ random }: World): number {
  return random.chance(0.98) ? random.between(0.005, 0.15) : random.between(0.5, 12)
}

/** One pass over the tasks is one event; a ring wakes the loop after a moment. */
function paceOf(party: Party): SlotPace {
  const { world } = party
  return {
    passesMax: 1,
    giveWay: (run) => void party.after(turnMs(world), 'turns', run),
    sleep(bell, sequence, ms, run) {
      if (bell.rungSince(sequence)) return false
      // Nothing is due: only a ring ends this sleep, so one that is lost shows.
      const wakesAfterMs = ms < NOTHING_DUE_MS ? ms + world.random.between(0, 0.2) : Number.POSITIVE_INFINITY
      const stopTimer = party.after(wakesAfterMs, 'wakes up by itself', () => {
        stopWatch()
        run()
      })
      const stopWatch = world.watch({
        party,
        holds: () => bell.rungSince(sequence),
        then: () => {
          stopTimer()
          party.after(turnMs(world), 'wakes up', run)
        },
      })
      return true
    },
    hold: () => () => {},
  }
}
