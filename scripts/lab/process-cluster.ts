/**
 * A JobManager with its job and TaskManagers, each `tailrace …` in a process of its own, and, unless they are `direct`, a proxy in front of every port that they reach each other by.
 *
 * What must hold: a process that ends without having been killed is noticed; nothing is left when {@link ProcessCluster.close} resolves.
 */
import type { ChildProcess } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { TcpProxy } from '../../runtime/core/tcp-proxy.suite.ts'
import { freePorts } from './server.ts'
import { startTailrace } from './tailrace-process.ts'

export interface ProcessClusterOptions {
  taskManagers: number
  /** Of each. */
  slots: number
  /** Of `tailrace jobmanager JOB`, behind the job: options, configuration and parameters. */
  args: readonly string[]
  /** Of all processes. */
  configuration: Readonly<Record<string, string>>
  /** JobManagers are elected by a lock file in this directory, one of two unless told; else there is one, and its TaskManagers reach it by proxies. */
  standby?: string
  jobManagers?: 1 | 2
  /** No proxies: what goes between processes goes as it does for a user. */
  direct?: boolean
  /** The installed package, or its build, instead of this checkout. */
  main?: string
  logFile: string
  /** The job's module. */
  job: string
  /** Each line that a process writes. */
  onLine?(process: string, line: string): void
}

/** A place of a TaskManager: its ports, and who has them now. */
interface Node {
  id: string
  /** How many have had another id. */
  others: number
  /** Undefined: processes reach each other directly. */
  rpc: TcpProxy | undefined
  data: TcpProxy[]
  /** Behind the proxies of `data`. */
  ports: number[]
  child: ChildProcess | undefined
}

/** Exit code of a JobManager when another leads. */
const DEPOSED = 4
/** How long processes have to end after their JobManager. */
const END_MS = 5_000
/** So often other ports are looked for when one that was free is not any more. */
const PORT_TRIES = 5

export class ProcessCluster {
  /** Resolves when a JobManager has ended by itself, with its exit code. */
  readonly ended: Promise<number>
  readonly restPort: number
  /** Processes that ended though nobody had killed them, in words. */
  readonly problems: string[] = []
  /** The JobManager that has been elected last. */
  leader = 0
  readonly #options: ProcessClusterOptions
  readonly #rpcPort: number
  readonly #nodes: Node[]
  readonly #end: (code: number) => void
  readonly #live = new Map<ChildProcess, Promise<void>>()
  readonly #killed = new WeakSet<ChildProcess>()
  readonly #jobManagers: (ChildProcess | undefined)[] = []
  #closing = false

  private constructor(options: ProcessClusterOptions, ports: number[], nodes: Node[]) {
    this.#options = options
    this.#rpcPort = ports[0]!
    this.restPort = ports[1]!
    this.#nodes = nodes
    const { promise, resolve } = Promise.withResolvers<number>()
    this.ended = promise
    this.#end = resolve
  }

