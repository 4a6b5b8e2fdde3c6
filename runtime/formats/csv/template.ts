/**
 * A parser generated for the columns of one file: plain fields and simply quoted ones, straight from the bytes. Where a record holds
 * anything else (quotes within quotes, line ends, a text that is no number) it stops before that record, which record.ts reads then;
 * so it changes the speed and never the result.
 */
import { readNumber } from '../json/scan.ts'
import type { TemplateParser } from '../json/template.ts'
import { type Column, convert } from './columns.ts'
import type { CsvDialect } from './record.ts'

let generated = 0

/**
 * @param columns in the order of the file; undefined for those that nobody wants
 * @param fields names in the order of the record's literal
 */
export function compileCsv(
  columns: readonly (Column | undefined)[],
  fields: readonly string[],
  dialect: CsvDialect,
  nullText: string,
): TemplateParser {
  const { delimiter, quote } = dialect
  const converters: ((text: string) => unknown)[] = []
  let code = ''
  columns.forEach((column, i) => {
    const lastColumn = i === columns.length - 1
    code += `    // ${i}\n`
    if (column?.kind === 'number' && nullText === '') code += numberCode(i, column, delimiter)
    else code += textCode(i, column, delimiter, quote, nullText)
    if (column !== undefined && column.kind !== 'string' && !(column.kind === 'number' && nullText === '')) {
      const n = converters.push((text) => convert(column.kind, text)) - 1
      code += `    if (typeof v${i} === 'string') { v${i} = converters[${n}](v${i}); if (v${i} === undefined) break records }\n`
    }
    code += lastColumn
      ? `    if (d[q] === 13) q++
    if (d[q] !== 10) break records
    q++
`
      : `    if (d[q] !== ${delimiter}) break records
    q++
`
  })
  // A key __proto__ in a literal would set the prototype.
  const property = (name: string) => (name === '__proto__' ? '["__proto__"]' : JSON.stringify(name))
  const variable = (name: string) => `v${columns.findIndex((column) => column?.name === name)}`
  const literal = fields.map((name) => `${property(name)}: ${variable(name)}`).join(', ')
  const make = new Function(
    'readNumber',
    'converters',
    `// ${generated++}
return function parse(d, view, text, base, p, end, limit, max, output, cursor) {
  let n = 0
  records: while (n < max && p < limit) {
    let q = p, c = d[q], a = 0, m = 0
    if (c === 10 || c === 13) break
${code}
    p = q
    n++
    output.collect({ ${literal} }, -Infinity)
  }
  cursor.count = n
  return p
}`,
  )
  return make(readNumber, converters)
}

/** Reads a field as text into v{i}: undefined columns are stepped over. */
function textCode(i: number, column: Column | undefined, delimiter: number, quote: number, nullText: string): string {
  const wanted = column !== undefined
  const nullable = column?.nullable === true
  const wideNull = nullable && nullText !== '' ? `if (v${i} === ${JSON.stringify(nullText)}) v${i} = null` : ''
  const isNull = nullText === '' ? 'q === a' : `text.substring(a - base, q - base) === ${JSON.stringify(nullText)}`
  return `    let v${i}
    c = d[q]
    if (c === ${quote}) {
      a = ++q
      c = d[q]
      while (c !== ${quote} && c > 31 && c < 128) c = d[++q]
      if (c !== ${quote} || d[q + 1] === ${quote}) break records
      ${wanted ? `v${i} = text.substring(a - base, q - base)` : ''}
      q++
    } else {
      a = q
      while (c !== ${delimiter} && c > 31 && c < 128) c = d[++q]
      if (c > 127) {
        while (c !== ${delimiter} && (c > 31 || c === 9)) c = d[++q]
        ${wanted ? `v${i} = d.utf8Slice(a, q)\n        ${wideNull}` : ''}
      } else ${wanted ? (nullable ? `v${i} = ${isNull} ? null : text.substring(a - base, q - base)` : `v${i} = text.substring(a - base, q - base)`) : ';'}
    }
`
}

function numberCode(i: number, column: Column, delimiter: number): string {
  return `    let v${i}
    a = q
    c = d[q]
    if (c === 45) c = d[++q]
    if (c >= 48 && c <= 57) {
      m = 0
      while (c >= 48 && c <= 57) { m = m * 10 + (c - 48); c = d[++q] }
      if (c === 46 || c === 101 || c === 69 || q - a > 15) { v${i} = readNumber(d, a, cursor); q = cursor.at; if (q < 0) break records }
      else v${i} = d[a] === 45 ? -m : m
    } else if (q === a && ${column.nullable} && (c === ${delimiter} || c === 10 || c === 13)) v${i} = null
    else break records
`
}
