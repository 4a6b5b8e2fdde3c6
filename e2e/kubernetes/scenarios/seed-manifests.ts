/**
 * Manifests and commands that people wrote for Flink's operator, with group, kind, image and artifact changed, in the namespaces that they name. Of the lab are, besides, arguments of the job, where S3 is, and how large pods may be.
 */
import { spawn } from 'node:child_process'
import { parse } from 'yaml'
import { CLICK_AGGREGATION, FRAUD_DETECTION } from '../../../operator/api/seed-manifests.suite.ts'
import { isReady, type Kubectl, must, type Shown, until } from '../kubectl.ts'
import type { Stream } from '../stream.ts'
import type { World } from '../world.ts'

const KIND = 'streamdeployment'
const CLICKS = 'click-aggregation-job'
const FRAUD = 'fraud-detection-job'
/** Of the page's port-forward. */
const REST_PORT = 8081

export async function run(world: World): Promise<string> {
  await world.operator('--set', 'webhook.create=true')
  const clicks = await clickAggregation(world, await world.namespace('flink-prod'))
  const fraud = await fraudDetection(world, await world.namespace('flink-jobs'))
  return `${clicks} and ${fraud} records`
}

/** Rescaled and saved by the commands of its page, which read its status. */
async function clickAggregation(world: World, kubectl: Kubectl): Promise<number> {
  const stream = await world.stream()
  await kubectl.run('create', 'serviceaccount', 'flink-service-account')
  const brokers = `--from-literal=bootstrap-servers=${world.bootstrapServers}`
  await kubectl.run('create', 'secret', 'generic', 'kafka-credentials', brokers)
  await kubectl.run('create', 'configmap', 'flink-job-config', '--from-literal=job.properties=env=production')
  await kubectl.apply(inLab(CLICK_AGGREGATION, world, stream))
  await ready(kubectl, CLICKS)
  const patch = (spec: string) =>
    shell(`kubectl patch ${KIND} ${CLICKS} -n flink-prod --type=merge -p '{"spec":${spec}}'`)
  await patch('{"taskManager":{"replicas":8}}')
  await ready(kubectl, CLICKS)
  const pods = await kubectl.list(
    'pods',
    `app.kubernetes.io/instance=${CLICKS},app.kubernetes.io/component=taskmanager`,
  )
  expectEqual('TaskManagers', pods.length, 8)
  const [{ mountPath }] = pods[0]!.spec.containers[0].volumeMounts.filter(
    ({ name }: any) => name === 'flink-config-vol',
  )
  expectEqual('the mounted configuration', mountPath, '/opt/flink/conf')
  const metrics = await (await fetch(`http://${pods[0]!.status.podIP}:9249/metrics`)).text()
  if (!metrics.includes('flink_taskmanager_job_task_numRecordsIn{'))
    throw new Error(`The TaskManager has no metrics of its tasks on port 9249:\n${metrics.slice(0, 500)}`)
  await patch('{"job":{"savepointTriggerNonce":1}}')
  const location = await savepointOf(kubectl, CLICKS, 1)
  if (!location.includes('/flink-savepoints/savepoint-'))
    throw new Error(`A savepoint is not where it is wanted: ${location}`)
  const status = JSON.parse(
    await shell(`kubectl get ${KIND} ${CLICKS} -n flink-prod -o jsonpath='{.status.jobStatus}'`),
  )
  expectEqual('status.jobStatus.state', status.state, 'RUNNING')
  const { records } = await verify(stream, kubectl, CLICKS)
  await kubectl.run('delete', KIND, CLICKS, '--timeout=120s')
  return records
}

/** With slots, looked at through a forwarded port, and scaled as an autoscaler does it. */
async function fraudDetection(world: World, kubectl: Kubectl): Promise<number> {
  const stream = await world.stream()
  await kubectl.run('create', 'serviceaccount', 'flink')
  const manifest = inLab(FRAUD_DETECTION, world, stream)
  manifest.spec.flinkConfiguration['high-availability.storageDir'] = world.place('ha')
  manifest.spec.podTemplate = {
    spec: {
      containers: [
        { name: 'flink-main-container', env: [{ name: 'KAFKA_BOOTSTRAP_SERVERS', value: world.bootstrapServers }] },
      ],
    },
  }
  await kubectl.apply(manifest)
  await ready(kubectl, FRAUD)
  const forward = spawn('kubectl', ['port-forward', `svc/${FRAUD}-rest`, `${REST_PORT}:8081`, '-n', 'flink-jobs'], {
    stdio: 'ignore',
  })
  try {
    const { jobs } = await until('the forwarded port answers', 20_000, async () =>
      (await fetch(`http://localhost:${REST_PORT}/jobs/overview`)).json(),
    )
    expectEqual('the job at the forwarded port', jobs[0].state, 'RUNNING')
  } finally {
    forward.kill()
  }
  await kubectl.run('scale', `${KIND}/${FRAUD}`, '--replicas=2')
  await until(`${FRAUD} runs on 2 TaskManagers`, 60_000, async () => {
    const { status } = await kubectl.get(KIND, FRAUD)
    return (status.taskManager.replicas === 2 && status.jobStatus.parallelism === 8) || undefined
  })
  const { records } = await verify(stream, kubectl, FRAUD)
  await kubectl.run('delete', KIND, FRAUD, '--timeout=120s')
  return records
}

/** The manifest, and what of it is another in the lab. */
function inLab(text: string, world: World, stream: Stream): any {
  const manifest = parse(text)
  const { spec } = manifest
  spec.image = world.images.job
  spec.job.jarURI = 'local:///opt/tailrace/usrlib/job.mjs'
  spec.job.args.push(...world.jobArguments(stream))
  for (const part of ['jobManager', 'taskManager']) Object.assign(spec[part].resource, { cpu: 0.05, memory: '640m' })
  const { 'execution.checkpointing.interval': _often, ...lab } = world.configuration()
  for (const [key, value] of Object.entries(lab)) if (key.startsWith('s3.')) spec.flinkConfiguration[key] = value
  for (const key of ['state.checkpoints.dir', 'state.savepoints.dir'])
    spec.flinkConfiguration[key] = world.place(spec.flinkConfiguration[key].replace(/^s3:\/\/[^/]+\//, ''))
  for (const process of ['jobmanager', 'taskmanager'])
    spec.flinkConfiguration[`kubernetes.${process}.cpu.limit-factor`] = '20'
  return manifest
}

async function ready(kubectl: Kubectl, name: string): Promise<Shown> {
  return until(`${name} is Ready`, 120_000, async () => {
    const shown = await kubectl.get(KIND, name)
    return isReady(shown) ? shown : undefined
  })
}

/** Records come out with checkpoints, of which the manifests want one a minute. */
async function verify(stream: Stream, kubectl: Kubectl, name: string): Promise<{ records: number }> {
  await stream.end()
  // What was sent last is read by then.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  await kubectl.patch(KIND, name, { spec: { job: { checkpointTriggerNonce: 1 } } })
  return stream.verify()
}

function savepointOf(kubectl: Kubectl, name: string, nonce: number): Promise<string> {
  return until(`the savepoint of nonce ${nonce}`, 60_000, async () => {
    const { status } = await kubectl.get(KIND, name)
    const last = status.jobStatus.savepointInfo.lastSavepoint
    return last?.triggerNonce === nonce ? last.location : undefined
  })
}

const shell = (line: string): Promise<string> => must('bash', ['-c', line])

function expectEqual(what: string, found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(`${what}: found ${found}, wanted ${wanted}`)
}
