/** Every operator is killed in the middle of upgrades, at different moments: those that come after find where it was, and end it. */
import { Deployment, seconds } from '../deployment.ts'
import type { World } from '../world.ts'

/** Behind the edit. The job has stopped after half a second, and runs again after some more. */
const MOMENTS_MS = [0, 400, 1500]

export async function run(world: World): Promise<string> {
  const stream = await world.stream()
  const deployment = await Deployment.begin(world, stream, { upgradeMode: 'savepoint' })
  const { job, changed } = world.images
  const times: string[] = []
  for (const [round, momentMs] of MOMENTS_MS.entries()) {
    await deployment.patch({ image: round % 2 === 0 ? changed : job })
    await new Promise((resolve) => setTimeout(resolve, momentMs))
    const sinceMs = Date.now()
    await world.operatorKubectl.run('delete', 'pods', '--all', '--grace-period=0', '--force')
    await deployment.ready()
    times.push(seconds(Date.now() - sinceMs))
    await stream.flows(60_000)
  }
  const { records, lines } = await stream.verify(30_000, /^\S+ \d+ \d+( v2)?$/)
  if (!lines.some((line) => line.endsWith(' v2'))) throw new Error('No line is of the later version')
  return `Ready ${times.join(', ')} after the operators were killed; ${records} records`
}
