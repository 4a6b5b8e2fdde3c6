/**
 * The directory of a TaskManager for local copies of state: `<working directory>/tm_<id>_<random>/localState/<job>/<file>`, in each of several places where the configuration names them.
 *
 * What must hold:
 * - the directory is of one process, made when it first writes something, and gone when that has ended;
 * - what a killed process has left goes when the next one starts in the same place, or a while later where nobody can tell at once that it is gone; that of a process that lives stays;
 * - a process that comes back under its configured name (`taskmanager.resource-id`) goes on with what it has left.
 */
import { lstat, mkdir, mkdtemp, open, readdir, rename, rm, rmdir, statfs, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { directoryList, workingDirectory } from '../config/directories.ts'
import { ConfigValues } from '../config/option.ts'
import { CHECKPOINTING } from '../config/options/checkpointing.ts'
import { TASK_MANAGER } from '../config/options/processes.ts'
import { backgroundSchedule, type Schedule } from '../core/clock.ts'
import { errorToData } from '../core/errors.ts'
import type { LocalDisk, LocalFile } from '../taskmanager/local-copies.ts'
import { hasOwner, ownDirectory, type Processes, processesHere, renewOwner } from './process-owner.ts'

export interface LocalDiskOptions {
  configuration: Readonly<Record<string, string>>
  /** Of the TaskManager; undefined: it has none that comes again. */
  id: string | undefined
  /** What relative paths begin at. */
  cwd: string
  /** A line of the log. */
  log(text: string): void
  schedule?: Schedule
  processes?: Processes
}

const PREFIX = 'tm_'
const STATE = 'localState'
/** Says that it lives, and looks for what others have left. */
const TEND_MS = 60_000

/** Throws TR-CONFIG-001. What cannot be looked at or removed is told of. */
export async function openLocalDisk(options: LocalDiskOptions): Promise<DirectoryDisk> {
  const { configuration, cwd, log } = options
  const read = new ConfigValues(configuration, 'TR-CONFIG-001')
  const given = directoryList(read.get(CHECKPOINTING.localBackupDirectories) ?? '')
  const own = workingDirectory(read, TASK_MANAGER.workingDirectory) ?? tmpdir()
  const parents = (given.length > 0 ? given : [own]).map((path) => resolve(cwd, path))
  const wanted = read.get(CHECKPOINTING.localBackupBytes)
  const disk = new DirectoryDisk(options, parents)
  await disk.takeUp()
  const left = disk.found.reduce((bytes, { size }) => bytes + size, 0)
  disk.bytesMax = wanted ?? Math.floor(((await freeBytes(parents, log)) + left) / 2)
  // Removing much takes a while, and a job may wait for this process.
  void disk.tend()
  return disk
}

export class DirectoryDisk implements LocalDisk {
  bytesMax = 0
  /** What an earlier process of its name has left. */
  found: LocalFile[] = []
  readonly #options: LocalDiskOptions
  readonly #parents: readonly string[]
  readonly #processes: Processes
  /** Its own in each of the parents, once it has written something. */
  readonly #directories: (Promise<string> | undefined)[]
  #stopTimer: () => void = () => {}
  #closed = false
  #tending: Promise<void> | undefined

  constructor(options: LocalDiskOptions, parents: readonly string[]) {
    this.#options = options
    this.#parents = parents
    this.#processes = options.processes ?? processesHere
    this.#directories = parents.map(() => undefined)
  }

  get path(): string {
    return this.#parents.join(', ')
  }

  /** Goes on with directories of an earlier process of the same name. What cannot be used is left to {@link tend}. */
  async takeUp(): Promise<void> {
    if (this.#options.id === undefined) return
    for (const [which, parent] of this.#parents.entries()) {
      for (const left of await this.#others(parent, this.#name)) {
        if (this.#directories[which] !== undefined) break
        try {
          if (await hasOwner(left, this.#processes, true)) continue
          const own = await mkdtemp(join(parent, this.#name))
          // Of two that come at a time one finds it gone.
          await rename(left, own)
          await ownDirectory(own, this.#processes)
          this.found.push(...(await filesIn(join(own, STATE))))
          this.#directories[which] = Promise.resolve(own)
        } catch (error) {
          this.#options.log(`Cannot go on with local copies of state in ${left}: ${errorToData(error).message}`)
        }
      }
    }
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const path = await this.#pathOf(key)
    const write = () => writeFile(path, bytes, { mode: 0o600 })
    try {
      await write()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      await write()
    }
  }

  async get(key: string, { offset, length }: { offset: number; length: number }): Promise<Uint8Array | undefined> {
    const file = await open(await this.#pathOf(key)).catch(absent)
    if (file === undefined) return undefined
    try {
      const bytes = new Uint8Array(length)
      let done = 0
      while (done < length) {
        const { bytesRead } = await file.read(bytes, done, length - done, offset + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return done === length ? bytes : bytes.slice(0, done)
    } finally {
      await file.close()
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    const folders = new Set<string>()
    for (const key of keys) {
      const path = await this.#pathOf(key)
      await rm(path, { force: true })
      folders.add(dirname(path))
    }
    // Of a job that has nothing here any more.
    for (const folder of folders) await rmdir(folder).catch(() => {})
  }

  /** Renews its own directories, removes those of processes that are gone, and does it again from time to time. */
  tend(): Promise<void> {
    this.#tending ??= this.#tend().finally(() => {
      this.#tending = undefined
    })
    return this.#tending
  }

  async #tend(): Promise<void> {
    const { log, schedule = backgroundSchedule } = this.#options
    try {
      const own = new Set<string>()
      for (const made of this.#directories) {
        const directory = await made?.catch(() => undefined)
        if (directory === undefined) continue
        own.add(directory)
        await renewOwner(directory, this.#processes)
      }
      for (const parent of this.#parents) await this.#sweep(parent, own)
    } catch (error) {
      if (!this.#closed) log(`Cannot look after local copies of state in ${this.path}: ${errorToData(error).message}`)
    }
    if (this.#closed) return
    this.#stopTimer = schedule(TEND_MS, () => void this.tend())
  }

  /** Removes what is its own. */
  async close(): Promise<void> {
    this.#closed = true
    this.#stopTimer()
    for (const made of this.#directories) {
      const directory = await made?.catch(() => undefined)
      if (directory !== undefined) await rm(directory, { recursive: true, force: true }).catch(() => {})
    }
  }

  async #sweep(parent: string, own: ReadonlySet<string>): Promise<void> {
    for (const directory of await this.#others(parent, PREFIX)) {
      if (own.has(directory)) continue
      // Another process may remove it meanwhile.
      if ((await hasOwner(directory, this.#processes).catch(absent)) !== false) continue
      await rm(directory, { recursive: true, force: true })
      this.#options.log(`Removed local copies of state in ${directory}: the process that they were of is gone`)
    }
  }

  /** Directories of this user in `parent`. */
  async #others(parent: string, prefix: string): Promise<string[]> {
    const uid = process.getuid?.()
    const others: string[] = []
    for (const name of (await readdir(parent).catch(absent)) ?? []) {
      if (!name.startsWith(prefix)) continue
      const found = await lstat(join(parent, name)).catch(absent)
      if (found?.isDirectory() === true && (uid === undefined || found.uid === uid)) others.push(join(parent, name))
    }
    return others
  }

  get #name(): string {
    return `${PREFIX}${encodeURIComponent(this.#options.id ?? hostname()).slice(0, 100)}_`
  }

  async #pathOf(key: string): Promise<string> {
    // The end of a name is of a hash.
    const which = this.#parents.length === 1 ? 0 : Number.parseInt(key.slice(-6), 16) % this.#parents.length
    return join(await this.#directory(which || 0), STATE, key)
  }

  #directory(which: number): Promise<string> {
    let made = this.#directories[which]
    if (made === undefined) {
      made = this.#make(this.#parents[which]!)
      this.#directories[which] = made
    }
    return made
  }

  async #make(parent: string): Promise<string> {
    await mkdir(parent, { recursive: true })
    const directory = await mkdtemp(join(parent, this.#name))
    await ownDirectory(directory, this.#processes)
    return directory
  }
}

/** In folders of jobs. */
async function filesIn(folder: string): Promise<LocalFile[]> {
  const files: LocalFile[] = []
  for (const job of (await readdir(folder).catch(absent)) ?? [])
    for (const name of await readdir(join(folder, job)))
      files.push({ key: `${job}/${name}`, size: (await lstat(join(folder, job, name))).size })
  return files
}

async function freeBytes(parents: readonly string[], log: (text: string) => void): Promise<number> {
  let bytes = 0
  for (const parent of parents) {
    try {
      const { bavail, bsize } = await statfs(await nearest(parent))
      bytes += bavail * bsize
    } catch (error) {
      log(`Cannot see how much room there is in ${parent}: ${errorToData(error).message}`)
    }
  }
  return bytes
}

/** The directory, or the one that it will be made in. */
async function nearest(path: string): Promise<string> {
  const up = dirname(path)
  return up === path || (await lstat(path).catch(absent)) !== undefined ? path : nearest(up)
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}
