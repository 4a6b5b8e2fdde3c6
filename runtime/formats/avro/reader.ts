/**
 * Generates the code that reads what one schema wrote as values of another (the specification's schema resolution).
 *
 * Generated, so that each record is one object literal with its fields in the reader's order, and so that every call site sees one kind
 * of value. What two schemas cannot agree on is found when the code is generated, except within a union of the writer: there it is
 * the message that tells whether the branch in question is used.
 */
import { dateOf, decimalText, instantMs, uuidText } from './convert.ts'
import type { Input } from './input.ts'
import { branchName, type Field, type Logical, type Node, type RecordNode, type UnionNode } from './schema.ts'
import { type AvroValueOptions, isWrapped, shapeOf } from './shape.ts'

/** Reads one value. */
export type AvroReader = (input: Input) => unknown

/** Why a schema cannot be read as another. */
export class Incompatible extends Error {
  override readonly name = 'Incompatible'
}

/**
 * @param newInput for the defaults of fields that the writer did not have
 * @throws Incompatible
 */
export function compileReader(
  writer: Node,
  reader: Node,
  options: AvroValueOptions,
  newInput: (bytes: Buffer) => Input,
): AvroReader {
  const generator = new ReaderCode(options, newInput)
  return generator.compile(writer, reader)
}

/** Kinds that a writer's kind may be read as. */
const PROMOTIONS: Record<string, readonly string[]> = {
  int: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
  string: ['bytes'],
  bytes: ['string'],
}

const RUNTIME = { instantMs, dateOf, decimalText, uuidText }

/** Values that may be shared between records. */
const IMMUTABLE = new Set(['null', 'boolean', 'number', 'bigint', 'string'])

class ReaderCode {
  readonly #options: AvroValueOptions
  readonly #newInput: (bytes: Buffer) => Input
  /** Bodies of functions by their number. */
  readonly #functions: string[] = []
  readonly #constants: unknown[] = []
  /** Statements that run once, behind the functions. */
  readonly #once: string[] = []
  /** Names of the functions of records; a text in `failed` for those that cannot be read. */
  readonly #records = new Map<RecordNode, Map<RecordNode, { call: string; failed?: string }>>()
  readonly #skips = new Map<Node, string>()

  constructor(options: AvroValueOptions, newInput: (bytes: Buffer) => Input) {
    this.#options = options
    this.#newInput = newInput
  }

  compile(writer: Node, reader: Node): AvroReader {
    const result = this.#read(writer, reader)
    const code = `const { ${Object.keys(RUNTIME).join(', ')} } = runtime
${this.#functions.map((body, i) => `function f${i}(t) {\n${body}\n}`).join('\n')}
${this.#once.join('\n')}
return function read(t) { return ${result} }`
    return new Function('runtime', 'k', code)(RUNTIME, this.#constants)
  }

  #reserve(): number {
    return this.#functions.push('') - 1
  }

