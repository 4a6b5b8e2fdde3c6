/** A coordinator with a job of two vertices, a store in memory and time that the test moves. The test plays tasks and enumerators. */
import type { Barrier } from '../../core/checkpoint.ts'
import { type ErrorData, errorToData, TailraceError } from '../../core/errors.ts'
import { VirtualTime } from '../../core/virtual-time.suite.ts'
import type { Plan } from '../../graph/model.ts'
import type { CheckpointStore, CompletedCheckpoint } from '../checkpoint-store.ts'
import type { CheckpointMetadata, OperatorSnapshot, SnapshotStats, StateHandle } from '../model.ts'
import { readCheckpointSettings } from '../settings.ts'
import { CheckpointCoordinator } from './checkpoint-coordinator.ts'
import type { CoordinatorOptions } from './coordinator-options.ts'

/** Checkpoints in memory; `hold` makes it answer when the test says so, `refuse` with an error. */
export class FakeCheckpointStore implements CheckpointStore {
  readonly url = 'memory:'
  readonly epoch = 4
  readonly completed: CompletedCheckpoint[] = []
  nextCheckpointId = 1
  /** `id:file` of what was discarded. */
  readonly discarded: string[] = []
  discardedAll = 0
  closed = 0
  #refusal: unknown
  #held: (() => void)[] | undefined

  async write(bytes: Uint8Array): Promise<StateHandle> {
    return { bytes }
  }
  written(): void {}
  async read(handle: StateHandle): Promise<Uint8Array> {
    return 'bytes' in handle ? handle.bytes : new Uint8Array(handle.length)
  }
  async complete(metadata: CheckpointMetadata): Promise<CompletedCheckpoint> {
    await this.answer()
    const done = { metadata, path: `memory:/chk-${metadata.checkpointId}/_metadata`, metadataBytes: 100 }
    this.completed.push(done)
    return done
  }
  async discard(checkpointId: number, handles: readonly StateHandle[]): Promise<void> {
    for (const handle of handles) if ('file' in handle) this.discarded.push(`${checkpointId}:${handle.file}`)
  }
  async discardAll(): Promise<void> {
    this.discardedAll++
    this.completed.length = 0
  }
  async close(): Promise<void> {
    this.closed++
  }

