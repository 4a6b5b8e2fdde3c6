/**
 * The contract of formats: bytes of a file (later: of a message) to records and back.
 *
 * A decoder works on the reader's buffer in place and pushes records straight into the reader's output; it holds no bytes between
 * calls. What it cannot read goes to {@link BadRecords}, so that every format gives the same choice and the same texts.
 */
import type { SplitOutput } from '../core/source.ts'
import type { OnBadRecord } from './bad-records.ts'

export const CHUNK_SLACK = 8

/** A part of a file in memory. Byte `i` of `bytes` is byte `offset + i` of the file. */
export interface Chunk {
  /** Longer than `end` by {@link CHUNK_SLACK}: a decoder reads words and may put a sentinel after the end for the time of a call. */
  bytes: Buffer
  /** First byte not yet read; moved by the decoder, to the end of the last record it took. */
  start: number
  /** End of what is there. */
  end: number
  /** Records that begin here or later belong to someone else (another split); Infinity: none. */
  limit: number
  /** Nothing follows `end`: what is there is complete. */
  last: boolean
  offset: number
}

export interface Decoder<T> {
  /**
   * Pushes at most `max` records that begin at `chunk.start` or later, and moves `chunk.start`. Returns how many it pushed or set
   * aside as bad; fewer than `max` means that it needs more bytes, or that the part is read.
   */
  decode(chunk: Chunk, output: SplitOutput<T>, max: number): number
  /** What a decoder needs beside the position to go on from `chunk.start`. JSON. */
  snapshot(): unknown
}

export interface DecoderContext {
  /** Who asks. Decoders that it uses one after the other may share what they learn; see {@link perReader}. */
  readonly reader: object
  /** The decoder's state at the position where it starts; undefined at the beginning of a file or of a part of it. */
  readonly state: unknown
  /** It starts at the first byte of the file. */
  readonly atStart: boolean
  readonly bad: BadRecords
}

/** Where a decoder puts what it cannot read; `formats/bad-records.ts`. */
export interface BadRecords {
  /**
   * Throws TR-RECORD-004, or counts, or sends to the side output, as the format's options say.
   *
   * @param offset in the file
   * @param place such as `line 7`; undefined when it is not known
   */
  report(onError: OnBadRecord, bytes: Uint8Array, offset: number, place: string | undefined, reason: string): void
  /** Throws TR-RECORD-004: the file itself is broken, so that what follows cannot be read either. */
  broken(bytes: Uint8Array, offset: number, place: string | undefined, reason: string): never
}

export interface DecodingFormat<T> {
  /** Records end at line ends and need nothing from before: a large file may be cut at any byte and read in parallel. */
  readonly splittable: boolean
  createDecoder(context: DecoderContext): Decoder<T>
}

/** Of one file: a format with a header puts it before its first record. */
export interface Encoder<T> {
  /** The whole text of a record, its line end included. */
  encode(value: T): string
}

export interface EncodingFormat<T> {
  /** Of files, with its dot: `.jsonl`. */
  readonly extension: string
  createEncoder(): Encoder<T>
}

/**
 * What all decoders of a reader share, made at the first one. Code that is generated from the records of the first file is then fast from the first
 * record of the next one on; compiled anew for each file it took four times as long over 32 files.
 */
export function perReader<T>(make: () => T): (reader: object) => T {
  const made = new WeakMap<object, T>()
  return (reader) => {
    let known = made.get(reader)
    if (known === undefined) {
      known = make()
      made.set(reader, known)
    }
    return known
  }
}
