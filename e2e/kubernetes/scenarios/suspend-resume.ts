/** A suspended job has no pods, and its state is kept; what came in the meantime is there when it goes on. */
import { Deployment, seconds } from '../deployment.ts'
import { until } from '../kubectl.ts'
import type { World } from '../world.ts'

export async function run(world: World): Promise<string> {
  const stream = await world.stream()
  const deployment = await Deployment.begin(world, stream)
  await deployment.patch({ job: { state: 'suspended' } })
  await deployment.until('it is SUSPENDED', 60_000, ({ status }) => status.lifecycleState === 'SUSPENDED')
  await until('its pods are gone', 60_000, async () => {
    const pods = [...(await deployment.pods('jobmanager')), ...(await deployment.pods('taskmanager'))]
    return pods.length === 0 ? true : undefined
  })
  await deployment.patch({ job: { state: 'running' } })
  const tookMs = await deployment.ready()
  await stream.flows(60_000)
  const { records } = await stream.verify()
  return `runs again ${seconds(tookMs)} after it was resumed; ${records} records`
}
