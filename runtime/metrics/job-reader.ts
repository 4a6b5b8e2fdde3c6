/**
 * Reads the metrics of one job: finds a task's or an operator's values in the pages of its slots, with rates.
 *
 * A subtask is in exactly one page, that of the slot which hosts it. Names are read once, as slots report them.
 */
import type { MeasuredJob } from './measured.ts'
import { type MetricName, type OperatorMetricName, T, TASK_METRICS, type TaskMetricName } from './page.ts'
import { PageHistory } from './page-history.ts'

/** Meters average over this, as Flink's do. */
export const METER_MS = 60_000
/** Busy, idle and back-pressured time, and the page: short enough to see a change. */
export const RECENT_MS = 5_000

/** Shares of the last seconds, in milliseconds per second; together 1000 for a running task. */
export interface TaskTimes {
  busy: number
  idle: number
  backPressured: number
}

/** A metric that is in a page. */
export interface MetricCell {
  readonly name: MetricName
  readonly history: PageHistory
}

export class JobReader {
  readonly #histories = new Map<SharedArrayBuffer, { history: PageHistory; names: number }>()
  readonly #tasks = new Map<string, TaskReader>()

  /** Takes new names, and with `nowMs` (monotonic) remembers the values of this moment. */
  update(job: MeasuredJob, nowMs?: number): void {
    for (const { page, names } of job.metrics) {
      let known = this.#histories.get(page)
      if (known === undefined) {
        known = { history: new PageHistory(page), names: 0 }
        this.#histories.set(page, known)
      }
      for (; known.names < names.length; known.names++) this.#add({ name: names[known.names]!, history: known.history })
      if (nowMs !== undefined && names.length > 0) known.history.look(nowMs, names.at(-1)!.index + 1)
    }
    if (this.#histories.size > job.metrics.length) this.#forget(job)
  }

  /** Pages of earlier attempts. */
  #forget({ metrics }: MeasuredJob): void {
    for (const page of this.#histories.keys())
      if (!metrics.some((one) => one.page === page)) this.#histories.delete(page)
  }

  #add(cell: MetricCell): void {
    const { vertexId, subtask } = cell.name
    const key = `${vertexId}/${subtask}`
    let task = this.#tasks.get(key)
    // Another page with this subtask is a later attempt: it replaces the earlier one.
    if (task === undefined || task.history !== cell.history) {
      task = new TaskReader(vertexId, subtask, cell.history)
      this.#tasks.set(key, task)
    }
    task.add(cell)
  }

  /** Undefined before the subtask's slot has reported it. */
  task(vertexId: string, subtask: number): TaskReader | undefined {
    return this.#tasks.get(`${vertexId}/${subtask}`)
  }

  tasks(): Iterable<TaskReader> {
    return this.#tasks.values()
  }
}

/** The values of one subtask and its operators. */
export class TaskReader {
  readonly vertexId: string
  readonly subtask: number
  readonly history: PageHistory
  readonly #at = new Float64Array(TASK_METRICS.length).fill(-1)
  readonly #ofOperators = new Map<string, number>()
  /** In the order in which the slot took them. */
  readonly cells: MetricCell[] = []

  constructor(vertexId: string, subtask: number, history: PageHistory) {
    this.vertexId = vertexId
    this.subtask = subtask
    this.history = history
  }

  add(cell: MetricCell): void {
    this.cells.push(cell)
    if (cell.name.operatorId !== undefined) {
      this.#ofOperators.set(`${cell.name.operatorId}/${cell.name.name}`, cell.name.index)
      return
    }
    const place = T[cell.name.name as TaskMetricName]
    if (place !== undefined) this.#at[place] = cell.name.index
  }

  value(name: TaskMetricName): number {
    const at = this.#at[T[name]]!
    return at < 0 ? 0 : this.history.value(at)
  }

  perSecond(name: TaskMetricName, windowMs: number, nowMs: number): number {
    const at = this.#at[T[name]]!
    return at < 0 ? 0 : Math.max(0, this.history.perSecond(at, windowMs, nowMs))
  }

  /** Like {@link value}, of one of its operators. */
  operatorValue(operatorId: string, name: OperatorMetricName): number {
    const at = this.#ofOperators.get(`${operatorId}/${name}`)
    return at === undefined ? 0 : this.history.value(at)
  }

  operatorPerSecond(operatorId: string, name: OperatorMetricName, windowMs: number, nowMs: number): number {
    const at = this.#ofOperators.get(`${operatorId}/${name}`)
    return at === undefined ? 0 : Math.max(0, this.history.perSecond(at, windowMs, nowMs))
  }

  /**
   * How the task spent the last seconds. A slot accounts for time at each of its turns, so time that nobody has accounted for yet
   * is the present turn's (busy: a user function that does not come back), or that of a task which sleeps.
   */
  times(nowMs: number): TaskTimes {
    const spanMs = this.history.span(this.#at[T.accumulateBusyTimeMs]!, RECENT_MS, nowMs)
    if (spanMs === 0) return { busy: 0, idle: 0, backPressured: 0 }
    const busy = this.perSecond('accumulateBusyTimeMs', RECENT_MS, nowMs)
    const idle = this.perSecond('accumulateIdleTimeMs', RECENT_MS, nowMs)
    const backPressured = this.perSecond('accumulateBackPressuredTimeMs', RECENT_MS, nowMs)
    const known = busy + idle + backPressured
    // A turn that began before the window is accounted in one piece at its end.
    if (known > 1000)
      return { busy: cap(busy, known), idle: cap(idle, known), backPressured: cap(backPressured, known) }
    const rest = 1000 - known
    if (this.value('isInTurn') !== 0) return { busy: busy + rest, idle, backPressured }
    if (this.value('isBackPressured') !== 0) return { busy, idle, backPressured: backPressured + rest }
    return { busy, idle: idle + rest, backPressured }
  }

  /** What the task has passed on in event time: of a source what it emits, else the least of its inputs. */
  watermark(isSource: boolean): number {
    return this.value(isSource ? 'currentOutputWatermark' : 'currentInputWatermark')
  }
}

function cap(part: number, whole: number): number {
  return (part * 1000) / whole
}
