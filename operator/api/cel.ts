/**
 * The part of the Common Expression Language that our rules are written in, evaluated here: for places without an API server, and so that a test can hold each rule to examples.
 *
 * Literals, fields, `[lists]`, `! - + == != < <= > >= in && || ?:`, `has(a.b)`, `size string matches startsWith endsWith contains`, and the macros `all exists filter map`. Anything else is refused when it is read, so that
 * no rule is taken for something that it is not. As in CEL a field that is missing is an error, and `&&` and `||` look past an error on one side when the other side decides.
 */

/** Values of `self`, `oldSelf` and of macros' variables, by name. */
export type Variables = Readonly<Record<string, unknown>>
export type Expression = (variables: Variables) => unknown

type Token = { kind: 'name' | 'number' | 'text' | 'sign' | 'end'; text: string; at: number }

/**
 * Throws SyntaxError for what is no CEL, or CEL beyond this part. What it returns throws Error where evaluation fails.
 *
 * @example
 * compileRule("!has(self.a) || self.a.matches('^x')")({ self: { a: 'xy' } }) // true
 */
export function compileRule(source: string): Expression {
  const parser = new Parser(source)
  const expression = parser.expression()
  parser.expect('end')
  return expression
}

const TOKEN =
  /\s*(?:([A-Za-z_]\w*)|(\d+(?:\.\d+)?)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(&&|\|\||==|!=|<=|>=|[-!<>+?:.,()[\]]))/y

function tokens(source: string): Token[] {
  const all: Token[] = []
  TOKEN.lastIndex = 0
  while (source.slice(TOKEN.lastIndex).trim() !== '') {
    const at = TOKEN.lastIndex
    const match = TOKEN.exec(source)
    if (match === null)
      throw new SyntaxError(`Cannot read the rule ${source}: nothing is known that begins ${source.slice(at, at + 10)}`)
    const [, name, number, text, sign] = match
    if (name !== undefined) all.push({ kind: 'name', text: name, at })
    else if (number !== undefined) all.push({ kind: 'number', text: number, at })
    else if (text !== undefined) all.push({ kind: 'text', text: text.slice(1, -1).replace(/\\(.)/g, '$1'), at })
    else all.push({ kind: 'sign', text: sign!, at })
  }
  return [...all, { kind: 'end', text: '', at: source.length }]
}

class Parser {
  readonly #source: string
  readonly #tokens: Token[]
  #at = 0

  constructor(source: string) {
    this.#source = source
    this.#tokens = tokens(source)
  }

  expression(): Expression {
    const condition = this.#either()
    if (!this.#skip('?')) return condition
    const then = this.expression()
    this.expect('sign', ':')
    const otherwise = this.expression()
    return (variables) => (condition(variables) === true ? then(variables) : otherwise(variables))
  }

  expect(kind: Token['kind'], text?: string): Token {
    const token = this.#tokens[this.#at]!
    if (token.kind !== kind || (text !== undefined && token.text !== text)) throw this.#unknown(token)
    this.#at++
    return token
  }

  #unknown({ text, at }: Token): SyntaxError {
    return new SyntaxError(
      `Cannot read the rule ${this.#source}: ${text || 'its end'} at ${at} is not understood there`,
    )
  }

