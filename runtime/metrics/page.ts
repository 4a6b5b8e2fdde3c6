/**
 * Metrics in shared memory: slots write plain numbers, whoever reads metrics does not ask the slot.
 *
 * A page is one SharedArrayBuffer of doubles per slot and job. Its main-thread owner hands it to the slot at deployment. The slot
 * cuts it into blocks (one per task, one per operator, then user metrics) and reports once which name has which index
 * ({@link MetricName}); readers need no lock, since a double is written in one piece.
 *
 * Per-record counts are kept in plain fields by operators and moved here once a turn (`publish`).
 */
import type { Counter, Gauge, MetricGroup } from '../core/metrics.ts'

export const PAGE_DOUBLES = 16384

/** Where in Flink's scopes a metric lives; labels by scope are added by the reader. */
export type MetricScope = 'task' | 'operator'

/** What the slot reports of one metric. */
export interface MetricName {
  index: number
  scope: MetricScope
  kind: 'counter' | 'gauge'
  /** After the scope's prefix, Flink's spelling: `numRecordsIn`, `KafkaSourceReader.currentOffset`. */
  name: string
  labels: Record<string, string>
  vertexId: string
  subtask: number
  /** For scope operator. */
  operatorId?: string
}

/** Counters of a task, in this order in its block. */
export const TASK_METRICS = [
  'numRecordsIn',
  'numRecordsOut',
  'numBytesIn',
  'numBytesOut',
  'numBuffersIn',
  'numBuffersOut',
  /** Milliseconds since the task started, accumulated. */
  'accumulateBusyTimeMs',
  'accumulateIdleTimeMs',
  'accumulateBackPressuredTimeMs',
  /** 1 while the output exceeds the credit. */
  'isBackPressured',
  'currentInputWatermark',
  'currentOutputWatermark',
  'numLateRecordsDropped',
  'numFiredTimers',
  /** Records that deviated from the agreed type and went as msgpack. */
  'numRecordsDeviating',
  /** Bytes in the overflow: memory and disk. */
  'overflowBytes',
  'overflowBytesOnDisk',
  'inputQueueLength',
  'outputQueueLength',
  /** Of the last checkpoint: from its first barrier to its last, and from its trigger to the first; nanoseconds, as Flink has them. */
  'checkpointAlignmentTime',
  'checkpointStartDelayNanos',
  /** 1 while the task has its turn: a function of the user's that does not come back shows as busy. Not exported. */
  'isInTurn',
] as const
export type TaskMetricName = (typeof TASK_METRICS)[number]

/** Counters of an operator, in this order in its block. */
export const OPERATOR_METRICS = [
  'numRecordsIn',
  'numRecordsOut',
  'numLateRecordsDropped',
  'currentInputWatermark',
  'currentOutputWatermark',
  'numRecordsInErrors',
  'numRecordsSend',
  'numRecordsSendErrors',
  'numBytesSend',
  'numSplitsProcessed',
  'watermarkLag',
  'numRecordsSideOutput',
  'numFiredTimers',
] as const
export type OperatorMetricName = (typeof OPERATOR_METRICS)[number]

const GAUGES = new Set<string>([
  'isBackPressured',
  'isInTurn',
  'currentInputWatermark',
  'currentOutputWatermark',
  'overflowBytes',
  'overflowBytesOnDisk',
  'inputQueueLength',
  'outputQueueLength',
  'checkpointAlignmentTime',
  'checkpointStartDelayNanos',
  'watermarkLag',
])

/** Block of a task or operator: `page[base + index]`. */
export interface TaskMetrics {
  readonly page: Float64Array
  readonly base: number
}
export interface OperatorMetrics extends TaskMetrics {
  /** Metrics of the user's or a connector's own. */
  readonly group: MetricGroup
  add(name: OperatorMetricName, by: number): void
  set(name: OperatorMetricName, value: number): void
}

export const T = Object.fromEntries(TASK_METRICS.map((name, i) => [name, i])) as Record<TaskMetricName, number>
export const O = Object.fromEntries(OPERATOR_METRICS.map((name, i) => [name, i])) as Record<OperatorMetricName, number>

/** The writing side of a page; owned by one slot. */
export class MetricsPage {
  readonly page: Float64Array
  #next = 0
  readonly #announce: (names: MetricName[]) => void
  #pending: MetricName[] = []
  readonly #byKey = new Map<string, number>()

  /** `announce` tells the reader of new names; it is called by {@link flushNames}. */
  constructor(buffer: SharedArrayBuffer, announce: (names: MetricName[]) => void) {
    this.page = new Float64Array(buffer)
    this.#announce = announce
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(PAGE_DOUBLES * 8)
  }

  #take(name: Omit<MetricName, 'index'>): number {
    const key = JSON.stringify([name.scope, name.vertexId, name.subtask, name.operatorId, name.name, name.labels])
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    // A full page sends what follows to one waste cell: metrics are lost, records are not.
    const index = this.#next < this.page.length - 1 ? this.#next++ : this.page.length - 1
    this.#byKey.set(key, index)
    if (index < this.page.length - 1) this.#pending.push({ index, ...name })
    return index
  }

  /** Reports names taken since the last call. */
  flushNames(): void {
    if (this.#pending.length === 0) return
    const names = this.#pending
    this.#pending = []
    this.#announce(names)
  }

  task(vertexId: string, subtask: number): TaskMetrics {
    const base = this.#next
    for (const name of TASK_METRICS)
      this.#take({ scope: 'task', kind: GAUGES.has(name) ? 'gauge' : 'counter', name, labels: {}, vertexId, subtask })
    this.page[base + T.currentInputWatermark] = -Infinity
    this.page[base + T.currentOutputWatermark] = -Infinity
    return { page: this.page, base }
  }

  operator(vertexId: string, subtask: number, operatorId: string): OperatorMetrics {
    const base = this.#next
    for (const name of OPERATOR_METRICS)
      this.#take({
        scope: 'operator',
        kind: GAUGES.has(name) ? 'gauge' : 'counter',
        name,
        labels: {},
        vertexId,
        subtask,
        operatorId,
      })
    const page = this.page
    page[base + O.currentInputWatermark] = -Infinity
    page[base + O.currentOutputWatermark] = -Infinity
    return {
      page,
      base,
      group: this.#group({ vertexId, subtask, operatorId }, '', {}),
      add: (name, by) => {
        page[base + O[name]]! += by
      },
      set: (name, value) => {
        page[base + O[name]] = value
      },
    }
  }

  #group(
    owner: { vertexId: string; subtask: number; operatorId: string },
    prefix: string,
    labels: Record<string, string>,
  ): MetricGroup {
    const page = this.page
    const take = (name: string, kind: 'counter' | 'gauge') =>
      this.#take({ scope: 'operator', kind, name: prefix + name, labels, ...owner })
    return {
      counter: (name): Counter => {
        const at = take(name, 'counter')
        this.flushNames()
        return {
          inc: (by = 1) => {
            page[at]! += by
          },
          value: () => page[at]!,
        }
      },
      gauge: (name): Gauge => {
        const at = take(name, 'gauge')
        this.flushNames()
        return {
          set: (value) => {
            page[at] = value
          },
          value: () => page[at]!,
        }
      },
      group: (name, value) =>
        this.#group(owner, `${prefix}${name}.`, value === undefined ? labels : { ...labels, [name]: value }),
    }
  }
}
