/**
 * Real processes with the command lines, the configuration and the Lease that the operator makes of a StreamDeployment: they are who their pods are, run the part of the artifact that is named, and answer as
 * the operator expects.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { restClient } from '../../operator/controllers/stream-deployment/job-manager-client.ts'
import { ApiServer } from '../../operator/kube/api-server.suite.ts'
import { RESOURCES } from '../../operator/kube/objects.ts'
import { buildChildren } from '../../operator/resources/children.ts'
import { exampleSpec, FRAUD } from '../../operator/resources/example.suite.ts'
import { seededRandom } from '../chaos/random.ts'
import { makeScene, type Scene } from '../chaos/scene.ts'
import { COUNTING } from '../cluster/cluster.ts'
import { HaCluster, until } from './cluster.ts'
import { kubeConfig } from './kube-config.ts'

const JOB_MANAGER = 'fraud-jobmanager-5d8f6c7b9-x2x4z'
const TASK_MANAGER = 'fraud-taskmanager-0'
/** Ports of a pod are its own; here several share a machine. */
const PORTS = ['rest.port=0', 'jobmanager.rpc.port=0', 'metrics.reporter.prom.port=0'].flatMap((one) => ['-D', one])

let scene: Scene
let cluster: HaCluster
let server: ApiServer
afterEach(async () => {
  await cluster.stop()
  await server.stop()
  await scene.remove()
})

it('are named by their pods, say their generation, and run the job as the spec says', { timeout: 90_000 }, async () => {
  scene = makeScene('operator-pods', seededRandom(7))
  const { folder } = scene
  server = new ApiServer()
  const api = await server.start()
  const spec = exampleSpec({
    configuration: {
      'execution.checkpointing.interval': '300 ms',
      'state.checkpoints.dir': join(folder, 'checkpoints'),
      'state.savepoints.dir': join(folder, 'savepoints'),
      'io.tmp.dirs': folder,
      'process.working-dir': join(folder, 'work'),
    },
    job: { artifact: `local://${COUNTING}`, entry: 'default', args: ['--rate', '200'] },
  })
  const children = buildChildren(FRAUD, {
    spec,
    generation: 3,
    slots: 1,
    parallelism: 1,
    taskManagers: 1,
    restore: { generation: 3, from: 'latest', neverEmpty: false },
    pods: true,
  })
  const child = (kind: string) => children.find((one) => one.kind === kind) as any
  const conf = join(folder, 'conf')
  mkdirSync(conf)
  for (const [name, text] of Object.entries<string>(child('ConfigMap').data)) writeFileSync(join(conf, name), text)
  const lease = child('Lease')
  await fetch(
    `${api}/apis/coordination.k8s.io/v1/namespaces/jobs/leases/${lease.metadata.name}?fieldManager=tailrace-operator&force=true`,
    { method: 'PATCH', headers: { 'content-type': 'application/apply-patch+yaml' }, body: JSON.stringify(lease) },
  )
  cluster = new HaCluster({ folder, environment: { ...kubeConfig(folder, api, 'jobs'), TAILRACE_CONF_DIR: conf } })
  const pod = (workload: string, name: string) => {
    const { args } = child(workload).spec.template.spec.containers[0] as { args: string[] }
    const [command, ...rest] = args.map((one) => one.replace('$(POD_NAME)', name).replace('$(POD_IP)', '127.0.0.1'))
    return cluster.command(name, [command!, ...PORTS, ...rest])
  }
  pod('StatefulSet', TASK_MANAGER)
  const jobManager = pod('Deployment', JOB_MANAGER)
  await jobManager.says('REST and the page on')
  const url = /REST and the page on (\S+)/.exec(jobManager.log)![1]!.replace('0.0.0.0', '127.0.0.1')
  const client = restClient({ url })
  const changes = () => client.changes(undefined, 0, AbortSignal.timeout(5_000))
  await until(async () => (await changes())?.jobs[0]?.state === 'RUNNING', 'the job runs')
  const now = (await changes())!
  expect(now).toMatchObject({ generation: 3, jobs: [{ name: 'counting', parallelism: 1 }] })
  expect(now.slots.byTaskManager).toEqual([{ id: TASK_MANAGER, total: 1, free: 0 }])
  const held = server.get(RESOURCES.leases, { namespace: 'jobs', name: lease.metadata.name })
  expect(held.spec.holderIdentity).toBe(JOB_MANAGER)
  const answer = async (path: string) => (await (await fetch(`${url}${path}`)).json()) as any
  const { 'execution-config': run } = await answer(`/jobs/${now.jobs[0]!.id}/config`)
  expect(run['user-config']).toMatchObject({ rate: '200' })
  const shown = Object.fromEntries((await answer('/jobmanager/config')).map(({ key, value }: any) => [key, value]))
  expect(shown).toMatchObject({
    'tailrace.deployment.id': FRAUD.uid,
    'tailrace.deployment.generation': '3',
    'jobmanager.resource-id': JOB_MANAGER,
  })
  const probe = child('Deployment').spec.template.spec.containers[0].readinessProbe.httpGet.path
  expect((await fetch(`${url}${probe}`)).status).toBe(200)
})
