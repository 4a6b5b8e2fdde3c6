/**
 * `tailrace cluster start` and `stop`: a JobManager and TaskManagers of this machine as processes in the background, with their logs and process ids in a directory, like Flink's start-cluster.sh.
 *
 * What must hold: `start` says that the cluster is there when all TaskManagers have registered, or leaves none of its processes; `stop` signals only processes that `start` has made, also when the
 * system has given an id to another one since.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, closeSync, lstatSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { ConfigValues, namesOf } from '../config/option.ts'
import { AVAILABILITY } from '../config/options/availability.ts'
import { JOB_MANAGER, SLOTS, TASK_MANAGER } from '../config/options/processes.ts'
import { METRICS } from '../config/options/rest.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import type { Sleep } from './await-operation.ts'
import { clusterClient } from './cluster-client.ts'
import { EXIT } from './exit-codes.ts'
import type { JobManagerReady } from './jobmanager.ts'
import { reportError } from './report-error.ts'
import type { Terminal } from './terminal.ts'

export interface LocalClusterFlags {
  /** Of pid files and logs; absent: one of this user in the system's temporary directory. */
  dir?: string
  json: boolean
}

export interface StartFlags extends LocalClusterFlags {
  taskmanagers: string
  slots?: string
  port?: string
  metricsPort?: string
  configDir?: string
  /** Of -D, and what the configuration comes to with them. */
  D?: Record<string, string>
  config: Record<string, string>
}

export interface LocalSurroundings {
  terminal: Terminal
  sleep: Sleep
  environment: NodeJS.ProcessEnv
  /** How this program is run again. */
  command: readonly string[]
}

const started = z.object({
  webUrl: z.string(),
  rpc: z.string(),
  /** The JobManager first. */
  processes: z.array(
    z.object({
      name: z.string(),
      pid: z.number(),
      /** What tells it from a later process with its id; '' where the system does not say. */
      birth: z.string(),
    }),
  ),
})
type Started = z.infer<typeof started>

/** Ports of metrics that are not the JobManager's; several, unless the user has said which there are. */
function metricsFlags({ metricsPort, config }: StartFlags): string[] {
  if (metricsPort !== undefined)
    return /^\d+$/.test(metricsPort) && metricsPort !== '0' ? [] : ['--metrics-port', metricsPort]
  return namesOf(METRICS.port).some((key) => config[key] !== undefined) ? [] : ['--metrics-port', TASK_MANAGER_METRICS]
}
/** Beside 9249 of the JobManager. */
const TASK_MANAGER_METRICS = '9250-9349'

/** For all of it to be there. */
const START_MS = 60_000
/** For a process to end by itself, before it is made to. */
const END_MS = 10_000
const POLL_MS = 20

export async function startLocalCluster(flags: StartFlags, surroundings: LocalSurroundings): Promise<number> {
  return reported(surroundings, async () => {
    const { terminal } = surroundings
    const dir = directoryOf(flags, terminal)
    const count = wholeNumber(flags.taskmanagers, '--taskmanagers')
    const before = readStarted(dir)
    const running = before?.processes.find(isAlive)
    if (running !== undefined)
      throw new TailraceError(
        'TR-CLI-001',
        `Cannot start a cluster in "${dir}": one runs there (${running.name}, process ${running.pid}, ${before!.webUrl}); wanted: tailrace cluster stop, or another --dir`,
      )
    const beginMs = performance.now()
    const own = shared(flags)
    const processes: { name: string; child: ChildProcess }[] = []
    const launch = (name: string, args: string[]) => {
      const child = launchProcess(name, dir, args, surroundings)
      processes.push({ name, child })
      return child
    }
    try {
      const web = [['--port', flags.port] as const, ['--metrics-port', flags.metricsPort] as const]
      const webFlags = web.flatMap(([name, value]) => (value === undefined ? [] : [name, value]))
      const jobManager = launch('jobmanager', ['jobmanager', ...webFlags, ...own])
      const launchTaskManagers = (...more: string[]) => {
        for (let n = 1; n <= count; n++)
          launch(`taskmanager-${n}`, [
            ...[
              'taskmanager',
              ...own,
              '-D',
              `taskmanager.resource-id=taskmanager-${n}`,
              ...metricsFlags(flags),
              ...more,
            ],
          ])
      }
      // They come to the JobManager as soon as it is there, unless it takes any port.
      const { key } = JOB_MANAGER.port
      const isAnyPort = flags.config[key] === '0'
      if (!isAnyPort) launchTaskManagers()
      const readyOrNot = [readyOf(jobManager), ...processes.map(({ name, child }) => endOf(name, child, dir))]
      const ready = await Promise.race([...readyOrNot, late(surroundings)])
      if (isAnyPort) launchTaskManagers('-D', `${key}=${ready.rpc.split(':').at(-1)}`)
      const failed = Promise.race(processes.map(({ name, child }) => endOf(name, child, dir)))
      if (ready.webUrl === undefined) throw new TailraceError('TR-CLI-002', 'Cannot start a cluster without REST')
      await Promise.race([registered(ready.webUrl, count, surroundings), failed, late(surroundings)])
      const facts: Started = {
        webUrl: ready.webUrl,
        rpc: ready.rpc,
        processes: processes.map(({ name, child }) => ({ name, pid: child.pid!, birth: birthOf(child.pid!) })),
      }
      for (const { name, pid } of facts.processes) writeFileSync(join(dir, `${name}.pid`), `${pid}\n`)
      writeFileSync(join(dir, 'cluster.json'), `${JSON.stringify(facts, null, 2)}\n`)
      for (const { child } of processes) {
        child.disconnect()
        child.unref()
      }
      const seconds = ((performance.now() - beginMs) / 1000).toFixed(1)
      if (flags.json) terminal.out(`${JSON.stringify({ ...facts, dir }, null, 2)}\n`)
      else terminal.out(describeStart(facts, { dir, count, seconds }, terminal))
    } catch (error) {
      for (const { child } of processes) child.kill('SIGKILL')
      throw error
    }
  })
}

