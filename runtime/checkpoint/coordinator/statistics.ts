/**
 * Remembers how the checkpoints of a job went: counts since its begin, a bounded history, the last of each kind, and summaries over the completed ones.
 */
import type { Clock } from '../../core/clock.ts'
import type { CompletedCheckpoint } from '../checkpoint-store.ts'
import type { CheckpointKind, SnapshotStats } from '../model.ts'
import type { TaskPlace } from './checkpoint-plan.ts'
import type {
  CheckpointNumbers,
  CheckpointStatus,
  CheckpointsView,
  CheckpointType,
  CheckpointView,
  RestoredView,
  SubtaskCheckpointView,
  SummaryView,
  TaskCheckpointView,
} from './statistics-model.ts'

/** Quantiles are of so many of the last checkpoints. */
const SAMPLES_MAX = 1000

export interface StatisticsOptions {
  clock: Clock
  /** Ended checkpoints in the history. */
  historyMax: number
}

export class CheckpointStatistics {
  readonly #options: StatisticsOptions
  readonly #running = new Map<number, CheckpointRecord>()
  /** The oldest first. */
  #ended: CheckpointRecord[] = []
  readonly #latest: {
    completed?: CheckpointRecord
    savepoint?: CheckpointRecord
    failed?: CheckpointRecord
    restored?: RestoredView
  } = {}
  readonly #counts = { restored: 0, total: 0, completed: 0, failed: 0 }
  readonly #durations = new Summary()
  readonly #stateSizes = new Summary()
  readonly #checkpointedSizes = new Summary()

  constructor(options: StatisticsOptions) {
    this.#options = options
  }

  /** `places` are the tasks of the attempt. */
  begins(id: number, type: CheckpointType, places: readonly TaskPlace[]): void {
    this.#counts.total++
    this.#running.set(id, new CheckpointRecord(id, type, places, this.#options.clock))
  }

  /** These tasks have to acknowledge. */
  expects(id: number, tasks: readonly number[]): void {
    this.#running.get(id)?.expects(tasks)
  }

  acknowledged(id: number, task: number, stats: SnapshotStats): void {
    this.#running.get(id)?.acknowledged(task, stats)
  }

  completed(id: number, { path, metadataBytes }: Pick<CompletedCheckpoint, 'path' | 'metadataBytes'>): void {
    const record = this.#end(id, 'COMPLETED')
    if (record === undefined) return
    record.externalPath = path
    record.metadataBytes = metadataBytes
    this.#counts.completed++
    this.#latest[record.type === 'CHECKPOINT' ? 'completed' : 'savepoint'] = record
    this.#durations.add(record.durationMs)
    this.#stateSizes.add(record.stateSize)
    this.#checkpointedSizes.add(record.checkpointedSize)
  }

  /** The store has let go of all but these; savepoints are nobody's to delete but the user's. */
  keeps(ids: Iterable<number>): void {
    const kept = new Set(ids)
    for (const record of [...this.#ended, this.#latest.completed])
      if (record?.type === 'CHECKPOINT' && !kept.has(record.id)) record.discarded = true
  }

  failed(id: number, message: string): void {
    const record = this.#end(id, 'FAILED')
    if (record === undefined) return
    record.failureMessage = message
    this.#counts.failed++
    this.#latest.failed = record
  }

  restored(id: number, kind: CheckpointKind, externalPath: string): void {
    const restoreTimestamp = this.#options.clock.now()
    this.#counts.restored++
    this.#latest.restored = { id, restoreTimestamp, isSavepoint: kind === 'savepoint', externalPath }
  }

  /** undefined: it is not remembered any more, or never was. */
  detail(id: number): CheckpointView | undefined {
    const { completed, failed, savepoint } = this.#latest
    const known = [this.#running.get(id), completed, savepoint, failed, ...this.#ended]
    return known.find((record) => record?.id === id)?.view()
  }

  view(): CheckpointsView {
    const { completed, failed, restored, savepoint } = this.#latest
    return {
      counts: { ...this.#counts, inProgress: this.#running.size },
      summary: {
        durationMs: this.#durations.view(),
        stateSize: this.#stateSizes.view(),
        checkpointedSize: this.#checkpointedSizes.view(),
      },
      latest: {
        ...(completed === undefined ? {} : { completed: completed.view() }),
        ...(savepoint === undefined ? {} : { savepoint: savepoint.view() }),
        ...(failed === undefined ? {} : { failed: failed.view() }),
        ...(restored === undefined ? {} : { restored }),
      },
      history: [...this.#ended, ...this.#running.values()].sort((a, b) => b.id - a.id).map((record) => record.view()),
    }
  }

  numbers(): CheckpointNumbers {
    const { completed, savepoint, restored } = this.#latest
    const last = (completed?.id ?? -1) > (savepoint?.id ?? -1) ? completed : savepoint
    return {
      lastCheckpointDuration: last?.durationMs ?? -1,
      lastCheckpointSize: last?.checkpointedSize ?? -1,
      lastCheckpointFullSize: last?.stateSize ?? -1,
      lastCheckpointMetadataSize: last?.metadataBytes ?? -1,
      lastCompletedCheckpointId: last?.id ?? -1,
      lastCheckpointCompletedTimestamp: last?.endTimestamp ?? -1,
      lastCheckpointRestoreTimestamp: restored?.restoreTimestamp ?? -1,
      numberOfInProgressCheckpoints: this.#running.size,
      numberOfCompletedCheckpoints: this.#counts.completed,
      numberOfFailedCheckpoints: this.#counts.failed,
      totalNumberOfCheckpoints: this.#counts.total,
    }
  }

  #end(id: number, status: CheckpointStatus): CheckpointRecord | undefined {
    const record = this.#running.get(id)
    if (record === undefined) return undefined
    this.#running.delete(id)
    record.end(status)
    this.#ended.push(record)
    if (this.#ended.length > this.#options.historyMax) this.#ended.shift()
    return record
  }
}

/** One checkpoint. */
class CheckpointRecord {
  readonly id: number
  readonly type: CheckpointType
  status: CheckpointStatus = 'IN_PROGRESS'
  endTimestamp = -1
  externalPath: string | undefined
  metadataBytes = 0
  discarded = false
  failureMessage: string | undefined
  stateSize = 0
  checkpointedSize = 0
  readonly #places: readonly TaskPlace[]
  readonly #clock: Clock
  readonly #triggerTimestamp: number
  readonly #beganMs: number
  #endedMs: number | undefined
  #expected = new Set<number>()
  readonly #acks = new Map<number, SubtaskCheckpointView>()

  constructor(id: number, type: CheckpointType, places: readonly TaskPlace[], clock: Clock) {
    this.id = id
    this.type = type
    this.#places = places
    this.#clock = clock
    this.#triggerTimestamp = clock.now()
    this.#beganMs = clock.monotonic()
  }

  get durationMs(): number {
    return Math.round((this.#endedMs ?? this.#clock.monotonic()) - this.#beganMs)
  }

  expects(tasks: readonly number[]): void {
    this.#expected = new Set(tasks)
  }

  acknowledged(task: number, stats: SnapshotStats): void {
    this.stateSize += stats.bytes
    this.checkpointedSize += stats.bytesWritten
    const { startDelayMs, alignmentMs, syncMs, asyncMs, bytes: stateSize, bytesWritten: checkpointedSize } = stats
    this.#acks.set(task, {
      index: this.#places[task]!.subtask,
      ackTimestamp: this.#clock.now(),
      durationMs: this.durationMs,
      startDelayMs,
      alignmentMs,
      syncMs,
      asyncMs,
      stateSize,
      checkpointedSize,
    })
  }

  end(status: CheckpointStatus): void {
    this.status = status
    this.endTimestamp = this.#clock.now()
    this.#endedMs = this.#clock.monotonic()
  }

  view(): CheckpointView {
    const tasks = this.#tasks()
    return {
      id: this.id,
      status: this.status,
      type: this.type,
      triggerTimestamp: this.#triggerTimestamp,
      latestAckTimestamp: Math.max(-1, ...tasks.map((task) => task.latestAckTimestamp)),
      durationMs: this.durationMs,
      stateSize: this.stateSize,
      checkpointedSize: this.checkpointedSize,
      numSubtasks: this.#expected.size,
      numAcknowledged: this.#acks.size,
      tasks,
      ...(this.externalPath === undefined
        ? {}
        : { externalPath: this.externalPath, metadataSize: this.metadataBytes, discarded: this.discarded }),
      ...(this.failureMessage === undefined
        ? {}
        : { failureTimestamp: this.endTimestamp, failureMessage: this.failureMessage }),
    }
  }

  #tasks(): TaskCheckpointView[] {
    const byVertex = new Map<string, TaskCheckpointView>()
    for (const [number, { vertexId }] of this.#places.entries()) {
      let task = byVertex.get(vertexId)
      if (task === undefined) {
        task = newTask(vertexId, this.status)
        byVertex.set(vertexId, task)
      }
      const ack = this.#acks.get(number)
      task.subtasks.push(ack ?? null)
      if (this.#expected.has(number)) task.numSubtasks++
      if (ack === undefined) continue
      task.numAcknowledged++
      task.latestAckTimestamp = Math.max(task.latestAckTimestamp, ack.ackTimestamp)
      task.durationMs = Math.max(task.durationMs, ack.durationMs)
      task.stateSize += ack.stateSize
      task.checkpointedSize += ack.checkpointedSize
    }
    const tasks = [...byVertex.values()]
    for (const task of tasks)
      if (task.numAcknowledged === task.numSubtasks && this.#expected.size > 0) task.status = 'COMPLETED'
    return tasks
  }
}

function newTask(vertexId: string, status: CheckpointStatus): TaskCheckpointView {
  return {
    vertexId,
    status,
    numSubtasks: 0,
    numAcknowledged: 0,
    latestAckTimestamp: -1,
    durationMs: -1,
    stateSize: 0,
    checkpointedSize: 0,
    subtasks: [],
  }
}

class Summary {
  #min = Number.POSITIVE_INFINITY
  #max = Number.NEGATIVE_INFINITY
  #sum = 0
  #count = 0
  /** The last ones, in turn. */
  readonly #samples: number[] = []

  add(value: number): void {
    this.#min = Math.min(this.#min, value)
    this.#max = Math.max(this.#max, value)
    this.#sum += value
    this.#samples[this.#count % SAMPLES_MAX] = value
    this.#count++
  }

  view(): SummaryView {
    const sorted = this.#samples.toSorted((a, b) => a - b)
    // The smallest that so many of them do not exceed.
    const quantile = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
    const some = this.#count > 0
    return {
      min: some ? this.#min : Number.NaN,
      max: some ? this.#max : Number.NaN,
      avg: some ? this.#sum / this.#count : Number.NaN,
      p50: quantile(0.5),
      p90: quantile(0.9),
      p95: quantile(0.95),
      p99: quantile(0.99),
      p999: quantile(0.999),
    }
  }
}
