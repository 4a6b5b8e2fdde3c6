/**
 * What stands around an operator in tests over the API server in memory: a node that runs pods as Deployments and StatefulSets say, and a JobManager that obeys its Lease.
 */
import type { ApiServer } from '../../kube/api-server.suite.ts'
import { type KubeObject, type ObjectKey, RESOURCES } from '../../kube/objects.ts'
import { ANNOTATIONS, childNames, selectorOf } from '../../resources/names.ts'
import { readDirective } from '../../resources/restore-directive.ts'
import type { JobView, Operation } from './facts.ts'
import type { Changes, JobManagerClient } from './job-manager-client.ts'

export class FakeNode implements JobManagerClient {
  readonly #server: ApiServer
  readonly #key: Required<ObjectKey> & { namespace: string }
  /** Pods of images with this word in them cannot be pulled. */
  unknownImage = 'missing'
  generation = 0
  job: (JobView & { image: string }) | undefined
  /** What each generation began with. */
  readonly begins: string[] = []
  readonly operations = new Map<string, Operation>()
  readonly asked: string[] = []
  #version = 0
  #told = ''
  #savepoints = 0
  #checkpoints = 40
  #listeners = new Set<() => void>()
  /** Names of pods that are to be, in their order. */
  readonly #made = { jobmanager: [] as string[], taskmanager: [] as string[] }

  constructor(server: ApiServer, key: Required<ObjectKey> & { namespace: string }) {
    this.#server = server
    this.#key = key
  }

