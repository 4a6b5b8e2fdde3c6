/**
 * Files: write them, exactly once where the job takes checkpoints.
 */
import { createHash } from 'node:crypto'
import type { Sink, SinkContext } from '../../core/sink.ts'
import type { EncodingFormat } from '../../formats/format.ts'
import { BasePathBucketAssigner, type BucketAssigner } from './bucket-assigner.ts'
import { pathOf, sizeOption } from './options.ts'
import { PartCommitter } from './part-committer.ts'
import { nodeFiles, type PartFiles } from './part-files.ts'
import type { PartCommittable, PartState } from './part-states.ts'
import { PartWriter, type PartWriterOptions } from './part-writer.ts'
import { ONE_PART, type RollingPolicy, rollingOf } from './rolling-policy.ts'

export interface FileSinkOptions<T> {
  /** A directory; made when it is not there. */
  path: string | URL
  /** `jsonLines()`, `csv()`, `textLines()`. */
  format: EncodingFormat<T>
  /** Files are named `<prefix>-<uid>-<n><suffix>`; `part` when not given. */
  prefix?: string
  /** The format's extension when not given. */
  suffix?: string
  /** Which folder a record goes to; all into one when not given. */
  bucketAssigner?: BucketAssigner<T>
  /** When a file ends and the next begins. When not given: with checkpoints, the defaults of {@link RollingPolicy}; without, one file to the end. */
  rollingPolicy?: RollingPolicy
  /** What may wait for the disk before the task takes no more records; 1 MiB when not given. */
  bufferBytesMax?: number
}

/**
 * A sink of files that appear whole and stay as they are. With checkpoints each record is in them exactly once: a file appears when a checkpoint that holds
 * its end is complete. Without, files appear when the input has ended.
 *
 * @example
 * totals.sinkTo(fileSink({ path: '/out', format: jsonLines() }))
 *
 * clicks.sinkTo(
 *   fileSink({
 *     path: '/lake/clicks',
 *     format: jsonLines<Click>(),
 *     bucketAssigner: new DateTimeBucketAssigner(),
 *     rollingPolicy: { maxPartSize: '64mb', rolloverInterval: '5 min' },
 *   }),
 * )
 */
export function fileSink<T>(options: FileSinkOptions<T>): Sink<T, PartCommittable, PartState> {
  return fileSinkOn(nodeFiles, options)
}

/** On any file system. */
export function fileSinkOn<T>(files: PartFiles, options: FileSinkOptions<T>): Sink<T, PartCommittable, PartState> {
  const { format, prefix = 'part', bucketAssigner } = options
  if (typeof format?.createEncoder !== 'function')
    throw new TypeError('Cannot write files: "format" must be an encoding format, such as jsonLines()')
  const { suffix = format.extension } = options
  if (!/^[^./\\_][^/\\]*$/.test(prefix))
    throw new TypeError(
      `Cannot name files "${prefix}-...": a prefix has no slash and does not begin with "." or "_", which readers pass over`,
    )
  if (/[/\\]/.test(suffix)) throw new TypeError(`Cannot name files "...${suffix}": a suffix has no slash`)
  if (bucketAssigner !== undefined && typeof bucketAssigner.getBucketId !== 'function')
    throw new TypeError('Cannot write files: "bucketAssigner" must have a method getBucketId()')
  const directory = pathOf(options.path)
  const bufferBytesMax = sizeOption('bufferBytesMax', options.bufferBytesMax, 1024 * 1024)
  const rolling = options.rollingPolicy === undefined ? undefined : rollingOf(options.rollingPolicy)
  const writerOptions = (context: SinkContext): PartWriterOptions<T> => ({
    files,
    directory,
    prefix,
    suffix,
    uid: uidOf(context),
    format,
    bucketAssigner: bucketAssigner instanceof BasePathBucketAssigner ? undefined : bucketAssigner,
    rolling: rolling ?? (context.checkpointing ? rollingOf({}) : ONE_PART),
    bufferBytesMax,
  })
  return {
    createWriter: (context) => new PartWriter(context, writerOptions(context)),
    restoreWriter: (context, states) => PartWriter.restore(context, writerOptions(context), states),
    createCommitter: ({ checkpointing }) => new PartCommitter(files, directory, { marks: checkpointing }),
    describe: () => `files(${directory})`,
  }
}

/** Without checkpoints the subtask. With them every attempt has its own, so that the parts of one that is lost are never met again. */
function uidOf({ task, ownerEpoch, clock, checkpointing, restoredCheckpointId }: SinkContext): string {
  if (!checkpointing) return String(task.subtaskIndex)
  const { operatorName, subtaskIndex, attemptNumber } = task
  const attempt = [operatorName, subtaskIndex, ownerEpoch, attemptNumber, restoredCheckpointId, clock.now()]
  return `${task.subtaskIndex}-${createHash('sha256').update(JSON.stringify(attempt)).digest('hex').slice(0, 8)}`
}
