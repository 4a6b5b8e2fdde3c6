/**
 * Unpacks a `.tgz` into a directory.
 *
 * What must hold, whatever the archive says:
 * - nothing is written outside of the directory: paths are names with slashes in between, none of them `..`, and none leads through a link;
 * - links stay inside. A symbolic link is `../` as often as it likes and names behind that, and the way down to the link itself has no links: so the
 *   `..` lead where they seem to, and behind them it only goes down, through other links of the same kind;
 * - there are files, folders and links; no devices;
 * - bytes and entries are bounded, the bytes as they come out of gzip.
 *
 * The format is left to node-tar, what is taken of it to {@link judge}.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { link, mkdir, open, symlink } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { createGunzip } from 'node:zlib'
import { Parser, type ReadEntry } from 'tar'
import { isTailraceError, TailraceError } from '../core/errors.ts'

export interface UnpackLimits {
  /** Of all that comes out of gzip. */
  unpackedMax: number
  filesMax: number
}

/** Hashes of the files by their paths. */
export type Unpacked = Record<string, string>

const FILES = new Set(['File', 'OldFile', 'ContiguousFile'])
const PATH_MAX = 1_000

/**
 * Throws TR-ARTIFACT-007 for what is broken or must not be, 006 for what is too large. What was written until then stays; the caller removes it.
 *
 * @param dir there, and empty
 * @param shown of the archive, for messages
 */
export async function unpack(path: string, dir: string, shown: string, limits: UnpackLimits): Promise<Unpacked> {
  const writer = new Writer(dir, limits.filesMax)
  const parser = new Parser({ strict: true, file: shown })
  let failure: unknown
  let work = Promise.resolve()
  let current: ReadEntry | undefined
  const ended = Promise.withResolvers<void>()
  parser.on('error', (error) => {
    failure ??= error
    ended.resolve()
  })
  parser.on('end', ended.resolve)
  // One at a time: the next one comes when this one was read to its end.
  const take = (entry: ReadEntry) => {
    work = work.then(async () => {
      current = entry
      entry.on('error', () => {})
      try {
        if (failure === undefined) await writer.take(entry)
      } catch (error) {
        failure ??= error
      }
      current = undefined
      entry.resume()
    })
  }
  parser.on('entry', take)
  parser.on('ignoredEntry', ({ path, type }: ReadEntry) => {
    failure ??= new Refusal(`"${path}" is a ${type}, wanted: files, folders and links`)
  })
  try {
    let bytes = 0
    const source = createReadStream(path)
    const gunzip = createGunzip()
    source.on('error', (error) => gunzip.destroy(error))
    for await (const chunk of source.pipe(gunzip) as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > limits.unpackedMax) throw new TooLarge(`more than ${limits.unpackedMax} bytes`, 'max-unpacked-size')
      if (!parser.write(chunk) && failure === undefined) await drained(parser)
      if (failure !== undefined) throw failure
    }
    if (bytes === 0) throw new Refusal('it is empty')
    parser.end()
    await ended.promise
    await work
    if (failure !== undefined) throw failure
    return writer.hashes
  } catch (error) {
    failure ??= error
    // Its file waits for more, and no more comes.
    writer.stopped = true
    current?.destroy(new Error('given up'))
    await work
    throw inWords(shown, failure)
  }
}

function drained(parser: Parser): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      parser.off('drain', done)
      parser.off('error', done)
      resolve()
    }
    parser.on('drain', done)
    parser.on('error', done)
  })
}

/** What is wrong with the archive. */
class Refusal extends Error {}

class TooLarge extends Error {
  readonly key: string
  constructor(found: string, key: string) {
    super(found)
    this.key = key
  }
}

function inWords(shown: string, error: unknown): TailraceError {
  if (isTailraceError(error)) return error
  if (error instanceof TooLarge)
    return new TailraceError(
      'TR-ARTIFACT-006',
      `Cannot unpack ${shown}: it has ${error.message} ("tailrace.artifacts.${error.key}")`,
    )
  const { message, code } = error as NodeJS.ErrnoException
  const ours = error instanceof Refusal
  if (!ours && code !== undefined && ['ENOSPC', 'EACCES', 'EROFS', 'EDQUOT', 'EIO', 'ENOENT'].includes(code))
    return new TailraceError('TR-ARTIFACT-012', `Cannot unpack ${shown}: ${message}`, { cause: error })
  return new TailraceError(
    'TR-ARTIFACT-007',
    `Cannot unpack ${shown}: ${ours ? message : `it is broken (${message})`}`,
    ours ? {} : { cause: error },
  )
}

