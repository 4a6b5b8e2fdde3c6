/**
 * Reads one socket: bytes wait in a bounded buffer, from which `poll` cuts records; while it is full the socket is paused, so that the
 * sender feels the back-pressure.
 *
 *   waiting (delay) → connecting → open → closed → waiting, or the end
 *
 * What a closing side has left without a delimiter is a record. What a failing one has left is not: it is counted as an error.
 */
import { connect, type Socket } from 'node:net'
import { NO_TIMESTAMP } from '../../core/clock.ts'
import { TailraceError } from '../../core/errors.ts'
import type {
  PollStatus,
  ReaderContext,
  ReaderOutput,
  SourceReader,
  SourceSplit,
  SplitOutput,
} from '../../core/source.ts'

export interface SocketSettings {
  host: string
  port: number
  delimiter: string
  recordBytesMax: number
  bufferBytesMax: number
  retries: number
  retryDelayMs: number
  retryDelayMaxMs: number
}

const EMPTY = Buffer.alloc(0)

export class SocketReader implements SourceReader<string> {
  readonly #context: ReaderContext
  readonly #settings: SocketSettings
  readonly #delimiter: Buffer
  #split: SourceSplit | undefined
  #output: SplitOutput<string> | undefined
  #noMore = false
  #socket: Socket | undefined
  #queue: Buffer[] = []
  #queuedBytes = 0
  #paused = false
  /** Being cut: records begin at `#at`. */
  #bytes: Buffer = EMPTY
  #at = 0
  /** Up to here there is no delimiter; not searched again. */
  #searched = 0
  /** How the connection ended; undefined while there is one, or before the first. */
  #ended: { error: Error | undefined } | undefined
  /** In a row without data. */
  #attempts = 0
  #connectAtMs = -Infinity

  constructor(context: ReaderContext, settings: SocketSettings) {
    this.#context = context
    this.#settings = settings
    this.#delimiter = Buffer.from(settings.delimiter)
  }

  start(): void {}

  poll(output: ReaderOutput<string>, max: number): PollStatus {
    if (this.#split === undefined) return this.#noMore ? 'end' : 'idle'
    this.#output ??= output.split(this.#split.id)
    let count = 0
    while (count < max) {
      if (this.#cut()) count++
      else if (!this.#more()) break
    }
    this.#resume()
    if (count >= max) return 'more'
    if (this.#ended !== undefined) return this.#afterEnd(output)
    if (this.#socket === undefined) {
      if (this.#context.clock.monotonic() < this.#connectAtMs) this.#context.wakeAt(this.#connectAtMs)
      else this.#connect()
    }
    return 'idle'
  }

  addSplits(splits: SourceSplit[]): void {
    this.#split = splits[0]
  }
  noMoreSplits(): void {
    this.#noMore = true
  }
  snapshot(): SourceSplit[] {
    return this.#split === undefined ? [] : [this.#split]
  }
  close(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }

  /** Emits the next record that is whole. */
  #cut(): boolean {
    const at = this.#bytes.indexOf(this.#delimiter, this.#searched)
    if (at < 0) {
      this.#searched = Math.max(this.#at, this.#bytes.length - this.#delimiter.length + 1)
      const { host, port, recordBytesMax, delimiter } = this.#settings
      if (this.#bytes.length - this.#at > recordBytesMax)
        throw new TailraceError(
          'TR-RECORD-004',
          `Cannot read a record from ${host}:${port}: no delimiter ${JSON.stringify(delimiter)} in ${recordBytesMax} bytes, the limit that the source option recordBytesMax sets`,
        )
      return false
    }
    this.#emit(at)
    this.#at = at + this.#delimiter.length
    this.#searched = this.#at
    return true
  }

  #emit(end: number): void {
    const cutReturn = this.#settings.delimiter === '\n' && end > this.#at && this.#bytes[end - 1] === 13
    this.#output!.collect(this.#bytes.utf8Slice(this.#at, cutReturn ? end - 1 : end), NO_TIMESTAMP)
  }

  /** Takes the next bytes behind what is left. */
  #more(): boolean {
    const next = this.#queue.shift()
    if (next === undefined) return false
    this.#queuedBytes -= next.length
    const rest = this.#bytes.subarray(this.#at)
    this.#searched -= this.#at
    this.#at = 0
    this.#bytes = rest.length === 0 ? next : Buffer.concat([rest, next])
    return true
  }

  #resume(): void {
    if (!this.#paused || this.#queuedBytes > this.#settings.bufferBytesMax / 2) return
    this.#paused = false
    this.#socket?.resume()
  }

  #connect(): void {
    const { host, port, bufferBytesMax } = this.#settings
    const socket = connect({ host, port })
    let error: Error | undefined
    this.#socket = socket
    socket.on('data', (bytes) => {
      this.#attempts = 0
      this.#queue.push(bytes)
      this.#queuedBytes += bytes.length
      if (this.#queuedBytes >= bufferBytesMax && !this.#paused) {
        this.#paused = true
        socket.pause()
      }
      this.#context.wake()
    })
    socket.on('error', (found) => {
      error = found
    })
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.#paused = false
      this.#ended = { error }
      this.#context.wake()
    })
  }

  /** All that came was taken, and nothing more will on this connection. */
  #afterEnd(output: ReaderOutput<string>): PollStatus {
    const { host, port, retries, retryDelayMs, retryDelayMaxMs } = this.#settings
    const { error } = this.#ended!
    this.#ended = undefined
    if (this.#at < this.#bytes.length) {
      if (error === undefined) this.#emit(this.#bytes.length)
      else this.#context.metrics.counter('numRecordsInErrors').inc()
    }
    this.#bytes = EMPTY
    this.#at = 0
    this.#searched = 0
    if (this.#attempts < retries) {
      const delayMs = Math.min(retryDelayMaxMs, retryDelayMs * 2 ** this.#attempts++)
      this.#connectAtMs = this.#context.clock.monotonic() + delayMs
      this.#context.wakeAt(this.#connectAtMs)
      return 'idle'
    }
    if (error !== undefined) {
      const tries = retries === 0 ? '' : ` after ${retries} retries`
      throw new TailraceError('TR-SOURCE-001', `Cannot read from ${host}:${port}${tries}: ${error.message}`, {
        cause: error,
      })
    }
    output.release(this.#split!.id)
    this.#split = undefined
    this.#noMore = true
    return 'end'
  }
}
