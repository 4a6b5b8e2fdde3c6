/** More TaskManagers, and fewer again: pods that stay are the same ones, and the job goes on with the parallelism that there is. */
import { Deployment, seconds } from '../deployment.ts'
import type { World } from '../world.ts'

export async function run(world: World): Promise<string> {
  const stream = await world.stream()
  const deployment = await Deployment.begin(world, stream, { replicas: 1 })
  const uids = async () =>
    new Set(
      [...(await deployment.pods('jobmanager')), ...(await deployment.pods('taskmanager'))].map(
        ({ metadata }) => metadata.uid,
      ),
    )
  const before = await uids()
  const times: string[] = []
  for (const replicas of [3, 1]) {
    const sinceMs = Date.now()
    await deployment.patch({ taskManager: { replicas } })
    await deployment.until(
      `it runs with parallelism ${replicas}`,
      120_000,
      ({ status }) => status.jobStatus.parallelism === replicas && status.jobStatus.state === 'RUNNING',
    )
    times.push(seconds(Date.now() - sinceMs))
    await deployment.until(
      `there are ${replicas} TaskManagers`,
      60_000,
      ({ status }) => status.taskManager.replicas === replicas,
    )
    await stream.flows(60_000)
    const now = await uids()
    const gone = [...before].filter((uid) => !now.has(uid))
    if (gone.length > 0) throw new Error(`${gone.length} pods were replaced by a rescale to ${replicas}`)
  }
  const { records } = await stream.verify()
  return `to 3 in ${times[0]}, to 1 in ${times[1]}; ${records} records`
}
