/** The life of a StreamDeployment against an API server in memory, with pods and a JobManager that are played. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { RESOURCES } from '../../kube/objects.ts'
import { ANNOTATIONS, FINALIZER } from '../../resources/names.ts'
import { DEPLOYMENTS } from './act.ts'
import { KEY, MANIFEST, Stage } from './stage.suite.ts'

let stage: Stage
let server: Stage['server']
let client: Stage['client']
let node: Stage['node']
let events: string[]

beforeEach(() => {
  stage = new Stage()
  ;({ server, client, node, events } = stage)
})
afterEach(() => stage.controller.close())

const resource = () => stage.resource()
const edit = (spec: object) => stage.edit(spec)
const condition = (type: string) => stage.condition(type)
const ready = () => stage.isReady()
const until = (what: string, is: () => boolean) => stage.until(what, is)
const runs = (image: string, begins: number) => stage.runs(image, begins)

it('lives: apply, savepoint by nonce, upgrade, suspend, resume, rescale, delete', async () => {
  server.put(DEPLOYMENTS, structuredClone(MANIFEST))
  await until('it runs', runs('fraud:1', 1))
  expect(resource()).toMatchObject({
    metadata: { finalizers: [FINALIZER] },
    status: {
      observedGeneration: 1,
      lifecycleState: 'STABLE',
      jobStatus: { state: 'RUNNING', jobName: 'fraud', parallelism: 12, startTime: expect.stringMatching(/^\d{13}$/) },
      taskManager: { replicas: 3, labelSelector: expect.stringContaining('app.kubernetes.io/instance=fraud') },
    },
  })
  for (const type of ['JobManagerAvailable', 'TaskManagersAvailable', 'ConfigValid'])
    expect(condition(type)).toMatchObject({ status: 'True', observedGeneration: 1 })
  expect(condition('Stalled').status).toBe('False')

  await edit({ job: { savepointTriggerNonce: 1 } })
  const savepoint = () => resource().status.jobStatus.savepointInfo?.lastSavepoint
  await until('the savepoint is told', () => savepoint()?.triggerNonce === 1)
  expect(savepoint()).toMatchObject({ location: 's3://b/savepoint-1', triggerType: 'MANUAL' })
  expect([node.asked, condition('SnapshotSucceeded').status]).toEqual([['savepoint'], 'True'])

  await edit({ image: 'fraud:2' })
  await until('the upgrade runs', runs('fraud:2', 2))
  expect([node.asked.at(-1), node.begins.at(-1)]).toEqual(['stop', '2: s3://b/savepoint-2'])
  for (const pod of server.list(RESOURCES.pods)) expect(pod.spec.containers[0].image).toBe('fraud:2')

  await edit({ job: { state: 'suspended' } })
  await until(
    'it is suspended',
    () => resource().status.lifecycleState === 'SUSPENDED' && server.list(RESOURCES.pods).length === 0,
  )
  expect(resource().status.jobStatus).toMatchObject({ state: 'SUSPENDED', upgradeSavepointPath: 's3://b/savepoint-3' })

  await edit({ job: { state: 'running' } })
  await until('it is resumed', runs('fraud:2', 3))
  expect(node.begins.at(-1)).toBe('3: s3://b/savepoint-3')

  const before = node.podNames('taskmanager')
  await edit({ taskManager: { replicas: 5 } })
  await until(
    'it has grown',
    () =>
      node.job?.parallelism === 20 &&
      node.podNames('taskmanager').length === 5 &&
      condition('Progressing').status === 'False',
  )
  expect(node.podNames('taskmanager')).toEqual(expect.arrayContaining(before))
  await edit({ taskManager: { replicas: 2 } })
  await until(
    'it has shrunk',
    () =>
      node.job?.parallelism === 8 &&
      node.podNames('taskmanager').length === 2 &&
      condition('Progressing').status === 'False',
  )
  expect(before).toEqual(expect.arrayContaining(node.podNames('taskmanager')))
  expect(node.begins.length).toBe(3)

  await client.delete(DEPLOYMENTS, KEY)
  await until('it is gone', () => resource() === undefined)
  expect(node.asked.at(-1)).toBe('cancel')
  await until(
    'its children are gone',
    () => server.list(RESOURCES.pods).length + server.list(RESOURCES.leases).length === 0,
  )
})

it('keeps what runs when an edit is not valid, and says all that is wrong', async () => {
  server.put(DEPLOYMENTS, structuredClone(MANIFEST))
  await until('it runs', runs('fraud:1', 1))
  await edit({ image: 'fraud:2', job: { jarURI: 'ftp://x/y.js' } })
  await until('it is told', () => condition('ConfigValid').status === 'False')
  expect(condition('ConfigValid')).toMatchObject({
    reason: 'Invalid',
    message: expect.stringContaining('artifact'),
    observedGeneration: 2,
  })
  server.remove(RESOURCES.deployments, { namespace: 'jobs', name: 'fraud-jobmanager' })
  await until(
    'it heals',
    () =>
      ready() &&
      server.get(RESOURCES.deployments, { namespace: 'jobs', name: 'fraud-jobmanager' })?.spec.template.spec
        .containers[0].image === 'fraud:1',
  )
})

it('says why pods do not come, and goes on when that is mended', async () => {
  const manifest = structuredClone(MANIFEST)
  manifest.spec.image = 'missing:1'
  server.put(DEPLOYMENTS, manifest)
  await until('it is stalled', () => condition('Stalled')?.status === 'True')
  expect(condition('Stalled')).toMatchObject({
    reason: 'ImagePullFailed',
    message: expect.stringContaining('missing:1'),
  })
  expect(condition('JobManagerAvailable')).toMatchObject({ status: 'False', reason: 'ImagePullFailed' })
  await edit({ image: 'fraud:1' })
  await until('it runs', runs('fraud:1', 1))
  expect([condition('Stalled').status, node.begins]).toEqual(['False', ['1: latest']])
})

it('goes on after an operator that was killed in the middle of an upgrade', async () => {
  server.put(DEPLOYMENTS, structuredClone(MANIFEST))
  await until('it runs', runs('fraud:1', 1))
  await edit({ image: 'fraud:2' })
  await until('it stops', () => resource().status.reconciliation.step === 'STOPPING')
  stage.restart()
  await until('the upgrade runs', runs('fraud:2', 2))
  expect([node.asked, node.begins]).toEqual([['stop'], ['1: latest', '2: s3://b/savepoint-1']])
})

it('lets a deployment go at once when that is forced', async () => {
  server.put(DEPLOYMENTS, structuredClone(MANIFEST))
  await until('it runs', runs('fraud:1', 1))
  await client.patch(DEPLOYMENTS, KEY, { metadata: { annotations: { [ANNOTATIONS.forceDelete]: 'true' } } })
  await client.delete(DEPLOYMENTS, KEY)
  await until('it is gone', () => resource() === undefined)
  expect(events).toContain('CleanupForced')
  expect(node.asked).toEqual([])
})