  static async start(options: ProcessClusterOptions): Promise<ProcessCluster> {
    for (let triesLeft = PORT_TRIES; ; triesLeft--) {
      const opened: TcpProxy[] = []
      try {
        return await ProcessCluster.#begin(options, opened)
      } catch (error) {
        // Somebody has taken a port since it was found free.
        for (const proxy of opened) await proxy.close()
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || triesLeft <= 1) throw error
      }
    }
  }

  static async #begin(options: ProcessClusterOptions, opened: TcpProxy[]): Promise<ProcessCluster> {
    // A slot's next thread may begin before the last one has let go of its port.
    const perNode = 2 * options.slots + 1
    const ports = await freePorts(2 + (options.direct ? 0 : options.taskManagers * (1 + 2 * perNode)))
    const own = ports.splice(0, 2)
    const nodes: Node[] = []
    for (let i = 0; i < options.taskManagers; i++) {
      if (options.direct) {
        nodes.push({ id: `tm-${i}`, others: 0, rpc: undefined, data: [], ports: [], child: undefined })
        continue
      }
      const rpc = await TcpProxy.listen(ports.pop()!)
      opened.push(rpc)
      rpc.target = own[0]!
      const bound = ports.splice(0, perNode)
      const data: TcpProxy[] = []
      for (const port of bound) {
        const proxy = await TcpProxy.listen(ports.pop()!)
        opened.push(proxy)
        proxy.target = port
        data.push(proxy)
      }
      nodes.push({ id: `tm-${i}`, others: 0, rpc, data, ports: bound, child: undefined })
    }
    const cluster = new ProcessCluster(options, own, nodes)
    for (let i = 0; i < cluster.jobManagers; i++) cluster.startJobManager(i)
    for (const node of nodes.keys()) cluster.startTaskManager(node)
    return cluster
  }

  get jobManagers(): number {
    return this.#options.standby === undefined ? 1 : (this.#options.jobManagers ?? 2)
  }

  /** Of the same identity as the last one, when that has gone. */
  startJobManager(which = 0): void {
    const last = this.#jobManagers[which]
    if (this.#closing || (last !== undefined && this.#live.has(last) && !this.#killed.has(last))) return
    const { args, job, standby } = this.#options
    const id = `jm-${which}`
    const own = standby === undefined ? { 'jobmanager.rpc.port': String(this.#rpcPort) } : this.#elected
    const child = this.#start(id, [
      ...['jobmanager', job, '--port', this.jobManagers === 1 ? String(this.restPort) : '0', '--metrics-port', '0'],
      ...this.#configuration({ ...own, 'jobmanager.resource-id': id }),
      ...args,
    ])
    this.#jobManagers[which] = child
    child.once('close', (code) => {
      if (this.#killed.has(child)) return
      // It stood still for longer than its lease, and another leads.
      if (code === DEPOSED) this.startJobManager(which)
      else this.#end(code ?? -1)
    })
  }

  killJobManager(which = 0): void {
    const child = this.#jobManagers[which]
    if (child !== undefined) this.#kill(child)
  }

  /** All of it stands still, until the signal SIGCONT; sockets stay open. */
  signalJobManager(which: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#jobManagers[which]?.kill(signal)
  }

  get #elected(): Record<string, string> {
    const { standby } = this.#options
    if (standby === undefined) return {}
    return {
      'high-availability.type': 'file',
      'high-availability.storageDir': standby,
      'jobmanager.rpc.port': '0',
    }
  }

  /** @param other under an id that nobody has had */
  startTaskManager(node: number, other = false): void {
    if (this.#closing) return
    const one = this.#nodes[node]!
    if (one.child !== undefined && !this.#killed.has(one.child)) return
    if (other) one.others++
    const id = one.others === 0 ? one.id : `${one.id}-${one.others}`
    const child = this.#start(id, [
      'taskmanager',
      ...this.#configuration({
        'taskmanager.resource-id': id,
        'taskmanager.numberOfTaskSlots': String(this.#options.slots),
        'taskmanager.host': '127.0.0.1',
        ...(one.rpc === undefined
          ? { 'jobmanager.rpc.port': String(this.#rpcPort) }
          : {
              'taskmanager.data.port': one.data.map(({ port }) => port).join(','),
              'taskmanager.data.bind-port': one.ports.join(','),
              'jobmanager.rpc.port': String(one.rpc.port),
            }),
        ...this.#elected,
      }),
    ])
    one.child = child
    child.once('close', (code) => {
      if (!this.#killed.has(child) && code !== 0) this.problems.push(`TaskManager ${id} ended with code ${code}`)
    })
  }

  killTaskManager(node: number): void {
    const { child } = this.#nodes[node]!
    if (child !== undefined) this.#kill(child)
  }

  /** Of all processes that live. */
  get pids(): number[] {
    return [...this.#live.keys()].map(({ pid }) => pid!)
  }

  /** All of it stands still; sockets stay open. */
  stopTaskManager(node: number): void {
    this.#nodes[node]!.child?.kill('SIGSTOP')
  }
  continueTaskManager(node: number): void {
    this.#nodes[node]!.child?.kill('SIGCONT')
  }

  /** Where the TaskManager with this process id is. */
  nodeOf(pid: number): number {
    return this.#nodes.findIndex(({ child }) => child?.pid === pid)
  }

  proxies(node: number, link: 'rpc' | 'data'): TcpProxy[] {
    const { rpc, data } = this.#nodes[node]!
    return link === 'rpc' ? (rpc === undefined ? [] : [rpc]) : data
  }

  /** Ends what is left, and proxies. TaskManagers end by themselves when their JobManager has told them. */
  async close(): Promise<void> {
    this.#closing = true
    // One that stands by would wait for the lease of the last leader.
    for (const child of this.#jobManagers) if (child !== undefined) this.#kill(child)
    const timer = setTimeout(() => this.#killAll(), END_MS)
    await Promise.all(this.#live.values())
    clearTimeout(timer)
    for (const { rpc, data } of this.#nodes) for (const proxy of [rpc, ...data]) await proxy?.close()
  }

  /** Ends all processes at once. */
  #killAll(): void {
    for (const child of this.#live.keys()) this.#kill(child)
  }
  abandon(): Promise<void> {
    this.#killAll()
    return this.close()
  }

  #kill(child: ChildProcess): void {
    this.#killed.add(child)
    child.kill('SIGKILL')
  }

  #configuration(own: Record<string, string>): string[] {
    const all = { 'jobmanager.rpc.address': '127.0.0.1', ...this.#options.configuration, ...own }
    return Object.entries(all).flatMap(([key, value]) => ['-D', `${key}=${value}`])
  }

  #start(name: string, args: string[]): ChildProcess {
    const { logFile, onLine, main } = this.#options
    const child = startTailrace(args, main === undefined ? {} : { main })
    for (const stream of [child.stdout!, child.stderr!]) {
      let rest = ''
      stream.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString()).split('\n')
        rest = lines.pop()!
        for (const line of lines) {
          appendFileSync(logFile, `[${name}] ${line}\n`)
          const leads = /Leads as "jm-(\d+)"/.exec(line)
          if (leads !== null) this.leader = Number(leads[1])
          onLine?.(name, line)
        }
      })
    }
    this.#live.set(
      child,
      new Promise((resolve) => {
        child.once('close', (code, signal) => {
          this.#live.delete(child)
          appendFileSync(logFile, `[${name}] --- ended: ${code ?? signal}\n`)
          resolve()
        })
      }),
    )
    return child
  }
}
