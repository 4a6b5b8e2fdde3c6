/**
 * Pods of the image without the operator: two JobManagers elect a leader by a Lease, two TaskManagers find it, and the job runs from Kafka to Kafka. Then the pod that leads is killed, then one of a TaskManager, and
 * what came out is what is expected.
 */
import { bareManifest, rest } from '../bare-manifest.ts'
import { type Shown, until } from '../kubectl.ts'
import type { World } from '../world.ts'

const NAME = 'totals'
const START_MS = 90_000
const AGAIN_MS = 60_000

interface Overview {
  jobs: { name: string; state: string }[]
}

export async function run(world: World): Promise<string> {
  const { kubectl, images } = world
  const stream = await world.stream()
  const configuration = {
    ...world.configuration(),
    'restart-strategy.type': 'fixed-delay',
    'restart-strategy.fixed-delay.attempts': '100',
    'restart-strategy.fixed-delay.delay': '200ms',
  }
  const appliedMs = Date.now()
  await kubectl.apply(
    ...bareManifest({
      name: NAME,
      image: images.job,
      jobManagers: 2,
      taskManagers: 2,
      args: world.jobArguments(stream),
      configuration,
      bootstrapServers: world.bootstrapServers,
    }),
  )
  await until('the job is RUNNING', START_MS, async () => {
    const { jobs } = await rest<Overview>(world, NAME, '/jobs/overview')
    return jobs.find(({ state }) => state === 'RUNNING')
  })
  const runningMs = Date.now() - appliedMs
  await stream.flows(AGAIN_MS)

  const leader = await holder(world)
  await kubectl.run('delete', 'pod', leader, '--grace-period=0', '--force')
  await until('another pod leads', AGAIN_MS, async () => {
    const now = await holder(world)
    return now !== '' && now !== leader ? now : undefined
  })
  const jobManagerMs = await stream.flows(AGAIN_MS)

  const taskManagers = await kubectl.list('pods', 'component=taskmanager')
  await kubectl.run('delete', 'pod', taskManagers[0]!.metadata.name, '--grace-period=0', '--force')
  const taskManagerMs = await stream.flows(AGAIN_MS)

  const { records } = await stream.verify()
  return `RUNNING after ${seconds(runningMs)}; output again ${seconds(jobManagerMs)} after the JobManager's takeover, ${seconds(taskManagerMs)} after a TaskManager's end; ${records} records`
}

async function holder({ kubectl }: World): Promise<string> {
  const lease: Shown = await kubectl.get('lease', `${NAME}-jobmanager`)
  return lease.spec.holderIdentity ?? ''
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
