/**
 * A cluster for tests of REST, metrics and the page: plain data that a test changes, with metrics pages written as slots write
 * them. The job has the shape of the flight delays example: a source, a keyed window, a top list, and late records on the side.
 */
import { placesOf } from '../checkpoint/coordinator/checkpoint-plan.ts'
import { CheckpointStatistics } from '../checkpoint/coordinator/statistics.ts'
import { readCheckpointSettings } from '../checkpoint/settings.ts'
import { type Clock, ManualClock, systemSchedule } from '../core/clock.ts'
import type { ErrorData } from '../core/errors.ts'
import type { Plan, PlanEdge, PlanOperator } from '../graph/model.ts'
import { Changes } from '../jobmanager/changes.ts'
import { jobChanges, slotChanges } from '../jobmanager/cluster-changes.ts'
import { Rescales } from '../jobmanager/rescales.ts'
import { type MetricName, MetricsPage, O, T, type TaskMetricName, type TaskMetrics } from '../metrics/page.ts'
import type { JobStatus } from '../rpc/program-messages.ts'
import {
  type CheckpointType,
  type CheckpointView,
  type Cluster,
  type ClusterView,
  EXECUTION_STATES,
  type ExceptionView,
  type ExecutionState,
  isLost,
  JOB_STATUSES,
  type JobCheckpointsView,
  type JobSummary,
  type JobView,
  type OperationKind,
  type OperationRequest,
  type OperationView,
  type ProcessInspection,
  type Requirements,
  type RescalesView,
  type SlotView,
  type TaskManagerView,
} from '../rpc/views.ts'

export const START_MS = Date.UTC(2026, 2, 1, 12)

/** 32 hex digits that a reader of a test can tell apart. */
export const hexId = (n: number) => n.toString(16).padStart(32, '0')

export class FakeCluster implements Cluster {
  readonly clock: Clock
  readonly startTime: number
  readonly jobs: FakeJob[] = []
  readonly cancelled: string[] = []
  /** What was begun; {@link finish} ends it. */
  readonly triggered: ({ jobId: string } & (
    | OperationRequest
    | { kind: 'disposal'; triggerId: string; path: string }
  ))[] = []
  /** By `job/kind/trigger id`. */
  readonly operations = new Map<string, OperationView>()
  /** By job. */
  readonly #requirements = new Map<string, Requirements>()
  /** Called when something was begun. */
  onTriggered: () => void = () => {}
  slots: SlotView[] = [
    { index: 0, state: 'free', taskManager: 'embedded' },
    { index: 1, state: 'free', taskManager: 'embedded' },
  ]
  /** In processes of their own; undefined: the cluster is an embedded one. */
  registered: TaskManagerView[] | undefined
  /** By id of the TaskManager. */
  readonly inspections = new Map<string, ProcessInspection>()

  constructor(clock: Clock = new ManualClock(START_MS)) {
    this.clock = clock
    this.startTime = clock.now()
  }

  /** Adds a job in RUNNING and gives it the slots. */
  submit(name = 'Flight delays', plan: Plan = flightPlan(name), id = hexId(0xa0 + this.jobs.length)): FakeJob {
    const job = new FakeJob(id, name, plan, this.clock)
    this.jobs.unshift(job)
    this.slots = this.slots.map((slot) => ({ ...slot, state: 'busy', jobId: job.id }))
    return job
  }

