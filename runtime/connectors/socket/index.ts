/**
 * Text from a TCP socket, for demonstrations and tests: a socket cannot be read twice, so nothing is replayed after a failure.
 */
import { type Duration, durationMs } from '../../core/duration.ts'
import type { EnumeratorContext, Source, SourceSplit, SplitEnumerator } from '../../core/source.ts'
import { SocketReader } from './reader.ts'

export interface SocketTextOptions {
  /** `localhost` when not given. */
  host?: string
  port: number
  /** What ends a record; a line end when not given, and then `\r` before it is cut off as well. */
  delimiter?: string
  /** A longer record fails the job; 1 MiB when not given. */
  recordBytesMax?: number
  /** What may wait in memory before the socket is paused; 1 MiB when not given. */
  bufferBytesMax?: number
  /**
   * How many times in a row to connect again when the other side cannot be reached, fails or closes; 0 when not given: a close ends
   * the source, a failure fails the job. The count begins anew when data comes.
   */
  retries?: number
  /** Before the first retry; doubles with each, up to `retryDelayMax`. 500 ms when not given. */
  retryDelay?: Duration
  /** 10 s when not given. */
  retryDelayMax?: Duration
}

/**
 * A source of the texts that a server sends, one per line. One subtask reads, others end at once.
 *
 * @example
 * // nc -lk 9000
 * env.fromSource(socketTextSource({ port: 9000 }), WatermarkStrategy.noWatermarks(), 'lines')
 */
export function socketTextSource(options: SocketTextOptions): Source<string, SourceSplit, boolean> {
  const { host = 'localhost', port, delimiter = '\n', retries = 0 } = options
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new RangeError(`Cannot connect to port ${port}: it must be a whole number from 1 to 65535`)
  if (delimiter === '') throw new TypeError('Cannot cut text at an empty delimiter')
  if (!Number.isInteger(retries) || retries < 0)
    throw new RangeError(`Cannot retry ${retries} times: "retries" must be a whole number from 0`)
  const settings = {
    host,
    port,
    delimiter,
    retries,
    recordBytesMax: options.recordBytesMax ?? 1024 * 1024,
    bufferBytesMax: options.bufferBytesMax ?? 1024 * 1024,
    retryDelayMs: durationMs(options.retryDelay ?? 500),
    retryDelayMaxMs: durationMs(options.retryDelayMax ?? 10_000),
  }
  return {
    boundedness: 'unbounded',
    createEnumerator: (context) => new OneSplitEnumerator(context, false),
    restoreEnumerator: (context, assigned) => new OneSplitEnumerator(context, assigned),
    createReader: (context) => new SocketReader(context, settings),
    describe: () => `socket(${host}:${port})`,
  }
}

/** The socket is one split, for the first reader. */
class OneSplitEnumerator implements SplitEnumerator<SourceSplit, boolean> {
  readonly #context: EnumeratorContext<SourceSplit>
  #assigned: boolean

  constructor(context: EnumeratorContext<SourceSplit>, assigned: boolean) {
    this.#context = context
    this.#assigned = assigned
  }
  start(): void {}
  addReader(subtask: number): void {
    if (subtask === 0 && !this.#assigned) {
      this.#assigned = true
      this.#context.assign({ id: 'socket' }, subtask)
    }
    this.#context.noMoreSplits(subtask)
  }
  handleSplitRequest(): void {}
  addSplitsBack(splits: SourceSplit[]): void {
    if (splits.length > 0) this.#assigned = false
  }
  snapshot(): boolean {
    return this.#assigned
  }
  close(): void {}
}
