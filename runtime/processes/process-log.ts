/**
 * What a process says of itself (`<name>.log`) and prints (`<name>.out`), kept for whoever asks: in files of a directory, or else the end of it in memory.
 *
 * What must hold: it is bounded, whatever is written: a file that is full becomes `<name>.log.1`, the one before `.2`, and the oldest goes. A disk that is full ends no process.
 */
import { appendFileSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogPiece, LogView } from '../rpc/views.ts'

export interface ProcessLogOptions {
  /** `jobmanager`, `taskmanager`. */
  name: string
  /** Where files go; undefined: nowhere. */
  dir?: string | undefined
  now?: () => number
  /** Of one file, or in memory. */
  bytesMax?: number
  /** Files of each kind that were full. */
  keptMax?: number
}

const FILE_BYTES_MAX = 10 * 2 ** 20
const MEMORY_BYTES_MAX = 2 ** 20
const KEPT_MAX = 4

type Kind = 'log' | 'out'

interface Tail {
  chunks: Buffer[]
  bytes: number
  modifiedMs: number
}

export class ProcessLog {
  readonly #name: string
  readonly #dir: string | undefined
  readonly #now: () => number
  readonly #bytesMax: number
  readonly #keptMax: number
  readonly #tails: Partial<Record<Kind, Tail>> = {}
  readonly #sizes: Partial<Record<Kind, number>> = {}

  /** Throws what making the directory throws. */
  constructor({ name, dir, now = Date.now, bytesMax, keptMax = KEPT_MAX }: ProcessLogOptions) {
    this.#name = name
    this.#dir = dir
    this.#now = now
    this.#bytesMax = bytesMax ?? (dir === undefined ? MEMORY_BYTES_MAX : FILE_BYTES_MAX)
    this.#keptMax = keptMax
    if (dir !== undefined) mkdirSync(dir, { recursive: true })
    // Nothing printed is something to show, too.
    for (const kind of ['log', 'out'] as const) this.write(kind, '')
  }

  write(kind: Kind, text: string | Uint8Array): void {
    const bytes = typeof text === 'string' ? Buffer.from(text) : Buffer.from(text)
    if (this.#dir === undefined) this.#remember(kind, bytes)
    else this.#append(join(this.#dir, `${this.#name}.${kind}`), kind, bytes)
  }

  /** Those that are written now come first. */
  async listLogs(): Promise<LogView[]> {
    if (this.#dir === undefined)
      return (['log', 'out'] as const).flatMap((kind) => {
        const tail = this.#tails[kind]
        return tail === undefined
          ? []
          : [{ name: `${this.#name}.${kind}`, size: tail.bytes, modifiedMs: tail.modifiedMs }]
      })
    const dir = this.#dir
    const names = (await readdir(dir)).filter((name) => this.#isOwn(name)).sort()
    const found = await Promise.all(
      names.map(async (name) => {
        const file = await stat(join(dir, name)).catch(() => undefined)
        return file === undefined ? [] : [{ name, size: file.size, modifiedMs: file.mtimeMs }]
      }),
    )
    return found.flat()
  }

  /** See ProcessInspection. */
  async readLog(name: string, offset: number, length: number): Promise<LogPiece | undefined> {
    if (!this.#isOwn(name)) return undefined
    if (this.#dir === undefined) {
      const tail = this.#tails[name.slice(this.#name.length + 1) as Kind]
      if (tail === undefined) return undefined
      const whole = Buffer.concat(tail.chunks)
      const from = beginOf(offset, whole.length)
      return { bytes: whole.subarray(from, from + length), offset: from, size: whole.length }
    }
    const file = await open(join(this.#dir, name)).catch(() => undefined)
    if (file === undefined) return undefined
    try {
      const { size } = await file.stat()
      const from = beginOf(offset, size)
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - from)))
      const { bytesRead } = await file.read(bytes, 0, bytes.length, from)
      return { bytes: bytes.subarray(0, bytesRead), offset: from, size }
    } finally {
      await file.close()
    }
  }

  /** Other files of the directory are nobody's business. */
  #isOwn(name: string): boolean {
    const own = `${this.#name}.`
    return name.startsWith(own) && /^(log|out)(\.\d+)?$/.test(name.slice(own.length))
  }

  #remember(kind: Kind, bytes: Buffer): void {
    this.#tails[kind] ??= { chunks: [], bytes: 0, modifiedMs: 0 }
    const tail = this.#tails[kind]
    tail.chunks.push(bytes.subarray(Math.max(0, bytes.length - this.#bytesMax)))
    tail.bytes += tail.chunks.at(-1)!.length
    tail.modifiedMs = this.#now()
    while (tail.bytes > this.#bytesMax) tail.bytes -= tail.chunks.shift()!.length
  }

  #append(path: string, kind: Kind, bytes: Buffer): void {
    try {
      this.#sizes[kind] ??= sizeOf(path)
      if (this.#sizes[kind] > 0 && this.#sizes[kind] + bytes.length > this.#bytesMax) {
        rmSync(`${path}.${this.#keptMax}`, { force: true })
        for (let n = this.#keptMax - 1; n >= 0; n--) move(n === 0 ? path : `${path}.${n}`, `${path}.${n + 1}`)
        this.#sizes[kind] = 0
      }
      appendFileSync(path, bytes)
      this.#sizes[kind] += bytes.length
    } catch {
      // Whoever starts the process sees the same on its stderr and stdout.
    }
  }
}

const beginOf = (offset: number, size: number): number =>
  offset < 0 ? Math.max(0, size + offset) : Math.min(offset, size)

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function move(from: string, to: string): void {
  if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, to)
}
