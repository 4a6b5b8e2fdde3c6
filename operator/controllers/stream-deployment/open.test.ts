/** The controller in the operator's process: from a manifest that is applied to a job that runs, by caches, queue and long poll alone. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock, systemSchedule } from '../../../runtime/core/clock.ts'
import { ApiServer } from '../../kube/api-server.suite.ts'
import { KubeClient } from '../../kube/client.ts'
import { RESOURCES } from '../../kube/objects.ts'
import { OperatorProcess } from '../../operator-process.ts'
import { DEPLOYMENTS } from './act.ts'
import { FakeNode } from './fake-cluster.suite.ts'
import { openStreamDeployments } from './open.ts'

const KEY = { namespace: 'jobs', name: 'fraud' }

let server: ApiServer
let node: FakeNode
let client: KubeClient
let running: OperatorProcess | undefined

beforeEach(() => {
  server = new ApiServer({ kinds: [{ ...DEPLOYMENTS, status: true, generation: true }] })
  node = new FakeNode(server, KEY)
  client = new KubeClient({ transport: server.transport(), schedule: systemSchedule, random: () => 0.5 })
})
afterEach(async () => await running?.stop('the test is over'))

async function start(resyncMs: number, labelSelector?: string): Promise<void> {
  running = await OperatorProcess.start({
    transport: server.transport(),
    settings: {
      namespaces: undefined,
      labelSelector,
      concurrency: 4,
      resyncMs,
      election: {
        namespace: 'tailrace',
        lease: 'operator',
        timing: { leaseMs: 2_500, renewDeadlineMs: 2_000, retryMs: 150 },
      },
      healthPort: '0',
      metricsPort: '0',
      drainMs: 5_000,
    },
    controllers: [openStreamDeployments({ image: 'tailrace:1' }, () => node)],
    identity: 'operator-0',
    clock: systemClock,
    schedule: systemSchedule,
    random: Math.random,
    log: () => {},
  })
}

const MANIFEST = {
  metadata: KEY,
  spec: {
    configuration: { 'state.checkpoints.dir': 's3://b/c', 'state.savepoints.dir': 's3://b/s' },
    jobManager: {},
    taskManager: { replicas: 1 },
    job: {
      artifact: 'local:///opt/tailrace/usrlib/fraud.js',
      parallelism: 2,
      state: 'running',
      upgradeMode: 'savepoint',
      allowNonRestoredState: false,
    },
  },
}

it('runs what is applied, and follows edits', async () => {
  await start(60_000)
  const turns = setInterval(() => node.turn(Date.now()), 20)
  try {
    server.put(DEPLOYMENTS, MANIFEST)
    const told = () => {
      const { status } = server.get(DEPLOYMENTS, KEY)
      return `${status?.jobStatus?.state} ${status?.conditions?.find((one: any) => one.type === 'Ready')?.status} ${status?.jobStatus?.parallelism}`
    }
    await expect.poll(told, { timeout: 10_000 }).toBe('RUNNING True 2')
    expect(node.job?.image).toBe('tailrace:1')
    await client.patch(DEPLOYMENTS, KEY, { spec: { taskManager: { replicas: 2 } } })
    await expect.poll(told, { timeout: 10_000 }).toBe('RUNNING True 4')
    await client.patch(DEPLOYMENTS, KEY, { spec: { image: 'fraud:2' } })
    await expect.poll(() => node.job?.image, { timeout: 10_000 }).toBe('fraud:2')
    expect(node.begins).toEqual(['1: latest', '2: s3://b/savepoint-1'])
    // An edit of a child is heard, also one that takes it out of the caches.
    const key = { namespace: 'jobs', name: 'fraud-rest' }
    server.edit(RESOURCES.services, key, { metadata: { labels: null }, spec: { selector: null } })
    await expect.poll(() => server.get(RESOURCES.services, key).spec.selector, { timeout: 10_000 }).toBeTruthy()
    expect(server.get(RESOURCES.services, key).metadata.labels).toMatchObject({ 'tailrace.dev/deployment': 'fraud' })
  } finally {
    clearInterval(turns)
  }
})

it('looks at a deployment again and again, though nothing is heard', async () => {
  await start(50)
  const suspended = { ...MANIFEST, spec: { ...MANIFEST.spec, job: { ...MANIFEST.spec.job, state: 'suspended' } } }
  server.put(DEPLOYMENTS, suspended)
  const looks = () => server.requests.filter(({ verb, kind }) => verb === 'get' && kind === DEPLOYMENTS.kind).length
  await expect.poll(() => server.get(DEPLOYMENTS, KEY).status?.lifecycleState, { timeout: 10_000 }).toBe('SUSPENDED')
  const before = looks()
  await expect.poll(looks, { timeout: 10_000 }).toBeGreaterThan(before + 4)
  server.remove(DEPLOYMENTS, KEY)
  await expect.poll(() => server.get(DEPLOYMENTS, KEY)).toBeUndefined()
})

it('hears when a Lease is edited, by its JobManager', async () => {
  await start(60_000)
  const turns = setInterval(() => node.turn(Date.now()), 20)
  try {
    server.put(DEPLOYMENTS, MANIFEST)
    const key = { namespace: 'jobs', name: 'fraud-jobmanager' }
    await expect.poll(() => node.job?.state, { timeout: 10_000 }).toBe('RUNNING')
    const parallelism = () => server.get(RESOURCES.leases, key)?.metadata.annotations['tailrace.dev/parallelism']
    server.edit(RESOURCES.leases, key, { metadata: { annotations: { 'tailrace.dev/parallelism': '9' } } })
    await expect.poll(parallelism, { timeout: 10_000 }).toBe('2')
  } finally {
    clearInterval(turns)
  }
})

it('leaves deployments alone that it is not to look after, whatever becomes of their children', async () => {
  await start(60_000, 'team=risk')
  server.put(DEPLOYMENTS, MANIFEST)
  const metadata = { namespace: 'jobs', name: 'fraud-config', labels: { 'tailrace.dev/deployment': 'fraud' } }
  server.put(RESOURCES.configMaps, { metadata })
  server.put(DEPLOYMENTS, { ...MANIFEST, metadata: { ...KEY, name: 'ours', labels: { team: 'risk' } } })
  await expect.poll(() => server.get(DEPLOYMENTS, { ...KEY, name: 'ours' }).status, { timeout: 10_000 }).toBeTruthy()
  server.edit(RESOURCES.configMaps, metadata, { data: { a: 'b' } })
  await client.patch(DEPLOYMENTS, { ...KEY, name: 'ours' }, { spec: { job: { state: 'suspended' } } })
  const state = () => server.get(DEPLOYMENTS, { ...KEY, name: 'ours' }).status.lifecycleState
  await expect.poll(state, { timeout: 10_000 }).toBe('SUSPENDED')
  expect(server.get(DEPLOYMENTS, KEY)).not.toHaveProperty('status')
})
