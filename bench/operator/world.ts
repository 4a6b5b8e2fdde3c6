/**
 * All that is not the operator: an API server in memory over HTTPS, pods that are ready as soon as they are wanted, and for each StreamDeployment a JobManager with its REST service that renews its
 * Lease each second as the real one does. A thing of this process happens when something has changed, so that what is measured is the operator's.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { CLICK_AGGREGATION } from '../../operator/api/seed-manifests.suite.ts'
import { DEPLOYMENTS } from '../../operator/controllers/stream-deployment/act.ts'
import { FakeNode } from '../../operator/controllers/stream-deployment/fake-cluster.suite.ts'
import { ApiServer } from '../../operator/kube/api-server.suite.ts'
import { type KubeObject, RESOURCES } from '../../operator/kube/objects.ts'
import { DEPLOYMENT_LABEL } from '../../operator/resources/names.ts'
import { serveJobManagers } from './job-managers.ts'

const MANIFEST = parse(CLICK_AGGREGATION) as KubeObject & { metadata: { namespace: string }; spec: any }
const { namespace } = MANIFEST.metadata
const OPERATOR = { namespace: 'tailrace', name: 'tailrace-operator' }
/** As JobManagers do, and as API servers. */
const RENEW_MS = 1_000
const BOOKMARK_MS = 60_000
const WAIT_MS = 60_000

export class World {
  readonly server: ApiServer
  /** Of an operator's process. */
  readonly environment: Record<string, string>
  /** Names of the StreamDeployments. */
  readonly names: string[] = []
  /** Requests to the API server by verb and kind, since it was cleared. */
  readonly requests = new Map<string, number>()
  /** StreamDeployments that an operator has read, since it was cleared. */
  readonly read = new Set<string>()
  readonly #directory: string
  readonly #nodes = new Map<string, FakeNode>()
  readonly #due = new Set<string>()
  readonly #watchers = new Set<() => void>()
  readonly #timers: NodeJS.Timeout[] = []
  #isRenewing = false
  #closeJobManagers: () => Promise<void> = async () => {}

  static async open(): Promise<World> {
    const world = new World()
    await world.#serve()
    return world
  }

