/** Children that somebody edits or deletes come back as they were, what is wanted no more goes, and nothing is written when nothing is wrong. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type KubeObject, RESOURCES, type Resource } from '../../kube/objects.ts'
import { canonicalJson } from '../../resources/hash.ts'
import { childNames } from '../../resources/names.ts'
import { DEPLOYMENTS } from './act.ts'
import { isWithin } from './applied.ts'
import { KEY, MANIFEST, Stage } from './stage.suite.ts'

const NAMES = childNames(KEY.name)
const INGRESS = { template: '{{name}}.example.com', className: 'nginx' }

let stage: Stage
beforeEach(async () => {
  stage = new Stage()
  stage.apply({ ...MANIFEST, spec: { ...MANIFEST.spec, ingress: INGRESS } })
  await stage.until('it runs', stage.runs('fraud:1', 1))
  await stage.writes()
})
afterEach(() => stage.controller.close())

const CHILDREN: readonly (readonly [Resource, string, object])[] = [
  [RESOURCES.serviceAccounts, NAMES.access, { metadata: { labels: { 'tailrace.dev/deployment': null } } }],
  [RESOURCES.roles, NAMES.access, { rules: [] }],
  [RESOURCES.roleBindings, NAMES.access, { subjects: [{ kind: 'User', name: 'eve' }] }],
  [RESOURCES.configMaps, NAMES.configuration, { data: { 'config.yaml': 'rest.port: "9"' } }],
  [RESOURCES.leases, NAMES.lease, { metadata: { annotations: { 'tailrace.dev/parallelism': '1' } } }],
  [RESOURCES.services, NAMES.headless, { spec: { selector: { 'app.kubernetes.io/instance': 'other' } } }],
  [RESOURCES.services, NAMES.rest, { spec: { ports: [{ name: 'rest', port: 80 }] } }],
  [RESOURCES.ingresses, NAMES.ingress, { spec: { rules: null } }],
  [RESOURCES.statefulSets, NAMES.taskManager, { spec: { template: { spec: { serviceAccountName: 'default' } } } }],
  [RESOURCES.deployments, NAMES.jobManager, { spec: { template: { metadata: { labels: null } } } }],
]

/** Without what counts changes, and what the server keeps for itself. */
function shown(resource: Resource, key: { namespace: string; name: string }): string {
  const { metadata, status: _, ...rest } = stage.server.get(resource, key) as KubeObject
  const { labels, annotations, ownerReferences } = metadata
  return canonicalJson({ labels, annotations, ownerReferences, ...rest })
}

describe.each(CHILDREN)('a child of kind $kind (%#)', (resource, name, patch) => {
  const key = { namespace: 'jobs', name }

  it.each([false, true])('is mended when it was edited (while no operator ran: %s)', async (restarts) => {
    const before = shown(resource, key)
    stage.server.edit(resource, key, patch)
    expect(shown(resource, key)).not.toBe(before)
    if (restarts) stage.restart()
    await stage.until('it is as before', () => shown(resource, key) === before)
    expect(await stage.writes()).toEqual([])
  })

  it('is made again when it was deleted', async () => {
    const before = shown(resource, key)
    stage.server.remove(resource, key)
    await stage.until('it is there', () => stage.server.get(resource, key) !== undefined)
    expect(shown(resource, key)).toBe(before)
  })
})

it('writes nothing when nothing has changed, nor after a start', async () => {
  expect(await stage.writes()).toEqual([])
  stage.restart()
  expect(await stage.writes()).toEqual([])
})

it('writes nothing when the API server and its controllers do their work', async () => {
  stage.server.edit(RESOURCES.services, { namespace: 'jobs', name: NAMES.rest }, { status: { loadBalancer: {} } })
  stage.server.edit(
    RESOURCES.deployments,
    { namespace: 'jobs', name: NAMES.jobManager },
    { metadata: { annotations: { 'deployment.kubernetes.io/revision': '1' } } },
  )
  stage.server.edit(
    RESOURCES.leases,
    { namespace: 'jobs', name: NAMES.lease },
    { spec: { holderIdentity: 'fraud-jobmanager-0', leaseTransitions: 2 } },
  )
  expect(await stage.writes()).toEqual([])
})

