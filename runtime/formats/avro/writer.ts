/**
 * Generates the code that writes values of one schema. A value that does not fit ends it with {@link Unfit}, which gathers the way to
 * the value as it passes the records, arrays and maps around it.
 */
import { toDecimal, toInstant, toUuid } from './convert.ts'
import { type Output, Unfit } from './output.ts'
import { branchName, type Node, type RecordNode, type UnionNode } from './schema.ts'
import { type AvroValueOptions, isWrapped, shapeOf, shapeTest } from './shape.ts'

/** Writes one value. */
export type AvroWriter = (output: Output, value: unknown) => void

export function compileWriter(schema: Node, options: AvroValueOptions): AvroWriter {
  const functions: string[] = []
  const constants: unknown[] = []
  const made = new Map<Node, string>()

  /** The name of a function that writes `v`. */
  const write = (node: Node): string => {
    const known = made.get(node)
    if (known !== undefined) return known
    const number = functions.push('') - 1
    const name = `f${number}`
    made.set(node, name)
    functions[number] = body(node)
    return name
  }

  /** A statement that writes the expression `v`. */
  const statement = (node: Node, v: string): string => {
    const plain = !('logical' in node && node.logical !== undefined)
    if (plain && node.kind !== 'null' && SIMPLE.has(node.kind)) return `o.${node.kind}(${v})`
    return `${write(node)}(o, ${v})`
  }

  const body = (node: Node): string => {
    switch (node.kind) {
      case 'record':
        return recordBody(node)
      case 'union':
        return isWrapped(node, options) ? wrappedBody(node) : unionBody(node)
      case 'array':
        return `  if (!Array.isArray(v)) throw new Unfit(v, 'an array')
  const n = v.length
  if (n > 0) {
    o.index(n)
    let i = 0
    try {
      for (; i < n; i++) ${statement(node.items, 'v[i]')}
    } catch (error) {
      throw at(error, i)
    }
  }
  o.index(0)`
      case 'map':
        return `  if (!${shapeTest('object')}) throw new Unfit(v, 'an object, for a map')
  const keys = Object.keys(v)
  if (keys.length > 0) {
    o.index(keys.length)
    let key = ''
    try {
      for (key of keys) {
        o.string(key)
        ${statement(node.values, 'v[key]')}
      }
    } catch (error) {
      throw at(error, key)
    }
  }
  o.index(0)`
      case 'enum': {
        const k = constants.push(new Map(node.symbols.map((symbol, i) => [symbol, i]))) - 1
        return `  const i = k[${k}].get(v)
  if (i === undefined) throw new Unfit(v, ${JSON.stringify(`one of ${node.symbols.join(', ')}`)})
  o.index(i)`
      }
      default:
        return plainBody(node)
    }
  }

  const recordBody = (node: RecordNode): string => {
    const lines = node.fields.map((field, i) => {
      const v = `v[${JSON.stringify(field.name)}]`
      const missing = admitsUndefined(field.type) ? `\n    if (${v} === undefined) n++` : ''
      if (field.default === undefined) return `    f = ${i}\n    ${statement(field.type, v)}${missing}`
      const k = constants.push(field.default) - 1
      return `    f = ${i}
    if (${v} === undefined) { o.raw(k[${k}]); n++ }
    else ${statement(field.type, v)}`
    })
    const names = constants.push(node.fields.map((field) => field.name)) - 1
    return `  if (!${shapeTest('object')}) throw new Unfit(v, ${JSON.stringify(`a record ${node.name}`)})
  let f = 0, n = 0
  try {
${lines.join('\n')}
  } catch (error) {
    throw at(error, k[${names}][f])
  }
  for (const _ in v) n++
  if (n !== ${node.fields.length}) noMore(v, k[${names}])`
  }

  const unionBody = (node: UnionNode): string => {
    const lines = node.branches.map((branch, i) => {
      return `  if (${shapeTest(shapeOf(branch, options))}) {
    o.index(${i})
    ${branch.kind === 'null' ? '' : statement(branch, 'v')}
    return
  }`
    })
    return `${lines.join('\n')}\n  throw new Unfit(v, ${JSON.stringify(node.branches.map(branchName).join(' or '))})`
  }

  const wrappedBody = (node: UnionNode): string => {
    const at = node.branches.findIndex((branch) => branch.kind === 'null')
    const cases = node.branches.map((branch, i) => {
      if (branch.kind === 'null') return ''
      const name = JSON.stringify(branchName(branch))
      return `    case ${name}:
      o.index(${i})
      try { ${statement(branch, `v[${name}]`)} } catch (error) { throw at(error, ${name}) }
      return`
    })
    const names = node.branches.map((branch) =>
      branch.kind === 'null' ? 'null' : `{ ${JSON.stringify(branchName(branch))}: … }`,
    )
    return `  ${at < 0 ? '' : `if (v === null || v === undefined) { o.index(${at}); return }`}
  const keys = ${shapeTest('object')} ? Object.keys(v) : []
  if (keys.length === 1) switch (keys[0]) {
${cases.join('\n')}
  }
  throw new Unfit(v, ${JSON.stringify(names.join(' or '))})`
  }

  const start = write(schema)
  const code = `const { Unfit, at, noMore, toDecimal, toInstant, toUuid } = runtime
${functions.map((text, i) => `function f${i}(o, v) {\n${text}\n}`).join('\n')}
return ${start}`
  return new Function('runtime', 'k', code)({ Unfit, at, noMore, toDecimal, toInstant, toUuid }, constants)
}

