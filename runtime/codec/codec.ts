/**
 * Generates the code that writes records of one type into batch rows and reads them back (layout: batch.ts).
 *
 * Fixed part by kind: number and date f64 · int32 i32 · boolean u8 · bigint i64 · string u16 length in the batch's text ·
 * bytes and any u32 length in the extra part · nullable: u8 (0 present, 1 null, 2 undefined), then the fixed part of its type · row and
 * tuple: their parts in order.
 *
 * msgpack knows no -0: in fields of kind any, and in records that deviate, -0 arrives as 0.
 *
 * Writing verifies: a record that is not of the type is refused by the generated check and goes another way (record-writer.ts), so
 * nothing is ever cut off. Reading makes one object literal per row, in the order of the fields: one shape per edge.
 *
 * Generated source and not closures over fields, because each edge needs type feedback of its own (performance: 34 + 25 ns for a record of
 * 7 fields against 132 + 132 with a call per string).
 */
import type { TypeDescription } from '../core/types.ts'

/** Collects the extra bytes of one record, before it is known whether they fit. */
export interface ExtraWriter {
  /** Bytes collected since generated code set it to 0. */
  length: number
  /** Collects bytes and returns their length. */
  bytes(value: Uint8Array): number
  /** Collects msgpack of any value and returns its length. */
  any(value: unknown): number
}

interface Part {
  /** Statements that read the value into variables; run first. */
  load: string[]
  /** Expressions that must all be true. */
  checks: string[]
  /** Statements that collect extra bytes; run after the checks. */
  pack: string[]
  /** Variables that hold strings. */
  texts: string[]
  /** Statements that write, with `o` as the row's first byte. */
  write: string[]
  size: number
}