export async function stopLocalCluster(flags: LocalClusterFlags, surroundings: LocalSurroundings): Promise<number> {
  return reported(surroundings, async () => {
    const { terminal } = surroundings
    const dir = directoryOf(flags, terminal)
    const found = readStarted(dir)
    const alive = found?.processes.filter(isAlive) ?? []
    // The JobManager tells its TaskManagers to end.
    for (const signal of ['SIGTERM', 'SIGTERM', 'SIGKILL'] as const) {
      const left = alive.filter(isAlive)
      const told = signal === 'SIGTERM' && left[0]?.name === 'jobmanager' ? left.slice(0, 1) : left
      for (const { pid } of told) process.kill(pid, signal)
      await gone(alive, surroundings.sleep)
    }
    for (const { name } of found?.processes ?? []) rmSync(join(dir, `${name}.pid`), { force: true })
    rmSync(join(dir, 'cluster.json'), { force: true })
    const facts = { dir, stopped: alive.map(({ name, pid }) => ({ name, pid })) }
    const line =
      alive.length === 0
        ? `No cluster runs in ${dir}.`
        : `${terminal.outStyle.green('✔')} stopped ${alive.map(({ name }) => name).join(', ')}`
    terminal.out(`${flags.json ? JSON.stringify(facts, null, 2) : line}\n`)
  })
}

/** Configuration of all its processes. A cluster id of its own keeps TaskManagers from a JobManager that is not theirs. */
function shared({ D = {}, config, configDir, slots }: StartFlags): string[] {
  const read = new ConfigValues(config, 'TR-CONFIG-001')
  const more: Record<string, string> = {}
  if (AVAILABILITY.clusterId.key in config === false)
    more[AVAILABILITY.clusterId.key] = `local-${randomBytes(6).toString('hex')}`
  // Nobody else has to reach it, unless it is told where it is.
  if (JOB_MANAGER.address.key in config === false)
    for (const { key } of [JOB_MANAGER.bindHost, TASK_MANAGER.bindHost])
      if (key in config === false) more[key] = '127.0.0.1'
  const perTaskManager = slots === undefined ? (read.get(SLOTS.perTaskManager) ?? 2) : wholeNumber(slots, '--slots')
  more[SLOTS.perTaskManager.key] = String(perTaskManager)
  const properties = Object.entries({ ...D, ...more }).flatMap(([key, value]) => ['-D', `${key}=${value}`])
  return [...(configDir === undefined ? [] : ['--config-dir', configDir]), ...properties]
}

