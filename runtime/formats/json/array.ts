/**
 * Decodes one JSON array, element by element: the file is never in memory as a whole.
 *
 * Position and one word of state are all that is kept between elements:
 *
 *   start → first → comma → element → comma ...   `]` in first or comma → done
 *
 * An element that cannot be parsed can be passed over, since brackets and quotes tell where it ends. Where the array itself is
 * broken nothing after it can be trusted, so that fails whatever the options say.
 */
import { NO_TIMESTAMP } from '../../core/clock.ts'
import type { SplitOutput } from '../../core/source.ts'
import type { OnBadRecord } from '../bad-records.ts'
import type { Chunk, Decoder, DecoderContext } from '../format.ts'
import { WINDOW_BYTES } from './lines.ts'
import { skipSpace, skipValue } from './scan.ts'
import type { Templates } from './templates.ts'

type State = 'start' | 'first' | 'comma' | 'element' | 'done'

const OPEN = 91
const CLOSE = 93
const COMMA = 44

export class JsonArrayDecoder<T> implements Decoder<T> {
  readonly #context: DecoderContext
  readonly #onError: OnBadRecord
  readonly #templates: Templates
  #state: State
  /** Of the next element, from 0. */
  #index: number

  constructor(context: DecoderContext, onError: OnBadRecord, templates: Templates) {
    this.#templates = templates
    this.#context = context
    this.#onError = onError
    const state = context.state as { state: State; index: number } | undefined
    this.#state = state?.state ?? 'start'
    this.#index = state?.index ?? 0
  }

  decode(chunk: Chunk, output: SplitOutput<T>, max: number): number {
    let count = 0
    let window = WINDOW_BYTES
    while (count < max && chunk.start < chunk.end) {
      const before = chunk.start
      const end = Math.min(chunk.end, before + window)
      count += this.#decodeWindow(chunk, end, output, max - count)
      if (chunk.start !== before) window = WINDOW_BYTES
      else if (end < chunk.end) window *= 2
      else break
    }
    if (chunk.last && count < max && this.#state !== 'done')
      this.#broken(chunk, `the array is not closed before the end of the file`)
    return count
  }

  snapshot(): unknown {
    return { state: this.#state, index: this.#index }
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
      while (count < max) {
        chunk.start = skipSpace(d, chunk.start, end)
        if (chunk.start === end) break
        if (this.#state === 'element' || (this.#state === 'first' && d[chunk.start] !== CLOSE)) {
          if (!this.#decodeElement(chunk, view, text, base, end, output)) break
          this.#state = 'comma'
          count++
        } else this.#takeSign(chunk, d[chunk.start]!)
      }
    } finally {
      d[end] = after
    }
    return count
  }

  #takeSign(chunk: Chunk, c: number): void {
    if (this.#state === 'start') {
      if (c !== OPEN)
        this.#broken(chunk, 'the file must be one JSON array and begin with "[" (jsonLines() reads one value per line)')
      this.#state = 'first'
    } else if (this.#state === 'done') this.#broken(chunk, 'found more after the end of the array')
    else if (c === CLOSE) this.#state = 'done'
    else if (c === COMMA) this.#state = 'element'
    else this.#broken(chunk, 'wanted "," or "]" after an element')
    chunk.start++
  }

  /** False when the element may go on after `end`. */
  #decodeElement(
    chunk: Chunk,
    view: DataView,
    text: string,
    base: number,
    end: number,
    output: SplitOutput<T>,
  ): boolean {
    const { bytes, start } = chunk
    const next = this.#templates.parse(bytes, view, text, base, start, end, Infinity, 1, output)
    if (this.#templates.cursor.count === 1) {
      this.#index++
      chunk.start = next
      return true
    }
    const valueEnd = skipValue(bytes, start, end)
    if (valueEnd < 0) return false
    if (valueEnd === start) this.#broken(chunk, 'wanted an element')
    const index = this.#index++
    chunk.start = valueEnd
    let value: T
    try {
      value = JSON.parse(bytes.utf8Slice(start, valueEnd))
    } catch (error) {
      this.#bad(chunk, start, valueEnd, index, (error as Error).message)
      return true
    }
    if (value === null) this.#bad(chunk, start, valueEnd, index, 'a record must be something, found null')
    else {
      this.#templates.missed(bytes, start, valueEnd)
      output.collect(value, NO_TIMESTAMP)
    }
    return true
  }

  #bad(chunk: Chunk, start: number, end: number, index: number, reason: string): void {
    const bytes = chunk.bytes.subarray(start, end)
    this.#context.bad.report(this.#onError, bytes, chunk.offset + start, `element ${index}`, reason)
  }

  #broken(chunk: Chunk, reason: string): never {
    const bytes = chunk.bytes.subarray(chunk.start, chunk.end)
    this.#context.bad.broken(bytes, chunk.offset + chunk.start, `element ${this.#index}`, reason)
  }
}