  #function(body: string): string {
    return `f${this.#functions.push(body) - 1}(t)`
  }

  /** An expression for the value. */
  #read(w: Node, r: Node): string {
    if (w.kind === 'union') return this.#readUnion(w, r)
    if (r.kind === 'union') return this.#readInto(w, r)
    if (r.kind === 'record' && w.kind === 'record') return this.#readRecord(w, r)
    if (r.kind === 'array' && w.kind === 'array') {
      const item = this.#read(w.items, r.items)
      return this.#function(`  const values = []
  let n = 0
  while ((n = t.items()) !== 0) {
    while (n-- > 0) {
      const at = t.pos
      values.push(${item})
      if (t.pos === at) t.weightless()
    }
  }
  return values`)
    }
    if (r.kind === 'map' && w.kind === 'map') {
      const value = this.#read(w.values, r.values)
      return this.#function(`  const values = {}
  let n = 0
  while ((n = t.items()) !== 0) {
    while (n-- > 0) {
      const key = t.string()
      const value = ${value}
      if (key === '__proto__') Object.defineProperty(values, key, { value, enumerable: true, configurable: true, writable: true })
      else values[key] = value
    }
  }
  return values`)
    }
    if (r.kind === 'enum' && w.kind === 'enum') {
      checkNames(w, r)
      const symbols = w.symbols.map((symbol) => (r.symbols.includes(symbol) ? symbol : r.default))
      if (symbols.every((symbol) => symbol === undefined)) throw new Incompatible(`no symbol of ${w.name} is known`)
      const unknown = `t.fail(${JSON.stringify(`a symbol of the enum ${r.name} is unknown`)})`
      const k = this.#constant(symbols)
      return symbols.includes(undefined)
        ? `(${k}[t.index(${symbols.length})] ?? ${unknown})`
        : `${k}[t.index(${symbols.length})]`
    }
    if (r.kind === 'fixed' && w.kind === 'fixed') {
      checkNames(w, r)
      if (w.size !== r.size) throw new Incompatible(`${w.name} has ${w.size} bytes, wanted ${r.size}`)
    } else if (w.kind !== r.kind && !PROMOTIONS[w.kind]?.includes(r.kind))
      throw new Incompatible(`${branchName(w)} cannot be read as ${branchName(r)}`)
    return this.#readPlain(w, r)
  }

  #readPlain(w: Node, r: Node): string {
    const logical = meaning(w, r)
    if (logical?.kind === 'instant') {
      const ms =
        logical.unit === 'millis'
          ? 't.long()'
          : `instantMs('${logical.unit}', ${w.kind === 'int' ? 't.int()' : 't.long()'})`
      return this.#options.times === 'date' ? `(dateOf(${ms}) ?? t.fail('a time is beyond those of a Date'))` : ms
    }
    if (logical?.kind === 'time-micros') return 't.long() / 1000'
    const bytes = w.kind === 'fixed' ? `t.fixed(${w.size})` : 't.bytes()'
    if (logical?.kind === 'decimal') {
      const { precision, scale } = logical
      const wrong = `a decimal has more than ${precision} digits`
      return `(decimalText(${bytes}, ${precision}, ${scale}) ?? t.fail('${wrong}'))`
    }
    if (logical?.kind === 'uuid') return `uuidText(${bytes})`
    if (r.kind === 'bytes' || r.kind === 'fixed') return bytes
    if (r.kind === 'string') return 't.string()'
    if (r.kind === 'null') return 'null'
    if (r.kind === 'long' && this.#options.longs === 'bigint') return 't.bigint()'
    // A double has no more than 53 bits of a long; that loss is the specification's.
    if (w.kind === 'long' && r.kind !== 'long') return 'Number(t.bigint())'
    return `t.${w.kind}()`
  }

  /** The writer chose among branches: the message says which. */
  #readUnion(w: UnionNode, r: Node): string {
    let first: unknown
    let readable = 0
    const cases = w.branches.map((branch, i) => {
      try {
        const value = this.#read(branch, r)
        readable++
        return `    case ${i}: return ${value}`
      } catch (error) {
        if (!(error instanceof Incompatible)) throw error
        first ??= error
        return `    case ${i}: t.fail(${JSON.stringify(error.message)})`
      }
    })
    if (readable === 0) throw first ?? new Incompatible('a union has no branches')
    return this.#function(`  switch (t.index(${cases.length})) {\n${cases.join('\n')}\n  }`)
  }

  /** The reader chooses the first branch of the same kind and name, or else the first that can read it. */
  #readInto(w: Node, r: UnionNode): string {
    const wrapped = isWrapped(r, this.#options)
    const same = r.branches.filter((branch) => branch.kind === w.kind && shortName(branch) === shortName(w))
    for (const branch of [...same, ...r.branches]) {
      try {
        const value = this.#read(w, branch)
        return wrapped && branch.kind !== 'null' ? `{ ${JSON.stringify(branchName(branch))}: ${value} }` : value
      } catch (error) {
        if (!(error instanceof Incompatible)) throw error
      }
    }
    throw new Incompatible(`${branchName(w)} is no branch of the union of ${r.branches.map(branchName).join(', ')}`)
  }

  #readRecord(w: RecordNode, r: RecordNode): string {
    checkNames(w, r)
    let known = this.#records.get(w)
    if (known === undefined) this.#records.set(w, (known = new Map()))
    const made = known.get(r)
    if (made?.failed !== undefined) throw new Incompatible(made.failed)
    if (made !== undefined) return made.call
    const number = this.#reserve()
    const entry: { call: string; failed?: string } = { call: `f${number}(t)` }
    known.set(r, entry)
    try {
      this.#functions[number] = this.#recordBody(w, r)
    } catch (error) {
      if (!(error instanceof Incompatible)) throw error
      // Parts of it may have been generated already, and call it.
      entry.failed = error.message
      this.#functions[number] = `  t.fail(${JSON.stringify(error.message)})`
      throw error
    }
    return entry.call
  }

  #recordBody(w: RecordNode, r: RecordNode): string {
    const lines: string[] = []
    const values = new Map<Field, string>()
    w.fields.forEach((field, i) => {
      const target = r.fields.find(
        (one) => !values.has(one) && (one.name === field.name || one.aliases.includes(field.name)),
      )
      if (target === undefined) {
        lines.push(`  ${this.#skip(field.type)}`)
        return
      }
      try {
        lines.push(`  const v${i} = ${this.#read(field.type, target.type)}`)
      } catch (error) {
        if (!(error instanceof Incompatible)) throw error
        throw new Incompatible(`the field "${field.name}" of ${w.name}: ${error.message}`)
      }
      values.set(target, `v${i}`)
    })
    const parts = r.fields.map((field) => {
      const key = field.name === '__proto__' ? '["__proto__"]' : JSON.stringify(field.name)
      return `${key}: ${values.get(field) ?? this.#default(field, r)}`
    })
    return `${lines.join('\n')}\n  return { ${parts.join(', ')} }`
  }

  #default(field: Field, r: RecordNode): string {
    const { default: bytes, type } = field
    if (bytes === undefined)
      throw new Incompatible(`the field "${field.name}" of ${r.name} has no default, and the writer does not have it`)
    const make = this.#function(`  return ${this.#read(type, type)}`).replace(
      '(t)',
      `(${this.#constant(() => this.#newInput(bytes))}())`,
    )
    const shape = type.kind === 'union' ? shapeOf(type.branches[0]!, this.#options) : shapeOf(type, this.#options)
    if (!IMMUTABLE.has(shape) || (type.kind === 'union' && isWrapped(type, this.#options) && shape !== 'null'))
      return make
    const name = `d${this.#once.length}`
    this.#once.push(`const ${name} = ${make}`)
    return name
  }

  #constant(value: unknown): string {
    return `k[${this.#constants.push(value) - 1}]`
  }

  /** A statement that steps over a value. */
  #skip(w: Node): string {
    switch (w.kind) {
      case 'null':
        return ''
      case 'boolean':
        return 't.skip(1)'
      case 'int':
      case 'long':
      case 'enum':
        return 't.bigint()'
      case 'float':
        return 't.skip(4)'
      case 'double':
        return 't.skip(8)'
      case 'bytes':
      case 'string':
        return 't.skip(t.long())'
      case 'fixed':
        return `t.skip(${w.size})`
    }
    const known = this.#skips.get(w)
    if (known !== undefined) return known
    const number = this.#reserve()
    const call = `f${number}(t)`
    this.#skips.set(w, call)
    if (w.kind === 'record') this.#functions[number] = w.fields.map((field) => `  ${this.#skip(field.type)}`).join('\n')
    else if (w.kind === 'union') {
      const cases = w.branches.map((branch, i) => `    case ${i}: ${this.#skip(branch)}; break`)
      this.#functions[number] = `  switch (t.index(${cases.length})) {\n${cases.join('\n')}\n  }`
    } else {
      const item = w.kind === 'array' ? this.#skip(w.items) : `t.skip(t.long()); ${this.#skip(w.values)}`
      this.#functions[number] = `  let n = 0
  while ((n = t.skipItems()) !== 0) {
    while (n-- > 0) {
      const at = t.pos
      ${item}
      if (t.pos === at) t.weightless()
    }
  }`
    }
    return call
  }
}

/** How the bytes of `w` are to be understood for a reader of `r`: not at all where the reader has no logical type. */
function meaning(w: Node, r: Node): Logical | undefined {
  const logical = 'logical' in r ? r.logical : undefined
  const written = 'logical' in w ? w.logical : undefined
  return logical !== undefined && written?.kind === logical.kind ? written : logical
}

const shortName = (node: Node) => ('name' in node ? node.name.slice(node.name.lastIndexOf('.') + 1) : '')

/** Names agree without their namespaces, or by an alias of the reader. */
function checkNames(w: Node & { name: string }, r: Node & { name: string; aliases: readonly string[] }): void {
  if (shortName(w) === shortName(r) || r.aliases.includes(w.name)) return
  throw new Incompatible(`${w.name} is not ${r.name}, nor one of its aliases`)
}
