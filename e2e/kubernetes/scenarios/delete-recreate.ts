/** A deployment that is deleted leaves nothing behind in its namespace; one of the same name begins with nothing of it. */
import { Deployment } from '../deployment.ts'
import { until } from '../kubectl.ts'
import type { World } from '../world.ts'

const KINDS = 'pods,deployments,statefulsets,services,configmaps,leases,roles,rolebindings,serviceaccounts'
/** What Kubernetes puts into each namespace. */
const STANDARD = /^(ConfigMap\/kube-root-ca.crt|ServiceAccount\/default)$/

export async function run(world: World): Promise<string> {
  const first = await world.stream()
  const deployment = await Deployment.begin(world, first)
  const before = await first.verify()
  await deployment.delete()
  await until('nothing of it is there', 60_000, async () => {
    const left = (await world.kubectl.list(KINDS)).map(({ kind, metadata }) => `${kind}/${metadata.name}`)
    const own = left.filter((name) => !STANDARD.test(name))
    if (own.length > 0) throw new Error(`there are ${own.join(', ')}`)
    return true
  })
  const second = await world.stream()
  await Deployment.begin(world, second)
  const after = await second.verify()
  return `${before.records} records, then ${after.records}`
}
