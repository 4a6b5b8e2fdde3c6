/** Another nonce takes one savepoint, which status tells; the same nonce takes none. */
import { Deployment, seconds } from '../deployment.ts'
import type { World } from '../world.ts'

export async function run(world: World): Promise<string> {
  const stream = await world.stream()
  const deployment = await Deployment.begin(world, stream)
  const sinceMs = Date.now()
  await deployment.patch({ job: { savepointTriggerNonce: 7 } })
  const { status } = await deployment.until(
    'the savepoint of nonce 7 is told',
    60_000,
    ({ status }) => status.jobStatus.savepointInfo?.lastSavepoint?.triggerNonce === 7,
  )
  const tookMs = Date.now() - sinceMs
  const { location, error } = status.jobStatus.savepointInfo.lastSavepoint
  if (error !== undefined || !location?.includes('/savepoints/'))
    throw new Error(`A place below savepoints is wanted, status says: ${location ?? error}`)
  // A change that has nothing to do with it takes no other one.
  await deployment.patch({ job: { savepointTriggerNonce: 7 }, taskManager: { replicas: 2 } })
  await deployment.ready()
  const later = (await deployment.get()).status.jobStatus.savepointInfo.lastSavepoint
  if (later.location !== location) throw new Error(`The same nonce took another savepoint: ${later.location}`)
  const { records } = await stream.verify()
  return `savepoint told after ${seconds(tookMs)}; ${records} records`
}
