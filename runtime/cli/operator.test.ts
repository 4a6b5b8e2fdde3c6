/** `tailrace operator` as a process, against an API server in memory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEPLOYMENTS } from '../../operator/controllers/stream-deployment/act.ts'
import { ApiServer } from '../../operator/kube/api-server.suite.ts'
import { RESOURCES } from '../../operator/kube/objects.ts'
import { namespacesOf } from './operator.ts'

const MAIN = join(import.meta.dirname, 'main.ts')
const LEASE = { namespace: 'ours', name: 'release-operator' }

let server: ApiServer
let directory: string
let kubeconfig: string
const children: ChildProcess[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'operator-'))
  kubeconfig = join(directory, 'config')
  server = new ApiServer({ kinds: [{ ...DEPLOYMENTS, status: true }] })
  const config = {
    'current-context': 'here',
    clusters: [{ name: 'c', cluster: { server: await server.start(), 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', namespace: 'ours' } }],
  }
  await writeFile(kubeconfig, JSON.stringify(config))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await server.stop()
  await rm(directory, { recursive: true })
})

function run(...args: string[]) {
  const env = { ...process.env, KUBECONFIG: kubeconfig, POD_NAME: 'operator-0', TAILRACE_OPERATOR_LEASE: LEASE.name }
  const child = spawn(process.execPath, [MAIN, 'operator', '--health-port', '0', '--metrics-port', '0', ...args], {
    env,
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  children.push(child)
  let log = ''
  child.stderr!.on('data', (chunk) => {
    log += chunk
  })
  const ready = new Promise<{ healthPort: number; metricsPort: number }>((resolve) =>
    child.once('message', resolve as any),
  )
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return { child, ready, exit, log: () => log }
}

const until = (holds: () => unknown) => expect.poll(holds, { timeout: 15_000, interval: 20 }).toBeTruthy()
const holder = () => server.get(RESOURCES.leases, LEASE)?.spec.holderIdentity

describe('tailrace operator', () => {
  it('leads by the Lease of its release, answers probes, and gives the Lease away on SIGTERM', async () => {
    const { child, ready, exit, log } = run('-D', 'kubernetes.operator.reconcile.parallelism=3')
    const { healthPort, metricsPort } = await ready
    await until(() => holder() === 'operator-0')
    await until(async () => (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok)
    expect(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()).toContain('tailrace_operator_leader')
    child.kill('SIGTERM')
    expect(await exit).toBe(0)
    expect(holder()).toBeUndefined()
    expect(log()).toContain('Ends: it got SIGTERM')
  })

  it('says what is wrong with the connection or a value, and ends', async () => {
    const unusable = run('-D', 'kubernetes.operator.reconcile.parallelism=many')
    expect(await unusable.exit).toBe(2)
    expect(unusable.log()).toContain('Cannot use "many" for kubernetes.operator.reconcile.parallelism')
    await writeFile(kubeconfig, '{}')
    const unconnected = run()
    expect(await unconnected.exit).toBe(1)
    expect(unconnected.log()).toContain('TR-KUBE-008 Cannot connect by the kubeconfig')
  })
})

it.each([
  [undefined, undefined],
  ['', undefined],
  ['JOSDK_ALL_NAMESPACES', undefined],
  ['jobs', ['jobs']],
  ['jobs, more-jobs,', ['jobs', 'more-jobs']],
])('reads the namespaces "%s"', (text, names) => expect(namespacesOf(text)).toEqual(names))
