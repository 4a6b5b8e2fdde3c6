/** Every operator is killed in the middle of an upgrade: those that come after find where it was, and end it. */
import { Deployment, seconds } from '../deployment.ts'
import type { World } from '../world.ts'

export async function run(world: World): Promise<string> {
  const stream = await world.stream()
  const deployment = await Deployment.begin(world, stream, { upgradeMode: 'savepoint' })
  await deployment.patch({ image: world.images.changed })
  await deployment.until('it is on the way', 30_000, ({ status }) => status.reconciliationStatus?.state === 'UPGRADING')
  const sinceMs = Date.now()
  await world.operatorKubectl.run('delete', 'pods', '--all', '--grace-period=0', '--force')
  await deployment.ready()
  const tookMs = Date.now() - sinceMs
  await stream.flows(60_000)
  const { records, lines } = await stream.verify(30_000, /^\S+ \d+ \d+( v2)?$/)
  if (!lines.some((line) => line.endsWith(' v2'))) throw new Error('No line is of the later version')
  return `Ready ${seconds(tookMs)} after the operators were killed; ${records} records`
}
