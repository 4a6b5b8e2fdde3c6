import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { lineOf } from './messages.ts'
import { normalize, readSpec } from './normalize.ts'
import { decideScale } from './scale.ts'
import { CLICK_AGGREGATION, FRAUD_DETECTION, MORE_KEYS } from './seed-manifests.suite.ts'

const OPTIONS = { image: 'tailrace:0.1.0' }
const read = (input: unknown) => {
  const { spec, problems, warnings } = normalize(input, OPTIONS)
  return { spec: spec!, problems: problems.map(lineOf), warnings: warnings.map(lineOf) }
}

describe('normalize()', () => {
  test('fills in what a spec leaves out', () => {
    const { spec, problems, warnings } = read({ job: { artifact: 'local:///opt/tailrace/usrlib/job.js' } })
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] })
    expect(spec).toMatchObject({
      image: 'tailrace:0.1.0',
      configuration: {},
      jobManager: {
        replicas: 1,
        memoryBytes: 2 ** 30,
        resources: { requests: { cpu: '1', memory: '1024Mi' }, limits: { memory: '1024Mi' } },
      },
      taskManager: { replicas: 1, slots: undefined, podTemplate: { spec: { containers: [{ name: 'tailrace' }] } } },
      job: { args: [], state: 'running', upgradeMode: 'stateless', allowNonRestoredState: false },
      reactive: false,
    })
  })

  test('names of Flink and ours come to the same', () => {
    const ours = read({
      configuration: { 'state.checkpoints.dir': 's3://b/c' },
      podTemplate: { spec: { containers: [{ name: 'tailrace', env: [{ name: 'A', value: '1' }] }] } },
      job: { artifact: 's3://b/job.tgz', entry: 'src/job.ts' },
    })
    const theirs = read({
      flinkVersion: 'v1_20',
      mode: 'native',
      flinkConfiguration: { state: { 'checkpoints.dir': 's3://b/c' } },
      podTemplate: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'pod-template' },
        spec: { containers: [{ name: 'flink-main-container', env: [{ name: 'A', value: '1' }] }] },
      },
      job: { jarURI: 's3://b/job.tgz', entryClass: 'src/job.ts' },
    })
    expect(theirs.spec).toEqual(ours.spec)
    expect(theirs.warnings).toEqual([
      'spec.flinkVersion: has no effect: v1_20 is a version of Flink',
      'spec.mode: has no effect: the operator makes all pods',
    ])
  })

  test('keeps a version of Tailrace, and knows one of Flink under our name', () => {
    expect(read({ version: '0.1' }).spec.version).toBe('0.1')
    expect(read({ version: 'v1_20' })).toMatchObject({
      spec: { version: undefined },
      warnings: [expect.stringContaining('spec.version')],
    })
  })

  test('two names of one thing are a problem where they are both given', () => {
    const { problems } = read({
      version: '1',
      flinkVersion: 'v1_20',
      configuration: {},
      flinkConfiguration: {},
      jobManager: { resource: { cpu: 1 }, resources: {} },
      podTemplate: { spec: { containers: [{ name: 'tailrace' }, { name: 'flink-main-container' }] } },
      job: { artifact: 'local:///a.js', jarURI: 'local:///b.js', entry: 'a', entryClass: 'b' },
    })
    expect(problems.map((line) => line.split(':')[0])).toEqual([
      'spec.flinkVersion',
      'spec.flinkConfiguration',
      'spec.podTemplate.spec.containers',
      'spec.jobManager.resource',
      'spec.job.jarURI',
      'spec.job.entryClass',
    ])
  })

  test('the name of a Java class is left out, and said', () => {
    const { spec, warnings } = read({ job: { artifact: 'local:///a.js', entryClass: 'com.example.Job$Inner' } })
    expect(spec.job!.entry).toBeUndefined()
    expect(warnings).toEqual([
      expect.stringMatching(
        /^spec\.job\.entryClass: has no effect: com\.example\.Job\$Inner is the name of a Java class/,
      ),
    ])
    expect(read({ job: { artifact: 'local:///a.js', entryClass: 'jobs/main.mjs' } }).spec.job!.entry).toBe(
      'jobs/main.mjs',
    )
  })

  describe('cores and memory', () => {
    const manager = (jobManager: object, configuration = {}) => read({ jobManager, configuration })

    test('of resource are in Flink’s notation, request and limit', () => {
      expect(
        manager({ resource: { cpu: 0.5, memory: '2048m', ephemeralStorage: '1g' } }).spec.jobManager,
      ).toMatchObject({
        resources: {
          requests: { cpu: '500m', memory: '2048Mi', 'ephemeral-storage': '1024Mi' },
          limits: { cpu: '500m', memory: '2048Mi', 'ephemeral-storage': '1024Mi' },
        },
        memoryBytes: 2 ** 31,
      })
    })

    test('of resources are quantities, but for m of memory, which nobody means', () => {
      const { spec, warnings } = manager({
        resources: { requests: { cpu: '500m', memory: '2048m' }, limits: { memory: '3Gi' } },
      })
      expect(spec.jobManager).toMatchObject({
        resources: { requests: { cpu: '500m', memory: '2048Mi' }, limits: { memory: '3Gi' } },
        memoryBytes: 3 * 2 ** 30,
      })
      expect(spec.jobManager.resources.limits.cpu).toBeUndefined()
      expect(warnings).toEqual([
        'spec.jobManager.resources.requests.memory: is taken as 2048Mi: 2048m would be thousandths of bytes',
      ])
    })

    test('of the configuration hold when the spec says nothing', () => {
      const { spec, warnings } = manager(
        {},
        { 'jobmanager.memory.process.size': '1600m', 'kubernetes.jobmanager.cpu.amount': '2' },
      )
      expect(spec.jobManager.resources.limits).toEqual({ cpu: '2', memory: '1600Mi' })
      expect(spec.configuration).toEqual({})
      expect(warnings).toEqual([])
    })

    test('have limits by a factor of the configuration', () => {
      const factors = {
        'kubernetes.jobmanager.cpu.limit-factor': '2.5',
        'kubernetes.jobmanager.memory.limit-factor': '1.5',
      }
      const { spec } = manager({ resource: { cpu: 0.5, memory: '1g' } }, factors)
      expect(spec.jobManager.resources).toEqual({
        requests: { cpu: '500m', memory: '1024Mi' },
        limits: { cpu: '1250m', memory: '1536Mi' },
      })
      expect(spec.configuration).toEqual({})
      expect(spec.taskManager.resources.limits.cpu).toBeUndefined()
    })

    test('have no limits below what is requested', () => {
      const { problems } = normalize({ configuration: { 'kubernetes.taskmanager.cpu.limit-factor': '0.5' } }, OPTIONS)
      expect(problems.map(lineOf)).toEqual([
        'spec.configuration["kubernetes.taskmanager.cpu.limit-factor"]: "0.5" is no number from 1 on',
      ])
    })

    test('of the configuration are told when the spec says otherwise', () => {
      const { spec, warnings } = manager({ resource: { memory: '1g' } }, { 'jobmanager.memory.process.size': '1600m' })
      expect(spec.jobManager.memoryBytes).toBe(2 ** 30)
      expect(warnings).toEqual([expect.stringMatching(/process\.size"\]: has no effect: spec\.jobManager says/)])
    })

    test('of the template’s container are taken out of it, below the component’s own', () => {
      const { spec } = read({
        podTemplate: {
          spec: {
            containers: [
              {
                name: 'tailrace',
                resources: {
                  requests: { memory: '1Gi', 'example.com/gpu': 1 },
                  limits: { 'ephemeral-storage': '2Gi' },
                },
              },
            ],
          },
        },
        taskManager: { resource: { memory: '4g' } },
      })
      expect(spec.taskManager.resources).toEqual({
        requests: { cpu: '1', memory: '4096Mi', 'example.com/gpu': '1' },
        limits: { memory: '4096Mi', 'ephemeral-storage': '2Gi' },
      })
      expect(spec.jobManager.resources.requests.memory).toBe('1Gi')
      expect(spec.taskManager.podTemplate.spec.containers).toEqual([{ name: 'tailrace' }])
    })
  })

  describe('configuration', () => {
    test('loses what the operator sets, and says so where it would have been another value', () => {
      const { spec, warnings } = read({
        configuration: {
          'high-availability': 'kubernetes',
          'kubernetes.cluster-id': 'x',
          'rest.port': '8081',
          'tailrace.deployment.id': 'y',
          'state.checkpoints.dir': 's3://b/c',
        },
      })
      expect(spec.configuration).toEqual({ 'state.checkpoints.dir': 's3://b/c' })
      const told = warnings.filter((line) => /it is the (name|uid) of the StreamDeployment/.test(line))
      expect(told).toHaveLength(2)
      expect(warnings.join()).not.toMatch(/rest\.port|high-availability/)
    })

    test('says slots, the parallelism that a job does not, and reactive', () => {
      const configuration = {
        'taskmanager.numberOfTaskSlots': 2,
        'parallelism.default': 4,
        'scheduler-mode': 'REACTIVE',
      }
      const { spec } = read({ configuration, job: { artifact: 'local:///a.js' } })
      expect(spec).toMatchObject({ taskManager: { slots: 2 }, job: { parallelism: 4 }, reactive: true })
      expect(spec.configuration).toEqual({ 'scheduler-mode': 'REACTIVE' })
      expect(read({ configuration, job: { artifact: 'local:///a.js', parallelism: 3 } }).spec.job!.parallelism).toBe(3)
    })

    test('of the operator lies below the spec’s own, and is not told of', () => {
      const { spec, warnings } = normalize(
        { configuration: { 'state.savepoints.dir': 's3://mine' } },
        {
          ...OPTIONS,
          configuration: {
            'state.savepoints.dir': 's3://all',
            'state.checkpoints.dir': 's3://c',
            'kubernetes.cluster-id': 'x',
          },
        },
      )
      expect(spec!.configuration).toEqual({ 'state.savepoints.dir': 's3://mine', 'state.checkpoints.dir': 's3://c' })
      expect(warnings).toEqual([])
    })

    test('for the operator is set apart, so that it restarts nothing', () => {
      const { spec } = read({ configuration: { kubernetes: { 'operator.job.savepoint-on-deletion': true } } })
      expect(spec.configuration).toEqual({})
      expect(spec.operatorConfiguration).toEqual({ 'kubernetes.operator.job.savepoint-on-deletion': 'true' })
    })
  })

  test('tells each field that has the wrong type, and makes nothing of the spec then', () => {
    const { spec, problems } = read({ taskManager: { replicas: 0 }, job: { args: 'x', upgradeMode: 'never' } })
    expect(spec).toBeUndefined()
    expect(problems.map((line) => line.split(': ')[0])).toEqual([
      'spec.taskManager.replicas',
      'spec.job.args',
      'spec.job.upgradeMode',
    ])
  })

  test('a resource without a spec has one problem', () => {
    expect(read(undefined)).toMatchObject({ spec: undefined, problems: ['spec: is missing: it says what is to run'] })
  })

  test('the order of keys does not tell two specs apart', () => {
    const [a, b] = [read({ configuration: { a: 1, b: 2 } }), read({ configuration: { b: 2, a: 1 } })]
    expect(JSON.stringify(a.spec)).toBe(JSON.stringify(b.spec))
  })
})

describe('manifests of Flink’s operator, with group, kind, image and artifact changed', () => {
  test('a job with replicas and no slots', () => {
    const { spec, problems, warnings } = readSpec(parse(CLICK_AGGREGATION).spec, OPTIONS)
    expect(problems).toEqual([])
    expect(warnings.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['spec.flinkVersion', 'spec.job.entryClass', 'spec.flinkConfiguration["state.backend"]']),
    )
    const { replicas, slots } = spec!.taskManager
    const wish = { replicas, slots, parallelism: spec!.job!.parallelism, reactive: false, session: false }
    const scale = decideScale(wish)
    expect(scale).toMatchObject({ taskManagers: 4, slots: 2, parallelism: 8 })
    expect(decideScale({ ...wish, replicas: 8 }, scale)).toMatchObject({ taskManagers: 8, slots: 2, parallelism: 16 })
    expect(spec!.taskManager).toMatchObject({
      memoryBytes: 2 ** 32,
      resources: { limits: { cpu: '2', memory: '4096Mi' } },
    })
    expect(spec!.jobManager.podTemplate.spec).toMatchObject({
      containers: [
        {
          name: 'tailrace',
          env: [{ name: 'KAFKA_BOOTSTRAP_SERVERS' }],
          volumeMounts: [{ mountPath: '/opt/flink/conf' }],
        },
      ],
      volumes: [{ name: 'flink-config-vol', configMap: { name: 'flink-job-config' } }],
    })
  })

  test('a job with slots, and keys of high availability', () => {
    const { spec, problems } = readSpec(parse(FRAUD_DETECTION).spec, OPTIONS)
    expect(problems).toEqual([])
    expect(spec).toMatchObject({
      taskManager: { slots: 4, replicas: 3 },
      job: { parallelism: 12, upgradeMode: 'savepoint' },
    })
    expect(Object.keys(spec!.configuration)).not.toContain('kubernetes.cluster-id')
    expect(spec!.configuration['high-availability.storageDir']).toBe('s3://my-flink-bucket/ha/')
  })

  test('keys of tuning and of leader election', () => {
    const manifest = parse(FRAUD_DETECTION)
    Object.assign(manifest.spec.flinkConfiguration, parse(MORE_KEYS))
    const { spec, problems } = readSpec(manifest.spec, OPTIONS)
    expect(problems).toEqual([])
    expect(spec!.reactive).toBe(true)
  })
})
