/**
 * What the servers of the lab share: where programs are kept, free ports, and a child process that is ready when it prints a word and gone when we are.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { appendFileSync, existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { commandLine, refuse } from '../command-line.ts'

/** Where what is built or downloaded is kept, each under a name with its version: TAILRACE_LAB, else `~/.cache/tailrace-lab`. */
export const labFolder =
  process.env.TAILRACE_LAB ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'tailrace-lab')

const LOWEST_PORT = 12_000
/** Above it begin the ports that systems give to outgoing connections: one of them may take a server's port while it restarts, or a client that retries there may connect to itself. */
const HIGHEST_PORT = 32_000
const PORT_TRIES = 200

/** So many ports on 127.0.0.1 that nobody listens on now, in no order. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>()
  for (let tries = 0; found.size < count; tries++) {
    if (tries === PORT_TRIES)
      throw new Error(`Cannot find ${count} free ports: ${tries} were tried, ${found.size} free`)
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT)
    if (await isFree(port)) found.add(port)
  }
  return [...found]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer().once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

export interface ServerStart {
  program: string
  args: readonly string[]
  /** A line of its output has this when it can be used. */
  ready: string
  readyWithinMs: number
  env?: NodeJS.ProcessEnv
  /** What it prints is added to this file; without it only the last lines are kept, for the message of a failure. */
  logFile?: string
}

const LINES_KEPT = 40
const SETPRIV = '/usr/bin/setpriv'

/**
 * Starts a server and waits until it is ready. It is killed when this process exits; where the system can (Linux) also when this process is killed.
 *
 * @throws Error with its last lines when it ends before it is ready, or is not ready in time
 */
export async function startServer(start: ServerStart): Promise<ChildProcess> {
  const { program, args, ready, readyWithinMs, env = process.env, logFile } = start
  const bound = process.platform === 'linux' && existsSync(SETPRIV)
  const [file, ...rest] = bound ? [SETPRIV, '--pdeathsig', 'KILL', program, ...args] : [program, ...args]
  const server = spawn(file!, rest, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  const kill = () => server.kill('SIGKILL')
  process.once('exit', kill)
  server.once('exit', () => process.removeListener('exit', kill))
  const lines: string[] = []
  let timer: NodeJS.Timeout | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`it is not ready after ${readyWithinMs / 1000} s`)), readyWithinMs)
      server.once('error', reject)
      server.once('exit', (code, signal) => reject(new Error(`it ended (${signal ?? code})`)))
      for (const output of [server.stdout, server.stderr])
        createInterface({ input: output }).on('line', (line) => {
          if (logFile !== undefined) appendFileSync(logFile, `${line}\n`)
          lines.push(line)
          if (lines.length > LINES_KEPT) lines.shift()
          if (line.includes(ready)) resolve()
        })
    })
    return server
  } catch (error) {
    kill()
    const text = `Cannot start ${program}: ${(error as Error).message}; it printed:\n${lines.join('\n')}`
    throw new Error(text, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

/** What a server of the lab does when it is started by hand: `install`, or it runs until Ctrl-C. */
export async function runByHand(
  usage: string,
  lab: { install(): void; missing(): string | undefined; run(): Promise<void> },
): Promise<void> {
  const [what] = commandLine(usage, { allowPositionals: true }).positionals
  if (what === 'install') return lab.install()
  if (what !== undefined) refuse(`${what}: install, or nothing, is wanted`)
  const missing = lab.missing()
  if (missing !== undefined) refuse(missing)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0))
  await lab.run()
}

/** Sends a signal and waits for the end; one that does not end in time is killed. */
export async function endServer(server: ChildProcess, signal: NodeJS.Signals, withinMs = 20_000): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exit = new Promise((resolve) => server.once('exit', resolve))
  server.kill(signal)
  const timer = setTimeout(() => server.kill('SIGKILL'), withinMs)
  await exit
  clearTimeout(timer)
}
