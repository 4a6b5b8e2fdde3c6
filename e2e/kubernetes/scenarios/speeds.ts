/**
 * How long things take, on the machine as it is: three rounds each, the median and the least and most. It holds nothing to a figure; what comes out must be right, as everywhere.
 *
 * "Output again" is from the event until a record that was written after it is seen by a consumer with `read_committed`, with a checkpoint every half second: 0.3 to 0.6 s when nothing happens.
 */
import { Deployment, manifest } from '../deployment.ts'
import { isReady, until } from '../kubectl.ts'
import type { World } from '../world.ts'

const ROUNDS = 3

export async function run(world: World): Promise<string> {
  await world.operator()
  const stream = await world.stream()
  const times: Record<string, number[]> = {}
  const note = (what: string, ms: number) => (times[what] ??= []).push(ms)

  // The images are there, and nothing of the deployment.
  for (let round = 0; round < ROUNDS - 1; round++) {
    const other = manifest(world, await world.stream(), {})
    other.metadata.name = 'starts'
    const sinceMs = Date.now()
    await world.kubectl.apply(other)
    await until(
      'starts is Ready',
      60_000,
      async () => isReady(await world.kubectl.get('streamdeployment', 'starts')) || undefined,
    )
    note('apply to Ready', Date.now() - sinceMs)
    await world.kubectl.run('delete', 'streamdeployment', 'starts', '--timeout=60s')
  }
  const sinceMs = Date.now()
  await world.kubectl.apply(manifest(world, stream, {}))
  const deployment = Deployment.of(world)
  await deployment.ready()
  note('apply to Ready', Date.now() - sinceMs)
  await stream.flows(60_000)

  for (let round = 0; round < ROUNDS; round++) {
    note('at rest', await stream.flows(60_000))
    for (const replicas of [2, 1]) {
      const pauses = stream.pauses()
      await deployment.patch({ taskManager: { replicas } })
      await deployment.ready()
      await stream.flows(60_000)
      note(`pause of a rescale to ${replicas}`, await pauses.longestMs())
    }
    for (const component of ['taskmanager', 'jobmanager'] as const) {
      await deployment.kill(component)
      note(`output again, ${component} killed`, await stream.flows(90_000))
      await deployment.until('its pods are ready', 90_000, ({ status }) =>
        ['JobManagerAvailable', 'TaskManagersAvailable', 'Ready'].every((type) =>
          status.conditions.some((one: any) => one.type === type && one.status === 'True'),
        ),
      )
      await stream.flows(60_000)
    }
  }
  const { records } = await stream.verify()
  return `${records} records\n${Object.entries(times).map(lineOf).join('\n')}`
}

function lineOf([what, all]: [string, number[]]): string {
  const sorted = all.toSorted((a, b) => a - b).map((ms) => (ms / 1000).toFixed(1))
  return `       ${what}: ${sorted[Math.floor(sorted.length / 2)]} s (${sorted[0]}–${sorted.at(-1)})`
}
