/**
 * Files: read them once or watch for new ones; write them.
 */
import { fileURLToPath } from 'node:url'
import { type Duration, durationMs } from '../../core/duration.ts'
import type { Sink } from '../../core/sink.ts'
import type { Source } from '../../core/source.ts'
import type { DecodingFormat, EncodingFormat } from '../../formats/format.ts'
import { type EnumeratorOptions, type EnumeratorState, FileEnumerator, type FileSplit } from './enumerator.ts'
import { FileReader } from './reader.ts'
import { FileWriter } from './sink.ts'

export type { DecodingFormat, EncodingFormat } from '../../formats/format.ts'
export type { EnumeratorState, FileSplit } from './enumerator.ts'

export interface FileSourceOptions<T> {
  /**
   * A file, a directory (all files below it), a pattern such as `/data/*.json`, a file: URL, or several of them. Names that begin
   * with `.` or `_` below a directory are left out.
   */
  path: string | URL | readonly (string | URL)[]
  /** `jsonLines()`, `jsonArray()`, `csv()`, `textLines()` of `tailrace/formats/*`. */
  format: DecodingFormat<T>
  /** Look for new files at this interval and never end. Without it the files that are there are read once. */
  watch?: Duration
  /** Files of line formats are cut into parts of at most this size, read in parallel; 64 MiB when not given. */
  splitBytes?: number
  /** Read at once; 256 KiB when not given. Two of them per reader are in memory. */
  chunkBytes?: number
  /** A longer record fails the job; 16 MiB when not given. */
  recordBytesMax?: number
}

/**
 * A source of the records in files. Order holds within a part of a file.
 *
 * @example
 * fileSource({ path: '/data/flights-*.jsonl', format: jsonLines<Flight>() })
 * fileSource({ path: '/inbox', format: textLines(), watch: '10 s' })
 */
export function fileSource<T>(options: FileSourceOptions<T>): Source<T, FileSplit, EnumeratorState> {
  const { format } = options
  const paths = (Array.isArray(options.path) ? options.path : [options.path]).map(pathOf)
  if (paths.length === 0) throw new TypeError('Cannot read files: "path" is an empty list')
  if (typeof format?.createDecoder !== 'function')
    throw new TypeError('Cannot read files: "format" must be a decoding format, such as jsonLines()')
  const watchMs = options.watch === undefined ? undefined : durationMs(options.watch)
  if (watchMs !== undefined && !(watchMs > 0))
    throw new RangeError(`Cannot watch files every ${String(options.watch)}: the interval must be above 0`)
  const enumerator: EnumeratorOptions = {
    paths,
    splittable: format.splittable,
    splitBytes: size('splitBytes', options.splitBytes, 64 * 1024 * 1024),
    watchMs,
  }
  const reader = {
    format,
    chunkBytes: size('chunkBytes', options.chunkBytes, 256 * 1024),
    recordBytesMax: size('recordBytesMax', options.recordBytesMax, 16 * 1024 * 1024),
  }
  return {
    boundedness: watchMs === undefined ? 'bounded' : 'unbounded',
    createEnumerator: (context) => new FileEnumerator(context, enumerator),
    restoreEnumerator: (context, state) => new FileEnumerator(context, enumerator, state),
    createReader: (context) => new FileReader(context, reader),
    describe: () => `files(${paths.join(', ')})`,
  }
}

export interface FileSinkOptions<T> {
  /** A directory; made when it is not there. */
  path: string | URL
  /** `jsonLines()`, `csv()`, `textLines()`. */
  format: EncodingFormat<T>
  /** Files are named `<prefix>-<subtask>-<n>` with the format's extension; `part` when not given. */
  prefix?: string
  /** What may wait for the disk before the task takes no more records; 1 MiB when not given. */
  bufferBytesMax?: number
}

/**
 * A sink that writes one file per subtask, which appears when the input has ended. For bounded jobs: it has no transactions.
 *
 * @example
 * totals.sinkTo(fileSink({ path: '/out', format: jsonLines() }))
 */
export function fileSink<T>(options: FileSinkOptions<T>): Sink<T> {
  const { format, prefix = 'part' } = options
  if (typeof format?.createEncoder !== 'function')
    throw new TypeError('Cannot write files: "format" must be an encoding format, such as jsonLines()')
  if (!/^[^./\\_][^/\\]*$/.test(prefix))
    throw new TypeError(
      `Cannot name files "${prefix}-...": a prefix has no slash and does not begin with "." or "_", which readers pass over`,
    )
  const directory = pathOf(options.path)
  const bufferBytesMax = size('bufferBytesMax', options.bufferBytesMax, 1024 * 1024)
  return {
    createWriter: (context) => new FileWriter(context, { directory, prefix, format, bufferBytesMax }),
    describe: () => `files(${directory})`,
  }
}

const pathOf = (path: string | URL): string =>
  path instanceof URL || path.startsWith('file:') ? fileURLToPath(path) : path

function size(option: string, value: number | undefined, standard: number): number {
  if (value === undefined) return standard
  if (!Number.isSafeInteger(value) || value <= 0)
    throw new RangeError(`Cannot use ${value} as "${option}": it must be a whole number of bytes above 0`)
  return value
}
