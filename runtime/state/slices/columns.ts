/**
 * Accumulators that are numbers, or plain objects or short arrays of nothing but numbers, as columns of a slice table.
 *
 * The layout is taken from the first accumulator. Code is generated for it: load the columns into one scratch object, call the user's
 * function, verify what came back (the same fields, all numbers; a new object is as good as the scratch), store it. So `{ count, sum }`
 * costs no object per key, and the garbage collector never sees a million of them.
 *
 * Correctness: a result that does not fit is handed out as `deviant` and never stored in part. After a deviation the aggregation is not
 * used again, since `deviant` may be the scratch object or hold it.
 */
import type { Aggregation, Fold } from './aggregation.ts'

const COLUMNS_MAX = 16

export interface ColumnLayout {
  readonly kind: 'number' | 'row' | 'tuple'
  /** Names of a row, indexes of a tuple. */
  readonly fields: readonly string[]
}

/** The layout that holds `accumulator`; undefined when columns cannot. */
export function columnLayout(accumulator: unknown): ColumnLayout | undefined {
  if (typeof accumulator === 'number') return { kind: 'number', fields: ['value'] }
  if (typeof accumulator !== 'object' || accumulator === null) return undefined
  const kind = Array.isArray(accumulator) ? 'tuple' : 'row'
  if (kind === 'row' && Object.getPrototypeOf(accumulator) !== Object.prototype) return undefined
  const fields = Object.keys(accumulator)
  if (fields.length === 0 || fields.length > COLUMNS_MAX || fields.includes('__proto__')) return undefined
  if (kind === 'tuple' && fields.length !== (accumulator as unknown[]).length) return undefined
  if (Object.getOwnPropertySymbols(accumulator).length > 0) return undefined
  return fields.every((name) => typeof (accumulator as any)[name] === 'number') ? { kind, fields } : undefined
}

let generated = 0

/** Keeps accumulators of `layout` in columns. */
export function columnAggregation({ kind, fields }: ColumnLayout, fold: Fold): Aggregation {
  const n = fields.length
  const access = fields.map((name) =>
    kind === 'number' ? '' : kind === 'row' ? `[${JSON.stringify(name)}]` : `[${name}]`,
  )
  const cell = (i: number) => `cells[o + ${i + 1}]`
  const literal =
    kind === 'number'
      ? cell(0)
      : kind === 'row'
        ? `{ ${fields.map((name, i) => `${JSON.stringify(name)}: ${cell(i)}`).join(', ')} }`
        : `[${fields.map((_, i) => cell(i)).join(', ')}]`
  const shapeCheck =
    kind === 'number'
      ? ''
      : kind === 'row'
        ? `if (typeof r !== 'object' || r === null || Array.isArray(r)) return this.deviates(r)
    let fields = 0
    for (const name in r) fields++
    if (fields !== ${n}) return this.deviates(r)`
        : `if (!Array.isArray(r) || r.length !== ${n}) return this.deviates(r)`
  const store = `${shapeCheck}
    ${access.map((a, i) => `const v${i} = r${a}`).join('; ')}
    if (${access.map((_, i) => `typeof v${i} !== 'number'`).join(' || ')}) return this.deviates(r)
    ${access.map((_, i) => `${cell(i)} = v${i}`).join('; ')}
    return true`
  const source = `'use strict'
const scratch = ${kind === 'number' ? '0' : kind === 'row' ? `{ ${fields.map((name) => `${JSON.stringify(name)}: 0.5`).join(', ')} }` : `[${fields.map(() => '0.5').join(', ')}]`}
return class Columns {
  columns = ${n}
  deviant = undefined
  deviates(r) { this.deviant = r; return false }
  first(segment, place, value) {
    const r = fold.first(value), cells = segment.cells, o = place * ${n + 1}
    ${store}
  }
  add(segment, place, value) {
    const cells = segment.cells, o = place * ${n + 1}
    ${
      kind === 'number'
        ? `const r = fold.add(value, ${cell(0)})`
        : `${access.map((a, i) => `scratch${a} = ${cell(i)}`).join('; ')}
    const r = fold.add(value, scratch)`
    }
    ${store}
  }
  load(segment, place) {
    const cells = segment.cells, o = place * ${n + 1}
    return ${literal}
  }
}
//# sourceURL=tailrace-generated/columns-${generated++}.js`
  const Columns = new Function('fold', source)(fold) as new () => Aggregation
  return new Columns()
}
