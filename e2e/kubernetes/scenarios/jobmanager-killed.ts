/** The pod of the JobManager is killed: the job goes on from its newest checkpoint in another one. */
import { Deployment, seconds } from '../deployment.ts'
import type { World } from '../world.ts'

export async function run(world: World): Promise<string> {
  const stream = await world.stream()
  const deployment = await Deployment.begin(world, stream, { replicas: 2 })
  await deployment.kill('jobmanager')
  const againMs = await stream.flows(90_000)
  await deployment.ready()
  const { records } = await stream.verify()
  return `output again after ${seconds(againMs)}; ${records} records`
}