it('applies once over what the server makes of it', async () => {
  stage.controller.close()
  stage = new Stage([
    {
      ...RESOURCES.services,
      status: true,
      // Defaults, and a notation of its own.
      defaults: ({ spec }) => {
        spec.sessionAffinity ??= 'None'
        for (const port of spec.ports) port.targetPort = String(port.targetPort)
      },
    },
  ])
  stage.apply()
  await stage.until('it runs', stage.runs('fraud:1', 1))
  await stage.writes()
  expect(await stage.writes()).toEqual([])
  stage.restart()
  const first = await stage.writes()
  expect(first).toEqual(['apply Service fraud'])
  expect(await stage.writes()).toEqual([])
})

describe('what is wanted no more', () => {
  const ingress = () => stage.server.get(RESOURCES.ingresses, { namespace: 'jobs', name: NAMES.ingress })

  it('is deleted, and nothing else is', async () => {
    const pods = stage.node.podNames('jobmanager')
    await stage.edit({ ingress: null })
    await stage.until('the Ingress is gone', () => ingress() === undefined)
    expect(await stage.writes()).toEqual([])
    expect([stage.node.podNames('jobmanager'), stage.node.begins.length]).toEqual([pods, 1])
  })

  it.each([
    ['it is of another owner', { ownerReferences: null }],
    ['it is not labelled as ours', { labels: { 'app.kubernetes.io/managed-by': 'somebody' } }],
  ])('is left when %s', async (_, metadata) => {
    const [template] = [ingress()]
    const other = { ...template, metadata: { ...template.metadata, name: 'mine', uid: undefined } }
    stage.server.put(RESOURCES.ingresses, other)
    stage.server.edit(RESOURCES.ingresses, { namespace: 'jobs', name: 'mine' }, { metadata })
    expect(await stage.writes()).toEqual([])
    stage.server.edit(
      RESOURCES.ingresses,
      { namespace: 'jobs', name: 'mine' },
      { metadata: { ownerReferences: template.metadata.ownerReferences, labels: template.metadata.labels } },
    )
    expect(await stage.writes()).toEqual(['delete Ingress mine'])
  })

  it('goes with an account that is given instead', async () => {
    stage.server.put(RESOURCES.serviceAccounts, { metadata: { namespace: 'jobs', name: 'flink' } })
    await stage.edit({ serviceAccount: 'flink' })
    await stage.until('the upgrade runs', stage.runs('fraud:1', 2))
    expect(stage.server.list(RESOURCES.serviceAccounts).map(({ metadata }) => metadata.name)).toEqual(['flink'])
    expect(stage.server.get(DEPLOYMENTS, KEY).status.lifecycleState).toBe('STABLE')
  })
})

it('says what is within what', () => {
  expect(isWithin({ a: 1, b: [] }, { a: 1, c: 2 })).toBe(true)
  expect(isWithin({ a: undefined, b: {} }, {})).toBe(true)
  expect(isWithin({ a: '1' }, { a: 1 })).toBe(false)
  expect(
    isWithin(
      { resources: { limits: { memory: '2048Mi', cpu: '1' } } },
      { resources: { limits: { memory: '2Gi', cpu: '1000m' } } },
    ),
  ).toBe(true)
  expect(isWithin({ data: { memory: '2048Mi' } }, { data: { memory: '2Gi' } })).toBe(false)
  expect(isWithin({ env: [{ name: 'A' }] }, { env: [{ name: 'B' }, { name: 'A', value: '' }] })).toBe(true)
  expect(isWithin({ rules: ['a'] }, { rules: ['a', 'b'] })).toBe(false)
})
