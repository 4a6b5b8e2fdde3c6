/**
 * A TaskManager as a process of its own: the code of processes/taskmanager-process.ts with sockets, time, threads and stores of the simulated world. It can stand still and die, and another one may come
 * under its name or at its address.
 *
 * What must hold: a thread that a leader has started is gone, or has left what it ran for it, when one of a later registration is ready in its slot.
 */
import { StreamExecutionEnvironment } from '../../api/environment.ts'
import type { ObjectStore } from '../../checkpoint/object-store.ts'
import type { Compression } from '../../network/remote/remote-output.ts'
import { electedAddress, type LeaderAddress } from '../../processes/leader-address.ts'
import { type Machine, TaskManagerProcess } from '../../processes/taskmanager-process.ts'
import { rebuild } from '../../program/load.ts'
import type { ProgramRef } from '../../rpc/slot-messages.ts'
import type { Elections } from './elections.ts'
import type { Main } from './main.ts'
import type { PlantedBug } from './planted.ts'
import type { Network } from './ports.ts'
import { SimulatedSlot } from './slot-host.ts'
import type { SocketHost, SocketNet } from './sockets.ts'
import type { Party, World } from './world.ts'

export interface SimulatedTaskManagerOptions {
  world: World
  /** Of this process alone. */
  name: string
  /** Another process may have had it before. */
  id: string
  host: string
  slots: number
  configuration: Readonly<Record<string, string>>
  compression: Compression
  net: SocketNet
  network: Network
  planted: PlantedBug | undefined
  /** Where the JobManager that leads is, as far as one knows. */
  leader(): string | undefined
  /** undefined: {@link leader} says. */
  elections: Elections | undefined
  mainOf(program: ProgramRef): Main
  store(party: Party, url: string): ObjectStore
  onEnd(): void
}

interface Thread {
  slot: number
  /** Connections of the process before it, or before it has left what it ran to the next leader. */
  registration: number
  host: SimulatedSlot
}

export const RPC_PORT = 6123

const MACHINE: Machine = {
  memoryBytes: 2 ** 32,
  cpus: 2,
  nodeVersion: 'v24.0.0',
  metrics: { start() {}, look() {}, values: () => [], stop() {} },
}

export class SimulatedTaskManager {
  readonly name: string
  readonly main: Party
  readonly size: number
  readonly #options: SimulatedTaskManagerOptions
  readonly #sockets: SocketHost
  readonly #threads: Thread[] = []
  /** By its own clock, as it says. */
  startedMs = 0
  #connections = 0
  #spawned = 0

  constructor(options: SimulatedTaskManagerOptions) {
    const { world, name, host, net, slots } = options
    this.#options = options
    this.name = name
    this.size = slots
    this.main = world.party(`${name}/main`, { wrongMs: world.random.whole(-500, 500) })
    this.#sockets = net.host(host, socketTime(this.main))
    this.main.after(world.random.between(1, 40), 'starts', () => this.#start())
  }

  get dead(): boolean {
    return this.main.dead
  }
  get paused(): boolean {
    return this.main.paused
  }
  /** Its address in the network. */
  get host(): string {
    return this.#options.host
  }
  get id(): string {
    return this.#options.id
  }
  /** That have not ended. */
  get slots(): readonly SimulatedSlot[] {
    return this.#threads.flatMap(({ host }) => (host.party.dead ? [] : [host]))
  }

  /** kill -9, or with `silently` the loss of its machine: nobody hears of it. */
  kill(silently: boolean): void {
    if (this.dead) return
    for (const { party } of this.slots) party.kill()
    this.main.kill()
    for (const sockets of [this.#sockets, ...this.#threads.flatMap(({ host }) => host.sockets ?? [])]) {
      sockets.die()
      for (const link of sockets.links)
        if (silently) link.silence()
        else link.cut()
    }
  }

  pause(): void {
    for (const party of this.#parties()) if (!party.paused && !party.dead) party.pause()
  }
  resume(): void {
    for (const party of this.#parties()) if (party.paused && !party.dead) party.resume()
  }

  #parties(): Party[] {
    return [this.main, ...this.#threads.map(({ host }) => host.party)]
  }

  #start(): void {
    const { world, id, host, slots, configuration, leader, elections, store, onEnd } = this.#options
    const { clock, schedule } = this.main
    const pause = (what: string) =>
      new Promise<void>((resolve) => void this.main.after(world.latencyMs(), what, resolve))
    this.startedMs = clock.now()
    const toldLeader: LeaderAddress = {
      find: async () => {
        await pause('looks who leads')
        const at = leader()
        return at === undefined ? undefined : { host: at, port: RPC_PORT }
      },
      // It finds out by asking again.
      watch: () => () => {},
      close: async () => {},
    }
    const process = TaskManagerProcess.start({
      configuration: {
        ...configuration,
        'taskmanager.resource-id': id,
        'taskmanager.host': host,
        'taskmanager.numberOfTaskSlots': String(slots),
      },
      environment: {},
      leader: elections === undefined ? toldLeader : electedAddress(elections.open(this.main)),
      dial: (address, timeoutMs) => {
        this.#connections++
        return this.#sockets.dial(address, timeoutMs)
      },
      localProgram: async (program) => {
        await pause('has fetched the program')
        return program
      },
      log: (text) => world.note(this.main.name, () => `logs: ${text}`),
      clock,
      schedule,
      random: world.random.next,
      startThread: (slot) => this.#thread(slot),
      openStore: async (url) => {
        await pause('has opened a store')
        return store(this.main, url)
      },
      sizes: { fileBytes: 2048, inlineBytesMax: world.random.pick([0, 400, 20_000]) },
      machine: MACHINE,
    })
    void process.ended.then(({ reason, failed }) => {
      if (failed) world.fail(`${this.name} has given up: ${reason}`)
      world.note(this.main.name, `ends: ${reason}`)
      // The last words are under way when the process is gone.
      this.main.after(0, 'is gone', () => {
        this.kill(false)
        onEnd()
      })
    })
  }

  #thread(slot: number): SimulatedSlot {
    const { world, network, planted, compression, mainOf } = this.#options
    const registration = this.#connections
    const party = world.party(`${this.name}/slot-${slot}.${this.#spawned++}`, this.main.wall)
    const host = new SimulatedSlot({
      main: this.main,
      party,
      network,
      planted,
      compression,
      sockets: this.#sockets.thread(socketTime(party)),
      onPost: () => {},
      onSay: ({ type }) => {
        if (type === 'ready') this.#checkOthers(slot, registration)
        if (type === 'handedOver') thread.registration = this.#connections
      },
      buildGraph: (program, replay) =>
        rebuild(program, replay, async (context) => {
          await mainOf(program)(new StreamExecutionEnvironment(context), party)
        }),
    })
    const thread: Thread = { slot, registration, host }
    this.#threads.push(thread)
    if (planted === 'threads outlive their registration') host.terminate = () => {}
    return host
  }

  #checkOthers(slot: number, registration: number): void {
    const left = this.#threads.find(
      (one) => one.slot === slot && one.registration < registration && !one.host.party.dead,
    )
    if (left !== undefined)
      this.#options.world.fail(
        `${left.host.party.name} was started by an earlier registration, and lives beside one of a later in slot ${slot}`,
      )
  }
}

/** Time of what a party's sockets do. */
export function socketTime(party: Party): SocketHost['schedule'] {
  return (ms, callback) => party.after(ms, 'hears from a socket', callback)
}
