/**
 * Reads a file in chunks.
 *
 * A chunk that the page cache has takes 10 µs to read in place, five times as much by the thread pool, whose threads take the processor
 * from a busy slot. So a chunk is read when it is needed; a read that took longer than SLOW_MS makes the next AHEAD_READS go to the
 * pool instead, one ahead of what is decoded, and the slot does not wait for the device.
 *
 * Two buffers: one is decoded while the other is filled. What a chunk leaves at its end (a record that goes on) is copied in front of the
 * next one, into room that each buffer has for it; a longer rest gets a buffer of its own.
 */
import { close, open, read, readSync } from 'node:fs'
import { TailraceError } from '../../core/errors.ts'
import { CHUNK_SLACK, type Chunk } from '../../formats/format.ts'

/** Room before the bytes of a chunk for the rest of the one before. */
const REST_BYTES = 64 * 1024
const SLOW_MS = 0.5
const AHEAD_READS = 64

export interface RangeOptions {
  chunkBytes: number
  /** A record above this size fails the job. */
  recordBytesMax: number
  /** A chunk has come, or an error: `next` says which. */
  onReady: () => void
}

export class RangeReader {
  readonly path: string
  readonly #options: RangeOptions
  /** What can be decoded now; undefined before the first `next`. */
  chunk: Chunk | undefined
  /** The last read met the end of the file: what is in memory is most likely all there is. */
  nearEnd = false
  #fd: number | undefined
  #closed = false
  #reading = false
  /** Chunks that are still to be read ahead. */
  #ahead = 0
  /** Where the next read begins. */
  #position: number
  /** Buffers that hold nothing. */
  readonly #free: Buffer[]
  #loaded: { buffer: Buffer; bytes: number } | undefined
  #error: Error | undefined

  constructor(path: string, position: number, options: RangeOptions) {
    this.path = path
    this.#position = position
    this.#options = options
    const size = REST_BYTES + options.chunkBytes + CHUNK_SLACK
    // Not from the shared pool: a decoder writes sentinels.
    this.#free = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)]
    this.#reading = true
    open(path, 'r', (error, fd) => {
      this.#reading = false
      if (error !== null) this.#fail(error)
      else if (this.#closed) close(fd)
      else {
        this.#fd = fd
        options.onReady()
      }
    })
  }

  /** Goes on to the next chunk, which begins with what is left of this one. False when it has not come yet; throws TR-SOURCE-001. */
  next(): boolean {
    if (this.#error !== undefined) throw this.#failed(this.#error)
    if (this.#loaded === undefined && (this.#fd === undefined || this.#reading || !this.#readNow())) return false
    const { buffer, bytes } = this.#loaded!
    const from = this.#position - bytes
    const before = this.chunk
    const rest = before === undefined ? 0 : before.end - before.start
    const last = bytes === 0
    this.#loaded = undefined
    if (rest + bytes > this.#options.recordBytesMax + this.#options.chunkBytes)
      throw new TailraceError(
        'TR-RECORD-004',
        `Cannot read a record of "${this.path}" (byte ${from - rest}): it is longer than ${this.#options.recordBytesMax} bytes, the limit that the source option recordBytesMax sets`,
      )
    if (rest <= REST_BYTES) {
      before?.bytes.copy(buffer, REST_BYTES - rest, before.start, before.end)
      this.#release(before)
      this.chunk = {
        bytes: buffer,
        start: REST_BYTES - rest,
        end: REST_BYTES + bytes,
        limit: Infinity,
        last,
        offset: from - REST_BYTES,
      }
    } else {
      const whole = Buffer.allocUnsafeSlow(rest + bytes + CHUNK_SLACK)
      before!.bytes.copy(whole, 0, before!.start, before!.end)
      buffer.copy(whole, rest, REST_BYTES, REST_BYTES + bytes)
      this.#release(before)
      this.#free.push(buffer)
      this.chunk = { bytes: whole, start: 0, end: rest + bytes, limit: Infinity, last, offset: from - rest }
    }
    if (!last && this.#ahead > 0) this.#readAhead()
    return true
  }

  close(): void {
    this.#closed = true
    if (!this.#reading) this.#closeFile()
  }

  #release(chunk: Chunk | undefined): void {
    if (chunk !== undefined && chunk.bytes.length === REST_BYTES + this.#options.chunkBytes + CHUNK_SLACK)
      this.#free.push(chunk.bytes)
  }

  /** Always true, or throws. */
  #readNow(): boolean {
    const buffer = this.#free.pop()!
    const started = performance.now()
    let bytes: number
    try {
      bytes = readSync(this.#fd!, buffer, REST_BYTES, this.#options.chunkBytes, this.#position)
    } catch (error) {
      this.#free.push(buffer)
      throw this.#failed(error as Error)
    }
    if (performance.now() - started > SLOW_MS) this.#ahead = AHEAD_READS
    this.#took(buffer, bytes)
    return true
  }

  #took(buffer: Buffer, bytes: number): void {
    this.#position += bytes
    this.nearEnd = bytes < this.#options.chunkBytes
    this.#loaded = { buffer, bytes }
  }

  #readAhead(): void {
    const buffer = this.#free.pop()
    if (buffer === undefined) return
    this.#ahead--
    this.#reading = true
    read(this.#fd!, buffer, REST_BYTES, this.#options.chunkBytes, this.#position, (error, bytes) => {
      this.#reading = false
      if (this.#closed) this.#closeFile()
      else if (error !== null) this.#fail(error)
      else {
        this.#took(buffer, bytes)
        this.#options.onReady()
      }
    })
  }

  #failed(cause: Error): TailraceError {
    return new TailraceError('TR-SOURCE-001', `Cannot read "${this.path}": ${cause.message}`, { cause })
  }

  #fail(error: Error): void {
    if (this.#closed) return
    this.#error = error
    this.#options.onReady()
  }

  #closeFile(): void {
    const fd = this.#fd
    this.#fd = undefined
    if (fd !== undefined) close(fd)
  }
}
