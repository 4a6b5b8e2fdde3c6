/**
 * Writes one file per subtask, without transactions: `part-<subtask>-<n>` with the format's extension appears, whole and durable, when the
 * input has ended; until then it is a hidden file. An existing file is never replaced: n is the first that is free. A subtask without
 * records writes no file. What a failed attempt has written is removed.
 */
import { type FileHandle, link, mkdir, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TailraceError } from '../../core/errors.ts'
import type { SinkContext, SinkWriter } from '../../core/sink.ts'
import type { Encoder, EncodingFormat } from '../../formats/format.ts'

/** Texts are collected up to this size before they become bytes. */
const TEXT_CHARACTERS = 64 * 1024

export interface FileWriterOptions<T> {
  directory: string
  prefix: string
  format: EncodingFormat<T>
  bufferBytesMax: number
}

export class FileWriter<T> implements SinkWriter<T> {
  readonly #context: SinkContext
  readonly #options: FileWriterOptions<T>
  readonly #encoder: Encoder<T>
  readonly #bytesWritten: { inc(by?: number): void }
  #text = ''
  #queue: Buffer[] = []
  #queuedBytes = 0
  #file: { handle: FileHandle; path: string } | undefined
  /** The write in progress; settles without throwing. */
  #writing: Promise<void> | undefined
  #error: unknown

  constructor(context: SinkContext, options: FileWriterOptions<T>) {
    this.#context = context
    this.#options = options
    this.#encoder = options.format.createEncoder()
    this.#bytesWritten = context.metrics.counter('numBytesSend')
  }

  write(value: T): void {
    this.#text += this.#encoder.encode(value)
    if (this.#text.length >= TEXT_CHARACTERS) this.#push()
  }

  pending(): boolean {
    return this.#queuedBytes >= this.#options.bufferBytesMax
  }

  async flush(endOfInput: boolean): Promise<void> {
    this.#push()
    if (!endOfInput) return
    while (this.#writing !== undefined) await this.#writing
    if (this.#error !== undefined) throw this.#error
    if (this.#file !== undefined) await this.#publish(this.#file)
  }

  async close(): Promise<void> {
    this.#queue = []
    while (this.#writing !== undefined) await this.#writing
    const file = this.#file
    this.#file = undefined
    if (file === undefined) return
    await file.handle.close().catch(() => {})
    await unlink(file.path).catch(() => {})
  }

  #push(): void {
    if (this.#text !== '') {
      const bytes = Buffer.from(this.#text)
      this.#text = ''
      this.#queue.push(bytes)
      this.#queuedBytes += bytes.length
    }
    if (this.#queue.length > 0) this.#writing ??= this.#drain()
  }

  async #drain(): Promise<void> {
    try {
      this.#file ??= await this.#create()
      for (let bytes = this.#queue.shift(); bytes !== undefined; bytes = this.#queue.shift()) {
        await this.#file.handle.writeFile(bytes)
        this.#bytesWritten.inc(bytes.length)
        const wasFull = this.pending()
        this.#queuedBytes -= bytes.length
        if (wasFull && !this.pending()) this.#context.wake()
      }
    } catch (error) {
      this.#error = cannotWrite(this.#options.directory, error)
      this.#context.fail(this.#error)
    } finally {
      this.#writing = undefined
    }
  }

  async #create(): Promise<{ handle: FileHandle; path: string }> {
    const { directory, prefix } = this.#options
    const { subtaskIndex } = this.#context.task
    await mkdir(directory, { recursive: true })
    for (let n = 0; ; n++) {
      const path = join(directory, `.${prefix}-${subtaskIndex}-${n}.inprogress`)
      try {
        return { handle: await open(path, 'wx'), path }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
    }
  }

  /** Makes the file durable and gives it its name. */
  async #publish(file: { handle: FileHandle; path: string }): Promise<void> {
    const { directory, prefix, format } = this.#options
    try {
      await file.handle.sync()
      await file.handle.close()
      for (let n = 0; ; n++) {
        const name = join(directory, `${prefix}-${this.#context.task.subtaskIndex}-${n}${format.extension}`)
        if (await takeName(file.path, name)) break
      }
      this.#file = undefined
      await syncDirectory(directory)
    } catch (error) {
      throw cannotWrite(directory, error)
    }
  }
}

/** Moves `from` to `to` unless that exists. A link fails where the name is taken; not every file system has links. */
async function takeName(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error
    const exists = await stat(to).then(
      () => true,
      () => false,
    )
    if (exists) return false
    await rename(from, to)
    return true
  }
  await unlink(from)
  return true
}

/** A new name is durable when its directory is. Systems that cannot open directories need it not. */
async function syncDirectory(path: string): Promise<void> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch {
    return
  }
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function cannotWrite(directory: string, error: unknown): TailraceError {
  const { message, path } = error as NodeJS.ErrnoException
  return new TailraceError(
    'TR-SINK-001',
    `Cannot write to "${path === undefined ? directory : dirname(path)}": ${message}`,
    {
      cause: error,
    },
  )
}
