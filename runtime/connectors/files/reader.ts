/**
 * Reads the splits of files in turn, chunk by chunk (range-reader.ts); records are decoded in `poll`, at most one chunk a call.
 *
 * Ownership: a split that does not begin the file takes over after the first line end at or after the byte before its start; a record
 * belongs to the split in which it begins. So every record is read by one split, wherever the cuts are.
 *
 * The next split is asked for when the last bytes of the current one are in memory, and its first chunk is read meanwhile. Until its turn
 * it is marked idle: it waits for this reader, so it must not hold the watermark back.
 *
 * A restore at another parallelism gives a reader what several had side by side. It reads that in the order of finding, else a later file would take the watermark past an
 * earlier one; splits that were begun hold the watermark back while they wait; and it asks for nothing more before it needs it.
 */
import { assert } from '../../core/errors.ts'
import type { PollStatus, ReaderContext, ReaderOutput, SourceReader, SplitOutput } from '../../core/source.ts'
import { badRecords } from '../../formats/bad-records.ts'
import type { Chunk, Decoder, DecodingFormat } from '../../formats/format.ts'
import type { FileSplit } from './enumerator.ts'
import { RangeReader } from './range-reader.ts'

export interface FileReaderOptions<T> {
  format: DecodingFormat<T>
  chunkBytes: number
  recordBytesMax: number
}

interface Reading<T> {
  split: FileSplit
  range: RangeReader
  output: SplitOutput<T>
  decoder: Decoder<T> | undefined
  /** The rest of a record that belongs to the split before is still to be passed over. */
  aligning: boolean
}

const LINE_END = 10

/** Records of it were read in an earlier life. */
const isBegun = (split: FileSplit): boolean => split.offset !== undefined

export class FileReader<T> implements SourceReader<T, FileSplit> {
  readonly #context: ReaderContext
  readonly #options: FileReaderOptions<T>
  /** Assigned, not yet opened: opening needs the output, which comes with `poll`. */
  #assigned: FileSplit[] = []
  /** The first is read, the second waits. */
  readonly #readings: Reading<T>[] = []
  #asked = false
  #noMore = false

  constructor(context: ReaderContext, options: FileReaderOptions<T>) {
    this.#context = context
    this.#options = options
  }

  // The first poll asks, if a restore has given it nothing.
  start(): void {}

  poll(output: ReaderOutput<T>, max: number): PollStatus {
    for (const split of this.#assigned) this.#open(split, output)
    this.#assigned = []
    const reading = this.#readings[0]
    if (reading === undefined) {
      if (this.#noMore) return 'end'
      this.#ask()
      return 'idle'
    }
    const { range, split } = reading
    if (range.chunk === undefined && !this.#nextChunk(reading, output)) return 'idle'
    const chunk = range.chunk!
    if (this.#readings.length === 1 && (range.nearEnd || chunk.end >= chunk.limit)) this.#ask()
    if (reading.aligning && !this.#align(reading, chunk)) return this.#nextChunk(reading, output) ? 'more' : 'idle'
    const count = chunk.start < chunk.limit ? reading.decoder!.decode(chunk, reading.output, max) : 0
    if (count >= max) return 'more'
    if (chunk.start >= chunk.limit || chunk.last) {
      assert(chunk.start >= chunk.limit || chunk.start === chunk.end, `bytes of ${split.id} are left over at its end`)
      this.#finish(reading, output)
      return 'more'
    }
    return this.#nextChunk(reading, output) ? 'more' : 'idle'
  }

  addSplits(splits: FileSplit[]): void {
    this.#assigned.push(...splits.toSorted((a, b) => a.file - b.file || a.start - b.start))
    this.#asked = false
  }
  noMoreSplits(): void {
    this.#noMore = true
  }

  snapshot(): FileSplit[] {
    const readings = this.#readings.map(({ split, range, decoder, aligning }) =>
      decoder === undefined || aligning
        ? split
        : { ...split, offset: range.chunk!.offset + range.chunk!.start, state: decoder.snapshot() },
    )
    return [...readings, ...this.#assigned]
  }

  close(): void {
    for (const { range } of this.#readings) range.close()
  }

  #ask(): void {
    if (this.#asked || this.#noMore || this.#assigned.length > 0) return
    this.#asked = true
    this.#context.requestSplit()
  }

  #open(split: FileSplit, output: ReaderOutput<T>): void {
    const aligning = split.offset === undefined && split.start > 0
    const position = split.offset ?? (aligning ? split.start - 1 : split.start)
    const range = new RangeReader(split.path, position, {
      chunkBytes: this.#options.chunkBytes,
      recordBytesMax: this.#options.recordBytesMax,
      onReady: () => this.#context.wake(),
    })
    const reading = { split, range, output: output.split(split.id), decoder: undefined, aligning }
    if (this.#readings.push(reading) > 1 && !isBegun(split)) reading.output.markIdle()
  }

  #nextChunk(reading: Reading<T>, output: ReaderOutput<T>): boolean {
    const { range, split } = reading
    if (!range.next()) return false
    const chunk = range.chunk!
    if (split.end !== null) chunk.limit = split.end - chunk.offset
    if (reading.decoder === undefined) {
      const { bytes, start } = chunk
      const atStart = chunk.offset + start === 0
      if (atStart && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf) chunk.start += 3
      reading.decoder = this.#options.format.createDecoder({
        reader: this,
        state: split.state,
        atStart,
        bad: badRecords({
          source: split.path,
          errors: this.#context.metrics.counter('numRecordsInErrors'),
          sideOutput: (tagId, value) => output.sideOutput?.(tagId, value) ?? false,
        }),
      })
    }
    return true
  }

  /** Passes over the record of the split before; false when its end is not in this chunk. */
  #align(reading: Reading<T>, chunk: Chunk): boolean {
    const at = chunk.bytes.indexOf(LINE_END, chunk.start)
    const found = at >= 0 && at < chunk.end
    chunk.start = found ? at + 1 : chunk.end
    // Without another line end the file holds nothing more for this split: `decode` sees the end.
    reading.aligning = !found && !chunk.last
    return !reading.aligning
  }

  #finish(reading: Reading<T>, output: ReaderOutput<T>): void {
    this.#readings.shift()
    reading.range.close()
    // The next one first: the reader must not look idle in between.
    const next = this.#readings[0]
    if (next !== undefined && !isBegun(next.split)) next.output.markActive()
    output.release(reading.split.id)
  }
}
