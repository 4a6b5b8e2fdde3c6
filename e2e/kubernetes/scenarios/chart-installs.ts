/** The chart: two operators become ready, one leads, and when it ends the other one does; `helm test` passes; an upgrade with the webhook key does no harm; an uninstall leaves the CRD. */
import { seconds } from '../deployment.ts'
import { isReady, must, run as runs, until } from '../kubectl.ts'
import type { World } from '../world.ts'

const CRD = 'streamdeployments.tailrace.dev'
const LEASE = 'tailrace-operator'

export async function run(world: World): Promise<string> {
  await world.noOperator()
  const sinceMs = Date.now()
  await world.operator()
  const readyMs = Date.now() - sinceMs
  const kubectl = world.operatorKubectl
  const pods = (await kubectl.list('pods', 'app.kubernetes.io/component=operator')).filter(isReady)
  if (pods.length !== 2) throw new Error(`${pods.length} operators are ready, wanted: 2`)
  await must('helm', ['test', 'tailrace', '--namespace', kubectl.namespace])

  const holder = async () => (await kubectl.get('lease', LEASE)).spec.holderIdentity as string | undefined
  // One that was uninstalled has lost its rights before it could give the Lease back.
  const leader = await until('an operator of these leads', 30_000, async () => {
    const now = await holder()
    return pods.some(({ metadata }) => metadata.name === now) ? now : undefined
  })
  const endedMs = Date.now()
  await kubectl.run('delete', 'pod', leader!, '--wait=false')
  const next = await until('another one leads', 30_000, async () => {
    const now = await holder()
    return now === leader ? undefined : now
  })
  const takeoverMs = Date.now() - endedMs
  await kubectl.run('rollout', 'status', 'deployment/tailrace-operator', '--timeout=60s')

  await world.operator('--set', 'webhook.create=true')
  if ((await holder()) !== next) throw new Error('The webhook key restarted the operators')
  await must('helm', ['uninstall', 'tailrace', '--namespace', kubectl.namespace, '--wait'])
  if ((await runs('kubectl', ['get', 'crd', CRD])).code !== 0) throw new Error('The CRD went with the chart')
  return `ready after ${seconds(readyMs)}; another one leads ${seconds(takeoverMs)} after the leader was told to end`
}
