/** A StreamDeployment of a scenario: its manifest, changes to it, and waiting for what its status shows. */
import { isReady, type Shown, until } from './kubectl.ts'
import type { Stream } from './stream.ts'
import type { World } from './world.ts'

const NAME = 'totals'
const KIND = 'streamdeployments.tailrace.dev'

export interface DeploymentOptions {
  image?: string
  upgradeMode?: 'savepoint' | 'last-state' | 'stateless'
  /** Of TaskManagers. */
  replicas?: number
}

export class Deployment {
  readonly name = NAME
  readonly #world: World

  private constructor(world: World) {
    this.#world = world
  }

  /** Installs the operator if there is none, applies the manifest and waits until the job runs and its records come out. */
  static async begin(world: World, stream: Stream, options: DeploymentOptions = {}): Promise<Deployment> {
    await world.operator()
    const deployment = new Deployment(world)
    await world.kubectl.apply(manifest(world, stream, options))
    await deployment.ready()
    await stream.flows(60_000)
    return deployment
  }

  /** One that was applied already. */
  static of(world: World): Deployment {
    return new Deployment(world)
  }

  get(): Promise<Shown> {
    return this.#world.kubectl.get(KIND, NAME)
  }

  patch(spec: object): Promise<string> {
    return this.#world.kubectl.patch(KIND, NAME, { spec })
  }

  /** `Ready` is True for the generation that there is now. Returns ms. */
  async ready(withinMs = 120_000): Promise<number> {
    const sinceMs = Date.now()
    await this.until('it is Ready', withinMs, isReady)
    return Date.now() - sinceMs
  }

  until(what: string, withinMs: number, holds: (shown: Shown) => boolean): Promise<Shown> {
    return until(`of ${NAME}: ${what}`, withinMs, async () => {
      const shown = await this.get()
      return holds(shown) ? shown : undefined
    })
  }

  pods(component: 'jobmanager' | 'taskmanager'): Promise<Shown[]> {
    return this.#world.kubectl.list(
      'pods',
      `app.kubernetes.io/instance=${NAME},app.kubernetes.io/component=${component}`,
    )
  }

  /** As a node that fails does it: without a word to the process. */
  async kill(component: 'jobmanager' | 'taskmanager'): Promise<void> {
    const [pod] = await this.pods(component)
    await this.#world.kubectl.run('delete', 'pod', pod!.metadata.name, '--grace-period=0', '--force')
  }

  async delete(): Promise<void> {
    await this.#world.kubectl.run('delete', KIND, NAME, '--timeout=120s')
  }
}

/** Of a StreamDeployment, to be changed before it is applied. */
export interface Manifest {
  apiVersion: string
  kind: string
  metadata: { name: string }
  spec: any
}

export function manifest(world: World, stream: Stream, options: DeploymentOptions): Manifest {
  const { image = world.images.job, upgradeMode = 'savepoint', replicas = 1 } = options
  // No limit of cores: a small machine has none to spare, and a JobManager that gets a tenth of one cannot renew its Lease in time.
  const resources = { requests: { cpu: '100m', memory: '640Mi' } }
  const env = [{ name: 'KAFKA_BOOTSTRAP_SERVERS', value: world.bootstrapServers }]
  return {
    apiVersion: 'tailrace.dev/v1beta1',
    kind: 'StreamDeployment',
    metadata: { name: NAME },
    spec: {
      image,
      configuration: world.configuration(),
      podTemplate: { spec: { containers: [{ name: 'tailrace', env }] } },
      jobManager: { resources },
      taskManager: { resources, replicas },
      job: { artifact: 'local:///opt/tailrace/usrlib/job.mjs', args: world.jobArguments(stream), upgradeMode },
    },
  }
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
