/**
 * What a controller is to the operator's process, and what it is given.
 *
 * What must hold: a controller changes nothing before `start`, which comes when this process leads and the caches are filled, and nothing after `stop` has resolved.
 */
import type { Clock, Schedule } from '../../runtime/core/clock.ts'
import type { Term } from '../../runtime/ha/election.ts'
import type { KubeClient } from './client.ts'
import type { EventRecorder } from './events.ts'
import type { KubeObject, Resource } from './objects.ts'
import type { Reflector, ReflectorOptions } from './reflector.ts'
import type { WorkQueue, WorkQueueOptions } from './work-queue.ts'

export interface Controller {
  /** For logs and metrics, such as `streamdeployment`. */
  readonly name: string
  /** This process leads: begins to work. The term's guard is asked before acts that others see. */
  start(term: Term): void
  /** Begins nothing any more; resolves when what was begun has ended, which it is told to after `graceMs`. */
  stop(graceMs: number): Promise<void>
}

export interface Surroundings {
  client: KubeClient
  events: EventRecorder
  /** That are looked after; undefined: all. */
  namespaces: readonly string[] | undefined
  /** Of the resources that are looked after. */
  labelSelector: string | undefined
  /** How long a resource may be left alone when nothing is told of it. */
  resyncMs: number
  clock: Clock
  schedule: Schedule
  random(): number
  /** A line of the log. */
  log(text: string): void
  /** A cache of one kind in the namespaces above, filled and watched also while this process stands by, for health and metrics. */
  reflect<T extends KubeObject>(
    resource: Resource<T>,
    options?: Pick<ReflectorOptions<T>, 'labelSelector' | 'fieldSelector' | 'indexes' | 'keep'>,
  ): Reflector<T>
  /** A queue with the operator's concurrency, whose failures are logged; for metrics under this name. */
  queue(name: string, work: WorkQueueOptions['work']): WorkQueue
}

/** Opens a controller: its caches and queues, but no work yet. */
export type OpenController = (surroundings: Surroundings) => Controller
