/** What the operator measures of itself, for Prometheus. Names are promises; states and kinds are labels, never parts of names. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { EventRecorder } from './kube/events.ts'
import type { Reflector } from './kube/reflector.ts'
import type { WorkQueue } from './kube/work-queue.ts'

const PREFIX = 'tailrace_operator_'
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** What is looked at when somebody asks. */
export interface Measured {
  readonly isLeader: boolean
  readonly reflectors: ReadonlyMap<string, Reflector>
  readonly queues: ReadonlyMap<string, WorkQueue>
  readonly events: EventRecorder
}

export class OperatorMetrics {
  readonly registry = new Registry()
  readonly #requests: Counter
  readonly #requestSeconds: Histogram
  readonly #waitSeconds: Histogram
  readonly #workSeconds: Histogram
  readonly #failures: Counter

  constructor() {
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry })
    this.#requests = new Counter({
      name: `${PREFIX}kube_requests_total`,
      help: 'Requests to the API server, by verb, kind and answer (0: none).',
      labelNames: ['verb', 'resource', 'code'],
      registers,
    })
    this.#requestSeconds = new Histogram({
      name: `${PREFIX}kube_request_seconds`,
      help: 'How long the API server took to answer.',
      labelNames: ['verb'],
      buckets: SECONDS,
      registers,
    })
    const labelNames = ['controller']
    this.#waitSeconds = new Histogram({
      name: `${PREFIX}queue_wait_seconds`,
      help: 'From the news of a resource until it is looked at.',
      labelNames,
      buckets: SECONDS,
      registers,
    })
    this.#workSeconds = new Histogram({
      name: `${PREFIX}reconcile_seconds`,
      help: 'How long looking at a resource, and acting, took.',
      labelNames,
      buckets: SECONDS,
      registers,
    })
    this.#failures = new Counter({
      name: `${PREFIX}reconcile_failures_total`,
      help: 'How often that failed.',
      labelNames,
      registers,
    })
  }

  /** Shows what is there whenever somebody asks. */
  show(measured: Measured): void {
    this.#gauge('leader', 'Whether this process leads.', [], (set) => set({}, measured.isLeader ? 1 : 0))
    const perQueue = (name: string, help: string, value: (queue: WorkQueue) => number) =>
      this.#gauge(name, help, ['controller'], (set) => {
        for (const [controller, queue] of measured.queues) set({ controller }, value(queue))
      })
    perQueue('queue_depth', 'Resources that wait for their turn.', ({ depth }) => depth)
    perQueue('queue_active', 'Resources that are worked on.', ({ active }) => active)
    perQueue('queue_delayed', 'Resources that wait for a time.', ({ delayed }) => delayed)
    const perKind = (name: string, help: string, value: (reflector: Reflector) => number) =>
      this.#gauge(name, help, ['resource'], (set) => {
        for (const [resource, reflector] of measured.reflectors) set({ resource }, value(reflector))
      })
    perKind('cache_objects', 'Objects of the API server that are known.', ({ cache }) => cache.size)
    perKind('cache_silent_seconds', 'Since the API server was heard last.', ({ silentMs }) =>
      Number.isFinite(silentMs) ? silentMs / 1000 : Number.NaN,
    )
    this.#gauge('events_dropped', 'Events that were left out.', [], (set) => set({}, measured.events.dropped))
  }

  request(verb: string, resource: string, code: number, ms: number): void {
    this.#requests.inc({ verb, resource, code: String(code) })
    this.#requestSeconds.observe({ verb }, ms / 1000)
  }

  worked(controller: string, waitedMs: number, tookMs: number, succeeded: boolean): void {
    this.#waitSeconds.observe({ controller }, waitedMs / 1000)
    this.#workSeconds.observe({ controller }, tookMs / 1000)
    if (!succeeded) this.#failures.inc({ controller })
  }

  #gauge(
    name: string,
    help: string,
    labelNames: string[],
    collect: (set: (labels: Record<string, string>, value: number) => void) => void,
  ): void {
    new Gauge({
      name: `${PREFIX}${name}`,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset()
        collect((labels, value) => this.set(labels, value))
      },
    })
  }
}
