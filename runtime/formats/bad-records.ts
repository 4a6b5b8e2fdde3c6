/**
 * What happens to a record that cannot be decoded: the job fails (default), it is counted, or it goes to a side output. Nothing is
 * dropped without a metric: `numRecordsInErrors` counts all of them.
 */
import { TailraceError } from '../core/errors.ts'
import type { Counter } from '../core/metrics.ts'
import type { OutputTag } from '../core/output-tag.ts'
import type { BadRecords } from './format.ts'

/** What a side output of undecodable records carries. */
export interface BadRecord {
  /** The record as it stands in the file, whole. */
  bytes: Uint8Array
  /** Why it could not be read. */
  error: string
  /** The file. */
  source: string
  /** Of the record's first byte in the file. */
  offset: number
  /** Such as `line 7`; null in a part of a file, whose first line's number is not known. */
  place: string | null
}

/** An option of every format. A tag: send it there; the stream of them is `stream.getSideOutput(tag)`. */
export type OnBadRecord = 'fail' | 'skip' | OutputTag<BadRecord>

const EXCERPT_CHARACTERS_MAX = 120

export function badRecords(options: {
  source: string
  errors: Counter
  /** False when no one consumes the tag. */
  sideOutput: (tagId: string, value: BadRecord) => boolean
}): BadRecords {
  const { source, errors, sideOutput } = options
  const failure = (bytes: Uint8Array, offset: number, place: string | undefined, reason: string) =>
    new TailraceError(
      'TR-RECORD-004',
      `Cannot read a record of "${source}"${place === undefined ? '' : `, ${place}`} (byte ${offset}): ${reason}, in ${excerpt(bytes)}`,
    )
  return {
    report(onError, bytes, offset, place, reason) {
      if (onError === 'fail') throw failure(bytes, offset, place, reason)
      errors.inc()
      if (onError === 'skip') return
      sideOutput(onError.id, { bytes: Uint8Array.from(bytes), error: reason, source, offset, place: place ?? null })
    },
    broken(bytes, offset, place, reason) {
      throw failure(bytes, offset, place, reason)
    },
  }
}

/** The beginning of the bytes as a quoted text. */
function excerpt(bytes: Uint8Array): string {
  const text = Buffer.from(
    bytes.buffer,
    bytes.byteOffset,
    Math.min(bytes.length, 4 * EXCERPT_CHARACTERS_MAX),
  ).toString()
  const clipped = bytes.length > text.length || text.length > EXCERPT_CHARACTERS_MAX
  return JSON.stringify(text.slice(0, EXCERPT_CHARACTERS_MAX)) + (clipped ? '…' : '')
}
