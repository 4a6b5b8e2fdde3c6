/**
 * Which process a directory on this machine's disk belongs to, and whether that still runs: what a killed process has left may go, what another works with never.
 *
 * A file `owner` in the directory names the process by its id and the time at which it began, since ids come again. Ids mean something within one boot and one namespace of processes; for an owner
 * out of another one (a container that shares the disk) the file's time decides, which its process renews.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** What one process knows of others. */
export interface Processes {
  host: string
  /** Where process ids are those of this process. */
  namespace: string
  pid: number
  /** When a process began, in whatever unit; undefined: it does not run, or nobody can tell when it began and it does. */
  startOf(pid: number): string | undefined
  runs(pid: number): boolean
  /** Milliseconds since 1970, as the file system has them. */
  now(): number
}

interface Owner {
  /** Of the machine, or the container. */
  host: string
  namespace: string
  pid: number
  start: string
}

/** An owner whose processes cannot be seen renews its file within this time, or is gone. */
export const OWNER_SILENT_MS = 10 * 60_000

const FILE = 'owner'

/** Makes this process the owner. */
export async function ownDirectory(directory: string, { host, namespace, pid, startOf }: Processes): Promise<void> {
  const owner: Owner = { host, namespace, pid, start: startOf(pid) ?? '' }
  await writeFile(join(directory, FILE), JSON.stringify(owner), { mode: 0o600 })
}

/** Says that the owner is there. */
export async function renewOwner(directory: string, { now }: Processes): Promise<void> {
  const seconds = now() / 1000
  await utimes(join(directory, FILE), seconds, seconds)
}

/**
 * Whether the directory has an owner that runs, or may.
 *
 * @param sameName this process has the owner's name and takes its place: another one of the same host, whose processes cannot be seen, was that container before it was started again
 */
export async function hasOwner(directory: string, processes: Processes, sameName = false): Promise<boolean> {
  const { host, namespace, startOf, runs, now } = processes
  const owner = await readOwner(directory)
  if (sameName && owner !== undefined && owner.host === host && owner.namespace !== namespace) return false
  if (owner?.namespace === namespace)
    return runs(owner.pid) && (owner.start === '' || (startOf(owner.pid) ?? owner.start) === owner.start)
  // Its file comes after the directory.
  const { mtimeMs } = await stat(owner === undefined ? directory : join(directory, FILE))
  return now() - mtimeMs < OWNER_SILENT_MS
}

async function readOwner(directory: string): Promise<Owner | undefined> {
  try {
    const owner = JSON.parse(await readFile(join(directory, FILE), 'utf8'))
    const { host, namespace, pid, start } = owner
    return typeof host === 'string' &&
      typeof namespace === 'string' &&
      Number.isInteger(pid) &&
      typeof start === 'string'
      ? owner
      : undefined
  } catch {
    return undefined
  }
}

/** Those of this machine, as Linux shows them; elsewhere without the times of their begin. */
export const processesHere: Processes = {
  host: hostname(),
  namespace: namespaceHere(),
  pid: process.pid,
  startOf(pid) {
    try {
      // Field 22; the second one is a name that may have spaces and brackets.
      const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
      return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
    } catch {
      return undefined
    }
  },
  runs(pid) {
    try {
      process.kill(pid, 0)
      return true
    } catch (error) {
      // It runs, and is another user's.
      return (error as NodeJS.ErrnoException).code === 'EPERM'
    }
  },
  now: () => Date.now(),
}

function namespaceHere(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}