  cluster(): ClusterView {
    return { startTime: this.startTime, slots: this.slots }
  }
  /** A test that changes something says so by `changed.touch()`. */
  readonly changed = new Changes({
    view: () => ({
      jobs: this.jobs.map((job) => jobChanges(job.view(), job.statistics.view())),
      slots: slotChanges(this.slots),
    }),
    schedule: systemSchedule,
    firstVersion: 0,
    waitersMax: 3,
  })
  changes(since: number | undefined, waitMs: number, signal: AbortSignal) {
    return this.changed.next(since, waitMs, signal)
  }
  taskManagers(): TaskManagerView[] | undefined {
    return this.registered
  }
  taskManagerProcess(id: string): ProcessInspection | undefined {
    return this.inspections.get(id)
  }
  list(): JobSummary[] {
    return this.jobs.map((job) => {
      const { id, name, status, startTime, endTime, duration, vertices } = job.view()
      const tasks = countOf(EXECUTION_STATES)
      for (const vertex of vertices) for (const state of EXECUTION_STATES) tasks[state] += vertex.tasks[state]
      return { id, name, status, startTime, endTime, duration, lastModified: job.modified, tasks }
    })
  }
  view(jobId: string): JobView | undefined {
    return this.jobs.find(({ id }) => id === jobId)?.view()
  }
  checkpoints(jobId: string): JobCheckpointsView | undefined {
    const job = this.jobs.find(({ id }) => id === jobId)
    return job && { ...job.statistics.view(), settings: readCheckpointSettings(job.plan.config.options) }
  }
  checkpoint(jobId: string, checkpointId: number): CheckpointView | undefined {
    return this.jobs.find(({ id }) => id === jobId)?.statistics.detail(checkpointId)
  }
  trigger(jobId: string, request: OperationRequest): string | undefined {
    if (!this.jobs.some(({ id }) => id === jobId)) return undefined
    const triggerId = request.triggerId ?? this.#newTriggerId()
    return this.#begin({ jobId, ...request, triggerId }, triggerId)
  }
  operation(jobId: string, kind: OperationKind, triggerId: string): OperationView | undefined {
    return this.operations.get(`${jobId}/${kind}/${triggerId}`)
  }
  disposeSavepoint(path: string, triggerId = this.#newTriggerId()): string {
    return this.#begin({ jobId: '', kind: 'disposal', triggerId, path }, triggerId)
  }
  disposal(triggerId: string): OperationView | undefined {
    return this.operation('', 'disposal', triggerId)
  }
  /** Ends the last of {@link triggered}. */
  finish(how: Omit<OperationView, 'status'> = { result: { checkpointId: 7, path: '/data/savepoint-a0-1' } }): void {
    const { jobId, kind, triggerId } = this.triggered.at(-1)!
    this.operations.set(`${jobId}/${kind}/${triggerId}`, { status: 'COMPLETED', endedAgoMs: 0, ...how })
  }
  #newTriggerId(): string {
    return hexId(0xf0 + this.triggered.length)
  }
  #begin(what: FakeCluster['triggered'][number], triggerId: string): string {
    const key = `${what.jobId}/${what.kind}/${triggerId}`
    const known = this.operations.get(key)
    if (known !== undefined && !isLost(known)) return triggerId
    this.operations.set(key, { status: 'IN_PROGRESS' })
    this.triggered.push(what)
    this.onTriggered()
    return triggerId
  }
  requirements(jobId: string): Requirements | undefined {
    return this.#requirements.get(jobId)
  }

  rescales(jobId: string): RescalesView | undefined {
    const job = this.jobs.find(({ id }) => id === jobId)
    if (job === undefined) return undefined
    const settings = {
      historyMax: 5,
      cooldownMs: 1000,
      stabilizationMs: 2000,
      startStabilizationMs: 3000,
      checkpointFailuresMax: 2,
      slotsTimeoutMs: 4000,
    }
    return { rescales: job.rescales.views(), counts: job.rescales.counts, settings }
  }

  setRequirements(jobId: string, wanted: Requirements): boolean {
    if (this.view(jobId) === undefined) return false
    this.#requirements.set(jobId, wanted)
    return true
  }

  cancel(jobId: string): void {
    this.cancelled.push(jobId)
    this.jobs.find(({ id }) => id === jobId)?.end('CANCELED')
    this.slots = this.slots.map(({ index, taskManager }) => ({ index, taskManager, state: 'free' }))
  }
}

export class FakeJob {
  readonly id: string
  readonly name: string
  readonly plan: Plan
  readonly startTime: number
  readonly timestamps = countOf(JOB_STATUSES)
  readonly accumulators: Record<string, number> = {}
  readonly exceptions: ExceptionView[] = []
  readonly pages: { slot: number; page: SharedArrayBuffer; names: MetricName[]; writer: MetricsPage }[]
  readonly statistics: CheckpointStatistics
  readonly rescales = new Rescales({ max: 5 })
  readonly #clock: Clock
  readonly #tasks = new Map<string, { metrics: TaskMetrics; operators: Map<string, TaskMetrics>; slot: number }>()
  status: JobStatus = 'RUNNING'
  state: ExecutionState = 'RUNNING'
  endTime = -1
  modified: number
  numRestarts = 0

