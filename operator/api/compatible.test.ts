import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { incompatibilities } from './compatible.ts'
import { type CustomResourceDefinition, streamDeploymentDefinition } from './crd.ts'
import { kept, listMap, rules, texts } from './schema-words.ts'
import { structural } from './structural.ts'

const definition = (schema: z.ZodType, change: (crd: CustomResourceDefinition) => void = () => {}) => {
  const crd = streamDeploymentDefinition()
  crd.spec.versions[0].schema.openAPIV3Schema = structural(schema)
  change(crd)
  return crd
}
const named = z.object({ name: z.string() })

const RELEASED = z.object({
  text: z.string().max(10).optional(),
  count: z.int().min(1).max(9).default(2),
  word: z.enum(['a', 'b']).optional(),
  list: z.array(z.object({ x: z.boolean().optional() })).optional(),
  named: listMap(named, 'name', 5, '').optional(),
  labels: texts(10, 5, '').optional(),
  rest: kept('').optional(),
  inner: z
    .object({ need: z.string() })
    .meta(rules({ rule: 'true', message: '' }))
    .optional(),
})
const lines = (next: z.ZodType) => incompatibilities(definition(RELEASED), definition(next))

describe('incompatibilities()', () => {
  const taken: [string, z.ZodType][] = [
    ['nothing changed', RELEASED],
    ['another description', RELEASED.describe('New words.')],
    ['a field more', RELEASED.extend({ more: z.string().default('x') })],
    ['a field with needs of its own', RELEASED.extend({ more: z.object({ need: z.string() }).optional() })],
    ['wider bounds', RELEASED.extend({ text: z.string().max(20).optional(), count: z.int().min(0).default(2) })],
    ['a word more', RELEASED.extend({ word: z.enum(['a', 'b', 'c']).optional() })],
    ['any text for words', RELEASED.extend({ word: z.string().optional() })],
    ['fractions for whole numbers', RELEASED.extend({ count: z.number().min(1).max(9).default(2) })],
    ['a need dropped, and its rule', RELEASED.extend({ inner: z.object({ need: z.string().optional() }).optional() })],
    ['a named field kept as any', RELEASED.extend({ rest: z.looseObject({ known: kept('').optional() }).optional() })],
    ['longer lists', RELEASED.extend({ named: listMap(named, 'name', 9, '').optional() })],
  ]
  test.each(taken)('takes %s', (_, next) => expect(lines(next)).toEqual([]))

  const refused: [string, z.ZodType, string][] = [
    ['a field that is gone', RELEASED.omit({ text: true }), 'v1beta1 text: is gone'],
    [
      'another type',
      RELEASED.extend({ text: z.boolean().optional() }),
      'v1beta1 text: is of type boolean, and was string',
    ],
    [
      'other items',
      RELEASED.extend({ list: z.array(z.string()).optional() }),
      'v1beta1 list["*"]: is of type string, and was object',
    ],
    [
      'another default',
      RELEASED.extend({ count: z.int().min(1).max(9).default(3) }),
      'v1beta1 count: defaults to 3, and did to 2',
    ],
    [
      'no default any more',
      RELEASED.extend({ count: z.int().min(1).max(9).optional() }),
      'v1beta1 count: defaults to undefined, and did to 2',
    ],
    ['a word less', RELEASED.extend({ word: z.enum(['a']).optional() }), 'v1beta1 word: does not take b any more'],
    [
      'words for any text',
      RELEASED.extend({ text: z.enum(['x']).optional() }),
      'v1beta1 text: does not take any value any more',
    ],
    [
      'a pattern',
      RELEASED.extend({ text: z.string().max(10).regex(/^a/).optional() }),
      'v1beta1 text: must match ^a, and did not have to',
    ],
    [
      'a closer bound',
      RELEASED.extend({ text: z.string().max(9).optional() }),
      'v1beta1 text: has the maxLength 9, and had 10',
    ],
    [
      'a new bound',
      RELEASED.extend({ text: z.string().min(1).max(10).optional() }),
      'v1beta1 text: has the minLength 1, and had none',
    ],
    [
      'a higher minimum',
      RELEASED.extend({ count: z.int().min(2).max(9).default(2) }),
      'v1beta1 count: has the minimum 2, and had 1',
    ],
    ['a new need', RELEASED.extend({ more: z.string() }), 'v1beta1 the schema: needs more, and did not'],
    [
      'a need further down',
      RELEASED.extend({ list: z.array(z.object({ x: z.boolean() })).optional() }),
      'v1beta1 list["*"]: needs x, and did not',
    ],
    [
      'a new rule',
      RELEASED.meta(rules({ rule: 'has(self.text)', message: '' })),
      'v1beta1 the schema: has the rule has(self.text), and had not',
    ],
    [
      'a list that merges otherwise',
      RELEASED.extend({ named: z.array(named).max(5).optional() }),
      'v1beta1 named: has x-kubernetes-list-type undefined, and had "map"',
    ],
    [
      'values of another type',
      RELEASED.extend({ labels: z.record(z.string(), z.boolean()).optional() }),
      'v1beta1 labels["*"]: is of type boolean, and was string',
    ],
    [
      'no values by name any more',
      RELEASED.extend({ labels: z.object({}).optional() }),
      'v1beta1 labels: takes no entries any more',
    ],
    [
      'fields that were kept',
      RELEASED.extend({ rest: z.object({}).optional() }),
      'v1beta1 rest: drops fields that it kept',
    ],
    [
      'a type for what was kept',
      RELEASED.extend({ rest: z.looseObject({ known: z.boolean().optional() }).optional() }),
      'v1beta1 rest.known: is held to a schema, and was kept as it is',
    ],
  ]
  test.each(refused)('refuses %s', (_, next, line) => expect(lines(next)).toContain(line))

  test('refuses other names, versions and subresources', () => {
    const next = definition(RELEASED, (crd) => {
      crd.spec.names.plural = 'streams'
      crd.spec.names.shortNames = ['x']
      crd.spec.versions[0].subresources.scale.specReplicasPath = '.spec.replicas'
    })
    expect(incompatibilities(definition(RELEASED), next)).toEqual([
      'names.plural: is streams, and was streamdeployments',
      'names.shortNames: sd is gone',
      expect.stringMatching(/^v1beta1 subresources: are .*\.spec\.replicas/),
    ])
    for (const change of [{ name: 'v1' }, { served: false }]) {
      const gone = definition(RELEASED, (crd) => void Object.assign(crd.spec.versions[0], change))
      expect(incompatibilities(definition(RELEASED), gone)).toEqual(['v1beta1: is not served any more'])
    }
  })

  test('a version more is no harm', () => {
    const next = definition(
      RELEASED,
      (crd) => void crd.spec.versions.push({ ...crd.spec.versions[0], name: 'v1', storage: false }),
    )
    expect(incompatibilities(definition(RELEASED), next)).toEqual([])
  })
})
