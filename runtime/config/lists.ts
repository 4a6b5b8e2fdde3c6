/**
 * Lists and maps as one text, as Flink writes them: `a;b` and `k1:v1,k2:v2`. A part that holds a separator stands in single or double quotes, in which the quote is doubled.
 */

/**
 * Parts of a text, trimmed, without their quotes; empty ones are left out. A part that is quoted in the middle of itself keeps its quotes, for {@link splitPair}.
 *
 * @example
 * splitEscaped(`a; 'b;c'`, ';') // ['a', 'b;c']
 */
export function splitEscaped(text: string, separator: string): string[] {
  return rawParts(text, separator)
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(unquoted)
}

/** Key and value at the first colon outside of quotes; undefined when there is none. */
export function splitPair(text: string): [key: string, value: string] | undefined {
  const [first, ...rest] = rawParts(text, ':')
  if (rest.length === 0 || first!.trim() === '') return undefined
  return [unquoted(first!.trim()), unquoted(rest.join(':').trim())]
}

/** The other way round. */
export function joinEscaped(parts: readonly string[], separator: string): string {
  return parts.map((part) => quotedFor(part, separator)).join(separator)
}

/** A map as one text. */
export function joinPairs(pairs: Iterable<readonly [key: string, value: string]>): string {
  const text = [...pairs].map(([key, value]) => `${quotedFor(key, ':')}:${quotedFor(value, '')}`)
  return joinEscaped(text, ',')
}

function rawParts(text: string, separator: string): string[] {
  const parts: string[] = []
  let quote = ''
  let from = 0
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (quote !== '') quote = char === quote ? '' : quote
    else if ((char === "'" || char === '"') && text.slice(from, at).trim() === '') quote = char
    else if (char === separator) {
      parts.push(text.slice(from, at))
      from = at + 1
    } else continue
    // A doubled quote ends and begins again.
    if (quote === '' && char !== separator && text[at + 1] === char) quote = text[++at]!
  }
  parts.push(text.slice(from))
  return parts
}

function unquoted(part: string): string {
  const quote = part[0]
  if (part.length < 2 || (quote !== "'" && quote !== '"') || part.at(-1) !== quote) return part
  const inner = part.slice(1, -1)
  return inner.replaceAll(quote + quote, '').includes(quote) ? part : inner.replaceAll(quote + quote, quote)
}

function quotedFor(part: string, separators: string): string {
  const plain = part === part.trim() && !/^['"]/.test(part) && ![...separators].some((one) => part.includes(one))
  return plain ? part : `'${part.replaceAll("'", "''")}'`
}