  /** One turn of all that is not the operator; whether the JobManager has something new to tell. */
  turn(nowMs: number): boolean {
    this.#pods('jobmanager')
    this.#pods('taskmanager')
    this.#run(nowMs)
    const now = JSON.stringify([this.generation, this.job, [...this.operations], this.#slots()])
    if (now === this.#told) return false
    this.#told = now
    this.#version++
    for (const tell of [...this.#listeners]) tell()
    return true
  }

  /** As the JobManager that leads does it all the time. */
  renewLease(nowMs: number): void {
    const [holderIdentity] = this.#made.jobmanager
    const key = { namespace: this.#key.namespace, name: childNames(this.#key.name).lease }
    if (holderIdentity === undefined || this.#server.get(RESOURCES.leases, key) === undefined) return
    const renewTime = new Date(nowMs).toISOString().replace('Z', '000Z')
    const spec = { holderIdentity, leaseDurationSeconds: 5, leaseTransitions: this.generation, renewTime }
    this.#server.edit(RESOURCES.leases, key, { spec }, 'tailrace-jobmanager')
  }

  /** The job completes a checkpoint by itself; told of in the next turn. */
  completeCheckpoint(nowMs: number): void {
    const id = ++this.#checkpoints
    if (this.job?.state === 'RUNNING') this.job.latestCheckpoint = { id, path: `s3://b/chk-${id}`, time: nowMs }
  }

  podNames(component: 'jobmanager' | 'taskmanager'): string[] {
    return this.#podsOf(component).map(({ metadata }) => `${metadata.name} ${metadata.uid}`)
  }

  #podsOf(component: 'jobmanager' | 'taskmanager'): KubeObject[] {
    const { namespace } = this.#key
    return this.#made[component].flatMap((name) => this.#server.get(RESOURCES.pods, { namespace, name }) ?? [])
  }

  #pods(component: 'jobmanager' | 'taskmanager'): void {
    const { namespace, name } = this.#key
    const isDeployment = component === 'jobmanager'
    const resource = isDeployment ? RESOURCES.deployments : RESOURCES.statefulSets
    const key = { namespace, name: isDeployment ? childNames(name).jobManager : childNames(name).taskManager }
    const workload = this.#server.get(resource, key)
    const template = workload?.spec.template
    const hash = template?.metadata.annotations[ANNOTATIONS.template]
    const wanted = Array.from({ length: workload?.spec.replicas ?? 0 }, (_, at) =>
      isDeployment ? `${key.name}-${hash}-${at}` : `${key.name}-${at}`,
    )
    for (const pod of this.#made[component]) {
      if (!wanted.includes(pod)) this.#server.remove(RESOURCES.pods, { namespace, name: pod })
    }
    this.#made[component] = wanted
    for (const pod of wanted) {
      if (this.#server.get(RESOURCES.pods, { namespace, name: pod }) === undefined)
        this.#server.put(RESOURCES.pods, this.#pod(pod, component, template))
    }
    if (workload === undefined) return
    const ready = this.#podsOf(component).filter((pod) => pod['status'].conditions[0].status === 'True').length
    const status = {
      observedGeneration: workload.metadata.generation,
      replicas: wanted.length,
      updatedReplicas: wanted.length,
      readyReplicas: ready,
    }
    if (JSON.stringify(workload.status) !== JSON.stringify(status)) this.#server.edit(resource, key, { status })
  }

  #pod(name: string, component: 'jobmanager' | 'taskmanager', template: any): KubeObject {
    const image: string = template.spec.containers[0].image
    const runs = !image.includes(this.unknownImage)
    const waiting = { reason: 'ImagePullBackOff', message: `Back-off pulling image "${image}"` }
    return {
      metadata: {
        namespace: this.#key.namespace,
        name,
        labels: selectorOf(this.#key.name, component),
        annotations: template.metadata.annotations,
      },
      spec: template.spec,
      status: {
        phase: runs ? 'Running' : 'Pending',
        conditions: [{ type: 'Ready', status: runs ? 'True' : 'False' }],
        containerStatuses: [{ name: 'tailrace', restartCount: 0, state: runs ? { running: {} } : { waiting } }],
      },
    }
  }

  #run(nowMs: number): void {
    const pod = this.#podsOf('jobmanager').find((one) => one['status'].phase === 'Running')
    const generation = Number(pod?.metadata.annotations?.[ANNOTATIONS.generation] ?? 0)
    if (generation !== this.generation) {
      this.generation = generation
      this.job = undefined
      this.operations.clear()
    }
    if (pod === undefined) return
    const { namespace, name } = this.#key
    const lease = this.#server.get(RESOURCES.leases, { namespace, name: childNames(name).lease })
    // Nobody leads without it.
    if (lease === undefined) return
    const { annotations } = lease.metadata
    const directive = readDirective(annotations[ANNOTATIONS.restore])!
    const parallelism = Number(annotations[ANNOTATIONS.parallelism])
    if (this.job === undefined) {
      if (directive.generation > generation) return
      this.begins.push(`${generation}: ${directive.from}`)
      const image = pod['spec'].containers[0].image
      this.job = {
        id: String(generation).repeat(32),
        name: 'fraud',
        state: 'CREATED',
        startTime: nowMs,
        parallelism,
        restarts: 0,
        image,
      }
      return
    }
    const { job } = this
    if (job.state === 'CREATED') job.state = 'RUNNING'
    if (job.state === 'CANCELLING') job.state = 'CANCELED'
    if (job.state !== 'RUNNING') return
    job.parallelism = parallelism
    if (job.latestCheckpoint === undefined) this.completeCheckpoint(nowMs)
  }

  #slots(): Changes['slots'] {
    const byTaskManager = this.#podsOf('taskmanager').map(({ metadata }, at) => ({
      id: metadata.name,
      total: 4,
      free: 4 - Math.min(4, Math.max(0, (this.job?.parallelism ?? 0) - at * 4)),
    }))
    return { total: byTaskManager.length * 4, free: 0, byTaskManager }
  }

  async changes(since: number | undefined, _waitMs: number, signal: AbortSignal): Promise<Changes | undefined> {
    if (since === this.#version) {
      await new Promise<void>((resolve) => {
        const tell = () => {
          this.#listeners.delete(tell)
          resolve()
        }
        this.#listeners.add(tell)
        signal.addEventListener('abort', tell)
      })
    }
    if (this.generation === 0) return undefined
    return structuredClone({
      version: this.#version,
      generation: this.generation,
      jobs: this.job ? [this.job] : [],
      slots: this.#slots(),
    })
  }

  async savepoint(_jobId: string, triggerId: string): Promise<void> {
    this.#take('savepoint', triggerId)
  }
  async checkpoint(_jobId: string, triggerId: string): Promise<void> {
    this.#take('checkpoint', triggerId)
  }
  async stop(_jobId: string, triggerId: string): Promise<void> {
    if (this.#take('stop', triggerId)) this.job!.state = 'FINISHED'
  }
  async cancel(): Promise<void> {
    this.asked.push('cancel')
    if (this.job) this.job.state = 'CANCELLING'
  }

  async operation(_kind: string, _jobId: string, triggerId: string): Promise<Operation> {
    return this.operations.get(triggerId) ?? { state: 'UNKNOWN' }
  }

  #take(what: string, triggerId: string): boolean {
    if (this.operations.has(triggerId)) return false
    this.asked.push(what)
    this.operations.set(triggerId, { state: 'COMPLETED', location: `s3://b/savepoint-${++this.#savepoints}` })
    return true
  }
}
