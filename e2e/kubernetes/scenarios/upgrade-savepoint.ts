/** A new image with a changed job: the old one stops with a savepoint, the new one goes on from it, and nothing is lost, doubled or counted anew. */
import { Deployment, seconds } from '../deployment.ts'
import type { World } from '../world.ts'

export async function run(world: World): Promise<string> {
  const stream = await world.stream()
  const deployment = await Deployment.begin(world, stream, { upgradeMode: 'savepoint' })
  await deployment.patch({ image: world.images.changed })
  const tookMs = await deployment.ready()
  await stream.flows(60_000)
  const { status } = await deployment.get()
  if (status.jobStatus.savepointInfo?.lastSavepoint?.triggerType !== 'UPGRADE')
    throw new Error(`Status tells of no savepoint for the upgrade: ${JSON.stringify(status.jobStatus.savepointInfo)}`)
  const { records, lines } = await stream.verify(30_000, /^\S+ \d+ \d+( v2)?$/)
  const later = lines.filter((line) => line.endsWith(' v2')).length
  if (later === 0 || later === lines.length)
    throw new Error(`${later} of ${lines.length} lines are of the later version: both are wanted`)
  return `upgraded in ${seconds(tookMs)}; ${records} records, ${later} of them by the later version`
}
