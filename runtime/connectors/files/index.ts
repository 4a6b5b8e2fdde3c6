/**
 * Files: read them once or watch for new ones; write them.
 */
import { type Duration, durationMs } from '../../core/duration.ts'
import type { Source } from '../../core/source.ts'
import type { DecodingFormat } from '../../formats/format.ts'
import { type EnumeratorOptions, type EnumeratorState, FileEnumerator, type FileSplit } from './enumerator.ts'
import { pathOf, sizeOption } from './options.ts'
import { FileReader } from './reader.ts'

export type { DecodingFormat, EncodingFormat } from '../../formats/format.ts'
export {
  BasePathBucketAssigner,
  type BucketAssigner,
  type BucketContext,
  DateTimeBucketAssigner,
} from './bucket-assigner.ts'
export type { EnumeratorState, FileSplit } from './enumerator.ts'
export { type FileSinkOptions, fileSink } from './file-sink.ts'
export type { RollingPolicy } from './rolling-policy.ts'

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
    splitBytes: sizeOption('splitBytes', options.splitBytes, 64 * 1024 * 1024),
    watchMs,
  }
  const reader = {
    format,
    chunkBytes: sizeOption('chunkBytes', options.chunkBytes, 256 * 1024),
    recordBytesMax: sizeOption('recordBytesMax', options.recordBytesMax, 16 * 1024 * 1024),
  }
  return {
    boundedness: watchMs === undefined ? 'bounded' : 'unbounded',
    createEnumerator: (context) => new FileEnumerator(context, enumerator),
    restoreEnumerator: (context, state) => new FileEnumerator(context, enumerator, state),
    createReader: (context) => new FileReader(context, reader),
    describe: () => `files(${paths.join(', ')})`,
  }
}
