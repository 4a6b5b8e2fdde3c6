/**
 * Artifacts on the local disk by content hash: `<sha256>.mjs`, `.ts`, `.tsx`, `.tgz`, and `<sha256>.d/` with what was in an archive.
 *
 * What must hold:
 * - what has its name is whole: it is written aside and renamed;
 * - what is taken has the hash of its name, now;
 * - the directory is the user's own, since what lies in it is run;
 * - what a job of any process on this machine holds is not removed. A process marks what it holds (`held-<sha256>-<pid>-<id>`) before it looks whether it
 *   is there; whoever removes moves a file away first and then looks at the marks.
 *
 * It may grow beyond `sizeMax` by what is held.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'

export interface CacheOptions {
  dir: string
  /** Bytes of everything in it, about. */
  sizeMax: number
  now?(): number
  /** Whether the process runs; marks of others are void. */
  isAlive?(pid: number): boolean
}

export interface Cached {
  path: string
  sha256: string
  size: number
}

/** What is expected of bytes that come in. */
export interface Expected {
  /** In words of a message, such as an address. */
  what: string
  sha256?: string | undefined
}

export type Extension = '.mjs' | '.ts' | '.tsx' | '.tgz'

/** Throws TR-ARTIFACT-012 when the directory cannot be used. Makes it when it is not there. */
export async function openArtifactCache(options: CacheOptions): Promise<ArtifactCache> {
  const { dir } = options
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const found = await lstat(dir)
    if (!found.isDirectory()) throw new Error('it is no directory')
    const uid = process.getuid?.()
    if (uid !== undefined && found.uid !== uid) throw new Error('it belongs to another user')
    if (uid !== undefined && (found.mode & 0o022) !== 0) throw new Error('others may write into it')
  } catch (cause) {
    throw unusable(dir, cause)
  }
  return new ArtifactCache(options)
}

/** Ids of the caches of this process. */
const OPENED = new Set<string>()

export class ArtifactCache {
  readonly dir: string
  readonly #sizeMax: number
  readonly #now: () => number
  readonly #isAlive: (pid: number) => boolean
  /** In the names of its marks. A process id comes again, in containers at each start. */
  readonly #id = randomUUID()
  /** How often. */
  readonly #held = new Map<string, number>()

  constructor({ dir, sizeMax, now = systemClock.now, isAlive = processRuns }: CacheOptions) {
    this.dir = dir
    this.#sizeMax = sizeMax
    this.#now = now
    this.#isAlive = isAlive
    OPENED.add(this.#id)
  }

  /**
   * The file of a hash, read and compared; undefined: it is not here, or was damaged and is gone now. Hold it before (see {@link hold}) so that it stays.
   */
  async take(sha256: string, extension: Extension): Promise<Cached | undefined> {
    const path = join(this.dir, sha256 + extension)
    const found = await hashFile(path).catch(absent)
    if (found === undefined) return undefined
    if (found.sha256 !== sha256) {
      await rm(path, { force: true })
      return undefined
    }
    const seconds = this.#now() / 1000
    await utimes(path, seconds, seconds).catch(absent)
    return { path, ...found }
  }

  /**
   * Takes bytes in and holds them: call `release` with their hash when they are not needed any more.
   *
   * Throws TR-ARTIFACT-005 for another hash than expected, 012 when they cannot be written, and what the source throws.
   */
  async add(bytes: AsyncIterable<Uint8Array>, extension: Extension, { what, sha256 }: Expected): Promise<Cached> {
    const aside = join(this.dir, `.new-${randomUUID()}`)
    try {
      const written = await this.#write(aside, bytes)
      if (sha256 !== undefined && written.sha256 !== sha256)
        throw new TailraceError(
          'TR-ARTIFACT-005',
          `Cannot take the artifact ${what}: its sha256 is ${written.sha256}, wanted: ${sha256}`,
        )
      const path = join(this.dir, written.sha256 + extension)
      await this.hold(written.sha256)
      const seconds = this.#now() / 1000
      await utimes(aside, seconds, seconds)
      await rename(aside, path)
      await this.#trim()
      return { path, ...written }
    } finally {
      await rm(aside, { force: true })
    }
  }

  async #write(path: string, bytes: AsyncIterable<Uint8Array>): Promise<Omit<Cached, 'path'>> {
    const ours = <T>(work: Promise<T>) =>
      work.catch((cause) => {
        throw unusable(this.dir, cause)
      })
    const hash = createHash('sha256')
    let size = 0
    const file = await ours(open(path, 'wx', 0o600))
    try {
      for await (const chunk of bytes) {
        hash.update(chunk)
        size += chunk.length
        await ours(file.writeFile(chunk))
      }
      await ours(file.sync())
    } finally {
      await file.close()
    }
    return { sha256: hash.digest('hex'), size }
  }

