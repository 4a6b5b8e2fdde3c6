/** Texts that must not be longer than somebody takes. */

const MARK = '…'

/**
 * The beginning of a text in at most so many bytes of UTF-8, with `…` where it was cut: never inside of a character.
 *
 * @param bytesMax at least 3
 * @example
 * shorten('out of memory', 9) // 'out of…'
 */
export function shorten(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax) return text
  // A character has a byte at least, so more of them are not looked at.
  const bytes = Buffer.from(text.length > bytesMax ? text.slice(0, bytesMax + 1) : text)
  if (bytes.length <= bytesMax) return text
  let end = bytesMax - Buffer.byteLength(MARK)
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return `${bytes.toString('utf8', 0, end)}${MARK}`
}