  private constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'tailrace-operator-'))
    // An address of this machine that no other run has, as all JobManagers have one port.
    const address = `127.${1 + (process.pid >>> 16)}.${(process.pid >>> 8) & 255}.${process.pid & 255}`
    this.environment = { TAILRACE_BENCH_SERVICES: address, TAILRACE_BENCH_ACCOUNT: this.#directory }
    const scale = { specReplicas: 'spec.taskManager.replicas', statusReplicas: 'status.taskManager.replicas' }
    this.server = new ApiServer({ kinds: [{ ...DEPLOYMENTS, status: true, generation: true, scale }] })
    const { store } = this.server
    const deliver = store.onChange
    store.onChange = (change) => {
      deliver(change)
      this.#changed(change.object)
    }
    this.server.fault = ({ verb, plural, name }) => {
      const what = `${verb} ${plural}`
      this.requests.set(what, (this.requests.get(what) ?? 0) + 1)
      if (what === 'get streamdeployments') this.read.add(name!)
      // Nobody reads them.
      this.server.requests.length = 0
      return undefined
    }
    this.server.put(RESOURCES.serviceAccounts, { metadata: { namespace, name: MANIFEST.spec.serviceAccount } })
  }

  async #serve(): Promise<void> {
    const tls = certificate(this.#directory)
    const url = new URL(await this.server.start(tls))
    for (const [file, text] of [
      ['token', 'a'.repeat(1_000)],
      ['ca.crt', tls.cert],
      ['namespace', OPERATOR.namespace],
    ] as const)
      writeFileSync(join(this.#directory, file), text)
    this.environment.KUBERNETES_SERVICE_HOST = url.hostname
    this.environment.KUBERNETES_SERVICE_PORT = url.port
    const nameOf = (host: string) => host.split('.')[0]!.replace(/-rest$/, '')
    this.#closeJobManagers = await serveJobManagers({
      address: this.environment.TAILRACE_BENCH_SERVICES!,
      find: (host) => this.#nodes.get(nameOf(host)),
      asked: (host) => this.turn(nameOf(host)),
    })
    this.#timers.push(setInterval(() => this.server.bookmark(), BOOKMARK_MS))
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await this.#closeJobManagers()
    await this.server.stop()
    rmSync(this.#directory, { recursive: true })
  }

  /** Applies so many StreamDeployments more; their names. */
  apply(count: number): string[] {
    const added = Array.from({ length: count }, () => {
      const name = `clicks-${String(this.names.length).padStart(3, '0')}`
      this.names.push(name)
      this.#nodes.set(name, new FakeNode(this.server, { namespace, name }))
      this.server.put(DEPLOYMENTS, { ...MANIFEST, metadata: { ...MANIFEST.metadata, name } })
      // Not all of them at the same moment.
      const first = setTimeout(() => {
        this.#timers.push(setInterval(() => this.#renew(name), RENEW_MS))
      }, Math.random() * RENEW_MS)
      this.#timers.push(first)
      return name
    })
    return added
  }

  resource(name: string): any {
    return this.server.get(DEPLOYMENTS, { namespace, name })
  }

  /** As a person does it, with a merge patch. */
  edit(name: string, patch: object): any {
    return this.server.edit(DEPLOYMENTS, { namespace, name }, patch)
  }

  child(resource: (typeof RESOURCES)['leases'], name: string): any {
    return this.server.get(resource, { namespace, name })
  }

  node(name: string): FakeNode {
    return this.#nodes.get(name)!
  }

  isRunning(name: string): boolean {
    const { status } = this.resource(name)
    const ready = status?.conditions?.find((one: any) => one.type === 'Ready')
    return ready?.status === 'True' && status.lifecycleState === 'STABLE' && status.jobStatus.state === 'RUNNING'
  }

  /** Who leads of the operators. */
  get leader(): string | undefined {
    return this.server.get(RESOURCES.leases, OPERATOR)?.spec?.holderIdentity
  }

  /** Resolves with the time at which it was first so, on the clock of `performance`; looked at with each change that the API server has. Rejects after a minute. */
  async when(holds: () => boolean, what: string): Promise<number> {
    if (holds()) return performance.now()
    return await new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        this.#watchers.delete(look)
        clearTimeout(timer)
        settle()
      }
      const look = () => {
        if (!holds()) return
        const nowMs = performance.now()
        done(() => resolve(nowMs))
      }
      const late = () => done(() => reject(new Error(`Cannot measure: waited ${WAIT_MS / 1000} s until ${what}`)))
      const timer = setTimeout(late, WAIT_MS)
      this.#watchers.add(look)
    })
  }

  /** What is around a deployment goes on, soon. */
  turn(name: string): void {
    if (this.#due.size === 0) setImmediate(() => this.#turns())
    this.#due.add(name)
  }

  #turns(): void {
    const names = [...this.#due]
    this.#due.clear()
    // A job has not come to rest while there is something to tell.
    for (const name of names) if (this.#nodes.get(name)?.turn(Date.now())) setTimeout(() => this.turn(name), 5)
  }

  #renew(name: string): void {
    this.#isRenewing = true
    this.#nodes.get(name)!.renewLease(Date.now())
    this.#isRenewing = false
  }

  #changed({ kind, metadata }: KubeObject): void {
    if (this.#isRenewing) return
    const name = kind === DEPLOYMENTS.kind ? metadata.name : metadata.labels?.[DEPLOYMENT_LABEL]
    if (name !== undefined) this.turn(name)
    for (const look of [...this.#watchers]) look()
  }
}

/** Of 127.0.0.1, by itself. */
function certificate(directory: string): { key: string; cert: string } {
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const kind = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '10',
    '-subj',
    '/CN=kubernetes',
  ]
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', cert], { stdio: 'pipe' })
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}
