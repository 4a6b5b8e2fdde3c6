/**
 * Decodes JSON lines: one value per line, ended by \n or \r\n; blank lines are passed over.
 *
 * Works through the chunk in windows: one string is cut per window, of which the strings of the records are parts; windows stay small,
 * because V8 keeps strings above 128 KB in another, slower space.
 */
import { NO_TIMESTAMP } from '../../core/clock.ts'
import type { SplitOutput } from '../../core/source.ts'
import type { OnBadRecord } from '../bad-records.ts'
import type { Chunk, Decoder, DecoderContext } from '../format.ts'
import type { Templates } from './templates.ts'

export const WINDOW_BYTES = 32 * 1024

export class JsonLinesDecoder<T> implements Decoder<T> {
  readonly #context: DecoderContext
  readonly #onError: OnBadRecord
  readonly #templates: Templates
  /** Of the next line, from 1; undefined in a part of a file that begins in the middle. */
  #line: number | undefined

  constructor(context: DecoderContext, onError: OnBadRecord, templates: Templates) {
    this.#templates = templates
    this.#context = context
    this.#onError = onError
    const state = context.state as { line?: number } | undefined
    this.#line = state === undefined ? (context.atStart ? 1 : undefined) : state.line
  }

  decode(chunk: Chunk, output: SplitOutput<T>, max: number): number {
    let count = 0
    let window = WINDOW_BYTES
    while (count < max && chunk.start < chunk.end && chunk.start < chunk.limit) {
      const before = chunk.start
      const end = Math.min(chunk.end, before + window)
      count += this.#decodeWindow(chunk, end, output, max - count)
      if (chunk.start !== before) window = WINDOW_BYTES
      else if (end < chunk.end) window *= 2
      else break
    }
    return count
  }

  snapshot(): unknown {
    return this.#line === undefined ? {} : { line: this.#line }
  }

  #decodeWindow(chunk: Chunk, end: number, output: SplitOutput<T>, max: number): number {
    const d = chunk.bytes
    const base = chunk.start
    const view = new DataView(d.buffer, d.byteOffset, d.length)
    const text = d.latin1Slice(base, end)
    const after = d[end]!
    d[end] = 0
    let count = 0
    try {
      while (count < max && chunk.start < end && chunk.start < chunk.limit) {
        chunk.start = this.#templates.parse(d, view, text, base, chunk.start, end, chunk.limit, max - count, output)
        count += this.#templates.cursor.count
        if (this.#line !== undefined) this.#line += this.#templates.cursor.count
        if (count >= max || chunk.start >= chunk.limit || chunk.start >= end) break
        const taken = this.#decodeLine(chunk, end, output)
        if (taken < 0) break
        count += taken
      }
    } finally {
      d[end] = after
    }
    return count
  }

  /** One line by JSON.parse; 0 for a blank one, -1 when it may go on after `end`. */
  #decodeLine(chunk: Chunk, end: number, output: SplitOutput<T>): number {
    const { bytes, start } = chunk
    let lineEnd = bytes.indexOf(10, start)
    let next = lineEnd + 1
    if (lineEnd < 0 || lineEnd >= end) {
      if (!chunk.last || end < chunk.end) return -1
      lineEnd = end
      next = end
    }
    const line = this.#line
    if (line !== undefined) this.#line = line + 1
    chunk.start = next
    const text = bytes.utf8Slice(start, lineEnd)
    let value: T
    try {
      value = JSON.parse(text)
    } catch (error) {
      if (text.trim() === '') return 0
      this.#bad(chunk, start, lineEnd, line, (error as Error).message)
      return 1
    }
    if (value === null) {
      this.#bad(chunk, start, lineEnd, line, 'a record must be something, found null')
      return 1
    }
    this.#templates.missed(bytes, start, lineEnd)
    output.collect(value, NO_TIMESTAMP)
    return 1
  }

  #bad(chunk: Chunk, start: number, end: number, line: number | undefined, reason: string): void {
    const bytes = chunk.bytes.subarray(start, end)
    const place = line === undefined ? undefined : `line ${line}`
    this.#context.bad.report(this.#onError, bytes, chunk.offset + start, place, reason)
  }
}
