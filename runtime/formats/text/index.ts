/**
 * Text: lines of files, and whole messages.
 */
import { isAscii } from 'node:buffer'
import { NO_TIMESTAMP } from '../../core/clock.ts'
import type { SplitOutput } from '../../core/source.ts'
import type { Chunk, Decoder, DecodingFormat, EncodingFormat, MessageFormat } from '../format.ts'
import { textMessage } from './message.ts'

export type { DecodingFormat, EncodingFormat, MessageFormat } from '../format.ts'

export interface TextOptions {
  /** Of the bytes; `utf8` when not given. Bytes that are no UTF-8 become U+FFFD. */
  charset?: 'utf8' | 'latin1'
}

const WINDOW_BYTES = 32 * 1024

/**
 * One line of text per record, without its end (\n or \r\n); empty lines are records too. As a format of messages: the whole message.
 *
 * @example
 * fileSource({ path: '/var/log/app', format: textLines() })
 */
export function textLines(
  options: TextOptions = {},
): DecodingFormat<string> & EncodingFormat<string> & MessageFormat<string> {
  const { charset = 'utf8' } = options
  if (charset !== 'utf8' && charset !== 'latin1')
    throw new TypeError(`Cannot read text as ${String(charset)}: "charset" must be utf8 or latin1`)
  return {
    splittable: true,
    extension: '.txt',
    createDecoder: () => new TextDecoder(charset),
    createEncoder: () => ({ encode: (value) => `${value}\n` }),
    ...textMessage('text', charset),
  }
}

/** A line of one-byte characters is a part of the window's text; only other lines are decoded one by one. */
class TextDecoder implements Decoder<string> {
  readonly #charset: 'utf8' | 'latin1'
  constructor(charset: 'utf8' | 'latin1') {
    this.#charset = charset
  }

  decode(chunk: Chunk, output: SplitOutput<string>, max: number): number {
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
    return {}
  }

  #decodeWindow(chunk: Chunk, end: number, output: SplitOutput<string>, max: number): number {
    const { bytes, limit } = chunk
    const base = chunk.start
    const text = bytes.latin1Slice(base, end)
    const narrow = this.#charset === 'latin1' || isAscii(bytes.subarray(base, end))
    const complete = chunk.last && end === chunk.end
    let count = 0
    let p = base
    while (count < max && p < end && p < limit) {
      let lineEnd = text.indexOf('\n', p - base) + base
      let next = lineEnd + 1
      if (lineEnd < base) {
        if (!complete) break
        lineEnd = end
        next = end
      }
      const until = lineEnd > p && bytes[lineEnd - 1] === 13 ? lineEnd - 1 : lineEnd
      const line = narrow ? text.substring(p - base, until - base) : bytes.utf8Slice(p, until)
      p = next
      chunk.start = p
      count++
      output.collect(line, NO_TIMESTAMP)
    }
    return count
  }
}
