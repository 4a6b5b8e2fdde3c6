import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { admit } from './admit.ts'
import { admitRules } from './admit-rules.ts'
import { streamDeploymentDefinition } from './crd.ts'
import { lineOf } from './messages.ts'
import { kept, listMap, moment, quantities, rules, text, texts, whole } from './schema-words.ts'
import { structural } from './structural.ts'

const schema = streamDeploymentDefinition().spec.versions[0].schema.openAPIV3Schema
const deployment = (spec: unknown, name = 'a') => ({
  apiVersion: 'tailrace.dev/v1beta1',
  kind: 'StreamDeployment',
  metadata: { name, labels: { any: 'thing' } },
  spec,
})
const JOB = { artifact: 'local:///job.js' }

describe('admit()', () => {
  const judge = (value: unknown, of: z.ZodType) => admit(value, structural(of)).problems.map(lineOf)

  test('fills in defaults, keeps metadata, drops what nobody knows', () => {
    const { value, problems, unknown } = admit(deployment({ job: { ...JOB, paralelism: 2 }, taskManager: {} }), schema)
    expect(problems).toEqual([])
    expect(unknown).toEqual(['spec.job.paralelism'])
    expect(value).toEqual({
      ...deployment({}),
      spec: {
        job: { ...JOB, state: 'running', upgradeMode: 'stateless', allowNonRestoredState: false },
        jobManager: { replicas: 1 },
        taskManager: { replicas: 1 },
      },
    })
  })

  test('keeps what a pod template has beyond what is described', () => {
    const podTemplate = { spec: { containers: [{ name: 'tailrace', tty: true }], hostPID: true } }
    expect(admit(deployment({ podTemplate }), schema).value).toMatchObject({ spec: { podTemplate } })
  })

  test('takes null for not given', () => {
    expect(admit(deployment({ job: null, image: null }), schema)).toMatchObject({ problems: [], unknown: [] })
    expect(admit({ ...deployment(null) }, schema).value).not.toHaveProperty('spec')
  })

  test('tells everything that is wrong at once', () => {
    const { problems } = admit(
      deployment(
        {
          taskManager: { replicas: 0 },
          job: { ...JOB, args: 'x', upgradeMode: 'never' },
          podTemplate: { spec: { containers: [{ image: 'x' }, { name: 'b' }, { name: 'b' }] } },
        },
        'Not_a_name',
      ),
      schema,
    )
    expect(problems.map(lineOf)).toEqual([
      'metadata.name: must match ^[a-z]([-a-z0-9]*[a-z0-9])?$; it is "Not_a_name"',
      'spec.taskManager.replicas: must be at least 1; it is 0',
      'spec.job.args: must be a list, and is "x"',
      'spec.job.upgradeMode: must be one of savepoint, last-state, stateless; it is "never"',
      'spec.podTemplate.spec.containers: has name "b" twice',
      'spec.podTemplate.spec.containers[0].name: is missing',
    ])
  })

  test('judges every kind of value', () => {
    const all = z.object({
      text: text(3, '').min(2).optional(),
      number: z.number().gt(0).lt(1).optional(),
      whole: whole('', { max: 5 }).optional(),
      flag: z.boolean().optional(),
      when: moment('').optional(),
      amounts: quantities('').optional(),
      named: texts(3, 1, '').optional(),
      list: listMap(z.object({ name: z.string() }), 'name', 1, '').optional(),
      any: kept('').optional(),
    })
    expect(
      judge(
        {
          text: 'abc',
          number: 0.5,
          whole: 5,
          flag: false,
          when: '2026-01-01T00:00:00Z',
          amounts: { cpu: 1, memory: '1Gi' },
          named: { a: 'b' },
          any: { x: [1] },
        },
        all,
      ),
    ).toEqual([])
    expect(
      judge(
        {
          text: 'a',
          number: 0,
          whole: 6,
          flag: 'true',
          when: 'soon',
          amounts: { cpu: 'x' },
          named: { a: 'long', b: '' },
          list: [{ name: 'a' }, { name: 'b' }],
          any: 1,
        },
        all,
      ),
    ).toEqual([
      'text: has 1 characters, 2 are the least',
      'number: must be more than 0; it is 0',
      'whole: must be at most 5; it is 6',
      'flag: must be true or false, and is "true"',
      'when: must be a moment such as 2026-01-31T12:00:00Z; it is "soon"',
      expect.stringMatching(/^amounts\.cpu: must match .*; it is "x"$/),
      'named.a: has 4 characters, 3 are the most',
      'named: has 2 entries, 1 are the most',
      'list: has 2 items, 1 are the most',
      'any: must be an object, and is 1',
    ])
    expect(judge({ text: 1, number: 1, whole: 1.5, amounts: { cpu: 1.5 }, flag: null }, all)).toEqual([
      'text: must be a text, and is 1',
      'number: must be less than 1; it is 1',
      'whole: must be a whole number, and is 1.5',
      'amounts.cpu: must be an integer or a text',
    ])
  })
})

