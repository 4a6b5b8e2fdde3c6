import { describe, expect, test } from 'vitest'
import { PROPERTIES, Properties, type PropertyName, WITHOUT_MEANING } from './properties.ts'

const refused = (text: string) =>
  expect.objectContaining({ code: 'TR-KAFKA-001', message: expect.stringContaining(text) })

test('what is not given has its standard value, or none', () => {
  const properties = new Properties()
  expect(properties.text('isolation.level')).toBe('read_uncommitted')
  expect(properties.isSet('isolation.level')).toBe(false)
  expect(properties.text('group.id')).toBeUndefined()
  expect(properties.integer('linger.ms', { atLeast: 0 })).toBe(5)
  expect(properties.boolean('check.crcs')).toBe(true)
})

test('values may be texts, numbers and booleans, with spaces around; an empty text is set; undefined is not', () => {
  const properties = new Properties({
    'linger.ms': 7,
    'batch.size': ' 100 ',
    'check.crcs': false,
    'enable.idempotence': 'TRUE',
    'ssl.endpoint.identification.algorithm': '',
    'sasl.password': undefined as never,
  })
  expect(properties.integer('linger.ms', { atLeast: 0 })).toBe(7)
  expect(properties.integer('batch.size', { atLeast: 1 })).toBe(100)
  expect(properties.boolean('check.crcs')).toBe(false)
  expect(properties.boolean('enable.idempotence')).toBe(true)
  expect(properties.text('ssl.endpoint.identification.algorithm')).toBe('')
  expect(properties.isSet('sasl.password')).toBe(false)
})

test.each(['abc', '', '1.5', '1e3', '-1', '0x10', 'Infinity'])('%j is not a whole number of 0 or more', (value) => {
  const properties = new Properties({ 'linger.ms': value })
  expect(() => properties.integer('linger.ms', { atLeast: 0 })).toThrow(
    refused(
      `Cannot use ${JSON.stringify(value)} for the Kafka property linger.ms: a whole number of 0 or more is wanted`,
    ),
  )
})

test('a word is one of those that are known, in any case', () => {
  const words = ['PLAIN', 'SCRAM-SHA-256'] as const
  expect(new Properties({ 'sasl.mechanism': 'scram-sha-256' }).word('sasl.mechanism', words)).toBe('SCRAM-SHA-256')
  expect(() => new Properties({ 'sasl.mechanism': 'GSSAPI' }).word('sasl.mechanism', words)).toThrow(
    refused('Cannot use "GSSAPI" for the Kafka property sasl.mechanism: one of PLAIN, SCRAM-SHA-256 is wanted'),
  )
})

test('a name that nobody knows is told, with the one that may be meant', () => {
  const { warnings } = new Properties({
    'isolation.levl': 'x',
    zzz: 1,
    'key.deserializer': 'org.Some',
    'fetch.min.bytes': 1,
  })
  expect(warnings).toEqual([
    'Unknown Kafka property "isolation.levl": did you mean "isolation.level"?',
    'Unknown Kafka property "zzz"',
  ])
})

test.each([
  'sasl.password',
  'sasl.jaas.config',
  'ssl.keystore.password',
  'ssl.keystore.key',
  'ssl.key.password',
] as const)('no message shows the value of %s', (name) => {
  const properties = new Properties({ [name]: 'hunter2' })
  const { message } = properties.refusal(name, 'another')
  expect(message).not.toContain('hunter2')
  expect(message).toContain(name)
  expect(properties.warnings.join()).not.toContain('hunter2')
})

describe('the table', () => {
  test('has no name twice, and each says what it does', () => {
    for (const name of Object.keys(PROPERTIES)) expect(WITHOUT_MEANING).not.toHaveProperty([name])
    for (const { text } of Object.values(PROPERTIES)) expect(text).toMatch(/\w.*[.:`]$/)
  })

  test('has standard values that are valid', () => {
    const properties = new Properties()
    for (const name of Object.keys(PROPERTIES) as PropertyName[]) {
      const standard = properties.text(name)
      if (/\.(ms|bytes|size|memory)$/.test(name) && standard !== undefined)
        expect(properties.integer(name, { atLeast: 0 })).toBe(Number(standard))
    }
  })
})
