import { describe, expect, test } from 'vitest'
import { compileRule } from './cel.ts'

const evaluate = (rule: string, self: unknown = {}, more: object = {}) => compileRule(rule)({ self, ...more })

describe('compileRule()', () => {
  const values: [string, unknown, unknown][] = [
    ["1 + 2 == 3 && 'a' + \"b\" == 'ab'", {}, true],
    ['-self.a < 0 && self.a >= 2 && self.a != 3', { a: 2 }, true],
    ['has(self.a) == has(self.b)', { a: 1 }, false],
    ['!(has(self.a) && has(self.a.b))', { a: { b: 0 } }, false],
    ['[has(self.a), has(self.b)].filter(one, one).size() == 1', { b: false }, true],
    ["self.a.matches('^x+$') ? 'yes' : 'no'", { a: 'xx' }, 'yes'],
    ["self.all(name, name.startsWith('a') || name.endsWith('z'))", { ab: 1, cz: 2 }, true],
    ["self.exists(one, one == 'b') && 'c' in self && !('d' in self)", ['b', 'c'], true],
    ["self.map(one, one + '!')[1]", ['a', 'b'], 'b!'],
    ["size(self.a) == 2 && string(7) == '7' && self.a.contains('b')", { a: 'ab' }, true],
    ["self.a == 'it\\'s' && true != false && self.b == null", { a: "it's", b: null }, true],
    ['self.a == [1, 2] && self.b == self.c', { a: [1, 2], b: { x: 1 }, c: { x: 1 } }, true],
  ]
  test.each(values)('%s', (rule, self, value) => expect(evaluate(rule, self)).toEqual(value))

  test('&& and || look past an error when the other side decides, on either side', () => {
    expect(evaluate('self.gone || true')).toBe(true)
    expect(evaluate('true || self.gone')).toBe(true)
    expect(evaluate('self.gone && false')).toBe(false)
    expect(() => evaluate('self.gone || false')).toThrow('no such key: gone')
  })

  test('a missing field, another type and an unknown variable are errors', () => {
    expect(() => evaluate('self.a.b', { a: {} })).toThrow('no such key: b')
    expect(() => evaluate("1 < '2'")).toThrow('no such overload')
    expect(() => evaluate('!1')).toThrow('no such overload')
    expect(() => evaluate('oldSelf.a')).toThrow('undeclared reference to oldSelf')
    expect(evaluate('oldSelf.a == 1', {}, { oldSelf: { a: 1 } })).toBe(true)
  })

  test.each([
    '',
    '1 +',
    'self.a =~ 1',
    "url(self.a) == 'x'",
    "self.a.lowerAscii() == 'a'",
    'has(self)',
    '{1: 2}',
    'a ? b',
    "self.all('x', true)",
  ])('refuses %j when it is read', (rule) => expect(() => compileRule(rule)).toThrow(SyntaxError))
})