  /** Keeps a hash, whether it is here or not, until as many {@link release}s. */
  async hold(sha256: string): Promise<void> {
    const before = this.#held.get(sha256) ?? 0
    this.#held.set(sha256, before + 1)
    if (before > 0) return
    await writeFile(this.#mark(sha256), '').catch((cause) => {
      throw unusable(this.dir, cause)
    })
  }

  async release(sha256: string): Promise<void> {
    const left = (this.#held.get(sha256) ?? 0) - 1
    if (left > 0) {
      this.#held.set(sha256, left)
      return
    }
    if (!this.#held.delete(sha256)) return
    await rm(this.#mark(sha256), { force: true })
  }

  #mark(sha256: string): string {
    return join(this.dir, `held-${sha256}-${process.pid}-${this.#id}`)
  }

  /** Removes what was not used for the longest time and nobody holds, until the rest fits. */
  async #trim(): Promise<void> {
    const names = await readdir(this.dir)
    const bytes = new Map<string, { size: number; usedMs: number; names: string[] }>()
    for (const name of names) {
      const [, sha256] = /^([0-9a-f]{64})\./.exec(name) ?? []
      const found = sha256 === undefined ? undefined : await stat(join(this.dir, name)).catch(absent)
      if (found === undefined) continue
      const one = bytes.get(sha256!) ?? { size: 0, usedMs: 0, names: [] }
      bytes.set(sha256!, one)
      one.names.push(name)
      if (found.isDirectory()) continue
      one.size += found.size
      one.usedMs = Math.max(one.usedMs, found.mtimeMs)
    }
    // What is in an archive was not packed: four times as much is a guess that does not read it all.
    for (const one of bytes.values()) if (one.names.some((name) => name.endsWith('.d'))) one.size *= 5
    let total = [...bytes.values()].reduce((sum, { size }) => sum + size, 0)
    const oldest = [...bytes].sort(([, a], [, b]) => a.usedMs - b.usedMs)
    for (const [sha256, { size, names }] of oldest) {
      if (total <= this.#sizeMax) return
      if (await this.#remove(sha256, names)) total -= size
    }
  }

  async #remove(sha256: string, names: readonly string[]): Promise<boolean> {
    if (await this.#isHeld(sha256)) return false
    const gone = join(this.dir, `.gone-${randomUUID()}`)
    await mkdir(gone)
    for (const name of names) await rename(join(this.dir, name), join(gone, name)).catch(absent)
    const held = await this.#isHeld(sha256)
    if (held) for (const name of names) await rename(join(gone, name), join(this.dir, name)).catch(absent)
    await rm(gone, { recursive: true, force: true })
    return !held
  }

  async #isHeld(sha256: string): Promise<boolean> {
    if (this.#held.has(sha256)) return true
    for (const name of await readdir(this.dir)) {
      const [, of, pid, id] = /^held-([0-9a-f]{64})-(\d+)-(.+)$/.exec(name) ?? []
      if (of !== sha256) continue
      if (Number(pid) === process.pid ? OPENED.has(id!) : this.#isAlive(Number(pid))) return true
      await rm(join(this.dir, name), { force: true })
    }
    return false
  }
}

/** TR-ARTIFACT-012. */
export function unusable(dir: string, cause: unknown): TailraceError {
  const found = (cause as Error).message
  return new TailraceError(
    'TR-ARTIFACT-012',
    `Cannot use the directory "${dir}" for artifacts: ${found}, wanted: one of this user alone that can be written ("user.artifacts.base-dir")`,
    { cause },
  )
}

export async function hashFile(path: string): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    size += chunk.length
  }
  return { sha256: hash.digest('hex'), size }
}

/** For a file that another process has removed meanwhile. */
function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw error
}

function processRuns(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It runs, and is another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
