import { expect, test } from 'vitest'
import { z } from 'zod'
import { kept, quantities, rules } from './schema-words.ts'
import { schemaAt, structural } from './structural.ts'

test('structural() says in OpenAPI v3 what the schema says', () => {
  const schema = z
    .object({
      count: z.int().min(1).max(9).default(2).describe('How many.'),
      any: z.int(),
      share: z.number().gt(0).lt(1).optional(),
      word: z.enum(['a', 'b']).optional(),
      name: z.string().min(1).max(3).regex(/^a/),
      list: z.array(z.string().max(4)).max(5).optional(),
      byName: z.record(z.string(), z.boolean()).optional(),
      rest: kept('All of it.').optional(),
      inner: z.object({}).prefault({}),
    })
    .meta({ description: 'It.', ...rules({ rule: 'self.count > 1', message: 'must be' }) })
  expect(structural(schema)).toEqual({
    type: 'object',
    description: 'It.',
    required: ['any', 'name'],
    'x-kubernetes-validations': [{ rule: 'self.count > 1', message: 'must be' }],
    properties: {
      count: { type: 'integer', format: 'int64', minimum: 1, maximum: 9, default: 2, description: 'How many.' },
      any: { type: 'integer', format: 'int64' },
      share: { type: 'number', minimum: 0, exclusiveMinimum: true, maximum: 1, exclusiveMaximum: true },
      word: { type: 'string', enum: ['a', 'b'] },
      name: { type: 'string', minLength: 1, maxLength: 3, pattern: '^a' },
      list: { type: 'array', maxItems: 5, items: { type: 'string', maxLength: 4 } },
      byName: { type: 'object', additionalProperties: { type: 'boolean' } },
      rest: { type: 'object', description: 'All of it.', properties: {}, 'x-kubernetes-preserve-unknown-fields': true },
      inner: { type: 'object', default: {}, properties: {} },
    },
  })
})

test('a quantity has no type, as it may be a number or a text', () => {
  const amount = structural(quantities('Amounts.')).additionalProperties!
  expect(amount).toMatchObject({ 'x-kubernetes-int-or-string': true, maxLength: 64 })
  expect(amount).not.toHaveProperty('type')
})

test.each([
  [
    'a choice of types',
    z.object({ a: z.union([z.string(), z.boolean()]) }),
    /Cannot make a structural: it has no one type/,
  ],
  ['null', z.object({ a: z.null() }), /Cannot make a structural/],
  ['a constant', z.object({ a: z.object({ b: z.literal('x') }) }), /Cannot make a\.b structural: it has const/],
  ['a step', z.object({ a: z.int().multipleOf(2) }), /it has multipleOf, which the API server does not take/],
])('structural() refuses %s', (_, schema, text) => expect(() => structural(schema)).toThrow(text))

test('schemaAt() finds properties, items and values by name', () => {
  const schema = structural(z.object({ a: z.array(z.record(z.string(), z.object({ b: z.boolean() }))) }))
  expect(schemaAt(schema, ['a', '[]', 'anything', 'b'])).toEqual({ type: 'boolean' })
  expect(schemaAt(schema, ['a', 'b'])).toBeUndefined()
})