function launchProcess(
  name: string,
  dir: string,
  args: string[],
  { command, environment, terminal }: LocalSurroundings,
) {
  const [file, ...first] = command
  // What comes before it has its log, and after that what ends Node itself.
  const errors = openSync(join(dir, `${name}.err`), 'w', 0o600)
  try {
    return spawn(file!, [...first, ...args, '--log-dir', join(dir, name)], {
      cwd: terminal.cwd,
      env: environment,
      detached: true,
      stdio: ['ignore', 'ignore', errors, 'ipc'],
    })
  } finally {
    closeSync(errors)
  }
}

async function readyOf(jobManager: ChildProcess): Promise<JobManagerReady> {
  const [message] = (await once(jobManager, 'message')) as [JobManagerReady]
  return message
}

/** Rejects when the process ends. */
async function endOf(name: string, child: ChildProcess, dir: string): Promise<never> {
  const [code, signal] = await once(child, 'exit')
  const said = lastLines(join(dir, `${name}.err`)) || lastLines(join(dir, name, `${name.replace(/-\d+$/, '')}.log`))
  throw new TailraceError(
    'TR-CLI-002',
    `Cannot start the cluster: its ${name} ended with ${signal ?? `exit code ${code}`}${said === '' ? '' : `:\n${said}`}`,
  )
}

async function late({ sleep }: LocalSurroundings): Promise<never> {
  await sleep(START_MS)
  throw new TailraceError('TR-CLI-002', `Cannot start the cluster: it was not there within ${START_MS / 1000} s`)
}

async function registered(url: string, count: number, { sleep }: LocalSurroundings): Promise<void> {
  const client = clusterClient(url)
  while ((await client.get<{ taskmanagers: number }>('/overview')).taskmanagers < count) await sleep(POLL_MS)
}

async function gone(processes: Started['processes'], sleep: Sleep): Promise<void> {
  for (let waitedMs = 0; waitedMs < END_MS && processes.some(isAlive); waitedMs += POLL_MS) await sleep(POLL_MS)
}

function directoryOf({ dir }: LocalClusterFlags, { cwd }: Terminal): string {
  const path = dir === undefined ? join(tmpdir(), `tailrace-cluster-${process.getuid?.() ?? 'me'}`) : resolve(cwd, dir)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  if (dir !== undefined) return path
  // Others can make directories there, too.
  const found = lstatSync(path)
  if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== process.getuid()))
    throw new TailraceError(
      'TR-CLI-001',
      `Cannot use "${path}": it belongs to somebody else; wanted: --dir with another`,
    )
  chmodSync(path, 0o700)
  return path
}

function readStarted(dir: string): Started | undefined {
  try {
    return started.parse(JSON.parse(readFileSync(join(dir, 'cluster.json'), 'utf8')))
  } catch {
    return undefined
  }
}

function isAlive({ pid, birth }: Started['processes'][number]): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  return birthOf(pid) === birth
}

/** When the system started the process, in its ticks; '' where there is no /proc, or nothing but its exit code is left of it. */
function birthOf(pid: number): string {
  try {
    // Behind the name, which may hold anything: state, …, start time.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return fields[0] === 'Z' ? '' : fields[19]!
  } catch {
    return ''
  }
}

function lastLines(path: string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-8).join('\n')
  } catch {
    return ''
  }
}

function describeStart(
  { webUrl, rpc, processes }: Started,
  { dir, count, seconds }: { dir: string; count: number; seconds: string },
  { outStyle: style }: Terminal,
): string {
  const lines = [
    `${style.green('▶')} a JobManager and ${count} TaskManager${count === 1 ? '' : 's'}, in ${seconds} s  ${style.cyan(webUrl)}`,
    `  ${style.dim('processes')} ${processes.map(({ name, pid }) => `${name} ${pid}`).join(', ')}`,
    `  ${style.dim('TaskManagers come to')} ${rpc}`,
    `  ${style.dim('logs in')} ${dir}`,
    `  tailrace run job.ts -m ${new URL(webUrl).host}   runs a job`,
    `  tailrace cluster stop   ends it`,
  ]
  return `${lines.join('\n')}\n`
}

function wholeNumber(text: string, name: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
  throw new TailraceError('TR-CLI-001', `Cannot use ${text} for ${name}: wanted a whole number from 1 to 9999`)
}

async function reported({ terminal }: LocalSurroundings, act: () => Promise<void>): Promise<number> {
  try {
    await act()
    return EXIT.finished
  } catch (error) {
    const data = errorToData(error)
    terminal.error(reportError(data, terminal.report))
    return data.code === 'TR-CLI-001' || data.code === 'TR-CONFIG-001' ? EXIT.usage : EXIT.failed
  }
}
