/** A job in numbers that move, as the page draws them; pure functions of the job and its metrics. */
import type { PlanOperator, PlanVertex } from '../graph/model.ts'
import { type JobReader, RECENT_MS, type TaskReader } from '../metrics/job-reader.ts'
import { taskEnded } from '../metrics/measured.ts'
import type { OperatorMetricName, TaskMetricName } from '../metrics/page.ts'
import type { JobView, VertexView } from '../rpc/views.ts'
import { stackOf } from './exceptions.ts'
import type { LiveException, LiveNumbers, LivePlan, VertexNumbers } from './live-messages.ts'
import { userLine } from './user-line.ts'

/** Beyond this a vertex's subtasks are not sent one by one each second. */
const SUBTASKS_MAX = 64
const EXCEPTIONS_MAX = 8

export function livePlan({ id, name, plan }: JobView): LivePlan {
  const places = new Map(plan.vertices.map((vertex, i) => [vertex.id, i]))
  return {
    id,
    name,
    vertices: plan.vertices.map(({ id, name, parallelism, isSource, operators }) => ({
      id,
      name,
      parallelism,
      isSource,
      isSink: operators.some(({ isSink }) => isSink),
      operators: operators.map(({ name, parent }) => ({ name, parent })),
    })),
    edges: plan.edges.map(({ id, from, to, partitioner, tag }) => ({
      id,
      from: places.get(from)!,
      to: places.get(to)!,
      partitioner,
      tag,
    })),
  }
}

/** `nowMs` is monotonic, `timeMs` since 1970. */
export function liveNumbers(job: JobView, reader: JobReader, nowMs: number, timeMs: number): LiveNumbers {
  const plans = new Map(job.plan.vertices.map((vertex) => [vertex.id, vertex]))
  const vertices = job.vertices.map((vertex) => vertexNumbers(vertex, plans.get(vertex.id)!, reader, nowMs))
  return {
    status: job.status,
    now: timeMs,
    startTime: job.startTime,
    endTime: job.endTime,
    vertices,
    edges: edgeRates(job, vertices),
    exceptions: job.exceptions
      .slice(-1)
      .flatMap((one) => [one, ...one.concurrent])
      .slice(0, EXCEPTIONS_MAX)
      .map(exceptionOf),
    numRestarts: job.numRestarts,
    lastCheckpoint: lastCheckpointOf(job),
  }
}

function lastCheckpointOf({ checkpoints }: JobView): LiveNumbers['lastCheckpoint'] {
  if (checkpoints === undefined || checkpoints.lastCompletedCheckpointId < 0) return null
  return { id: checkpoints.lastCompletedCheckpointId, timestamp: checkpoints.lastCheckpointCompletedTimestamp }
}

function vertexNumbers(vertex: VertexView, plan: PlanVertex, reader: JobReader, nowMs: number): VertexNumbers {
  const tasks = vertex.subtasks.flatMap(({ index, state }) => {
    const task = reader.task(vertex.id, index)
    return task === undefined ? [] : [new TaskNumbers(task, plan, taskEnded(state), nowMs)]
  })
  const sum = (of: (task: TaskNumbers) => number) => tasks.reduce((total, task) => total + of(task), 0)
  const numbers: VertexNumbers = {
    state: vertex.state,
    inPerSecond: sum((task) => task.inPerSecond),
    outPerSecond: sum((task) => task.outPerSecond),
    bytesInPerSecond: sum((task) => task.perSecond('numBytesIn')),
    bytesOutPerSecond: sum((task) => task.perSecond('numBytesOut')),
    bytesOut: sum((task) => task.value('numBytesOut')),
    recordsIn: sum((task) => task.recordsIn),
    recordsOut: sum((task) => task.recordsOut),
    busy: Math.max(0, ...tasks.map((task) => task.busy)),
    backPressured: Math.max(0, ...tasks.map((task) => task.backPressured)),
    watermark: watermarkOf(tasks),
    lateDropped: sum((task) => task.value('numLateRecordsDropped')),
  }
  if (tasks.length <= SUBTASKS_MAX) {
    numbers.subtasks = tasks.map((task) => [task.inPerSecond, task.outPerSecond, task.busy, task.backPressured])
  }
  return numbers
}

/** One subtask's numbers. A source takes in what it reads, a sink puts out what it writes: neither crosses an exchange. */
class TaskNumbers {
  readonly inPerSecond: number
  readonly outPerSecond: number
  readonly recordsIn: number
  readonly recordsOut: number
  readonly busy: number
  readonly backPressured: number
  readonly watermark: number
  readonly #task: TaskReader
  readonly #nowMs: number

  constructor(task: TaskReader, plan: PlanVertex, ended: boolean, nowMs: number) {
    this.#task = task
    this.#nowMs = nowMs
    const head = plan.operators[0]!
    const sinks = plan.operators.filter(({ isSink }) => isSink)
    this.inPerSecond = plan.isSource ? this.#rateOf([head], 'numRecordsOut') : this.perSecond('numRecordsIn')
    this.recordsIn = plan.isSource ? this.#sumOf([head], 'numRecordsOut') : this.value('numRecordsIn')
    this.outPerSecond = this.perSecond('numRecordsOut') + this.#rateOf(sinks, 'numRecordsIn')
    this.recordsOut = this.value('numRecordsOut') + this.#sumOf(sinks, 'numRecordsIn')
    const { busy, backPressured } = ended ? { busy: 0, backPressured: 0 } : task.times(nowMs)
    this.busy = busy / 1000
    this.backPressured = backPressured / 1000
    this.watermark = task.watermark(plan.isSource)
  }

  value(name: TaskMetricName): number {
    return this.#task.value(name)
  }
  perSecond(name: TaskMetricName): number {
    return this.#task.perSecond(name, RECENT_MS, this.#nowMs)
  }
  #sumOf(operators: readonly PlanOperator[], name: OperatorMetricName): number {
    return operators.reduce((total, { operatorId }) => total + this.#task.operatorValue(operatorId, name), 0)
  }
  #rateOf(operators: readonly PlanOperator[], name: OperatorMetricName): number {
    const nowMs = this.#nowMs
    return operators.reduce(
      (total, { operatorId }) => total + this.#task.operatorPerSecond(operatorId, name, RECENT_MS, nowMs),
      0,
    )
  }
}

function watermarkOf(tasks: readonly TaskNumbers[]): number | 'end' | null {
  const least = Math.min(...tasks.map(({ watermark }) => watermark))
  if (tasks.length === 0 || least === -Infinity) return null
  return least === Infinity ? 'end' : least
}

/** Counters are by task, not by edge: an edge has the rate of its receiver if that has no other, else of its sender likewise. */
function edgeRates({ plan }: JobView, vertices: readonly VertexNumbers[]): (number | null)[] {
  const at = (id: string) => plan.vertices.findIndex((vertex) => vertex.id === id)
  return plan.edges.map(({ from, to }) => {
    if (plan.edges.filter((edge) => edge.to === to).length === 1) return vertices[at(to)]?.inPerSecond ?? null
    if (plan.edges.filter((edge) => edge.from === from).length > 1) return null
    const sinks = plan.vertices[at(from)]!.operators.some(({ isSink }) => isSink)
    return sinks ? null : (vertices[at(from)]?.outPerSecond ?? null)
  })
}

function exceptionOf({ timestamp, error, taskName }: JobView['exceptions'][number]): LiveException {
  return {
    timestamp,
    code: error.code,
    message: error.message,
    operator: error.operator ?? null,
    taskName: taskName ?? null,
    location: userLine(error) ?? null,
    stack: stackOf(error),
  }
}
