/**
 * Reads one CSV record field by field [RFC 4180]: the slow and exact way, which knows quotes, line ends within them, and what is wrong.
 */

export interface CsvDialect {
  /** One ASCII byte. */
  delimiter: number
  quote: number
  /** Quoted fields may hold line ends. */
  multiline: boolean
}

export interface CsvRecord {
  fields: string[]
  /** Whether a field was quoted: an empty text and no value are told apart by it. */
  quoted: boolean[]
  /** Where the record's text ends, and where the next one begins. */
  end: number
  next: number
  /** Line ends within and after the record. */
  lines: number
  /** Why it is no record. */
  error: string | undefined
}

const LF = 10
const CR = 13

/** The record at `p`; undefined when it may go on after `end`. */
export function readRecord(
  d: Buffer,
  p: number,
  end: number,
  last: boolean,
  dialect: CsvDialect,
): CsvRecord | undefined {
  const { delimiter, quote, multiline } = dialect
  const record: CsvRecord = { fields: [], quoted: [], end, next: end, lines: 0, error: undefined }
  let q = p
  for (;;) {
    const quoted = q < end && d[q] === quote
    let text: string
    if (quoted) {
      let from = ++q
      text = ''
      for (;;) {
        while (q < end && d[q] !== quote && (multiline || d[q] !== LF)) {
          if (d[q] === LF) record.lines++
          q++
        }
        text += d.utf8Slice(from, q)
        if (q >= end && !last) return undefined
        if (q >= end || d[q] === LF) {
          record.error = multiline ? 'a quoted field is not closed' : 'a quoted field is not closed on its line'
          break
        }
        if (q + 1 >= end && !last) return undefined
        q++
        if (q >= end || d[q] !== quote) break
        text += String.fromCharCode(quote)
        from = ++q
      }
    } else {
      const from = q
      while (q < end && d[q] !== delimiter && d[q] !== LF) q++
      if (q >= end && !last) return undefined
      text = d.utf8Slice(from, q < end && d[q] === LF && q > from && d[q - 1] === CR ? q - 1 : q)
    }
    record.fields.push(text)
    record.quoted.push(quoted)
    if (quoted && record.error === undefined) {
      if (q < end && d[q] === CR && (q + 1 < end ? d[q + 1] === LF : last)) q++
      else if (q + 1 >= end && d[q] === CR && !last) return undefined
      if (q < end && d[q] !== delimiter && d[q] !== LF) record.error = 'there is text after a closing quote'
    }
    if (record.error !== undefined) {
      while (q < end && d[q] !== LF) q++
      if (q >= end && !last) return undefined
    }
    if (q >= end || d[q] === LF) {
      record.end = q > p && q <= end && d[q - 1] === CR ? q - 1 : q
      record.next = Math.min(q + 1, end)
      if (q < end) record.lines++
      return record
    }
    q++
  }
}
