import { describe, expect, it } from 'vitest'
import { joinEscaped, joinPairs, splitEscaped, splitPair } from './lists.ts'
import { ConfigValues, option } from './option.ts'
import { masked, shown } from './secrets.ts'
import {
  boolean,
  duration,
  integer,
  list,
  map,
  memorySize,
  number,
  type OptionType,
  oneOf,
  ports,
  text,
} from './types.ts'

describe('types', () => {
  it.each<[string, OptionType<unknown>, string, unknown]>([
    ['duration', duration(), '5 min', 300_000],
    ['duration', duration(), 'PT1.5S', 1500],
    ['duration', duration({ atLeastMs: -1 }), '-1', -1],
    ['memory size', memorySize(), '2048m', 2 ** 31],
    ['integer', integer({ atLeast: 0 }), '+7', 7],
    ['integer', integer({ atLeast: 1, infinite: true }), 'Infinite', Number.POSITIVE_INFINITY],
    ['number', number({ from: 0 }), '1.5', 1.5],
    ['boolean', boolean, 'TRUE', true],
    ['text', text(), 'a b', 'a b'],
    ['enum', oneOf(['AT_LEAST_ONCE']), 'at-least-once', 'AT_LEAST_ONCE'],
    ['enum', oneOf(['none'], { off: 'none' }), 'OFF', 'none'],
    ['list', list(integer({ atLeast: 0 })), '1; 2 ;3', [1, 2, 3]],
    ['list', list(text()), `'a;b';c`, ['a;b', 'c']],
    ['map', map, `a:1, b : x:y,'''c:d'':e,f'`, { a: '1', b: 'x:y', 'c:d': 'e,f' }],
    ['ports', ports, '8081-8099,9000', '8081-8099,9000'],
  ])('read %s', (name, type, given, value) => {
    expect(type.name).toBe(name)
    expect(type.parse(given)).toEqual(value)
  })

  it.each<[OptionType<unknown>, string, string]>([
    [duration(), 'soon', 'a duration such as'],
    [duration({ atLeastMs: 10 }), '9 ms', '10 ms or more'],
    [memorySize(), 'much', 'a size such as'],
    [memorySize({ atLeast: '16m' }), '15m', '16m or more'],
    [integer({ atLeast: 1 }), '1.5', 'a whole number of 1 or more'],
    [integer({ atLeast: 1, atMost: 256 }), '257', 'a whole number from 1 to 256'],
    [integer({ atLeast: 1 }), 'infinite', 'a whole number'],
    [number({ from: 0, to: 1 }), '1.01', 'a number from 0 to 1'],
    [number({ from: 1 }), 'NaN', '1 or more'],
    [boolean, 'yes', 'true or false'],
    [text({ like: /^a/, wanted: 'an a' }), 'b', 'an a'],
    [oneOf(['A', 'B']), 'C', 'one of A, B'],
    [list(boolean), 'true;no', 'true or false'],
    [map, 'a', 'pairs such as'],
    [ports, '8099-8081', 'a port or a range'],
    [ports, '65536', 'a port or a range'],
    [ports, '80,', 'a port or a range'],
  ])('refuse what they cannot read: %#', (type, given, wanted) => {
    expect(() => type.parse(given)).toThrow(wanted)
  })
})

describe('lists and maps', () => {
  it.each([[['a', 'b']], [['a;b', "it's", ' x ', `"q"`, `'s'`]], [["';'"]]])('come back as they were: %j', (parts) => {
    expect(splitEscaped(joinEscaped(parts, ';'), ';')).toEqual(parts)
  })

  it('come back as maps', () => {
    const pairs = Object.entries({ a: '1', 'k:1': 'x,y', b: 'http://h:80/p', "it's": "'q'" })
    expect(splitEscaped(joinPairs(pairs), ',').map(splitPair)).toEqual(pairs)
  })
})

describe('ConfigValues', () => {
  const retained = option({
    key: 'new',
    older: ['old', 'oldest'],
    fallback: ['other'],
    type: integer({ atLeast: 1 }),
    standard: '1',
    text: '',
  })
  const read = (values: Record<string, string>) => new ConfigValues(values, 'TR-CHECKPOINT-006')

  it.each([
    [{ new: '5', old: '3' }, 5],
    [{ oldest: '2', old: '3' }, 3],
    [{ new: ' ', old: ' 3 ' }, 3],
    [{ other: '9' }, 9],
    [{ other: '9', oldest: '2' }, 2],
    [{}, 1],
  ])('takes the newest name that is set: %j', (values, value) => {
    expect(read(values as Record<string, string>).get(retained)).toBe(value)
  })

  it('names the key as the user wrote it', () => {
    expect(() => read({ old: 'many' }).get(retained)).toThrow(
      expect.objectContaining({
        code: 'TR-CHECKPOINT-006',
        message: 'Cannot use "many" for old: a whole number of 1 or more is wanted',
      }),
    )
  })

  it('does not show what is secret', () => {
    const secret = option({ key: 'my.password', type: integer({ atLeast: 1 }), text: '' })
    expect(() => read({ 'my.password': 'hunter2' }).get(secret)).toThrow('Cannot use "******" for my.password')
  })
})

describe('masked()', () => {
  it('hides values whose keys say that they are secret', () => {
    const secret = [
      'ssl.keystore-password',
      's3.secret-key',
      's3.access-key',
      'x.apiKey',
      'a.sasl.jaas.config',
      'bearer-token',
    ]
    const open = ['s3.region', 'security.ssl.internal.keystore', 'parallelism.default']
    const values = Object.fromEntries([...secret, ...open].map((key) => [key, 'v']))
    expect(
      Object.entries(masked(values))
        .filter(([, value]) => value !== 'v')
        .map(([key]) => key),
    ).toEqual(secret)
    expect(shown('a.password', 'x')).toBe('******')
  })

  it('hides what the configuration names, too', () => {
    const values = { 'security.redaction.additional-keys': 'Region;other', 's3.region': 'eu', another: 'x' }
    expect(masked(values)).toEqual({
      'security.redaction.additional-keys': 'Region;other',
      's3.region': '******',
      another: '******',
    })
  })
})
