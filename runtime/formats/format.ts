/**
 * The contracts of formats: bytes of a file, and bytes of one message, to records and back.
 *
 * A decoder of files works on the reader's buffer in place and pushes records straight into the reader's output; it holds no bytes
 * between calls. What it cannot read goes to {@link BadRecords}, so that every format gives the same choice and the same texts.
 *
 * A decoder of messages gives one value per call and throws {@link MalformedMessage}: its connector knows where the message came from
 * and what its user wants to happen to such messages.
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

/** Bytes of one message (a Kafka value or key) to a value and back. */
export interface MessageFormat<T> {
  /** For the plan and messages: `json`, `avro (User)`. */
  readonly name: string
  createMessageDecoder(): MessageDecoder<T>
  createMessageEncoder(): MessageEncoder<T>
}

export interface MessageDecoder<T> {
  /**
   * The value of bytes[start, end), which may be any part of any buffer: nothing is written, and what is outside of the part does not
   * count. The value keeps no view of `bytes`; raw bytes are copied.
   *
   * @throws MalformedMessage for what is not decodable
   * @throws MessageNotReady when something must be loaded first, such as a schema. The caller asks again for the same message when
   * `ready` has resolved, and fails the job when it rejects.
   */
  decode(bytes: Buffer, start: number, end: number): T
}

export interface MessageEncoder<T> {
  /** Before the first record: loads or registers what it needs, such as a schema. */
  open?(topic: string, part: 'key' | 'value'): Promise<void>
  /**
   * Text is written as UTF-8. Bytes are copied by the caller at once, as the next call may use them again. null: a message without
   * a value, a tombstone.
   *
   * @throws TailraceError TR-RECORD-005 for a value that the format cannot hold
   */
  encode(value: T): string | Uint8Array | null
}

/** A message that is not what its format says. The message of the error is the reason, in words, to go after a colon. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
}

/** A message that can be decoded once `ready` has resolved. */
export class MessageNotReady extends Error {
  override readonly name = 'MessageNotReady'
  readonly ready: Promise<void>

  /** @param what is being loaded, such as `schema 7 of http://registry:8081` */
  constructor(what: string, ready: Promise<void>) {
    super(`waits for ${what}`)
    this.ready = ready
  }
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
