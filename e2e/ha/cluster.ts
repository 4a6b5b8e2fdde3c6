/**
 * A highly available cluster of real processes, as a user starts them: `tailrace jobmanager` and `tailrace taskmanager`, which find each other by the election alone.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'

const root = join(import.meta.dirname, '../..')
export const WAIT_MS = 60_000

export const until = (holds: () => unknown, what: string) =>
  expect.poll(holds, { timeout: WAIT_MS, interval: 20, message: what }).toBeTruthy()

export class Process {
  readonly name: string
  /** Resolves with the exit code; null: it was killed. */
  readonly exited: Promise<number | null>
  readonly #child: ChildProcess
  #log = ''

  constructor(name: string, args: string[], environment: Record<string, string>, logFile: string) {
    this.name = name
    // Without coverage: a process that is killed leaves half of a file of it.
    const { NODE_V8_COVERAGE: _, ...rest } = process.env
    const register = new URL('../../scripts/register-tailrace.mjs', import.meta.url).href
    this.#child = spawn(process.execPath, ['--import', register, join(root, 'runtime/cli/main.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...rest, NO_COLOR: '1', ...environment },
    })
    const take = (chunk: Buffer) => {
      this.#log += chunk
      appendFileSync(logFile, String(chunk).replace(/^(?=.)/gm, `${name}: `))
    }
    this.#child.stdout!.on('data', take)
    this.#child.stderr!.on('data', take)
    this.exited = new Promise((resolve) => this.#child.once('close', resolve))
  }

  /** What it has printed. */
  get log(): string {
    return this.#log
  }

  /** How often it has printed this. */
  count(text: string): number {
    return this.#log.split(text).length - 1
  }

  says(text: string): Promise<void> {
    return until(() => this.#log.includes(text), `${this.name} says "${text}"`) as Promise<void>
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}

export interface ClusterOptions {
  folder: string
  /** Of all processes. */
  configuration?: Record<string, string>
  environment?: Record<string, string>
}

export class HaCluster {
  readonly checkpoints: string
  readonly storage: string
  readonly #options: ClusterOptions
  /** In the order of their start. */
  readonly processes: Process[] = []

  constructor(options: ClusterOptions) {
    this.#options = options
    this.checkpoints = join(options.folder, 'checkpoints')
    this.storage = join(options.folder, 'ha')
    mkdirSync(this.checkpoints, { recursive: true })
  }

  /** @param job its file and its arguments; none for a session cluster */
  jobManager(id: string, job: string[] = [], configuration: Record<string, string> = {}): Process {
    const [file, ...args] = job
    const flags = this.#flags({ 'jobmanager.resource-id': id, ...configuration })
    const ports = ['--port', '0', '--metrics-port', '0']
    return this.#start(id, ['jobmanager', ...(file === undefined ? [] : [file]), ...flags, ...ports, ...args])
  }

  /** Another command, with nothing of the cluster's configuration. */
  command(name: string, args: string[]): Process {
    return this.#start(name, args)
  }

  taskManager(id: string, slots = 1): Process {
    const options = { 'taskmanager.resource-id': id, 'taskmanager.numberOfTaskSlots': String(slots) }
    return this.#start(id, ['taskmanager', ...this.#flags(options)])
  }

  /** Complete ones that are there now, newest last. */
  completed(): string[] {
    return readdirSync(this.checkpoints, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('_metadata'))
      .sort()
  }

  /** Everything that the registry's journal says, in order. */
  journal(): string {
    const folder = join(this.storage, 'cluster-1', 'journal')
    if (!existsSync(folder)) return ''
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\d(\.state)?$/.test(name) && name.includes('/'))
      .map((name) => {
        try {
          return readFileSync(join(folder, name), 'utf8')
        } catch {
          return ''
        }
      })
      .join('')
  }

  async stop(): Promise<void> {
    for (const one of this.processes) one.signal('SIGKILL')
    await Promise.all(this.processes.map(({ exited }) => exited))
  }

  #flags(more: Record<string, string>): string[] {
    const all = {
      'high-availability.type': 'file',
      'high-availability.storageDir': this.storage,
      'high-availability.cluster-id': 'cluster-1',
      'jobmanager.rpc.address': '127.0.0.1',
      'jobmanager.bind-host': '127.0.0.1',
      'jobmanager.rpc.port': '0',
      'taskmanager.host': '127.0.0.1',
      'taskmanager.bind-host': '127.0.0.1',
      'execution.checkpointing.dir': this.checkpoints,
      'execution.checkpointing.interval': '300 ms',
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': '1000',
      'restart-strategy.fixed-delay.delay': '20 ms',
      ...this.#options.configuration,
      ...more,
    }
    return Object.entries(all).flatMap(([key, value]) => ['-D', `${key}=${value}`])
  }

  #start(name: string, args: string[]): Process {
    const { folder, environment = {} } = this.#options
    const one = new Process(name, args, environment, join(folder, 'log'))
    this.processes.push(one)
    return one
  }
}
