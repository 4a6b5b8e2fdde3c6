import { describe, expect, test } from 'vitest'
import { lineOf } from './messages.ts'
import { normalize, readSpec } from './normalize.ts'
import { validate } from './validate.ts'

const STORES = { 'state.checkpoints.dir': 's3://b/c', 'execution.checkpointing.savepoint-dir': 's3://b/s' }
const JOB = { artifact: 'local:///opt/tailrace/usrlib/job.js' }
const problems = (input: object) => validate(normalize(input, { image: 'i' }).spec!).map(lineOf)

describe('validate()', () => {
  test('says nothing about a spec that can run', () => {
    expect(
      problems({ configuration: STORES, job: { ...JOB, upgradeMode: 'savepoint', savepointTriggerNonce: 3 } }),
    ).toEqual([])
    expect(problems({})).toEqual([])
  })

  const wrong: [string, object, (string | RegExp)[]][] = [
    [
      'savepoint without places',
      { job: { ...JOB, upgradeMode: 'savepoint' } },
      [
        /upgradeMode: savepoint needs a place for checkpoints: set execution\.checkpointing\.dir/,
        /upgradeMode: savepoint needs a place for savepoints/,
      ],
    ],
    [
      'last-state without checkpoints',
      { job: { ...JOB, upgradeMode: 'last-state' } },
      [/upgradeMode: last-state needs a place for checkpoints/],
    ],
    [
      'a savepoint by nonce without a place',
      { job: { ...JOB, savepointTriggerNonce: 1 } },
      [/savepointTriggerNonce: a savepoint needs a place/],
    ],
    [
      'a checkpoint by nonce without a place',
      { job: { ...JOB, checkpointTriggerNonce: 1 } },
      [/checkpointTriggerNonce: a checkpoint needs a place/],
    ],
    [
      'a redeployment from nowhere',
      { job: { ...JOB, savepointRedeployNonce: 1 } },
      [/savepointRedeployNonce: needs initialSavepointPath/],
    ],
    ['nothing to run', { job: {} }, [/spec\.job\.artifact: is missing/]],
    ['SQL', { job: { sql: 'SELECT 1' } }, [/spec\.job\.sql: is not understood/]],
    ['a Java archive', { job: { artifact: 'local:///x/job.jar' } }, [/is the Java archive "local:\/\/\/x\/job\.jar"/]],
    ['a scheme that nobody fetches', { job: { artifact: 'hdfs://x/job.js' } }, [/a URI of the scheme local/]],
    [
      'more than there are key groups',
      { configuration: { 'pipeline.max-parallelism': 8 }, job: { ...JOB, parallelism: 9 } },
      [/parallelism: is 9, more than pipeline\.max-parallelism, which is 8/],
    ],
    [
      'more than there can be',
      { configuration: { 'taskmanager.numberOfTaskSlots': 100 }, taskManager: { replicas: 1000 }, job: JOB },
      [/parallelism: comes to 100000/],
    ],
    [
      'request above limit',
      { taskManager: { resources: { requests: { cpu: '2', memory: '4Gi' }, limits: { cpu: '1', memory: '4096Mi' } } } },
      ['spec.taskManager.resources.requests.cpu: is 2, more than its limit of 1'],
    ],
    [
      'amounts of nothing and less',
      { taskManager: { resources: { requests: { cpu: '-1' }, limits: { memory: 0 } } } },
      [
        'spec.taskManager.resources.requests.cpu: is -1, more than 0 is wanted',
        'spec.taskManager.resources.requests.memory: is 0, more than 0 is wanted',
        'spec.taskManager.resources.limits.memory: is 0, more than 0 is wanted',
      ],
    ],
    [
      'too little memory',
      { jobManager: { resource: { memory: '64m' } } },
      [/spec\.jobManager\.resource\.memory: comes to 67108864 bytes; 128Mi/],
    ],
    [
      'a file that is the configuration',
      { logConfiguration: { 'config.yaml': '' } },
      [/logConfiguration\["config\.yaml"\]: is the file of spec\.configuration/],
    ],
    ['a file with a path', { logConfiguration: { '../x': '' } }, [/must be the name of a file/]],
  ]
  test.each(wrong)('refuses %s', (_, input, expected) => {
    const found = problems(input)
    expect(found).toHaveLength(expected.length)
    found.forEach((line, at) => {
      expect(line).toMatch(expected[at])
    })
  })

  test('tells everything at once, with what normalize has found', () => {
    const { problems: all } = readSpec(
      {
        configuration: { 'execution.checkpointing.interval': 'x' },
        job: { artifact: 'local:///a.jar', upgradeMode: 'last-state' },
      },
      { image: 'i' },
    )
    expect(all.map(({ path }) => path)).toEqual([
      'spec.configuration["execution.checkpointing.interval"]',
      'spec.job.upgradeMode',
      'spec.job.artifact',
    ])
  })
})
