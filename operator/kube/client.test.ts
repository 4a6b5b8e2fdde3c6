/** The client against an API server in memory, which is held to Kubernetes' rules by the same tests. */
import { beforeEach, describe, expect, it } from 'vitest'
import { systemSchedule } from '../../runtime/core/clock.ts'
import { ApiServer } from './api-server.suite.ts'
import { KubeClient } from './client.ts'
import { defineResource, type KubeObject, pathOf, RESOURCES } from './objects.ts'

interface Pipe extends KubeObject {
  spec: { replicas?: number; image?: string }
  status?: Record<string, unknown>
}

const PIPES = defineResource<Pipe>({ apiVersion: 'test.dev/v1', kind: 'Pipe', plural: 'pipes', namespaced: true })
const KEY = { namespace: 'jobs', name: 'fraud' }
const { configMaps, deployments, namespaces, pods } = RESOURCES

let server: ApiServer
let client: KubeClient
let observed: string[]

beforeEach(() => {
  server = new ApiServer({
    kinds: [
      {
        ...PIPES,
        status: true,
        scale: { specReplicas: 'spec.replicas', statusReplicas: 'status.replicas' },
        validate: ({ spec }) => (spec?.replicas < 0 ? ['spec.replicas: must be 0 or more'] : []),
      },
    ],
  })
  observed = []
  client = new KubeClient({
    transport: server.transport(),
    // Waits are of no interest here.
    schedule: (ms, callback) => systemSchedule(ms < 30_000 ? Math.min(ms, 1) : ms, callback),
    random: () => 0.5,
    observe: (verb, { plural }, status) => observed.push(`${verb} ${plural} ${status}`),
  })
})

const pipe = (spec: Pipe['spec'] = { replicas: 2 }, metadata: Partial<KubeObject['metadata']> = {}): Pipe => ({
  metadata: { ...KEY, ...metadata },
  spec,
})
const owner = ({ metadata }: KubeObject) => ({
  apiVersion: 'test.dev/v1',
  kind: 'Pipe',
  name: metadata.name,
  uid: metadata.uid!,
})
const config = (name: string, metadata: Partial<KubeObject['metadata']> = {}) => ({
  metadata: { namespace: 'jobs', name, ...metadata },
  data: { a: '1' },
})

describe('pathOf()', () => {
  it('has groups, namespaces and subresources where they belong', () => {
    expect(pathOf(pods, KEY)).toBe('/api/v1/namespaces/jobs/pods/fraud')
    expect(pathOf(PIPES)).toBe('/apis/test.dev/v1/pipes')
    expect(pathOf(PIPES, KEY, 'status')).toBe('/apis/test.dev/v1/namespaces/jobs/pipes/fraud/status')
    expect(pathOf(namespaces, { namespace: 'x', name: 'jobs' })).toBe('/api/v1/namespaces/jobs')
  })
})