  constructor(id: string, name: string, plan: Plan, clock: Clock) {
    this.id = id
    this.name = name
    this.plan = plan
    this.#clock = clock
    this.startTime = clock.now()
    this.modified = this.startTime
    this.statistics = new CheckpointStatistics({ clock, historyMax: 10 })
    for (const status of ['INITIALIZING', 'CREATED', 'RUNNING'] as const) this.timestamps[status] = this.startTime
    const slots = Math.max(...plan.vertices.map(({ parallelism }) => parallelism))
    this.pages = Array.from({ length: slots }, (_, slot) => {
      const names: MetricName[] = []
      const page = MetricsPage.allocate()
      return { slot, page, names, writer: new MetricsPage(page, (more) => names.push(...more)) }
    })
    for (const vertex of plan.vertices) {
      for (let subtask = 0; subtask < vertex.parallelism; subtask++) {
        const { writer, slot } = this.pages[subtask]!
        const metrics = writer.task(vertex.id, subtask)
        const operators = new Map(
          vertex.operators.map(({ operatorId }) => [operatorId, writer.operator(vertex.id, subtask, operatorId)]),
        )
        this.#tasks.set(`${vertex.id}/${subtask}`, { metrics, operators, slot })
        writer.flushNames()
      }
    }
  }

  /** Adds to a counter of a task. */
  count(vertexId: string, subtask: number, name: TaskMetricName, by: number): void {
    const { page, base } = this.#tasks.get(`${vertexId}/${subtask}`)!.metrics
    page[base + T[name]]! += by
  }
  set(vertexId: string, subtask: number, name: TaskMetricName, value: number): void {
    const { page, base } = this.#tasks.get(`${vertexId}/${subtask}`)!.metrics
    page[base + T[name]] = value
  }
  operator(vertexId: string, subtask: number, operatorId: string, name: keyof typeof O, value: number): void {
    const { page, base } = this.#tasks.get(`${vertexId}/${subtask}`)!.operators.get(operatorId)!
    page[base + O[name]] = value
  }

