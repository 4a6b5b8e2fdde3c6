/** Pods that cannot run, each for another reason: a condition names it, and says what Kubernetes or the process has said. */
import { manifest } from '../deployment.ts'
import { type Kubectl, until } from '../kubectl.ts'
import type { World } from '../world.ts'

interface Trouble {
  name: string
  breakIt(spec: any): void
  /** Of JobManagerAvailable or TaskManagersAvailable. */
  reason: string
  message: RegExp
}

const TROUBLES: readonly Trouble[] = [
  {
    name: 'image',
    breakIt: (spec) => (spec.image = 'registry.invalid/nobody/nothing:1'),
    reason: 'ImagePullFailed',
    message: /registry\.invalid\/nobody\/nothing:1/,
  },
  {
    name: 'cores',
    breakIt: (spec) => (spec.taskManager.resources = { requests: { cpu: '500' } }),
    reason: 'Unschedulable',
    message: /Insufficient cpu/,
  },
  {
    name: 'secret',
    breakIt: ({ podTemplate }) =>
      podTemplate.spec.containers[0].env.push({
        name: 'PASSWORD',
        valueFrom: { secretKeyRef: { name: 'nowhere', key: 'password' } },
      }),
    reason: 'SecretMissing',
    message: /secret "nowhere" not found/,
  },
  {
    name: 'volume',
    breakIt: ({ podTemplate }) => {
      podTemplate.spec.volumes = [{ name: 'settings', configMap: { name: 'nowhere' } }]
      podTemplate.spec.containers[0].volumeMounts = [{ name: 'settings', mountPath: '/settings' }]
    },
    reason: 'ConfigMapMissing',
    message: /configmap "nowhere" not found/,
  },
  {
    name: 'account',
    breakIt: (spec) => (spec.serviceAccount = 'nobody'),
    reason: 'ServiceAccountMissing',
    message: /"nobody" is not there/,
  },
  {
    name: 'artifact',
    breakIt: ({ job }) => (job.artifact = 'local:///opt/tailrace/usrlib/nothing.mjs'),
    reason: 'CrashLoop',
    message: /usrlib\/nothing\.mjs/,
  },
]

export async function run(world: World): Promise<string> {
  await world.operator()
  const stream = await world.stream()
  const begun = (kubectl: Kubectl, { name, breakIt }: Pick<Trouble, 'name' | 'breakIt'>): Promise<string> => {
    const wrong = manifest(world, stream, {})
    wrong.metadata.name = name
    breakIt(wrong.spec)
    return kubectl.apply(wrong)
  }
  const full = await world.namespace('e2e-pod-trouble-quota')
  await full.apply({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'none' },
    spec: { hard: { pods: '0' } },
  })
  const quota = { name: 'quota', breakIt: () => {}, reason: 'QuotaExceeded', message: /exceeded quota/ }
  for (const trouble of TROUBLES) await begun(world.kubectl, trouble)
  await begun(full, quota)
  const told: string[] = []
  for (const [kubectl, { name, reason, message }] of [
    ...TROUBLES.map((trouble) => [world.kubectl, trouble] as const),
    [full, quota] as const,
  ]) {
    await until(`${name}: a condition says ${reason}, ${message}`, 90_000, async () => {
      const { status } = await kubectl.get('streamdeployment', name)
      const all = status.conditions.filter(({ type }: any) => /^(JobManager|TaskManagers)Available$/.test(type))
      if (all.some((one: any) => one.status === 'False' && one.reason === reason && message.test(one.message)))
        return true
      throw new Error(all.map((one: any) => `${one.reason} ${one.message}`).join('; '))
    })
    told.push(reason)
  }
  return told.join(', ')
}
