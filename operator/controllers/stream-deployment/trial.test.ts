/** A spec that only the API server can judge is refused before the job is stopped for it, and what ran runs on. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type KubeObject, RESOURCES } from '../../kube/objects.ts'
import { KEY, MANIFEST, Stage } from './stage.suite.ts'
import { TRIAL_AGAIN_MS } from './trial.ts'

/** What the real one says of mounts. */
const mounts = ({ spec }: KubeObject): string[] => {
  const pod = spec.template.spec
  const names = new Set(pod.volumes?.map(({ name }: any) => name))
  return pod.containers.flatMap((one: any, at: number) =>
    (one.volumeMounts ?? []).flatMap(({ name }: any, mount: number) =>
      names.has(name) ? [] : [`spec.template.spec.containers[${at}].volumeMounts[${mount}].name: Not found: "${name}"`],
    ),
  )
}

let stage: Stage
beforeEach(async () => {
  stage = new Stage([
    { ...RESOURCES.deployments, status: true, validate: mounts },
    { ...RESOURCES.statefulSets, status: true, validate: mounts },
  ])
})
afterEach(() => stage.controller.close())

const template = (volume: string) => ({
  podTemplate: {
    spec: {
      volumes: [{ name: 'disk', emptyDir: {} }],
      containers: [{ name: 'proxy', image: 'proxy:1', volumeMounts: [{ name: volume, mountPath: '/disk' }] }],
    },
  },
})
const isRefused = () => stage.condition('ConfigValid')?.status === 'False'
const dryRuns = () => stage.server.requests.filter(({ query }) => query.get('dryRun') === 'All').length

describe('a pod template that the API server refuses', () => {
  beforeEach(async () => {
    stage.apply()
    await stage.until('it runs', stage.runs('fraud:1', 1))
    await stage.edit({ image: 'fraud:2', ...template('gone') })
    await stage.until('it is refused', isRefused)
  })

  it('is told with its words, and the last valid spec runs and heals', async () => {
    expect(stage.condition('ConfigValid')).toMatchObject({
      reason: 'Invalid',
      message: expect.stringMatching(/"jobs\/fraud-jobmanager".*Not found: "gone"/),
      observedGeneration: 2,
    })
    expect(stage.events).toContain('ValidationError')
    const key = { namespace: 'jobs', name: 'fraud-jobmanager' }
    stage.server.remove(RESOURCES.deployments, key)
    await stage.until('it heals', () => stage.isReady() && stage.server.get(RESOURCES.deployments, key) !== undefined)
    expect([stage.node.asked, stage.node.job?.image]).toEqual([[], 'fraud:1'])
    expect(stage.resource().status.reconciliation.step).toBe('DEPLOYED')
  })

  it('is asked for once, also after a start, and again when time has passed', async () => {
    const asked = dryRuns()
    await stage.writes()
    expect(dryRuns()).toBe(asked)
    stage.clock.advance(TRIAL_AGAIN_MS)
    await stage.turn()
    expect(dryRuns()).toBeGreaterThan(asked)
    stage.restart()
    await stage.writes()
    expect([isRefused(), stage.node.job?.image]).toEqual([true, 'fraud:1'])
  })

  it('is taken when it is mended', async () => {
    await stage.edit(template('disk'))
    await stage.until('it runs', stage.runs('fraud:2', 2))
    expect([stage.condition('ConfigValid').status, stage.node.begins.at(-1)]).toEqual(['True', '2: s3://b/savepoint-1'])
  })
})

it('deploys nothing that is refused from the start', async () => {
  stage.apply({ ...MANIFEST, spec: { ...MANIFEST.spec, ...template('gone') } })
  await stage.until('it is refused', isRefused)
  await stage.writes()
  expect([stage.server.list(RESOURCES.statefulSets), stage.condition('Ready').reason]).toEqual([[], 'NotDeployed'])
})

describe('what is said of a pod', () => {
  const SAYS: readonly (readonly [string, number, string, boolean])[] = [
    ['violates PodSecurity', 403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged', true],
    ['a webhook', 403, 'admission webhook "policy.example.com" denied the request: no tag latest', true],
    ['room', 403, 'pods "x" is forbidden: exceeded quota: small', false],
    ['its account', 403, 'pods "x" is forbidden: error looking up service account jobs/fraud: not found', false],
    ['the operator’s own rights', 403, 'pods is forbidden: User "op" cannot create resource "pods"', false],
    ['a webhook that cannot', 400, 'admission webhook "a.example.com" does not support dry run', false],
  ]
  it.each(SAYS)('refuses or not: %s', async (_, status, message, refuses) => {
    stage.apply()
    await stage.until('it runs', stage.runs('fraud:1', 1))
    stage.server.fault = ({ verb, kind }) => (verb === 'create' && kind === 'Pod' ? { status, message } : undefined)
    await stage.edit({ image: 'fraud:2' })
    if (!refuses) return await stage.until('it runs', stage.runs('fraud:2', 2))
    await stage.until('it is refused', isRefused)
    await stage.writes()
    expect([stage.condition('ConfigValid').message.includes(message), stage.node.begins.length]).toEqual([true, 1])
  })

  it('decides nothing while the API server cannot say', async () => {
    stage.apply()
    await stage.until('it runs', stage.runs('fraud:1', 1))
    const message = 'Internal error occurred: failed calling webhook "policy.example.com"'
    stage.server.fault = ({ query }) => (query.get('dryRun') === 'All' ? { status: 500, message } : undefined)
    await stage.edit({ image: 'fraud:2' })
    await expect(stage.turn()).rejects.toThrow('failed calling webhook')
    expect([stage.node.asked, stage.resource().status.observedGeneration]).toEqual([[], 1])
    stage.server.fault = () => undefined
    await stage.until('it runs', stage.runs('fraud:2', 2))
  })
})

it('asks for nothing new when the job is only to be wider', async () => {
  stage.apply()
  await stage.until('it runs', stage.runs('fraud:1', 1))
  const asked = dryRuns()
  await stage.edit({ taskManager: { replicas: 4 } })
  await stage.until('it is wider', () => stage.node.job?.parallelism === 16)
  expect(dryRuns()).toBe(asked)
})

it('tells what the API server does not take any more of what runs', async () => {
  stage.apply()
  await stage.until('it runs', stage.runs('fraud:1', 1))
  const message = 'admission webhook "policy.example.com" denied the request: no services'
  stage.server.fault = ({ verb, kind }) =>
    verb === 'apply' && kind === 'Service' ? { status: 403, message } : undefined
  stage.server.remove(RESOURCES.services, { ...KEY, name: 'fraud-rest' })
  await expect(stage.turn()).rejects.toThrow(message)
  await expect(stage.turn()).rejects.toThrow(message)
  expect(stage.condition('Stalled')).toMatchObject({ status: 'True', reason: 'ApplyRefused' })
  expect(stage.events).toContain('ApplyRefused')
  stage.server.fault = () => undefined
  await stage.until('it is mended', () => stage.condition('Stalled').status === 'False')
})