  fail(error: ErrorData, vertexId: string, subtask: number): void {
    const vertex = this.plan.vertices.find(({ id }) => id === vertexId)!
    const taskName = `${vertex.name} (${subtask + 1}/${vertex.parallelism})`
    const place = { taskName, vertexId, subtask, slot: subtask }
    const labels = { type: 'USER', code: error.code }
    const failure = { timestamp: this.#clock.now(), error, ...place, labels, concurrent: [] }
    if (this.status === 'FAILED') this.exceptions.at(-1)!.concurrent.push(failure)
    else this.exceptions.push(failure)
    this.timestamps.FAILING = this.#clock.now()
    this.end('FAILED')
  }

  /** Begins a checkpoint of all subtasks, which `count` of them have acknowledged. */
  checkpoint(id: number, { type = 'CHECKPOINT' as CheckpointType, count = Number.POSITIVE_INFINITY } = {}): void {
    const places = placesOf(this.plan)
    const tasks = places.map((_, task) => task)
    this.statistics.begins(id, type, places)
    this.statistics.expects(id, tasks)
    const part = { startDelayMs: 1, alignmentMs: 2, syncMs: 3, asyncMs: 4, bytesWritten: 100, bytes: 1000 }
    for (const task of tasks.slice(0, count)) this.statistics.acknowledged(id, task, part)
  }

  end(status: 'FINISHED' | 'CANCELED' | 'FAILED'): void {
    this.status = status
    this.state = status
    this.endTime = this.#clock.now()
    this.modified = this.endTime
    this.timestamps[status] = this.endTime
  }

  /** Where each subtask runs. */
  placeOf: (subtask: number) => { taskManager: string; host: string } = () => ({ taskManager: 'embedded', host: '' })

  view(): JobView {
    const duration = (this.endTime < 0 ? this.#clock.now() : this.endTime) - this.startTime
    const times = { startTime: this.startTime, endTime: this.endTime, duration }
    const timestamps = Object.fromEntries(EXECUTION_STATES.map((state) => [state, -1])) as Record<
      ExecutionState,
      number
    >
    for (const state of ['CREATED', 'SCHEDULED', 'DEPLOYING', 'INITIALIZING', 'RUNNING'] as const) {
      timestamps[state] = this.startTime
    }
    timestamps[this.state] = this.endTime < 0 ? this.startTime : this.endTime
    return {
      id: this.id,
      name: this.name,
      status: this.status,
      ...times,
      timestamps: { ...this.timestamps },
      totalMs: { ...countOf(JOB_STATUSES), RUNNING: duration },
      plan: this.plan,
      vertices: this.plan.vertices.map(({ id, name, parallelism, maxParallelism }) => ({
        id,
        name,
        parallelism,
        maxParallelism,
        state: this.state,
        ...times,
        tasks: { ...countOf(EXECUTION_STATES), [this.state]: parallelism },
        subtasks: Array.from({ length: parallelism }, (_, index) => ({
          index,
          attempt: 0,
          state: this.state,
          slot: index,
          ...this.placeOf(index),
          ...times,
          timestamps,
          accumulators: this.accumulators,
        })),
      })),
      metrics: this.pages,
      edgeTypes: {},
      accumulators: this.accumulators,
      exceptions: this.exceptions,
      restartStrategy: 'No restart',
      numRestarts: this.numRestarts,
      numRescales: 0,
      checkpoints: this.statistics.numbers(),
    }
  }
}

function countOf<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>
}

/** Ids of {@link flightPlan}'s vertices. */
export const VERTEX = { source: hexId(1), window: hexId(2), top: hexId(3), late: hexId(4) }

export function flightPlan(jobName: string): Plan {
  let next = 0x11
  const operator = (name: string, module: string, more: Partial<PlanOperator> = {}): PlanOperator => ({
    operatorId: hexId(next++),
    name,
    uid: null,
    description: null,
    module,
    parent: -1,
    tag: null,
    isSource: false,
    isSink: false,
    settings: {},
    ...more,
  })
  const vertex = (id: string, parallelism: number, operators: PlanOperator[]) => ({
    id,
    name: operators.map(({ name }) => name).join(' -> '),
    parallelism,
    maxParallelism: 128,
    maxParallelismSet: false,
    slotSharingGroup: 'default',
    isSource: operators[0]!.isSource,
    operators,
  })
  const edge = (id: number, from: string, to: string, partitioner: string, tag: string | null = null): PlanEdge => ({
    id,
    from,
    fromOperator: 0,
    tag,
    to,
    inputIndex: 0,
    partitioner,
    bufferTimeoutMs: 5,
    type: null,
    settings: {},
  })
  return {
    config: {
      jobName,
      parallelism: 2,
      maxParallelism: undefined,
      bufferTimeoutMs: 5,
      autoWatermarkIntervalMs: 200,
      chaining: true,
      autoGenerateUids: true,
      parameters: { speed: '3600' },
      options: { 'pipeline.name': jobName, 'sink.password': 'hunter2' },
    },
    vertices: [
      vertex(VERTEX.source, 2, [
        operator('Source: flights', 'source', { isSource: true }),
        operator('parse', 'map', { parent: 0 }),
        operator('departed', 'filter', { parent: 1 }),
      ]),
      vertex(VERTEX.window, 2, [operator('delay per airport and day', 'window')]),
      vertex(VERTEX.top, 1, [
        operator('top 10', 'keyed-process'),
        operator('Sink: print', 'sink', { parent: 0, isSink: true }),
      ]),
      vertex(VERTEX.late, 1, [operator('Sink: late flights', 'sink', { isSink: true })]),
    ],
    edges: [
      edge(0, VERTEX.source, VERTEX.window, 'key'),
      edge(1, VERTEX.window, VERTEX.top, 'key'),
      edge(2, VERTEX.window, VERTEX.late, 'rebalance', 'late'),
    ],
    hash: '0'.repeat(64),
  }
}
