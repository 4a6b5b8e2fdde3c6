/** An upgrade by the newest checkpoint, without a savepoint. */
import { Deployment, seconds } from '../deployment.ts'
import type { World } from '../world.ts'

export async function run(world: World): Promise<string> {
  const stream = await world.stream()
  const deployment = await Deployment.begin(world, stream, { upgradeMode: 'last-state' })
  await deployment.patch({ image: world.images.changed })
  const tookMs = await deployment.ready()
  await stream.flows(60_000)
  const { status } = await deployment.get()
  if (status.jobStatus.savepointInfo?.lastSavepoint !== undefined) throw new Error('A savepoint was taken')
  const { records } = await stream.verify(30_000, /^\S+ \d+ \d+( v2)?$/)
  return `upgraded in ${seconds(tookMs)}; ${records} records`
}
