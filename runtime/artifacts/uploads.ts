/**
 * Artifacts that were uploaded to a cluster, by ids as Flink gives them: `<uuid>_<name>`.
 *
 * They lie in `<web.upload.dir>/tailrace-web-upload`, where the next process finds them, or in a temporary directory, which goes with this one. Nothing is
 * made before it is needed. What must hold: a file has its id when it is whole and can be run; an id leads to a file of this directory only.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, mkdir, mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { REST } from '../config/options/rest.ts'
import { systemClock } from '../core/clock.ts'
import { isTailraceError, TailraceError } from '../core/errors.ts'
import { kindOf } from './artifact-uri.ts'
import { type ArtifactCache, openArtifactCache } from './cache.ts'
import { type Artifact, addArtifact } from './fetch-artifact.ts'
import { tooLarge } from './http.ts'
import type { ArtifactSettings } from './settings.ts'

export interface UploadsOptions {
  /** `web.upload.dir`; undefined: a temporary one. */
  dir?: string | undefined
  settings: ArtifactSettings
  /** `rest.server.max-content-length`: of one upload, bytes; beside `settings.sizeMax`. */
  sizeMax?: number
  /** Absent: one at `settings.dir`. */
  cache?: ArtifactCache
  now?(): number
  newId?(): string
}

export interface Upload {
  id: string
  name: string
  /** Milliseconds since 1970. */
  uploadedMs: number
  path: string
  /** The module that is run when nobody asks for another; undefined for a package that names none. */
  entry: string | undefined
}

/** So many at a time. */
export const UPLOADS_MAX = 500
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}_[^/\\]+$/
const NAME_MAX = 150

/**
 * @example
 * const uploads = new Uploads({ settings: artifactSettings(configuration) })
 * const { id } = await uploads.upload(createReadStream('dist/job.mjs'), 'job.mjs')
 * const artifact = await uploads.open(id)
 */
export class Uploads {
  readonly #options: UploadsOptions
  readonly #entries = new Map<string, string | undefined>()
  #dir: Promise<string> | undefined
  #cache: Promise<ArtifactCache> | undefined

  constructor(options: UploadsOptions) {
    this.#options = options
  }

  /**
   * Takes bytes in. Throws TR-ARTIFACT-001 and 011 for names of what is no job, 006 for too large ones, 007 and 009 for what could not run, 012 when it cannot
   * be written, and what the source throws.
   */
  async upload(bytes: AsyncIterable<Uint8Array>, name: string): Promise<Upload> {
    const plain = plainName(name)
    kindOf(plain)
    const dir = await this.#directory()
    if ((await this.list()).length >= UPLOADS_MAX)
      throw new TailraceError(
        'TR-ARTIFACT-006',
        `Cannot take "${plain}": there are ${UPLOADS_MAX} uploads, delete some`,
      )
    const { newId = randomUUID } = this.#options
    const id = `${newId()}_${plain}`
    const aside = join(dir, `.new-${id}`)
    try {
      await this.#write(aside, bytes, plain)
      // What cannot run is refused while somebody is there to hear it.
      this.#entries.set(id, await this.#entryOf(aside, plain))
      await rename(aside, join(dir, id))
    } finally {
      await rm(aside, { force: true })
    }
    return (await this.get(id))!
  }

