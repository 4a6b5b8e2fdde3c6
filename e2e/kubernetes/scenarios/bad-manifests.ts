/** What cannot be right is refused when it is applied, with a text that says what is wanted; what only the whole shows is told by ConfigValid, and what ran keeps running. */
import { Deployment, manifest } from '../deployment.ts'
import type { World } from '../world.ts'

type Break = (spec: any) => void

const REFUSED: readonly (readonly [string, Break, RegExp])[] = [
  ['nothing to run', (spec) => delete spec.job.artifact, /must name what is run/],
  ['two things to run', (spec) => (spec.job.jarURI = spec.job.artifact), /must name what is run/],
  ['a scheme that is none', (spec) => (spec.job.artifact = 'ftp://a/b'), /local, file, https, http or s3/],
  ['no TaskManagers', (spec) => (spec.taskManager.replicas = 0), /greater than or equal to 1/],
  ['a word that is none', (spec) => (spec.job.upgradeMode = 'hope'), /Unsupported value: "hope"/],
  ['resources twice', (spec) => (spec.jobManager.resource = { cpu: 1 }), /not both/],
]

export async function run(world: World): Promise<string> {
  const stream = await world.stream()
  const deployment = await Deployment.begin(world, stream)
  for (const [what, breakIt, text] of REFUSED) {
    const wrong = structuredClone(manifest(world, stream, {}))
    wrong.metadata.name = 'wrong'
    breakIt(wrong.spec)
    const refusal = await world.kubectl.apply(wrong).then(
      () => 'it was taken',
      (error: Error) => error.message,
    )
    if (!text.test(refusal)) throw new Error(`${what}: ${text} is wanted, kubectl said: ${refusal}`)
  }
  const before = (await deployment.pods('taskmanager')).map(({ metadata }) => metadata.uid)
  await deployment.patch({ configuration: { 'execution.checkpointing.interval': 'soon' } })
  const refused = async (what: string, text: RegExp) => {
    const { status } = await deployment.until(`it is told that ${what} is not valid`, 30_000, ({ status, metadata }) =>
      status.conditions.some(
        (one: any) =>
          one.type === 'ConfigValid' && one.status === 'False' && one.observedGeneration === metadata.generation,
      ),
    )
    const { message } = status.conditions.find((one: any) => one.type === 'ConfigValid')
    if (!text.test(message)) throw new Error(`${what}: ${text} is wanted, ConfigValid says: ${message}`)
  }
  await refused('the configuration', /execution\.checkpointing\.interval/)
  // What only the API server can judge, in words of its own.
  const volumes = [{ name: 'files', configMap: { name: 'files', items: [{ key: 'a', path: '../a' }] } }]
  await deployment.patch({
    configuration: { 'execution.checkpointing.interval': '500ms' },
    podTemplate: { spec: { volumes } },
  })
  await refused('the pod template', /must not contain '\.\.'/)
  await stream.flows(30_000)
  const now = (await deployment.pods('taskmanager')).map(({ metadata }) => metadata.uid)
  if (now.join() !== before.join()) throw new Error('Pods were replaced for a spec that is not valid')
  // What ran is healed all the same.
  await deployment.kill('taskmanager')
  await stream.flows(90_000)
  await deployment.patch({ podTemplate: { spec: { volumes: null } } })
  await deployment.ready()
  const { records } = await stream.verify()
  return `${REFUSED.length} refused; ${records} records`
}
