/**
 * What a scenario finds: a Kubernetes, an Apache Kafka and an S3 server that pods reach, and images to run. Made once for all scenarios; each has a namespace and topics of its own.
 */
import { join } from 'node:path'
import { clientsOf, type IndependentClients } from '../../runtime/connectors/kafka/testing/independent-clients.suite.ts'
import { type Kafka, startKafka } from '../../scripts/lab/kafka.ts'
import { type OwnS3Lab, startOwnS3 } from '../../scripts/lab/s3.ts'
import { Kubectl, must, run } from './kubectl.ts'
import { Stream } from './stream.ts'

/** Of the chart, and the namespace of the operator: everywhere the same, as the CRD is of one release. */
const RELEASE = 'tailrace'
const CHART = join(import.meta.dirname, '../../charts/tailrace')

export interface Images {
  /** Of the operator, and base of the others. */
  tailrace: string
  /** With the job, as `local:///opt/tailrace/usrlib/job.mjs`. */
  job: string
  /** With a later version of it, which says `v2` behind each line. */
  changed: string
}

export class World {
  readonly images: Images
  readonly kafka: IndependentClients
  readonly bootstrapServers: string
  /** Settings of the S3 server and places in it, for a job's configuration. */
  readonly #s3: OwnS3Lab
  readonly #broker: Kafka
  readonly kubectl: Kubectl
  readonly name: string
  readonly #streams: Stream[] = []
  readonly #namespaces: Kubectl[]

  private constructor(shared: Shared, name: string) {
    this.images = shared.images
    this.kafka = clientsOf(shared.broker.bootstrapServers(), [], undefined, undefined)
    this.bootstrapServers = shared.broker.bootstrapServers()
    this.#s3 = shared.s3
    this.#broker = shared.broker
    this.name = name
    this.kubectl = new Kubectl(`e2e-${name}`)
    this.#namespaces = [this.kubectl]
  }

  /** For one scenario: with its namespace, which holds pods to what "restricted" of the pod security standards wants. */
  static async of(shared: Shared, name: string): Promise<World> {
    const world = new World(shared, name)
    await makeNamespace(world.kubectl)
    const label = 'pod-security.kubernetes.io/enforce=restricted'
    await must('kubectl', ['label', 'namespace', world.kubectl.namespace, label])
    return world
  }

  /** A load of its own; the second is called `<scenario>-2`, and so on. */
  async stream(recordsPerSecond?: number): Promise<Stream> {
    const name = this.#streams.length === 0 ? this.name : `${this.name}-${this.#streams.length + 1}`
    const stream = await Stream.begin(this.kafka, name, recordsPerSecond)
    this.#streams.push(stream)
    return stream
  }

  /** Of jobs: checkpoints often, and where they are. */
  configuration(): Record<string, string> {
    const { endpoint, accessKeyId, secretAccessKey } = this.#s3
    return {
      'execution.checkpointing.interval': '500ms',
      'execution.checkpointing.dir': this.place('checkpoints'),
      'execution.checkpointing.savepoint-dir': this.place('savepoints'),
      's3.endpoint': endpoint,
      's3.access-key': accessKeyId,
      's3.secret-key': secretAccessKey,
      's3.path.style.access': 'true',
    }
  }

  /** Of the scenario, in the S3 server. */
  place(path: string): string {
    return `s3://${this.#s3.bucket}/${this.name}/${path}`
  }

  /** Arguments of the job. */
  jobArguments(stream: Stream): string[] {
    return ['--in', stream.in, '--out', stream.out, '--prefix', stream.out]
  }

  /** Installs the chart of this checkout, unless it is there. Returns when its operators are ready. @param more of helm */
  async operator(...more: string[]): Promise<void> {
    const [repository, tag = ''] = this.images.tailrace.split(/:(?=[^/]*$)/)
    const image = ['--set', `image.repository=${repository}`, '--set', `image.tag=${tag}`]
    const args = [
      'upgrade',
      '--install',
      RELEASE,
      CHART,
      '--namespace',
      RELEASE,
      '--create-namespace',
      ...image,
      ...more,
    ]
    await must('helm', [...args, '--wait', '--timeout', '120s'])
  }

  /** For what installs it itself. */
  async noOperator(): Promise<void> {
    await uninstallOperator()
  }

  /** Of the operator. */
  get operatorKubectl(): Kubectl {
    return new Kubectl(RELEASE)
  }

  /** The broker, to be killed. */
  get broker(): Kafka {
    return this.#broker
  }

  /** Another one, by a name that a manifest has. */
  async namespace(name: string): Promise<Kubectl> {
    const kubectl = new Kubectl(name)
    await makeNamespace(kubectl)
    this.#namespaces.push(kubectl)
    return kubectl
  }

  /** What is to be read when the scenario has failed. */
  async report(): Promise<string> {
    return (await Promise.all(this.#namespaces.map((kubectl) => kubectl.report()))).join('\n')
  }

  /** Namespaces go; nobody waits for it. */
  async end(): Promise<void> {
    for (const stream of this.#streams) await stream.end()
    for (const { namespace } of this.#namespaces)
      await must('kubectl', ['delete', 'namespace', namespace, '--wait=false'])
  }
}

/** One of an earlier image would stay, as its tag is the same. Its Lease is deleted: it has lost its rights before it could give it back. */
export async function uninstallOperator(): Promise<void> {
  await run('helm', ['uninstall', RELEASE, '--namespace', RELEASE, '--wait'])
  await run('kubectl', ['--namespace', RELEASE, 'delete', 'lease', 'tailrace-operator', '--ignore-not-found'])
}

async function makeNamespace({ namespace }: Kubectl): Promise<void> {
  await must('kubectl', ['delete', 'namespace', namespace, '--ignore-not-found'])
  await must('kubectl', ['create', 'namespace', namespace])
}

/** What all scenarios use together. */
export interface Shared {
  images: Images
  broker: Kafka
  s3: OwnS3Lab
}

/** @param host of this machine, as pods find it */
export async function startShared(images: Images, host: string): Promise<Shared & { stop(): Promise<void> }> {
  const s3 = await startOwnS3({ host })
  const broker = await startKafka({ host })
  const stop = async () => {
    await Promise.all([broker.stop(), s3.stop()])
  }
  return { images, broker, s3, stop }
}
