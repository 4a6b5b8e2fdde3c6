/**
 * The operator as a process: caches that are filled whether or not it leads, an election, controllers that work while it does, health and metrics.
 *
 *     start ──▶ standby ──elected, caches filled──▶ leader ──▶ stop: drain, release the Lease ──▶ ended
 *                  ▲ │                                └──lost──▶ ended at once, as failed: whoever starts it again gets a clean one
 *                  └─┴── reflects all the time
 */
import { randomUUID } from 'node:crypto'
import type { Clock, Schedule } from '../runtime/core/clock.ts'
import { errorToData } from '../runtime/core/errors.ts'
import type { Election, LeaseTiming, Term } from '../runtime/ha/election.ts'
import type { KubeTransport } from '../runtime/ha/kubernetes-transport.ts'
import { type Health, type OperatorServer, serveHealth, serveMetrics } from './health.ts'
import { KubeClient } from './kube/client.ts'
import type { Controller, OpenController, Surroundings } from './kube/controller.ts'
import { EventRecorder } from './kube/events.ts'
import { makeLease, openOperatorElection } from './kube/lease.ts'
import type { KubeObject } from './kube/objects.ts'
import { Reflector } from './kube/reflector.ts'
import { WorkQueue } from './kube/work-queue.ts'
import { type Measured, OperatorMetrics } from './metrics.ts'

export interface OperatorSettings {
  /** undefined: all. */
  namespaces: readonly string[] | undefined
  labelSelector: string | undefined
  concurrency: number
  resyncMs: number
  /** undefined: this is the only operator, and leads. */
  election: { namespace: string; lease: string; timing: LeaseTiming } | undefined
  /** Ports or ranges. */
  healthPort: string
  metricsPort: string
  drainMs: number
}

export interface OperatorOptions {
  transport: KubeTransport
  settings: OperatorSettings
  controllers: readonly OpenController[]
  /** Name of the pod. */
  identity: string
  clock: Clock
  schedule: Schedule
  random(): number
  log(text: string): void
}

export interface OperatorEnd {
  reason: string
  /** It led and does not any more, without having been told to end. */
  deposed: boolean
}

const REPORTING_CONTROLLER = 'tailrace.dev/operator'
const LEASE_RETRY_MS = 1_000
const FLUSH_MS = 1_000

/**
 * @example
 * const operator = await OperatorProcess.start({ transport, settings, controllers: CONTROLLERS, identity: 'operator-0', ... })
 * process.once('SIGTERM', () => void operator.stop('it got SIGTERM'))
 * await operator.ended
 */
export class OperatorProcess implements Health, Measured {
  readonly ended: Promise<OperatorEnd>
  readonly client: KubeClient
  readonly events: EventRecorder
  readonly reflectors = new Map<string, Reflector>()
  readonly queues = new Map<string, WorkQueue>()
  readonly #options: OperatorOptions
  readonly #metrics = new OperatorMetrics()
  readonly #end: (end: OperatorEnd) => void
  readonly #controllers: readonly Controller[]
  #servers: OperatorServer[] = []
  #election: Election | undefined
  #role: Health['role'] = 'standby'
  #stopped: Promise<void> | undefined

  /** Throws TR-CLUSTER-003 when a port is taken. That the API server does not answer is waited for. */
  static async start(options: OperatorOptions): Promise<OperatorProcess> {
    const operator = new OperatorProcess(options)
    const { healthPort, metricsPort } = options.settings
    // The first is closed when there is no port for the second.
    operator.#servers.push(await serveHealth(healthPort, operator))
    try {
      operator.#servers.push(await serveMetrics(metricsPort, operator.#metrics))
    } catch (error) {
      await operator.#servers[0].close()
      throw error
    }
    for (const reflector of operator.reflectors.values()) reflector.start()
    void operator.#campaign()
    return operator
  }

  private constructor(options: OperatorOptions) {
    this.#options = options
    const { transport, controllers, identity, clock, schedule, random, log } = options
    const { promise, resolve } = Promise.withResolvers<OperatorEnd>()
    this.ended = promise
    this.#end = resolve
    this.client = new KubeClient({
      transport,
      schedule,
      random,
      monotonic: () => clock.monotonic(),
      observe: (verb, { plural }, status, ms) => this.#metrics.request(verb, plural, status, ms),
    })
    this.events = new EventRecorder({
      client: this.client,
      reportingController: REPORTING_CONTROLLER,
      reportingInstance: identity,
      clock,
      schedule,
      warn: log,
    })
    this.#metrics.show(this)
    const surroundings = this.#surroundings()
    this.#controllers = controllers.map((open) => open(surroundings))
  }

  get role(): Health['role'] {
    return this.#role
  }