const SIMPLE = new Set(['boolean', 'int', 'long', 'float', 'double', 'string', 'bytes'])

function plainBody(node: Node): string {
  const logical = 'logical' in node ? node.logical : undefined
  const size = node.kind === 'fixed' ? node.size : undefined
  const raw = (converted: string, wanted: string) => `  const bytes = ${converted}
  if (bytes === undefined) throw new Unfit(v, ${JSON.stringify(wanted)})
  ${size === undefined ? 'o.bytes(bytes)' : 'o.raw(bytes)'}`
  if (logical?.kind === 'decimal') {
    const { precision, scale } = logical
    return raw(
      `toDecimal(v, ${precision}, ${scale}, ${size})`,
      `a decimal of ${precision} digits, ${scale} behind the point`,
    )
  }
  if (logical?.kind === 'uuid') return raw('toUuid(v)', 'a UUID as text')
  if (logical !== undefined) {
    const unit = logical.kind === 'instant' ? logical.unit : 'micros'
    return `  const n = toInstant('${unit}', v)
  if (n === undefined) throw new Unfit(v, ${JSON.stringify(unit === 'millis' ? 'whole milliseconds or a Date' : 'milliseconds or a Date')})
  o.${unit === 'days' ? 'int' : 'long'}(n)`
  }
  if (node.kind === 'fixed') return `  o.fixed(v, ${node.size})`
  if (node.kind === 'null') return `  if (v !== null && v !== undefined) throw new Unfit(v, 'null')`
  return `  o.${node.kind}(v)`
}

/** A field of this type may be left out: it is null then. */
function admitsUndefined(node: Node): boolean {
  return node.kind === 'null' || (node.kind === 'union' && node.branches.some((branch) => branch.kind === 'null'))
}

/** Adds a step to the way to the value. */
function at(error: unknown, step: string | number): unknown {
  if (error instanceof Unfit) error.path.push(step)
  return error
}

/** A field that the schema does not have would be lost. */
function noMore(value: Record<string, unknown>, names: readonly string[]): void {
  for (const key in value) {
    if (names.includes(key) || value[key] === undefined) continue
    const unfit = new Unfit(value[key], 'no such field in the schema')
    unfit.path.push(key)
    throw unfit
  }
}
