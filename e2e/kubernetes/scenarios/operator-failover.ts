/** The operator that leads is killed without a word: the other one takes over and goes on with what the first had begun. The job does not notice. */
import { Deployment, seconds } from '../deployment.ts'
import { until } from '../kubectl.ts'
import type { World } from '../world.ts'

const LEASE = 'tailrace-operator'

export async function run(world: World): Promise<string> {
  const stream = await world.stream()
  const deployment = await Deployment.begin(world, stream)
  const kubectl = world.operatorKubectl
  const holder = async () => (await kubectl.get('lease', LEASE)).spec.holderIdentity as string
  const leader = await holder()
  const before = await deployment.pods('taskmanager')
  const sinceMs = Date.now()
  await kubectl.run('delete', 'pod', leader, '--grace-period=0', '--force')
  await deployment.patch({ taskManager: { replicas: 2 } })
  const next = await until('another operator leads', 60_000, async () => {
    const now = await holder()
    return now !== leader && now ? now : undefined
  })
  const takeoverMs = Date.now() - sinceMs
  await deployment.until(
    'the change is done by the other operator',
    60_000,
    ({ status }) => status.jobStatus.parallelism === 2,
  )
  const now = (await deployment.pods('taskmanager')).map(({ metadata }) => metadata.uid)
  if (!now.includes(before[0]!.metadata.uid)) throw new Error('The TaskManager was replaced')
  const { records } = await stream.verify()
  return `${next} leads after ${seconds(takeoverMs)}; ${records} records`
}
