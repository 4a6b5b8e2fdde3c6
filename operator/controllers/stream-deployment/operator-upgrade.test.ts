/** A newer operator, which would make other pods of the same spec, restarts nothing: its way is taken when the user's own edits restart the deployment. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { RESOURCES } from '../../kube/objects.ts'
import { shortHash } from '../../resources/hash.ts'
import { childNames } from '../../resources/names.ts'
import { type Render, render } from '../../resources/rendering.ts'
import { MANIFEST, Stage } from './stage.suite.ts'

const NAMES = childNames('fraud')
const OLD_DEFAULTS = { image: 'tailrace:1' }
const DEFAULTS = { image: 'tailrace:2' }

/** As a version before has made pods. */
const oldRender: Render = (wish) => {
  const rendering = structuredClone(render(wish))
  for (const template of [rendering.jobManager, rendering.taskManager]) {
    const { annotations } = template.metadata!
    template.spec.containers[0]!.env!.push({ name: 'OLD', value: 'yes' })
    annotations!['tailrace.dev/template'] = shortHash(template)
  }
  rendering.configuration += 'old.key: "1"\n'
  return rendering
}

let stage: Stage
const pods = () => [...stage.node.podNames('jobmanager'), ...stage.node.podNames('taskmanager')]
const isOld = () =>
  stage.server.list(RESOURCES.pods).map(({ spec }) => spec.containers[0].env.some(({ name }: any) => name === 'OLD'))
const configuration = () =>
  stage.server.get(RESOURCES.configMaps, { namespace: 'jobs', name: NAMES.configuration }).data['config.yaml']

beforeEach(async () => {
  stage = new Stage()
  stage.restart(OLD_DEFAULTS, oldRender)
  const { image: _, ...spec } = MANIFEST.spec
  stage.apply({ ...MANIFEST, spec: { ...spec, logConfiguration: { 'log.json': '{}' } } })
  await stage.until('it runs', stage.runs('tailrace:1', 1))
  await stage.writes()
  stage.restart(DEFAULTS)
  await stage.turn()
})
afterEach(() => stage.controller.close())

it('restarts nothing, and writes nothing', async () => {
  const before = pods()
  await stage.until('its defaults are noted', () => stage.condition('Ready').status === 'True')
  expect(await stage.writes()).toEqual([])
  expect([pods(), stage.node.begins.length, isOld()]).toEqual([before, 1, [true, true, true, true]])
  expect(configuration()).toContain('old.key')
})

it('makes pods that are lost, and objects that were deleted, as they were', async () => {
  stage.server.remove(RESOURCES.pods, { namespace: 'jobs', name: 'fraud-taskmanager-1' })
  await stage.until('a pod is there again', () => pods().length === 4)
  for (const [resource, name] of [
    [RESOURCES.deployments, NAMES.jobManager],
    [RESOURCES.statefulSets, NAMES.taskManager],
    [RESOURCES.configMaps, NAMES.configuration],
  ] as const) {
    stage.server.remove(resource, { namespace: 'jobs', name })
    stage.restart(DEFAULTS)
    await stage.until(
      'it is there again',
      () =>
        stage.isReady() && stage.server.get(resource, { namespace: 'jobs', name }) !== undefined && pods().length === 4,
    )
  }
  expect([isOld(), configuration().includes('old.key')]).toEqual([[true, true, true, true], true])
})

it('keeps them through edits that restart nothing', async () => {
  const before = pods()
  await stage.edit({ logConfiguration: { 'log.json': '{"level":"debug"}' }, taskManager: { replicas: 4 } })
  await stage.until('it is wider', () => stage.node.job?.parallelism === 16 && pods().length === 5)
  expect(pods()).toEqual(expect.arrayContaining(before))
  expect(isOld()).toEqual([true, true, true, true, true])
  const { data } = stage.server.get(RESOURCES.configMaps, { namespace: 'jobs', name: NAMES.configuration })
  expect([data['log.json'], data['config.yaml'].includes('old.key')]).toEqual(['{"level":"debug"}', true])
})

it('takes the new way with the next upgrade, which goes on from a savepoint', async () => {
  await stage.edit({ job: { args: ['--kafka', 'k:9093'] } })
  await stage.until('it runs', stage.runs('tailrace:2', 2))
  expect([stage.node.asked, stage.node.begins.at(-1)]).toEqual([['stop'], '2: s3://b/savepoint-1'])
  await stage.until('all pods are new', () => !isOld().includes(true) && pods().length === 4)
  expect(configuration()).not.toContain('old.key')
})

it('takes the new way when the deployment is resumed', async () => {
  await stage.edit({ job: { state: 'suspended' } })
  await stage.until('it is suspended', () => pods().length === 0)
  await stage.edit({ job: { state: 'running' } })
  await stage.until('it runs', stage.runs('tailrace:2', 2))
  expect(isOld()).toEqual([false, false, false, false])
})

it('keeps what it is made of though somebody deletes it', async () => {
  const names = () => stage.server.list(RESOURCES.controllerRevisions).map(({ metadata }) => metadata.name)
  const { revision, rendering } = stage.resource().status.reconciliation
  for (const name of names()) stage.server.remove(RESOURCES.controllerRevisions, { namespace: 'jobs', name })
  await stage.until('they are there again', () => names().includes(revision) && names().includes(rendering))
  expect([await stage.writes(), isOld()]).toEqual([[], [true, true, true, true]])
})

it('keeps so many revisions, with those that are used, and none of others', async () => {
  stage.server.put(RESOURCES.controllerRevisions, {
    metadata: { namespace: 'jobs', name: 'fraud-taskmanager-1', labels: { 'tailrace.dev/deployment': 'fraud' } },
    revision: 99,
  })
  const { rendering } = stage.resource().status.reconciliation
  for (let parallelism = 1; parallelism <= 12; parallelism++) {
    await stage.edit({ job: { parallelism } })
    await stage.until('it is taken up', () => stage.node.job?.parallelism === parallelism)
  }
  const all = stage.server.list(RESOURCES.controllerRevisions).map(({ metadata }) => metadata.name)
  expect(all).toEqual(
    expect.arrayContaining([rendering, stage.resource().status.reconciliation.revision, 'fraud-taskmanager-1']),
  )
  expect(all.length).toBeLessThanOrEqual(14)
})