  #skip(...signs: string[]): string | undefined {
    const { kind, text } = this.#tokens[this.#at]!
    if ((kind !== 'sign' && !(kind === 'name' && text === 'in')) || !signs.includes(text)) return undefined
    this.#at++
    return text
  }

  #either(): Expression {
    let left = this.#both()
    while (this.#skip('||')) left = decided(left, this.#both(), true)
    return left
  }

  #both(): Expression {
    let left = this.#comparison()
    while (this.#skip('&&')) left = decided(left, this.#comparison(), false)
    return left
  }

  #comparison(): Expression {
    const left = this.#sum()
    const sign = this.#skip('==', '!=', '<', '<=', '>', '>=', 'in')
    if (sign === undefined) return left
    const right = this.#sum()
    return (variables) => compare(sign, left(variables), right(variables))
  }

  #sum(): Expression {
    let left = this.#unary()
    for (let sign = this.#skip('+', '-'); sign !== undefined; sign = this.#skip('+', '-')) {
      const [before, right, isPlus] = [left, this.#unary(), sign === '+']
      left = (variables) => add(before(variables), right(variables), isPlus)
    }
    return left
  }

  #unary(): Expression {
    const sign = this.#skip('!', '-')
    if (sign === undefined) return this.#postfix()
    const inner = this.#unary()
    return sign === '!' ? (variables) => !bool(inner(variables)) : (variables) => -(inner(variables) as number)
  }

  #postfix(): Expression {
    let value = this.#primary()
    for (;;) {
      if (this.#skip('.')) {
        const { text } = this.expect('name')
        value = this.#skip('(') ? this.#method(value, text) : fieldOf(value, text)
      } else if (this.#skip('[')) {
        const [list, index] = [value, this.expression()]
        this.expect('sign', ']')
        value = (variables) => itemOf(list(variables), index(variables))
      } else return value
    }
  }

  #primary(): Expression {
    const token = this.#tokens[this.#at++]!
    const { kind, text } = token
    if (kind === 'number') return () => Number(text)
    if (kind === 'text') return () => text
    if (kind === 'sign' && text === '(') {
      const inner = this.expression()
      this.expect('sign', ')')
      return inner
    }
    if (kind === 'sign' && text === '[') {
      const items = this.#list(']')
      return (variables) => items.map((item) => item(variables))
    }
    if (kind !== 'name') throw this.#unknown(token)
    if (text === 'true' || text === 'false') return () => text === 'true'
    if (text === 'null') return () => null
    if (!this.#skip('(')) return variable(text)
    const [argument, ...others] = this.#list(')')
    if (argument === undefined || others.length > 0) throw this.#unknown(token)
    if (text === 'has') {
      const owner = OWNERS.get(argument)
      if (owner === undefined) throw this.#unknown(token)
      return (variables) => (owner.of(variables) as Record<string, unknown>)[owner.name] !== undefined
    }
    if (text === 'size') return (variables) => sizeOf(argument(variables))
    if (text === 'string') return (variables) => String(argument(variables))
    throw this.#unknown(token)
  }

  #list(end: string): Expression[] {
    const items: Expression[] = []
    if (this.#skip(end)) return items
    do items.push(this.expression())
    while (this.#skip(','))
    this.expect('sign', end)
    return items
  }

  #method(target: Expression, name: string): Expression {
    const macro = MACROS[name]
    if (macro !== undefined) {
      const item = this.expect('name').text
      this.expect('sign', ',')
      const body = this.expression()
      this.expect('sign', ')')
      return (variables) => macro(itemsOf(target(variables)), (value) => body({ ...variables, [item]: value }))
    }
    const token = this.#tokens[this.#at]!
    const [argument] = this.#list(')')
    if (name === 'size') return (variables) => sizeOf(target(variables))
    const method = TEXT_METHODS[name]
    if (method === undefined || argument === undefined) throw this.#unknown(token)
    return (variables) => method(text(target(variables)), text(argument(variables)))
  }
}

/** What `has(a.b)` looks into, told by the expression of `a.b`. */
const OWNERS = new WeakMap<Expression, { of: Expression; name: string }>()

function fieldOf(of: Expression, name: string): Expression {
  const expression: Expression = (variables) => {
    const value = (of(variables) as Record<string, unknown> | null | undefined)?.[name]
    if (value === undefined) throw new Error(`no such key: ${name}`)
    return value
  }
  OWNERS.set(expression, { of, name })
  return expression
}

function variable(name: string): Expression {
  return (variables) => {
    if (!(name in variables)) throw new Error(`undeclared reference to ${name}`)
    return variables[name]
  }
}

const MACROS: Record<string, (items: unknown[], body: (item: unknown) => unknown) => unknown> = {
  all: (items, body) => items.every((item) => bool(body(item))),
  exists: (items, body) => items.some((item) => bool(body(item))),
  filter: (items, body) => items.filter((item) => bool(body(item))),
  map: (items, body) => items.map(body),
}

const TEXT_METHODS: Record<string, (text: string, argument: string) => unknown> = {
  matches: (value, pattern) => new RegExp(pattern).test(value),
  startsWith: (value, start) => value.startsWith(start),
  endsWith: (value, end) => value.endsWith(end),
  contains: (value, part) => value.includes(part),
}

function decided(left: Expression, right: Expression, by: boolean): Expression {
  return (variables) => {
    let failure: unknown
    for (const side of [left, right]) {
      try {
        if (bool(side(variables)) === by) return by
      } catch (error) {
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure
    return !by
  }
}

function compare(sign: string, left: any, right: any): boolean {
  if (sign === 'in') return itemsOf(right).includes(left)
  if (sign === '==') return JSON.stringify(left) === JSON.stringify(right)
  if (sign === '!=') return JSON.stringify(left) !== JSON.stringify(right)
  if (typeof left !== typeof right) throw new Error(`no such overload: ${typeof left} ${sign} ${typeof right}`)
  if (sign === '<') return left < right
  if (sign === '<=') return left <= right
  return sign === '>' ? left > right : left >= right
}

function add(left: any, right: any, isPlus: boolean): unknown {
  if (typeof left !== typeof right) throw new Error(`no such overload: ${typeof left} + ${typeof right}`)
  return isPlus ? left + right : left - right
}

function bool(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new Error(`no such overload: ${typeof value} is no bool`)
  return value
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`no such overload: ${typeof value} is no string`)
  return value
}

/** Of a map, its keys. */
function itemsOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  if (typeof value === 'object' && value !== null) return Object.keys(value)
  throw new Error(`no such overload: ${typeof value} has no items`)
}

function itemOf(list: unknown, index: unknown): unknown {
  const value = (list as Record<string, unknown>)[index as string]
  if (value === undefined) throw new Error(`no such key: ${index}`)
  return value
}

function sizeOf(value: unknown): number {
  return typeof value === 'string' ? [...value].length : itemsOf(value).length
}