  /** The newest first. */
  async list(): Promise<Upload[]> {
    // One that nobody made has none.
    if (this.#dir === undefined && this.#options.dir === undefined) return []
    const dir = await this.#directory()
    const found = await Promise.all((await readdir(dir)).map((id) => this.get(id)))
    return found
      .filter((one) => one !== undefined)
      .sort((a, b) => b.uploadedMs - a.uploadedMs || (a.id < b.id ? -1 : 1))
  }

  async get(id: string): Promise<Upload | undefined> {
    const path = await this.#pathOf(id)
    const found = path === undefined ? undefined : await stat(path).catch(() => undefined)
    if (path === undefined || found?.isFile() !== true) return undefined
    const name = id.slice(id.indexOf('_') + 1)
    if (!this.#entries.has(id)) this.#entries.set(id, await this.#entryOf(path, name).catch(() => undefined))
    return { id, name, uploadedMs: Math.floor(found.mtimeMs), path, entry: this.#entries.get(id) }
  }

  /** False: there is none. Jobs that run it go on. */
  async delete(id: string): Promise<boolean> {
    const upload = await this.get(id)
    if (upload === undefined) return false
    await rm(upload.path, { force: true })
    this.#entries.delete(id)
    return true
  }

  /**
   * Makes it ready to be imported, from a copy by its hash; undefined: there is no such upload.
   *
   * @param entry of a package: another module than its own
   */
  async open(id: string, entry?: string): Promise<Artifact | undefined> {
    const upload = await this.get(id)
    return upload === undefined ? undefined : this.#artifactOf(upload.path, upload.name, entry)
  }

  /** Deletes a temporary directory. */
  async close(): Promise<void> {
    if (this.#dir !== undefined && this.#options.dir === undefined)
      await rm(await this.#dir, { recursive: true, force: true })
  }

  async #write(path: string, bytes: AsyncIterable<Uint8Array>, name: string): Promise<void> {
    const { settings, sizeMax = settings.sizeMax } = this.#options
    const most = Math.min(sizeMax, settings.sizeMax)
    const key = most < settings.sizeMax ? REST.contentLength.key : undefined
    const file = await open(path, 'wx', 0o600).catch((cause) => {
      throw unusable(path, cause)
    })
    try {
      let size = 0
      for await (const chunk of bytes) {
        size += chunk.length
        if (size > most) throw tooLarge(`"${name}"`, `more than ${most} bytes`, most, key)
        await file.writeFile(chunk)
      }
      const seconds = (this.#options.now ?? systemClock.now)() / 1000
      await file.utimes(seconds, seconds)
    } finally {
      await file.close()
    }
  }

  async #entryOf(path: string, name: string): Promise<string | undefined> {
    try {
      const artifact = await this.#artifactOf(path, name, undefined)
      await artifact.release()
      return artifact.kind === 'package' ? basename(artifact.moduleUrl) : name
    } catch (error) {
      // Whoever runs it may name one.
      if (isTailraceError(error) && error.code === 'TR-ARTIFACT-008') return undefined
      throw error
    }
  }

  async #artifactOf(path: string, name: string, entry: string | undefined): Promise<Artifact> {
    const { settings, cache } = this.#options
    this.#cache ??=
      cache === undefined
        ? openArtifactCache({ dir: settings.dir, sizeMax: settings.cacheMax })
        : Promise.resolve(cache)
    return addArtifact(createReadStream(path), name, { settings, cache: await this.#cache, entry })
  }

  async #pathOf(id: string): Promise<string | undefined> {
    if (!ID.test(id) || (this.#dir === undefined && this.#options.dir === undefined)) return undefined
    return join(await this.#directory(), id)
  }

  #directory(): Promise<string> {
    this.#dir ??= makeDirectory(this.#options.dir)
    return this.#dir
  }
}

async function makeDirectory(parent: string | undefined): Promise<string> {
  if (parent === undefined) return mkdtemp(join(tmpdir(), 'tailrace-uploads-'))
  const dir = join(parent, 'tailrace-web-upload')
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const found = await lstat(dir)
    const uid = process.getuid?.()
    if (uid !== undefined && (found.uid !== uid || (found.mode & 0o022) !== 0))
      throw new Error('others may write into it')
    for (const name of await readdir(dir)) if (name.startsWith('.new-')) await rm(join(dir, name), { force: true })
    return dir
  } catch (cause) {
    throw unusable(dir, cause)
  }
}

/** What is left of the name that somebody gave: no folders, and letters that are the same everywhere. */
function plainName(name: string): string {
  const last = name.split(/[/\\]/).at(-1)!
  return last.replace(/[^\w.@+-]/g, '_').slice(-NAME_MAX)
}

function unusable(path: string, cause: unknown): TailraceError {
  return new TailraceError(
    'TR-ARTIFACT-012',
    `Cannot keep uploads in "${path}": ${(cause as Error).message}, wanted: a directory of this user alone that can be written ("web.upload.dir")`,
    { cause },
  )
}
