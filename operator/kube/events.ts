/**
 * Events about objects (events.k8s.io/v1), as `kubectl describe` shows them.
 *
 * What must hold: who records never waits and never fails; the same news about the same object is one Event with a count; an object that has much to say is limited, and what was left
 * out is counted and told, as is what the API server did not take.
 */
import type { Clock, Schedule } from '../../runtime/core/clock.ts'
import { shorten } from '../../runtime/core/shorten.ts'
import type { KubeClient } from './client.ts'
import { type KubeObject, RESOURCES, type Resource } from './objects.ts'
import { isKubeError, KUBE } from './status-error.ts'

export interface EventRecorderOptions {
  client: KubeClient
  /** Such as `tailrace.dev/operator`. */
  reportingController: string
  /** The pod. */
  reportingInstance: string
  clock: Clock
  schedule: Schedule
  warn(text: string): void
}

export interface News {
  type: 'Normal' | 'Warning'
  /** One word in CamelCase, such as `SavepointCompleted`. */
  reason: string
  /** What the controller did or tried, one word in CamelCase, such as `TakeSavepoint`. */
  action: string
  /** For people; at most 1,024 bytes are kept. */
  note: string
}

/** News that come again within this time are counted in the same Event. */
const SERIES_MS = 6 * 60_000
/** A count is written at most so often. */
const COUNT_EVERY_MS = 10_000
/** Events of one object at once, and how long it takes for one more. */
const BURST = 25
const REFILL_MS = 60_000
const KEPT_MAX = 4_096
const NOTE_BYTES_MAX = 1_024

interface Series {
  key: { namespace: string; name: string }
  event: KubeObject
  count: number
  lastMs: number
  /** Whether a write is under way or planned. */
  busy: boolean
  writtenCount: number
}

interface Allowance {
  left: number
  atMs: number
}

/**
 * @example
 * events.record(DEPLOYMENTS, deployment, { type: 'Warning', reason: 'SavepointFailed', action: 'TakeSavepoint', note: text })
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #series = new Map<string, Series>()
  readonly #allowances = new Map<string, Allowance>()
  readonly #underWay = new Set<Promise<void>>()
  #sequence = 0
  #dropped = 0

  constructor(options: EventRecorderOptions) {
    this.#options = options
  }

  /** How many were left out: of objects that had too much to say, or that the API server did not take. */
  get dropped(): number {
    return this.#dropped
  }

  record(resource: Resource, about: KubeObject, given: News): void {
    const { clock } = this.#options
    const news = { ...given, note: shorten(given.note, NOTE_BYTES_MAX) }
    const nowMs = clock.monotonic()
    const id = JSON.stringify([about.metadata.uid, news.type, news.reason, news.action, news.note])
    const series = this.#series.get(id)
    if (series !== undefined && nowMs - series.lastMs < SERIES_MS) {
      series.count++
      series.lastMs = nowMs
      this.#planCount(series)
      return
    }
    if (!this.#allows(about.metadata.uid ?? '', nowMs)) {
      this.#drop(`${resource.kind} "${about.metadata.namespace ?? ''}/${about.metadata.name}" has too much to say`)
      return
    }
    const event = this.#event(resource, about, news)
    const key = { namespace: event.metadata.namespace!, name: event.metadata.name }
    const begun: Series = { key, event, count: 1, lastMs: nowMs, busy: true, writtenCount: 0 }
    this.#series.set(id, begun)
    this.#forgetOld(nowMs)
    this.#run(this.#write(begun))
  }

  /** Resolves when nothing is under way; what is counted and not written yet is written. */
  async flush(): Promise<void> {
    for (const series of this.#series.values())
      if (series.count > series.writtenCount && !series.busy) this.#run(this.#write(series))
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  #planCount(series: Series): void {
    if (series.busy) return
    series.busy = true
    this.#options.schedule(COUNT_EVERY_MS, () => this.#run(this.#write(series)))
  }

  #run(work: Promise<void>): void {
    this.#underWay.add(work)
    void work.finally(() => this.#underWay.delete(work))
  }

  async #write(series: Series): Promise<void> {
    const { client, clock } = this.#options
    const { events } = RESOURCES
    const { key, event, count } = series
    series.busy = true
    try {
      if (series.writtenCount === 0) await client.create(events, event)
      else {
        const lastObservedTime = microTime(clock.now() - (clock.monotonic() - series.lastMs))
        await client.patch(events, key, { series: { count, lastObservedTime } })
      }
      series.writtenCount = series.writtenCount === 0 ? 1 : count
    } catch (error) {
      if (series.writtenCount > 0 && isKubeError(error, KUBE.notFound)) series.event = this.#renewed(series)
      // Its namespace is going, with the object that it is about.
      else if (!isKubeError(error, KUBE.notFound)) this.#drop((error as Error).message)
      series.writtenCount = count
    }
    series.busy = false
    if (series.count > series.writtenCount) this.#planCount(series)
  }

  /** The API server keeps Events for an hour only: the series goes on in another. */
  #renewed(series: Series): KubeObject {
    const { clock } = this.#options
    const name = series.event.metadata.name.replace(/\.[^.]*$/, `.${this.#suffix()}`)
    const event = {
      ...series.event,
      metadata: { ...series.event.metadata, name },
      eventTime: microTime(clock.now()),
    }
    series.key = { namespace: series.key.namespace, name }
    this.#run(
      this.#options.client.create(RESOURCES.events, event).then(
        () => {},
        (error: Error) => this.#drop(error.message),
      ),
    )
    return event
  }

  #event(resource: Resource, { metadata }: KubeObject, { type, reason, action, note }: News): KubeObject {
    const { clock, reportingController, reportingInstance } = this.#options
    const { name, namespace, uid, resourceVersion } = metadata
    return {
      // Of objects without a namespace they are in this one.
      metadata: { namespace: namespace ?? 'default', name: `${name}.${this.#suffix()}` },
      eventTime: microTime(clock.now()),
      reportingController,
      reportingInstance,
      type,
      reason,
      action,
      note,
      regarding: { apiVersion: resource.apiVersion, kind: resource.kind, name, namespace, uid, resourceVersion },
    }
  }

  /** Two operators must not have the same. */
  #suffix(): string {
    const { clock } = this.#options
    return `${Math.floor(clock.now()).toString(16)}${(++this.#sequence).toString(16).padStart(4, '0')}`
  }

  #allows(uid: string, nowMs: number): boolean {
    const known = this.#allowances.get(uid) ?? { left: BURST, atMs: nowMs }
    const refilled = Math.min(BURST, known.left + (nowMs - known.atMs) / REFILL_MS)
    this.#allowances.delete(uid)
    this.#allowances.set(uid, { left: refilled < 1 ? refilled : refilled - 1, atMs: nowMs })
    return refilled >= 1
  }

  #forgetOld(nowMs: number): void {
    for (const [id, { lastMs, busy }] of this.#series) {
      if (this.#series.size <= KEPT_MAX && nowMs - lastMs < SERIES_MS) break
      if (!busy) this.#series.delete(id)
    }
    for (const uid of this.#allowances.keys()) {
      if (this.#allowances.size <= KEPT_MAX) break
      this.#allowances.delete(uid)
    }
  }

  #drop(why: string): void {
    this.#dropped++
    this.#options.warn(`An event was left out (${this.#dropped} in all): ${why}`)
  }
}

function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z')
}