const property = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`)
const key = (name: string) =>
  /^[A-Za-z_$][\w$]*$/.test(name) && name !== '__proto__' ? name : `[${JSON.stringify(name)}]`

class Generator {
  #variables = 0
  variable(prefix: string): string {
    return `${prefix}${this.#variables++}`
  }

  /** Writing side of `type` for the value in variable `x`, whose fixed part begins at `o + at`. */
  write(type: TypeDescription, x: string, at: number): Part {
    const part: Part = { load: [], checks: [], pack: [], texts: [], write: [], size: 0 }
    switch (type.kind) {
      case 'number':
        part.checks.push(`typeof ${x} === 'number'`)
        part.write.push(`d.setFloat64(o + ${at}, ${x}, true)`)
        part.size = 8
        break
      case 'int32':
        part.checks.push(`(${x} | 0) === ${x} && !Object.is(${x}, -0)`)
        part.write.push(`d.setInt32(o + ${at}, ${x}, true)`)
        part.size = 4
        break
      case 'boolean':
        part.checks.push(`typeof ${x} === 'boolean'`)
        part.write.push(`d.setUint8(o + ${at}, ${x} ? 1 : 0)`)
        part.size = 1
        break
      case 'bigint':
        part.checks.push(`typeof ${x} === 'bigint' && BigInt.asIntN(64, ${x}) === ${x}`)
        part.write.push(`d.setBigInt64(o + ${at}, ${x}, true)`)
        part.size = 8
        break
      case 'date':
        part.checks.push(`${x} instanceof Date`)
        part.write.push(`d.setFloat64(o + ${at}, ${x}.getTime(), true)`)
        part.size = 8
        break
      case 'string':
        part.checks.push(`typeof ${x} === 'string' && ${x}.length < 65536`)
        part.texts.push(x)
        part.write.push(`d.setUint16(o + ${at}, ${x}.length, true)`)
        part.size = 2
        break
      case 'bytes':
        part.checks.push(`${x} instanceof Uint8Array`)
        this.#extra(part, type.kind, x, at)
        break
      case 'any':
        this.#extra(part, type.kind, x, at)
        break
      case 'nullable': {
        // The inner part reads a stand-in that always fits, so that its statements need no branch around them.
        const inner = this.variable('n')
        const of = type.of
        const inside = this.write(of, inner, at + 1)
        part.load.push(`const ${inner} = ${x} === null || ${x} === undefined ? ${standIn(of)} : ${x}`, ...inside.load)
        part.checks.push(...inside.checks)
        part.texts.push(...inside.texts)
        part.write.push(`d.setUint8(o + ${at}, ${x} === null ? 1 : ${x} === undefined ? 2 : 0)`, ...inside.write)
        part.size = 1 + inside.size
        part.pack.push(...inside.pack)
        break
      }
      case 'row':
      case 'tuple': {
        const isRow = type.kind === 'row'
        const members: [string, TypeDescription][] = isRow
          ? type.fields.map(([name, t]) => [property(name), t])
          : type.elements.map((t, i) => [`[${i}]`, t])
        part.checks.push(
          isRow
            ? `typeof ${x} === 'object' && ${x} !== null && ${x}.constructor === Object`
            : `Array.isArray(${x}) && ${x}.length === ${members.length}`,
        )
        let size = 0
        for (const [access, memberType] of members) {
          const variable = this.variable('f')
          // Optional chaining guards the loads, which run before the checks.
          part.load.push(`const ${variable} = ${x}${access.startsWith('.') ? '?' : '?.'}${access}`)
          const inside = this.write(memberType, variable, at + size)
          part.load.push(...inside.load)
          part.checks.push(...inside.checks)
          part.texts.push(...inside.texts)
          part.write.push(...inside.write)
          size += inside.size
          part.pack.push(...inside.pack)
        }
        // An inferred row says nothing about fields that the samples did not have: they must not be lost.
        if (isRow && !type.declared) part.checks.push(`fieldCount(${x}, ${members.length})`)
        part.size = size
        break
      }
    }
    return part
  }

  #extra(part: Part, kind: 'bytes' | 'any', x: string, at: number): void {
    const length = this.variable('l')
    part.pack.push(`const ${length} = extras.${kind}(${x})`)
    part.write.push(`d.setUint32(o + ${at}, ${length}, true)`)
    part.size = 4
  }

  /** Reading side: an expression for the value at `o + at`; strings and extras come in the order of the type. */
  read(type: TypeDescription, at: number, statements: string[]): { expression: string; size: number } {
    switch (type.kind) {
      case 'number': {
        // Whole numbers become small integers again: as doubles each would be an object of its own in whatever keeps the record.
        const x = this.variable('x')
        const i = this.variable('i')
        statements.push(`const ${x} = d.getFloat64(o + ${at}, true), ${i} = ${x} | 0`)
        return { expression: `(${i} === ${x} && (${i} !== 0 || 1 / ${x} > 0) ? ${i} : ${x})`, size: 8 }
      }
      case 'int32':
        return { expression: `d.getInt32(o + ${at}, true)`, size: 4 }
      case 'boolean':
        return { expression: `d.getUint8(o + ${at}) === 1`, size: 1 }
      case 'bigint':
        return { expression: `d.getBigInt64(o + ${at}, true)`, size: 8 }
      case 'date':
        return { expression: `new Date(d.getFloat64(o + ${at}, true))`, size: 8 }
      case 'string': {
        const from = this.variable('a')
        statements.push(`const ${from} = p; p += d.getUint16(o + ${at}, true)`)
        const to = this.variable('b')
        statements.push(`const ${to} = p`)
        return { expression: `text.substring(${from}, ${to})`, size: 2 }
      }
      case 'bytes':
      case 'any': {
        const variable = this.variable('e')
        statements.push(`const ${variable} = extras.${type.kind}(d.getUint32(o + ${at}, true))`)
        return { expression: variable, size: 4 }
      }
      case 'nullable': {
        const inside = this.read(type.of, at + 1, statements)
        const flag = this.variable('g')
        statements.push(`const ${flag} = d.getUint8(o + ${at})`)
        return {
          expression: `(${flag} === 0 ? ${inside.expression} : ${flag} === 1 ? null : undefined)`,
          size: 1 + inside.size,
        }
      }
      case 'row': {
        let size = 0
        const members = type.fields.map(([name, t]) => {
          const inside = this.read(t, at + size, statements)
          size += inside.size
          return `${key(name)}: ${inside.expression}`
        })
        return { expression: `({ ${members.join(', ')} })`, size }
      }
      case 'tuple': {
        let size = 0
        const members = type.elements.map((t) => {
          const inside = this.read(t, at + size, statements)
          size += inside.size
          return inside.expression
        })
        return { expression: `[${members.join(', ')}]`, size }
      }
    }
  }
}

function standIn(type: TypeDescription): string {
  switch (type.kind) {
    case 'string':
      return "''"
    case 'boolean':
      return 'false'
    case 'bigint':
      return '0n'
    case 'date':
      return 'EPOCH'
    case 'bytes':
      return 'NO_BYTES'
    case 'any':
      return 'null'
    case 'row':
      return `{ ${type.fields.map(([name, t]) => `${key(name)}: ${standIn(t)}`).join(', ')} }`
    case 'tuple':
      return `[${type.elements.map(standIn).join(', ')}]`
    case 'nullable':
      return 'null'
    default:
      return '0'
  }
}

function fieldCount(value: object, wanted: number): boolean {
  let n = 0
  for (const _ in value) n++
  return n === wanted
}

