/** The controller in the operator's process: from a manifest that is applied to a job that runs, by caches, queue and long poll alone. */
import { expect, it } from 'vitest'
import { systemClock, systemSchedule } from '../../../runtime/core/clock.ts'
import { ApiServer } from '../../kube/api-server.suite.ts'
import { KubeClient } from '../../kube/client.ts'
import { OperatorProcess } from '../../operator-process.ts'
import { DEPLOYMENTS } from './act.ts'
import { FakeNode } from './fake-cluster.suite.ts'
import { openStreamDeployments } from './open.ts'

const KEY = { namespace: 'jobs', name: 'fraud' }

it('runs what is applied, and follows edits', async () => {
  const server = new ApiServer({ kinds: [{ ...DEPLOYMENTS, status: true, generation: true }] })
  const node = new FakeNode(server, KEY)
  const client = new KubeClient({ transport: server.transport(), schedule: systemSchedule, random: () => 0.5 })
  const operator = await OperatorProcess.start({
    transport: server.transport(),
    settings: {
      namespaces: undefined,
      labelSelector: undefined,
      concurrency: 4,
      resyncMs: 60_000,
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
  const turns = setInterval(() => node.turn(Date.now()), 20)
  try {
    const configuration = { 'state.checkpoints.dir': 's3://b/c', 'state.savepoints.dir': 's3://b/s' }
    const job = {
      artifact: 'local:///opt/tailrace/usrlib/fraud.js',
      parallelism: 2,
      state: 'running',
      upgradeMode: 'savepoint',
      allowNonRestoredState: false,
    }
    server.put(DEPLOYMENTS, {
      metadata: KEY,
      spec: { configuration, jobManager: {}, taskManager: { replicas: 1 }, job },
    })
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
  } finally {
    clearInterval(turns)
    await operator.stop('the test is over')
  }
})