describe('admitRules()', () => {
  const judge = (spec: unknown, old?: unknown) =>
    admitRules(
      admit(deployment(spec), schema).value,
      schema,
      old === undefined ? undefined : admit(deployment(old), schema).value,
    ).map(lineOf)

  const wrong: [string, unknown, RegExp[]][] = [
    ['two names of the version', { version: '1', flinkVersion: 'v1_20' }, [/^spec\.flinkVersion: must have `version`/]],
    [
      'two names of the configuration',
      { configuration: {}, flinkConfiguration: {} },
      [/^spec\.flinkConfiguration: must have/],
    ],
    [
      'resource and resources',
      { jobManager: { resource: {}, resources: {} }, taskManager: { resource: {}, resources: {} } },
      [/^spec\.jobManager\.resource: /, /^spec\.taskManager\.resource: /],
    ],
    ['nothing to run', { job: {} }, [/^spec\.job: must name what is run: .* none of them is given$/]],
    ['two things to run', { job: { ...JOB, sql: 'x' } }, [/several of them are given$/]],
    [
      'a scheme that nobody fetches',
      { job: { artifact: 'hdfs://x' } },
      [/^spec\.job\.artifact: must be a URI .* it is 'hdfs:\/\/x'$/],
    ],
    ['two names of the entry', { job: { ...JOB, entry: 'a', entryClass: 'b' } }, [/^spec\.job\.entryClass: /]],
    [
      'a redeployment from nowhere',
      { job: { ...JOB, savepointRedeployNonce: 1 } },
      [/^spec\.job\.savepointRedeployNonce: must say `initialSavepointPath`/],
    ],
  ]
  test.each(wrong)('refuses %s', (_, spec, expected) => {
    const found = judge(spec)
    expect(found).toHaveLength(expected.length)
    found.forEach((line, at) => {
      expect(line).toMatch(expected[at])
    })
  })

  test('takes a job, and a session cluster', () => {
    expect(judge({ job: JOB, configuration: {}, version: '1' })).toEqual([])
    expect(judge({})).toEqual([])
  })

  test('a session cluster and one with a job do not become each other', () => {
    expect(judge({}, { job: JOB })).toEqual([expect.stringMatching(/^spec\.job: must keep `job`/)])
    expect(judge({ job: JOB }, {})).toEqual([expect.stringMatching(/^spec\.job: must stay without `job`/)])
    expect(judge({ job: { ...JOB, state: 'suspended' } }, { job: JOB })).toEqual([])
  })

  test('items of a list with names are compared with those of the same name', () => {
    const item = z
      .object({ name: z.string(), size: z.int().optional() })
      .meta(rules({ rule: 'self.size >= oldSelf.size', message: 'must not shrink' }))
    const of = structural(z.object({ list: listMap(item, 'name', 5, '') }))
    const old = {
      list: [
        { name: 'a', size: 2 },
        { name: 'b', size: 2 },
      ],
    }
    expect(
      admitRules(
        {
          list: [
            { name: 'b', size: 1 },
            { name: 'c', size: 1 },
            { name: 'a', size: 2 },
          ],
        },
        of,
        old,
      ).map(lineOf),
    ).toEqual(['list[0]: must not shrink'])
  })

  test('a rule or a message that cannot be evaluated falls to its plain words', () => {
    const of = structural(
      z.object({}).meta(rules({ rule: 'self.gone', message: 'plain', messageExpression: 'self.gone' })),
    )
    expect(admitRules({}, of)).toEqual([{ path: '', text: 'plain' }])
  })
})
