/**
 * A cluster of real processes as a user starts them, without high availability: `tailrace jobmanager`, `tailrace taskmanager`, and commands to it.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Process, until } from '../ha/cluster.ts'

export const COUNTING = join(import.meta.dirname, 'counting.ts')

/** How a command ended. */
export interface Ended {
  code: number | null
  /** What it printed. */
  text: string
}

/** What REST answers. */
export interface Answer {
  status: number
  body: any
}

export class Cluster {
  readonly folder: string
  readonly checkpoints: string
  readonly #options: Readonly<Record<string, string>>
  /** In the order of their start. */
  readonly processes: Process[] = []
  #commands = 0
  #rpcPort: string | undefined
  /** Of REST, without a slash at its end. */
  url = ''

  /** `options`: of all its processes. */
  constructor(name: string, options: Readonly<Record<string, string>> = {}) {
    this.folder = mkdtempSync(join(tmpdir(), `tailrace-${name}-`))
    this.checkpoints = join(this.folder, 'checkpoints')
    mkdirSync(this.checkpoints)
    this.#options = options
  }

  /** Resolves when it says where it is. @param job its file and its arguments; none for a session cluster */
  async jobManager(job: string[] = [], options: Readonly<Record<string, string>> = {}): Promise<Process> {
    const [file, ...args] = job
    const ports = ['--port', '0', ...('metrics.reporter.prom.port' in options ? [] : ['--metrics-port', '0'])]
    const flags = this.#flags({ 'jobmanager.rpc.port': '0', ...options })
    const one = this.start('jm', ['jobmanager', ...(file === undefined ? [] : [file]), ...flags, ...ports, ...args])
    await one.says('REST and the page on')
    this.url = /REST and the page on (\S+)/.exec(one.log)![1]!
    this.#rpcPort = /JobManager listens on \S+:(\d+)/.exec(one.log)![1]!
    return one
  }

  taskManager(
    id: string,
    slots = 1,
    options: Readonly<Record<string, string>> = {},
    environment: Readonly<Record<string, string>> = {},
  ): Process {
    const flags = this.#flags({
      'jobmanager.rpc.port': this.#rpcPort!,
      'taskmanager.resource-id': id,
      'taskmanager.numberOfTaskSlots': String(slots),
      ...options,
    })
    return this.start(id, ['taskmanager', ...flags], environment)
  }

  /** A command to its end, with where the cluster is. */
  async command(...args: string[]): Promise<Ended> {
    const one = this.start(`command-${++this.#commands}`, [...args, '-D', `rest.address=${this.url}`])
    return { code: await one.exited, text: one.log }
  }

  start(name: string, args: string[], environment: Readonly<Record<string, string>> = {}): Process {
    const one = new Process(name, args, { ...environment }, join(this.folder, 'log'))
    this.processes.push(one)
    return one
  }

  async ask(path: string, init?: RequestInit): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, init)
    return { status: response.status, body: await response.json() }
  }

  /** The newest job. */
  async job(): Promise<{ jid: string; state: string } | undefined> {
    return (await this.ask('/jobs/overview')).body.jobs[0]
  }

  /** The newest job has come to this status; gives its id. */
  async is(state: string): Promise<string> {
    await until(async () => (await this.job())?.state === state, `the job is ${state}`)
    return (await this.job())!.jid
  }

  /** All tasks of the newest job run, so many in each of its vertices. */
  async runs(...parallelism: number[]): Promise<string> {
    const jid = await this.is('RUNNING')
    const runs = async () => {
      const { body } = await this.ask(`/jobs/${jid}`)
      return body.vertices.every(
        (vertex: any, i: number) =>
          vertex.tasks.RUNNING === vertex.parallelism &&
          (parallelism[i] === undefined || vertex.parallelism === parallelism[i]),
      )
    }
    await until(runs, `all tasks run${parallelism.length === 0 ? '' : `, ${parallelism.join(' and ')} of them`}`)
    return jid
  }

  /** What has ended the job, or its attempts, the newest first. */
  async exceptions(jid: string): Promise<string[]> {
    const { body } = await this.ask(`/jobs/${jid}/exceptions`)
    return body.exceptionHistory.entries.map((entry: any) => `${entry.exceptionName}: ${entry.stacktrace}`)
  }

  /** Slots that no job has. */
  async freeSlots(): Promise<number> {
    return (await this.ask('/overview')).body['slots-available']
  }

  async requestParallelism(jid: string, lowerBound: number, upperBound: number): Promise<void> {
    const path = `/jobs/${jid}/resource-requirements`
    const { body: now } = await this.ask(path)
    const wanted = Object.fromEntries(Object.keys(now).map((id) => [id, { parallelism: { lowerBound, upperBound } }]))
    const headers = { 'content-type': 'application/json' }
    const { status, body } = await this.ask(path, { method: 'PUT', headers, body: JSON.stringify(wanted) })
    if (status !== 200) throw new Error(JSON.stringify(body))
  }

  async stop(): Promise<void> {
    for (const one of this.processes) one.signal('SIGKILL')
    await Promise.all(this.processes.map(({ exited }) => exited))
    rmSync(this.folder, { recursive: true, force: true })
  }

  #flags(more: Readonly<Record<string, string>>): string[] {
    const all: Record<string, string> = {
      'jobmanager.rpc.address': '127.0.0.1',
      'jobmanager.bind-host': '127.0.0.1',
      'taskmanager.host': '127.0.0.1',
      'taskmanager.bind-host': '127.0.0.1',
      'execution.checkpointing.dir': this.checkpoints,
      'user.artifacts.base-dir': join(this.folder, 'artifacts'),
      ...this.#options,
      ...more,
    }
    return Object.entries(all).flatMap(([key, value]) => ['-D', `${key}=${value}`])
  }
}
