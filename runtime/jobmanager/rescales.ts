/**
 * How a job came to its parallelism: each time that it gets one, for its first attempt, because somebody wants another one, because slots have come, or after a failure. By Flink's REST
 * path rescales.
 *
 * What must hold: one is in progress at a time; each ends once, and says why; the oldest go.
 */
import { randomUUID } from 'node:crypto'
import type { Plan } from '../graph/model.ts'
import type { Requirements, RescaleCause, RescaleEnd, RescaleView } from '../rpc/views.ts'
import type { JobEndStatus } from './job-status.ts'
import type { Parallelism } from './scheduler/decide-parallelism.ts'
import type { Next } from './scheduler/job-state.ts'

export interface RescalesOptions {
  /** `web.adaptive-scheduler.rescale-history.size`. */
  max: number
  newId?: () => string
}

/** Flink's names of the states. */
const NAMES: Record<Next['state'], string> = {
  'waiting for resources': 'WaitingForResources',
  executing: 'Executing',
  restarting: 'Restarting',
  failing: 'Failing',
  cancelling: 'Canceling',
  ended: 'Finished',
}

const JOB_ENDS: Record<JobEndStatus, [RescaleEnd['state'], RescaleEnd['reason']]> = {
  FINISHED: ['IGNORED', 'JOB_FINISHED'],
  FAILED: ['FAILED', 'JOB_FAILED'],
  CANCELED: ['IGNORED', 'JOB_CANCELED'],
}

export class Rescales {
  readonly #options: Required<RescalesOptions>
  /** The oldest first. */
  readonly #all: RescaleView[] = []
  #ended = { COMPLETED: 0, FAILED: 0, IGNORED: 0 }
  /** Of the requirements that hold. */
  #requirementsId: string
  /** Of the attempt that ran last. */
  #before: Parallelism | undefined

  constructor(options: RescalesOptions) {
    this.#options = { newId: randomUUID, ...options }
    this.#requirementsId = this.#options.newId()
  }

  /** The one in progress. */
  get #current(): RescaleView | undefined {
    const last = this.#all.at(-1)
    return last?.end === undefined ? last : undefined
  }

  /** Nothing when one is in progress already, except that a wish begins anew. */
  begin(cause: RescaleCause, plan: Plan, requirements: Requirements, nowMs: number): void {
    if (cause === 'UPDATE_REQUIREMENT') {
      this.#requirementsId = this.#options.newId()
      this.#end('IGNORED', 'RESOURCE_REQUIREMENTS_UPDATED', nowMs)
    } else if (cause === 'RECOVERABLE_FAILOVER') this.#end('FAILED', 'JOB_FAILOVER_RESTARTING', nowMs)
    else if (this.#current !== undefined) return
    this.#all.push({
      id: this.#options.newId(),
      requirementsId: this.#requirementsId,
      number: this.total + 1,
      cause,
      startMs: nowMs,
      vertices: plan.vertices.map(({ id, name, slotSharingGroup, maxParallelism }) => ({
        id,
        name,
        slotSharingGroup,
        maxParallelism,
        bounds: requirements[id]!,
        before: this.#before?.[id],
        after: undefined,
      })),
      states: [],
      end: undefined,
    })
    if (this.#all.length > this.#options.max) this.#all.shift()
  }

  /** Of all that there were. */
  get total(): number {
    const { COMPLETED, FAILED, IGNORED } = this.#ended
    return COMPLETED + FAILED + IGNORED + (this.#current === undefined ? 0 : 1)
  }

  /** The job comes into another state. */
  entered(state: Next['state'], nowMs: number, exception?: string): void {
    const states = this.#current?.states
    if (states === undefined) return
    const last = states.at(-1)
    if (last !== undefined && last.untilMs === undefined) last.untilMs = nowMs
    states.push({ name: NAMES[state], fromMs: nowMs, ...(exception === undefined ? {} : { exception }) })
  }

  /** All tasks run, with this parallelism. */
  runs(parallelism: Parallelism, nowMs: number): void {
    const current = this.#current
    // Those of the attempt before run on while a checkpoint is taken.
    if (current !== undefined && current.states.at(-1)?.name !== NAMES.executing) return
    this.#before = parallelism
    if (current === undefined) return
    for (const vertex of current.vertices) vertex.after = parallelism[vertex.id]
    this.#end('COMPLETED', 'SUCCEEDED', nowMs)
  }

  /** A wish changes nothing, now. */
  stays(nowMs: number): void {
    const current = this.#current
    // Behind a state that it has led to, the job stays because it has what was wanted.
    if (current?.cause === 'UPDATE_REQUIREMENT' && current.states.length === 0)
      this.#end('IGNORED', 'NO_RESOURCES_OR_PARALLELISMS_CHANGE', nowMs)
  }

  jobEnds(status: JobEndStatus, nowMs: number): void {
    this.#end(...JOB_ENDS[status], nowMs)
  }

  /** The oldest first. A copy. */
  views(): RescaleView[] {
    return structuredClone(this.#all)
  }

  /** By how they ended, those included that are not shown any more. */
  get counts(): Readonly<Record<RescaleEnd['state'], number>> {
    return { ...this.#ended }
  }

  #end(state: RescaleEnd['state'], reason: RescaleEnd['reason'], nowMs: number): void {
    const current = this.#current
    if (current === undefined) return
    current.end = { state, reason, atMs: nowMs }
    const last = current.states.at(-1)
    if (last !== undefined) last.untilMs ??= nowMs
    this.#ended[state]++
  }
}