class Writer {
  /** What comes now is not read to its end. */
  stopped = false
  readonly hashes: Unpacked = {}
  readonly #dir: string
  readonly #filesMax: number
  readonly #links = new Set<string>()
  readonly #folders = new Set<string>(['.'])
  #entries = 0

  constructor(dir: string, filesMax: number) {
    this.#dir = dir
    this.#filesMax = filesMax
  }

  async take(entry: ReadEntry): Promise<void> {
    if (++this.#entries > this.#filesMax) throw new TooLarge(`more than ${this.#filesMax} files`, 'max-files')
    const path = judgePath(entry.path)
    if (path === '.') return
    if (entry.type === 'Directory' || entry.type === 'GNUDumpDir') {
      await this.#folder(path)
      return
    }
    if (this.hashes[path] !== undefined || this.#links.has(path) || this.#folders.has(path))
      throw new Refusal(`"${path}" is in it twice`)
    await this.#folder(posix.dirname(path))
    if (FILES.has(entry.type)) await this.#file(path, entry)
    else if (entry.type === 'SymbolicLink') await this.#symlink(path, entry.linkpath ?? '')
    else if (entry.type === 'Link') await this.#hardLink(path, judgePath(entry.linkpath ?? ''))
    else throw new Refusal(`"${path}" is a ${entry.type}, wanted: files, folders and links`)
  }

  /** Makes it and those above it, none of which may be a link. */
  async #folder(path: string): Promise<void> {
    if (this.#folders.has(path)) return
    if (this.#links.has(path)) throw new Refusal(`"${path}" is a link, and something is to be written through it`)
    if (this.hashes[path] !== undefined) throw new Refusal(`"${path}" is a file and a folder`)
    await this.#folder(posix.dirname(path))
    await mkdir(join(this.#dir, path), { mode: 0o700 })
    this.#folders.add(path)
  }

  async #file(path: string, entry: ReadEntry): Promise<void> {
    const hash = createHash('sha256')
    const executable = ((entry.mode ?? 0) & 0o100) !== 0
    const file = await open(join(this.#dir, path), 'wx', executable ? 0o700 : 0o600)
    try {
      // One that is destroyed already would say nothing.
      if (this.stopped) return
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        hash.update(chunk)
        await file.writeFile(chunk)
      }
    } finally {
      await file.close()
    }
    this.hashes[path] = hash.digest('hex')
  }

  async #symlink(path: string, target: string): Promise<void> {
    judgeLink(path, target)
    await symlink(target, join(this.#dir, path))
    this.#links.add(path)
  }

  /** To a file that came before it. */
  async #hardLink(path: string, target: string): Promise<void> {
    const hash = this.hashes[target]
    if (hash === undefined) throw new Refusal(`"${path}" is a link to "${target}", which is no file of it`)
    await link(join(this.#dir, target), join(this.#dir, path))
    this.hashes[path] = hash
  }
}

/** The path without `./` and slashes at its end. */
function judgePath(path: string): string {
  const bad = (found: string) => new Refusal(`${JSON.stringify(path)} ${found}, wanted: a path inside of it`)
  if (path === '' || path.includes('\0') || path.includes('\\')) throw bad('is no path')
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) throw bad('is absolute')
  if (path.length > PATH_MAX) throw new Refusal(`"${path.slice(0, 100)}…" has more than ${PATH_MAX} characters`)
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  if (names.includes('..')) throw bad('leads out of it')
  return names.join('/') || '.'
}

function judgeLink(path: string, target: string): void {
  const bad = (found: string) =>
    new Refusal(`the link "${path}" to ${JSON.stringify(target)} ${found}, wanted: a way inside of it`)
  if (target === '' || target.includes('\0') || target.includes('\\')) throw bad('is none')
  if (target.startsWith('/') || /^[a-z]:/i.test(target)) throw bad('is absolute')
  const names = target.split('/').filter((name) => name !== '' && name !== '.')
  const down = names.findIndex((name) => name !== '..')
  const ups = down < 0 ? names.length : down
  if (names.slice(ups).includes('..')) throw bad('goes down and up again')
  if (ups > path.split('/').length - 1) throw bad('leads out of it')
}
