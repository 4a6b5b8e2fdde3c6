/**
 * Text as a message: all of its bytes, line ends included.
 */
import { TailraceError } from '../../core/errors.ts'
import { MalformedMessage, type MessageFormat } from '../format.ts'

/** How text stands in bytes. */
export type Charset = 'utf8' | 'latin1' | 'utf16le'

const CHARSETS: readonly string[] = ['utf8', 'latin1', 'utf16le'] satisfies Charset[]

/** TypeError for a charset that is none of {@link Charset}. */
export function textMessage(name: string, charset: Charset): MessageFormat<string> {
  if (!CHARSETS.includes(charset))
    throw new TypeError(`Cannot read text as ${String(charset)}: "charset" must be ${CHARSETS.join(', ')}`)
  return {
    name,
    createMessageDecoder: () => ({
      decode:
        charset === 'utf8'
          ? (bytes, start, end) => bytes.utf8Slice(start, end)
          : charset === 'latin1'
            ? (bytes, start, end) => bytes.latin1Slice(start, end)
            : (bytes, start, end) => {
                if ((end - start) % 2 === 0) return bytes.toString(charset, start, end)
                throw new MalformedMessage(`it has ${end - start} bytes, wanted an even number for ${charset}`)
              },
    }),
    createMessageEncoder: () => ({
      encode(value) {
        if (value === null) return null
        if (typeof value !== 'string')
          throw new TailraceError('TR-RECORD-005', `Cannot write a ${typeof value} as ${name}: wanted a text`)
        return charset === 'utf8' ? value : encoded(value, charset, name)
      },
    }),
  }
}

function encoded(value: string, charset: Charset, name: string): Buffer {
  const lost = charset === 'latin1' ? /[^\0-\xff]/u.exec(value) : null
  if (lost === null) return Buffer.from(value, charset)
  throw new TailraceError(
    'TR-RECORD-005',
    `Cannot write ${JSON.stringify(value.slice(0, 60))} as ${name}: latin1 has no "${lost[0]}"`,
  )
}