  /** The next answer is this error. */
  refuse(error: unknown): void {
    this.#refusal = error
  }
  /** Answers wait for {@link release}. */
  hold(): void {
    this.#held ??= []
  }
  release(): void {
    for (const answer of this.#held ?? []) answer()
    this.#held = undefined
  }

  async answer(): Promise<void> {
    if (this.#held !== undefined) await new Promise<void>((resolve) => this.#held!.push(resolve))
    const refusal = this.#refusal
    this.#refusal = undefined
    if (refusal !== undefined) throw refusal
  }
}

/** Operators `source` and `sink` of a job, two subtasks each, joined all to all. */
export function twoByTwoPlan(): Plan {
  const vertex = (id: string, name: string) => ({
    id,
    name,
    parallelism: 2,
    maxParallelism: 128,
    operators: [{ operatorId: id, name, uid: name }],
  })
  return {
    config: { jobName: 'clicks' },
    vertices: [vertex('a', 'source'), vertex('b', 'sink')],
    edges: [{ id: 0, from: 'a', fromOperator: 0, tag: null, to: 'b', inputIndex: 0, partitioner: 'key', type: null }],
  } as unknown as Plan
}

/** All tasks, by name. */
export const TASKS = ['a0', 'a1', 'b0', 'b1'] as const
export type TaskName = (typeof TASKS)[number]

export const lets = () => new Promise((resolve) => setImmediate(resolve))
export const declineError = errorToData(new TailraceError('TR-CHECKPOINT-001', 'disk full'))
const STATS: SnapshotStats = { startDelayMs: 1, alignmentMs: 2, syncMs: 3, asyncMs: 4, bytesWritten: 10, bytes: 20 }

export interface BeginOptions extends Partial<CoordinatorOptions> {
  /** Configuration without the prefix `execution.checkpointing.`; an interval of 100 ms unless it says another. */
  config?: Record<string, string>
  /** Tasks are left as they start. */
  idle?: boolean
}

export function beginCoordinator({ config = {}, idle = false, ...more }: BeginOptions = {}) {
  const time = new VirtualTime(10_000)
  const store = (more.store as FakeCheckpointStore | undefined) ?? new FakeCheckpointStore()
  const events: string[] = []
  const barriers = new Map<number, Barrier>()
  const failures: TailraceError[] = []
  const committed: string[] = []
  const savepoints: { metadata: CheckpointMetadata; directory: string }[] = []
  const options: Record<string, string> = { 'execution.checkpointing.interval': '100' }
  for (const [key, text] of Object.entries(config)) options[`execution.checkpointing.${key}`] = text
  const coordinator = new CheckpointCoordinator({
    jobId: 'j',
    plan: twoByTwoPlan(),
    settings: readCheckpointSettings(options),
    store,
    clock: time.clock,
    schedule: time.schedule,
    edgeTypes: () => ({}),
    writeSavepoint: async (metadata, directory) => {
      await store.answer()
      savepoints.push({ metadata, directory })
      return { path: `${directory}/savepoint-${metadata.checkpointId}`, metadataBytes: 50 }
    },
    markCommitted: async (path) => void committed.push(path),
    outlet: {
      snapshotEnumerators: (id) => events.push(`enumerators ${id}`),
      trigger: ({ vertexId, subtask }, barrier) => {
        events.push(`trigger ${vertexId}${subtask} ${barrier.checkpointId}`)
        barriers.set(barrier.checkpointId, barrier)
      },
      drain: ({ vertexId, subtask }) => events.push(`drain ${vertexId}${subtask}`),
      complete: (id) => events.push(`complete ${id}`),
      abort: (id) => events.push(`abort ${id}`),
      fail: (error) => {
        failures.push(error)
        events.push('fail')
        coordinator.attemptEnds(errorToData(error))
      },
    },
    ...more,
  })
  const place = (task: TaskName) => ({ vertexId: task[0]!, subtask: Number(task[1]) })
  const part = (task: TaskName, checkpointId: number) => ({ ...place(task), checkpointId })
  const say = {
    state: (state: 'RUNNING' | 'FINISHED' | 'CANCELED' | 'FAILED', ...tasks: TaskName[]) => {
      for (const task of tasks) coordinator.taskState(place(task).vertexId, place(task).subtask, state)
    },
    ended: (...tasks: TaskName[]) => {
      for (const task of tasks) coordinator.dataEnded(place(task).vertexId, place(task).subtask)
    },
    enumerators: (id: number, states: Record<string, unknown> = { a: { next: id } }, error?: ErrorData) =>
      coordinator.enumeratorStates(id, states, error),
    /** A file of its own per task and checkpoint, unless `operators` says what it took. */
    ack: (id: number, task: TaskName, { finished = false, operators }: AckOptions = {}) =>
      coordinator.acknowledged(
        part(task, id),
        {
          finished,
          operators: operators ?? [
            {
              operatorId: task[0]!,
              lists: [
                { name: 's', mode: 'split', handle: { file: `${task}-${id}`, offset: 0, length: 9 }, offsets: [0] },
              ],
            },
          ],
        },
        STATS,
      ),
    decline: (id: number, task: TaskName, error: ErrorData | undefined = declineError) =>
      coordinator.declined(part(task, id), error),
    giveWay: (id: number, task: TaskName) => coordinator.declined(part(task, id), undefined),
  }
  /** The tasks of an attempt all run. */
  const run = () => {
    coordinator.attemptBegins(twoByTwoPlan())
    say.state('RUNNING', ...TASKS)
  }
  /** Enumerators and the given tasks answer; then the store does. */
  const take = async (id: number, tasks: readonly TaskName[] = TASKS, ack?: AckOptions) => {
    say.enumerators(id)
    for (const task of tasks) say.ack(id, task, ack)
    await lets()
  }
  /** What came out since the last call. */
  const heard = () => events.splice(0)
  if (!idle) run()
  return { barriers, committed, coordinator, failures, heard, run, savepoints, say, store, take, time }
}

export interface AckOptions {
  finished?: boolean
  operators?: OperatorSnapshot[]
}