const RUNTIME = { EPOCH: new Date(0), NO_BYTES: new Uint8Array(0), fieldCount }

/** True when the whole record goes as msgpack anyway, so no code is worth generating. */
export function isOpaque(type: TypeDescription): boolean {
  return type.kind === 'any' || (type.kind === 'nullable' && type.of.kind === 'any')
}

/** The open batch of one channel, as generated code uses it (record-writer.ts owns it). */
export interface OpenBatch {
  view: DataView
  pos: number
  room: number
  count: number
  text: string
  charBytes: number
}

/** What generated writing code calls when the fast way ends. */
export interface BatchOwner {
  /** Makes room for `cost` bytes by flushing and opening. False: the record must go as msgpack. */
  roll(batch: OpenBatch, cost: number): boolean
  /** Writes the record as msgpack: the open batch is msgpack, or the record is too large for a row. */
  pack(batch: OpenBatch, value: unknown, timestamp: number, hash: number): void
  /** The record is not of the type. */
  deviate(batch: OpenBatch, value: unknown, timestamp: number, hash: number): void
  flush(batch: OpenBatch): void
  readonly extras: ExtraWriter
  /** Moves what `extras` collected into the batch. */
  keepExtras(batch: OpenBatch): void
}

export type Put = (batch: OpenBatch, value: any, timestamp: number, hash: number) => void

/** `put` for records of `type`: verify, write one row, flush when the batch is full. `withHash`: rows carry the key's hash. */
export function generatePut(
  type: TypeDescription,
  withHash: boolean,
  recordsMax: number,
): { makePut: (owner: BatchOwner) => Put; rowBytes: number } {
  const generator = new Generator()
  const start = withHash ? 12 : 8
  const part = generator.write(type, 'v', start)
  const rowBytes = start + part.size
  const chars = part.texts.length === 0 ? '' : ` + (${part.texts.map((t) => `${t}.length`).join(' + ')}) * b.charBytes`
  const source = `
    const { EPOCH, NO_BYTES, fieldCount } = runtime
    const extras = owner.extras
    return function put(b, v, t, h) {
      ${part.load.join('\n      ')}
      if (!(${part.checks.join(' && ') || 'true'})) { owner.deviate(b, v, t, h); return }
      ${part.pack.length === 0 ? '' : `extras.length = 0\n      ${part.pack.join('\n      ')}`}
      const cost = ${rowBytes}${chars}${part.pack.length === 0 ? '' : ' + extras.length'}
      if (cost > b.room && !owner.roll(b, cost)) { owner.pack(b, v, t, h); return }
      const d = b.view, o = b.pos
      d.setFloat64(o, t, true)
      ${withHash ? 'd.setUint32(o + 8, h, true)' : ''}
      ${part.write.join('\n      ')}
      ${part.texts.length === 0 ? '' : `b.text += ${part.texts.join(' + ')}`}
      b.pos = o + ${rowBytes}
      b.room -= cost
      ${part.pack.length === 0 ? '' : 'owner.keepExtras(b)'}
      if (++b.count === ${recordsMax}) owner.flush(b)
    }`
  const build = new Function('owner', 'runtime', source) as (owner: BatchOwner, runtime: typeof RUNTIME) => Put
  return { makePut: (owner) => build(owner, RUNTIME), rowBytes }
}

/** Reads the extra part of a batch in order. */
export interface ExtraReader {
  bytes(length: number): Uint8Array
  any(length: number): unknown
}

/**
 * Pushes `count` rows that begin at byte `o` of `d` into a receiver; `text` and `extras` are the batch's.
 */
export type Take = (d: DataView, o: number, count: number, text: string, extras: ExtraReader) => void

interface TakeHead {
  process(value: any, timestamp: number, hash?: number): void
}

/** `take` for batches of `type`. One per edge and task, so that the call of the chain's head is monomorphic and inlined. */
export function generateTake(
  type: TypeDescription,
  withHash: boolean,
): { makeTake: (head: TakeHead) => Take; rowBytes: number } {
  const generator = new Generator()
  const statements: string[] = []
  const start = withHash ? 12 : 8
  const { expression, size } = generator.read(type, start, statements)
  const source = `
    return function take(d, o, count, text, extras) {
      let p = 0
      for (let i = 0; i < count; i++) {
        const t = d.getFloat64(o, true)
        ${withHash ? 'const h = d.getUint32(o + 8, true)' : ''}
        ${statements.join('\n        ')}
        const v = ${expression}
        o += ${start + size}
        head.process(v, t${withHash ? ', h' : ''})
      }
    }`
  return { makeTake: new Function('head', source) as (head: TakeHead) => Take, rowBytes: start + size }
}
