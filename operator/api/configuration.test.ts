import { describe, expect, test } from 'vitest'
import { checkConfiguration, flatten, take } from './configuration.ts'
import { lineOf, type Message } from './messages.ts'

const AT = ['spec', 'configuration']

describe('flatten()', () => {
  const flat = (given: unknown) => {
    const problems: Message[] = []
    return { values: flatten(given, AT, problems), problems: problems.map(lineOf) }
  }

  test('takes nested, flat and mixed keys', () => {
    const given = {
      state: { 'checkpoints.dir': 's3://b/c', savepoints: { dir: 's3://b/s' } },
      'parallelism.default': 2,
      a: true,
    }
    expect(flat(given)).toEqual({
      values: {
        'state.checkpoints.dir': 's3://b/c',
        'state.savepoints.dir': 's3://b/s',
        'parallelism.default': '2',
        a: 'true',
      },
      problems: [],
    })
  })

  test('makes one text of lists, and leaves out what has no value', () => {
    expect(flat({ a: ['x', 'y;z'], b: null, c: {} }).values).toEqual({ a: "x;'y;z'" })
  })

  test('tells a key that is given twice, unless both say the same', () => {
    expect(flat({ a: { b: 1 }, 'a.b': 1 }).problems).toEqual([])
    expect(flat({ a: { b: 1 }, 'a.b': 2 }).problems).toEqual([
      'spec.configuration["a.b"]: gives a.b a second value; one is wanted, nested or flat',
    ])
  })

  test('ends at a depth that no configuration has', () => {
    let deep: object = { x: 1 }
    for (let i = 0; i < 40; i++) deep = { x: deep }
    expect(flat(deep).problems).toEqual([expect.stringContaining('lies more than 32 levels deep')])
  })
})

describe('checkConfiguration()', () => {
  const check = (values: Record<string, string>) => {
    const { warnings, problems } = checkConfiguration(values, AT)
    return { warnings: warnings.map(lineOf), problems: problems.map(lineOf) }
  }
  const nothing = { warnings: [], problems: [] }

  test('says nothing about values that fit, in either spelling', () => {
    expect(check({ 'execution.checkpointing.interval': '10s', 'state.savepoints.dir': 's3://b/s' })).toEqual(nothing)
  })

  test('tells all values that cannot be read', () => {
    expect(
      check({ 'execution.checkpointing.interval': 'soon', 'taskmanager.numberOfTaskSlots': '0' }).problems,
    ).toEqual([
      expect.stringMatching(
        /^spec\.configuration\["execution\.checkpointing\.interval"\]: cannot be "soon": .* is wanted$/,
      ),
      expect.stringMatching(/cannot be "0": .* is wanted$/),
    ])
  })

  test('leaves to the process what the environment says, and what is empty', () => {
    expect(check({ 'execution.checkpointing.interval': '${INTERVAL}', 'parallelism.default': '' })).toEqual(nothing)
  })

  test('tells a key that nobody knows, with the one that may be meant', () => {
    expect(check({ 'execution.checkpointing.intervall': '1s' }).warnings).toEqual([
      'spec.configuration["execution.checkpointing.intervall"]: is not known: is execution.checkpointing.interval meant?',
    ])
  })

  test('refuses what would be dangerous to leave out', () => {
    expect(check({ 'security.ssl.rest.enabled': 'true' }).problems).toHaveLength(1)
    expect(check({ 'security.ssl.rest.enabled': 'false' })).toEqual(nothing)
  })

  test('never shows a secret', () => {
    expect(
      JSON.stringify(check({ 's3.secret-key': 'hunter2', 'security.ssl.internal.key-password': 'hunter2' })),
    ).not.toContain('hunter2')
  })

  test('holds keys of the operator to their own types', () => {
    expect(
      check({ 'kubernetes.operator.job.savepoint-on-deletion': 'true', 'tailrace.operator.deletion.timeout': '5 min' }),
    ).toEqual(nothing)
    expect(check({ 'kubernetes.operator.job.savepoint-on-deletion': 'maybe' }).problems).toHaveLength(1)
    expect(check({ 'kubernetes.operator.periodic.savepoint.interval': '1 h' }).warnings).toHaveLength(1)
  })
})

test('take() takes a value out under all of its names, the newest of which holds', () => {
  const values = { b: '2', a: ' 1 ', c: '3' }
  expect(take(values, { key: 'a', older: ['b'] })).toEqual({ key: 'a', text: '1' })
  expect(values).toEqual({ c: '3' })
  expect(take(values, { key: 'a', older: ['b'] })).toBeUndefined()
})