describe('reading and writing', () => {
  it('creates, gets, replaces the version that was read, and says what is not there', async () => {
    expect(await client.get(PIPES, KEY)).toBeUndefined()
    const made = await client.create(PIPES, pipe())
    expect(made).toMatchObject({ kind: 'Pipe', metadata: { generation: 1, uid: expect.any(String) } })
    expect(await client.get(PIPES, KEY)).toEqual(made)
    await expect(client.create(PIPES, pipe())).rejects.toMatchObject({
      code: 'TR-KUBE-009',
      message: expect.stringContaining(
        'Cannot create the Pipe "jobs/fraud": the API server answered 409 AlreadyExists',
      ),
    })
    const changed = await client.replace(PIPES, { ...made, spec: { replicas: 3 } })
    expect(changed.metadata.generation).toBe(2)
    await expect(client.replace(PIPES, { ...made, spec: { replicas: 4 } })).rejects.toMatchObject({
      code: 'TR-KUBE-003',
      reason: 'Conflict',
    })
  })

  it('lists all of it in pages, by namespaces and selectors', async () => {
    for (let i = 0; i < 1203; i++)
      server.put(configMaps, config(`c-${i}`, { labels: { part: String(i % 3) }, namespace: i % 2 ? 'jobs' : 'other' }))
    const { items, resourceVersion } = await client.list(configMaps)
    expect(items).toHaveLength(1203)
    expect(items[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' })
    expect(observed).toEqual(['list configmaps 200', 'list configmaps 200', 'list configmaps 200'])
    expect(Number(resourceVersion)).toBe(server.store.version)
    expect((await client.list(configMaps, { namespace: 'jobs' })).items).toHaveLength(601)
    expect((await client.list(configMaps, { labelSelector: 'part in (0,1),part!=0' })).items).toHaveLength(401)
    expect((await client.list(configMaps, { fieldSelector: 'metadata.name=c-7' })).items).toHaveLength(1)
    const page = await client.listPage(configMaps, { limit: 10 })
    server.compact()
    await expect(client.listPage(configMaps, { continue: page.continue! })).rejects.toMatchObject({
      code: 'TR-KUBE-011',
    })
  })

  it('refuses what a kind refuses, with the fields', async () => {
    await expect(client.create(PIPES, pipe({ replicas: -1 }))).rejects.toMatchObject({
      code: 'TR-KUBE-005',
      message: expect.stringMatching(/create the Pipe "jobs\/fraud": .*422 Invalid .*spec.replicas: must be 0 or more/),
    })
    const unknown = defineResource({ apiVersion: 'test.dev/v2', kind: 'Pipe', plural: 'pipes', namespaced: true })
    await expect(client.list(unknown)).rejects.toMatchObject({ code: 'TR-KUBE-004' })
  })
})

describe('apply()', () => {
  it('creates, changes what it names, removes what it names no more, and leaves the rest', async () => {
    const first = await client.apply(configMaps, { ...config('c'), data: { a: '1', b: '2' } })
    server.edit(
      configMaps,
      { namespace: 'jobs', name: 'c' },
      { data: { c: '3' }, metadata: { labels: { by: 'hand' } } },
    )
    const second = await client.apply(configMaps, { ...config('c'), data: { a: '1' } })
    expect(second.data).toEqual({ a: '1', c: '3' })
    expect(second.metadata.labels).toEqual({ by: 'hand' })
    expect(second.metadata.uid).toBe(first.metadata.uid)
    const third = await client.apply(configMaps, { ...config('c'), data: { a: '1' } })
    expect(third.metadata.resourceVersion).toBe(second.metadata.resourceVersion)
  })

  it('merges lists by their keys', async () => {
    const key = { namespace: 'jobs', name: 'd' }
    const template = (containers: object[]) => ({
      metadata: key,
      spec: { replicas: 1, template: { spec: { containers } } },
    })
    await client.apply(deployments, template([{ name: 'tailrace', image: 'a', args: ['x'] }]))
    server.edit(deployments, key, {
      spec: {
        template: {
          spec: { containers: [...server.get(deployments, key).spec.template.spec.containers, { name: 'sidecar' }] },
        },
      },
    })
    const next = await client.apply(deployments, template([{ name: 'tailrace', image: 'b' }]))
    expect(next.spec.template.spec.containers).toEqual([{ name: 'tailrace', image: 'b' }, { name: 'sidecar' }])
    expect(next.metadata.generation).toBe(3)
    const none = await client.apply(deployments, { metadata: key, spec: { replicas: 1 } })
    expect(none.spec.template.spec.containers).toEqual([{ name: 'sidecar' }])
  })

  it('takes fields of others, unless it shall not: then it names them', async () => {
    server.put(deployments, { metadata: { ...KEY }, spec: { replicas: 5 } }, 'kubectl-scale')
    const wanted = { metadata: { ...KEY }, spec: { replicas: 2 } }
    await expect(client.apply(deployments, wanted, { force: false })).rejects.toMatchObject({
      code: 'TR-KUBE-007',
      message: expect.stringMatching(/apply the Deployment "jobs\/fraud": .*"kubectl-scale".*\.spec\.replicas/),
    })
    expect((await client.apply(deployments, wanted)).spec.replicas).toBe(2)
    expect((await client.apply(deployments, wanted, { force: false })).spec.replicas).toBe(2)
    const managers = server.get(deployments, KEY).metadata.managedFields
    expect(managers).toMatchObject([
      { manager: 'tailrace-operator', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
    ])
  })

  it('tries on without storing', async () => {
    const tried = await client.apply(configMaps, config('c'), { dryRun: true })
    expect(tried.data).toEqual({ a: '1' })
    expect(await client.get(configMaps, { namespace: 'jobs', name: 'c' })).toBeUndefined()
  })
})

describe('status, scale and patches', () => {
  it('writes the status only by its subresource, without another generation', async () => {
    const made = await client.create(PIPES, { ...pipe(), status: { a: 1 } })
    expect(made.status).toBeUndefined()
    const merged = await client.patchStatus(PIPES, KEY, { state: 'RUNNING', old: 1 })
    expect(merged).toMatchObject({ status: { state: 'RUNNING' }, metadata: { generation: 1 } })
    const replaced = await client.replace(PIPES, { ...merged, status: { lost: true } })
    expect(replaced.status).toEqual({ state: 'RUNNING', old: 1 })
    const applied = await client.applyStatus(PIPES, { metadata: KEY, spec: { replicas: 99 }, status: { ready: true } })
    expect(applied).toMatchObject({ spec: { replicas: 2 }, status: { state: 'RUNNING', ready: true } })
    expect((await client.patchStatus(PIPES, KEY, { old: null })).status).toEqual({ state: 'RUNNING', ready: true })
  })

  it('notes a status only on the version that was seen, and on the very object', async () => {
    const { metadata } = await client.create(PIPES, pipe())
    server.edit(PIPES, KEY, { spec: { replicas: 7 } })
    const late = client.patchStatus(PIPES, KEY, { a: 1 }, { resourceVersion: metadata.resourceVersion })
    await expect(late).rejects.toMatchObject({ code: 'TR-KUBE-003' })
    server.remove(PIPES, KEY)
    server.put(PIPES, pipe())
    await expect(client.patchStatus(PIPES, KEY, { a: 1 }, { uid: metadata.uid })).rejects.toMatchObject({
      code: 'TR-KUBE-003',
    })
    expect(server.get(PIPES, KEY).status).toBeUndefined()
  })

  it('scales', async () => {
    await client.create(PIPES, pipe())
    await client.scale(PIPES, KEY, 6)
    expect(server.get(PIPES, KEY)).toMatchObject({ spec: { replicas: 6 }, metadata: { generation: 2 } })
    await expect(client.scale(PIPES, KEY, -1)).rejects.toMatchObject({ code: 'TR-KUBE-005' })
  })

  it('patches by operations', async () => {
    await client.create(PIPES, pipe())
    const add = { op: 'add', path: '/metadata/annotations', value: { 'a/b': '1' } }
    const test = { op: 'test', path: '/spec/replicas', value: 2 }
    expect((await client.patch(PIPES, KEY, [test, add])).metadata.annotations).toEqual({ 'a/b': '1' })
    await expect(client.patch(PIPES, KEY, [{ ...test, value: 3 }, add])).rejects.toMatchObject({ code: 'TR-KUBE-005' })
  })
})

describe('delete()', () => {
  it('says whether it was there, and holds preconditions', async () => {
    expect(await client.delete(PIPES, KEY)).toBe(false)
    const { metadata } = await client.create(PIPES, pipe())
    await expect(client.delete(PIPES, KEY, { uid: 'another' })).rejects.toMatchObject({ code: 'TR-KUBE-003' })
    expect(await client.delete(PIPES, KEY, { uid: metadata.uid, resourceVersion: metadata.resourceVersion })).toBe(true)
    expect(await client.get(PIPES, KEY)).toBeUndefined()
  })

  it('waits for finalizers, then takes what it owned along', async () => {
    const made = await client.create(PIPES, pipe({}, { finalizers: ['tailrace.dev/stop'] }))
    const child = await client.apply(configMaps, config('child', { ownerReferences: [owner(made)] }))
    await client.apply(
      configMaps,
      config('grandchild', { ownerReferences: [{ ...owner(made), uid: child.metadata.uid! }] }),
    )
    await client.delete(PIPES, KEY)
    const going = await client.get(PIPES, KEY)
    expect(going?.metadata).toMatchObject({ deletionTimestamp: expect.any(String), generation: 2 })
    expect(server.list(configMaps)).toHaveLength(2)
    await client.patch(PIPES, KEY, { metadata: { finalizers: null } })
    expect(await client.get(PIPES, KEY)).toBeUndefined()
    expect(server.list(configMaps)).toEqual([])
  })

  it('waits for dependents in the foreground, and leaves them as orphans', async () => {
    const made = await client.create(PIPES, pipe())
    await client.apply(configMaps, config('child', { ownerReferences: [owner(made)], finalizers: ['x/y'] }))
    await client.delete(PIPES, KEY, { propagation: 'Foreground' })
    expect(server.get(PIPES, KEY).metadata.finalizers).toEqual(['foregroundDeletion'])
    await client.patch(configMaps, { namespace: 'jobs', name: 'child' }, { metadata: { finalizers: null } })
    expect(server.get(PIPES, KEY)).toBeUndefined()
    const again = await client.create(PIPES, pipe())
    await client.apply(configMaps, config('orphan', { ownerReferences: [owner(again)] }))
    await client.delete(PIPES, KEY, { propagation: 'Orphan' })
    expect(server.list(configMaps)).toMatchObject([{ metadata: { name: 'orphan', ownerReferences: [] } }])
  })
})

describe('when the server does not do as it is asked', () => {
  /** Fails so often, then no more. */
  const fails = (times: number, fault: ReturnType<ApiServer['fault']>) => {
    let left = times
    server.fault = () => (left-- > 0 ? fault : undefined)
  }

  it('repeats what can do no harm', async () => {
    fails(3, 'cutAfter')
    await client.apply(configMaps, config('c'))
    fails(2, { status: 500 })
    expect(await client.get(configMaps, { namespace: 'jobs', name: 'c' })).toBeDefined()
    fails(2, { status: 429, retryAfter: 1 })
    await client.create(PIPES, pipe())
    expect(observed.filter((one) => one.startsWith('create'))).toEqual([
      'create pipes 429',
      'create pipes 429',
      'create pipes 201',
    ])
  })

  it('sends a creation once when nobody knows whether it took effect', async () => {
    fails(1, 'cutAfter')
    await expect(client.create(PIPES, pipe())).rejects.toMatchObject({
      code: 'TR-KUBE-001',
      message:
        'Cannot create the Pipe "jobs/fraud": the connection was cut (an API server in memory), wanted an answer',
    })
    expect(server.get(PIPES, KEY)).toBeDefined()
    fails(1, { status: 500 })
    await expect(client.replace(PIPES, server.get(PIPES, KEY))).rejects.toMatchObject({
      code: 'TR-KUBE-006',
      status: 500,
    })
  })

  it('gives up after some tries, at the deadline, and when it is told to', async () => {
    fails(Infinity, { status: 503 })
    await expect(client.get(PIPES, KEY)).rejects.toMatchObject({ code: 'TR-KUBE-006' })
    expect(observed).toHaveLength(5)
    fails(Infinity, 'hang')
    await expect(client.get(PIPES, KEY, { timeoutMs: 500 })).rejects.toMatchObject({
      code: 'TR-KUBE-001',
      message: expect.stringContaining('Cannot get the Pipe "jobs/fraud": no answer within 500 ms'),
    })
    const abort = new AbortController()
    const asked = client.get(PIPES, KEY, { signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
  })

  it('takes what can be no object for what it is, though the server says that it has failed', async () => {
    for (const message of [
      'failed to create typed patch object (jobs/fraud; apps/v1, Kind=StatefulSet): .spec.bogus: field not declared in schema',
      'failed to convert new object (jobs/fraud; apps/v1, Kind=StatefulSet) to proper version: quantities must match',
    ]) {
      server.fault = () => ({ status: 500, message })
      await expect(client.apply(PIPES, pipe())).rejects.toMatchObject({ code: 'TR-KUBE-005' })
    }
    expect(observed).toEqual(['apply pipes 500', 'apply pipes 500'])
  })

  it('knows denials and quotas apart', async () => {
    server.fault = () => ({ status: 403, message: 'pods is forbidden: User "x" cannot create resource "pods"' })
    await expect(client.create(PIPES, pipe())).rejects.toMatchObject({ code: 'TR-KUBE-002' })
    server.fault = () => ({ status: 403, message: 'pods "a" is forbidden: exceeded quota: q, requested: pods=1' })
    await expect(client.create(PIPES, pipe())).rejects.toMatchObject({ code: 'TR-KUBE-010' })
  })
})

describe('watch()', () => {
  it('tells changes after a version, then bookmarks and its end', async () => {
    const told: unknown[] = []
    server.put(PIPES, pipe())
    const resourceVersion = String(server.store.version)
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const key = { namespace: 'jobs', labelSelector: 'keep' }
    client.watch(
      PIPES,
      { ...key, resourceVersion, timeoutSeconds: 300 },
      {
        heard: () => {},
        event: (type, { metadata, spec }) => told.push([type, metadata.name, spec.replicas]),
        bookmark: (version) => told.push(['BOOKMARK', version]),
        ended: resolve,
      },
    )
    server.edit(PIPES, KEY, { metadata: { labels: { keep: '' } } })
    server.edit(PIPES, KEY, { spec: { replicas: 3 } })
    server.put(PIPES, pipe({ replicas: 9 }, { namespace: 'other', labels: { keep: '' } }))
    server.edit(PIPES, KEY, { metadata: { labels: null } })
    server.remove(PIPES, KEY)
    server.bookmark()
    server.endWatches('peace')
    expect(await promise).toEqual({})
    expect(told).toEqual([
      ['ADDED', 'fraud', 2],
      ['MODIFIED', 'fraud', 3],
      ['DELETED', 'fraud', 3],
      ['BOOKMARK', String(server.store.version)],
    ])
  })

  it('says that a version is too old, in both of the ways that servers have', async () => {
    const ended = (resourceVersion: string, then: () => void) =>
      new Promise((resolve) => {
        client.watch(
          PIPES,
          { resourceVersion, timeoutSeconds: 300 },
          {
            heard: () => {},
            event: () => {},
            bookmark: () => {},
            ended: resolve,
          },
        )
        then()
      })
    server.put(PIPES, pipe())
    server.compact()
    expect(await ended('1000', () => {})).toEqual({ gone: true })
    expect(await ended(String(server.store.version), () => server.endWatches('gone'))).toEqual({ gone: true })
    const cut = await ended(String(server.store.version), () => server.endWatches('cut'))
    expect(cut).toMatchObject({ error: { code: 'TR-KUBE-001' } })
    server.fault = () => ({ status: 403 })
    expect(await ended('1', () => {})).toMatchObject({
      error: { code: 'TR-KUBE-002', message: expect.stringContaining('Cannot watch the pipes of all namespaces') },
    })
  })
})