  get isLeader(): boolean {
    return this.#role === 'leader'
  }

  get healthPort(): number {
    return this.#servers[0].port
  }

  get metricsPort(): number {
    return this.#servers[1].port
  }

  /** Ends what it has begun, releases the Lease, and resolves; `ended` has the reason. */
  stop(reason: string): Promise<void> {
    this.#stopped ??= this.#stop(reason)
    return this.#stopped
  }

  #surroundings(): Surroundings {
    const { settings, clock, schedule, random, log } = this.#options
    const { namespaces, labelSelector, concurrency, resyncMs } = settings
    const common = { client: this.client, clock, schedule, random }
    return {
      ...common,
      events: this.events,
      namespaces,
      labelSelector,
      resyncMs,
      log,
      reflect: (resource, options) => {
        const reflector = new Reflector({ ...common, resource, namespaces, warn: log, ...options })
        let name = resource.plural
        for (let n = 2; this.reflectors.has(name); n++) name = `${resource.plural}-${n}`
        this.reflectors.set(name, reflector as unknown as Reflector<KubeObject>)
        return reflector
      },
      queue: (name, work) => {
        const queue = new WorkQueue({
          ...common,
          work,
          concurrency,
          failed: (key, error, failures, waitMs) => {
            const { code, message } = errorToData(error)
            log(`${name} "${key}": ${code} ${message} (failure ${failures}, again in ${(waitMs / 1000).toFixed(1)} s)`)
          },
          done: (_, waitedMs, tookMs, succeeded) => this.#metrics.worked(name, waitedMs, tookMs, succeeded),
        })
        this.queues.set(name, queue)
        return queue
      },
    }
  }

  async #campaign(): Promise<void> {
    const { settings, identity, clock, schedule, random, log } = this.#options
    if (settings.election === undefined) return await this.#lead(ALONE)
    const { namespace, lease: name, timing } = settings.election
    await this.#makeLease({ namespace, name })
    if (this.#stopped !== undefined) return
    this.#election = openOperatorElection({
      client: this.client,
      namespace,
      name,
      timing,
      clock,
      schedule,
      random,
      warn: log,
    })
    log(`Stands by as "${identity}" (the Lease "${namespace}/${name}")`)
    this.#election.campaign(
      { identity, startId: randomUUID(), address: identity },
      {
        elected: (term) => void this.#lead(term),
        lost: ({ text }) => this.#depose(text),
      },
    )
  }

  async #makeLease(key: { namespace: string; name: string }): Promise<void> {
    const { schedule, log } = this.#options
    let told = ''
    while (this.#stopped === undefined) {
      try {
        return await makeLease(this.client, key)
      } catch (error) {
        const { code, message } = errorToData(error)
        if (message !== told) log(`${code} ${message}`)
        told = message
        await new Promise<void>((resolve) => void schedule(LEASE_RETRY_MS, resolve))
      }
    }
  }

  async #lead(term: Term): Promise<void> {
    const { log, identity } = this.#options
    await Promise.all([...this.reflectors.values()].map(({ synced }) => synced))
    if (this.#stopped !== undefined || !term.isLeaderNow()) return
    this.#role = 'leader'
    log(`Leads as "${identity}"${term === ALONE ? '' : ` with epoch ${term.epoch}`}`)
    for (const controller of this.#controllers) controller.start(term)
  }

  /** Nothing is drained: another may lead already. */
  #depose(why: string): void {
    if (this.#stopped !== undefined) return
    this.#options.log(`Does not lead any more: ${why}`)
    this.#role = 'ending'
    this.#end({ reason: why, deposed: true })
  }

  async #stop(reason: string): Promise<void> {
    const { settings, schedule, log } = this.#options
    const wasLeader = this.isLeader
    this.#role = 'ending'
    log(`Ends: ${reason}`)
    const tolerate = (what: string) => (error: unknown) => log(`Could not end ${what}: ${errorToData(error).message}`)
    if (wasLeader)
      await Promise.all(
        this.#controllers.map((one) => one.stop(settings.drainMs).catch(tolerate(`the controller "${one.name}"`))),
      )
    // A server that does not answer must not keep the Lease.
    await Promise.race([this.events.flush(), new Promise<void>((resolve) => void schedule(FLUSH_MS, resolve))])
    await this.#election?.close().catch(tolerate('the election'))
    for (const reflector of this.reflectors.values()) reflector.stop()
    this.client.close()
    for (const server of this.#servers) await server.close()
    this.#end({ reason, deposed: false })
  }
}

/** Of an operator that nobody else competes with. */
const ALONE: Term = {
  epoch: 1,
  remainingMs: Number.POSITIVE_INFINITY,
  isLeaderNow: () => true,
  refuseUnlessLeader: () => {},
}
