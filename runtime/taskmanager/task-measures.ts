/**
 * What an onlooker sees of a task: what it spends its time with, and its counts, in the page that is shared with the main thread.
 *
 * Times that are told add up to the time since the task was made. Counts are moved now and then, never per record.
 */
import { O, T, type TaskMetrics } from '../metrics/page.ts'
import { BaseOperator, type SourceOperator } from '../operators/operator.ts'
import type { ChainLink } from './chain.ts'
import type { TaskOptions } from './task-options.ts'

/** What a task spends its time with; the three add up to the time since it started. */
export type Doing = 'busy' | 'idle' | 'backPressured'

export class TaskMeasures {
  /** The task's place in the page. */
  readonly metrics: TaskMetrics
  /** What the time since the last {@link spend} is spent with. */
  doing: Doing = 'idle'
  readonly #options: TaskOptions
  readonly #source: SourceOperator | undefined
  #sinceMs: number

  /** `source`: the head, if it is one. */
  constructor(options: TaskOptions, source: SourceOperator | undefined) {
    this.#options = options
    this.#source = source
    this.metrics = options.page.task(options.vertex.id, options.subtask)
    this.#sinceMs = options.clock.monotonic()
  }

  /** Counts the time up to now as spent so. `nowMs` is clock.monotonic(). */
  spend(doing: Doing, nowMs: number): void {
    const spentMs = nowMs - this.#sinceMs
    this.#sinceMs = nowMs
    const { page, base } = this.metrics
    if (doing === 'busy') page[base + T.accumulateBusyTimeMs]! += spentMs
    else if (doing === 'idle') page[base + T.accumulateIdleTimeMs]! += spentMs
    else {
      page[base + T.accumulateBackPressuredTimeMs]! += spentMs
      this.#source?.blockedFor(spentMs)
    }
  }

  /** Moves counts into the shared page. */
  publish(): void {
    const { page, base } = this.metrics
    const { gate, writers, overflow, chain } = this.#options
    if (gate !== undefined) {
      page[base + T.numRecordsIn] = gate.recordsIn
      page[base + T.numBytesIn] = gate.bytesIn
      page[base + T.numBuffersIn] = gate.buffersIn
      page[base + T.inputQueueLength] = gate.queued
    }
    let records = 0
    let bytes = 0
    let buffers = 0
    let deviating = 0
    let queued = 0
    for (const writer of writers) {
      records += writer.recordsOut
      bytes += writer.bytesOut
      buffers += writer.buffersOut
      deviating += writer.recordsDeviating
      queued += writer.queued
    }
    page[base + T.numRecordsOut] = records
    page[base + T.numBytesOut] = bytes
    page[base + T.numBuffersOut] = buffers
    page[base + T.numRecordsDeviating] = deviating
    page[base + T.outputQueueLength] = queued
    page[base + T.overflowBytes] = overflow.memoryBytes
    page[base + T.overflowBytesOnDisk] = overflow.diskBytes
    page[base + T.isBackPressured] = this.doing === 'backPressured' ? 1 : 0
    let late = 0
    let fired = 0
    for (const link of chain.links) {
      const { operator } = link
      const metrics = operator.context?.metrics
      if (metrics === undefined) continue
      operator.publish()
      const at = metrics.base
      const input = this.#recordsInto(link)
      page[at + O.numRecordsIn] = input
      // An operator that can emit another number than it takes counts for itself.
      if (operator.publish === BaseOperator.prototype.publish) page[at + O.numRecordsOut] = input
      late += page[at + O.numLateRecordsDropped]!
      fired += page[at + O.numFiredTimers]!
    }
    page[base + T.numLateRecordsDropped] = late
    page[base + T.numFiredTimers] = fired
    const head = chain.links[0]!.operator.context?.metrics
    const tail = chain.links.at(-1)!.operator.context?.metrics
    if (head !== undefined) page[base + T.currentInputWatermark] = page[head.base + O.currentInputWatermark]!
    if (tail !== undefined) page[base + T.currentOutputWatermark] = page[tail.base + O.currentOutputWatermark]!
  }

  #recordsInto({ parent, fedBySide }: ChainLink): number {
    if (parent < 0) return this.#options.gate?.recordsIn ?? 0
    if (fedBySide !== undefined) return fedBySide.records
    const feeder = this.#options.chain.links[parent]!.operator
    if (feeder.context === undefined) return 0
    const { page, base } = feeder.context.metrics
    // Operators count side outputs among their output; a source does not: there they are no records.
    const sides = feeder === this.#source ? 0 : page[base + O.numRecordsSideOutput]!
    return page[base + O.numRecordsOut]! - sides
  }
}
