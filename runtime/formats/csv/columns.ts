/**
 * Columns of a CSV file, and how their texts become values.
 */
import { formatType, type TypeDescription } from '../../core/types.ts'

/** What CSV can hold. */
export type ColumnKind = 'string' | 'number' | 'int32' | 'boolean' | 'bigint' | 'date'

export interface Column {
  name: string
  kind: ColumnKind
  nullable: boolean
}

const KINDS = new Set<string>(['string', 'number', 'int32', 'boolean', 'bigint', 'date'])

/** Columns of a declared row; TypeError for a column that no text can become. */
export function columnsOf(type: TypeDescription): Column[] {
  if (type.kind !== 'row') throw new TypeError(`Cannot read CSV as ${formatType(type)}: "columns" must be a row`)
  return type.fields.map(([name, declared]) => {
    const nullable = declared.kind === 'nullable'
    const inner = nullable ? declared.of : declared
    if (!KINDS.has(inner.kind))
      throw new TypeError(
        `Cannot read the CSV column "${name}" as ${formatType(inner)}: it must be string, number, int32, boolean, bigint or date`,
      )
    return { name, kind: inner.kind as ColumnKind, nullable }
  })
}

/** The value of a text; undefined when it is none of this kind. */
export function convert(kind: ColumnKind, text: string): unknown {
  switch (kind) {
    case 'string':
      return text
    case 'number':
    case 'int32': {
      const trimmed = text.trim()
      const value = Number(trimmed)
      if (trimmed === '' || (Number.isNaN(value) && trimmed !== 'NaN')) return undefined
      return kind === 'int32' && value !== (value | 0) ? undefined : value
    }
    case 'boolean':
      return BOOLEANS[text.trim().toLowerCase()]
    case 'bigint':
      return /^\s*[+-]?\d+\s*$/.test(text) ? BigInt(text.trim().replace('+', '')) : undefined
    case 'date': {
      const date = new Date(text.trim())
      return Number.isNaN(date.getTime()) ? undefined : date
    }
  }
}

const BOOLEANS: Record<string, boolean> = { true: true, false: false, '1': true, '0': false }
