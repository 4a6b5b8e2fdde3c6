/**
 * The checkpoints of one job: opens where they are stored, says what each attempt goes on from, and cleans up at the job's end.
 *
 * What must hold: the job never begins with less than it was told to. What is in the store of its deployment comes before the savepoint that the configuration names: it was
 * taken after it. Where its deployment is told from outside what a generation begins with, that counts, and what it has begun with is kept before it does.
 */
import { assignState } from '../checkpoint/assign.ts'
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts'
import { CheckpointCoordinator } from '../checkpoint/coordinator/checkpoint-coordinator.ts'
import type { CheckpointOutlet, RestorePoint, WrittenSavepoint } from '../checkpoint/coordinator/coordinator-options.ts'
import { decideRetention } from '../checkpoint/coordinator/retention.ts'
import type { CheckpointMetadata } from '../checkpoint/model.ts'
import { type Begin, decideBegin } from '../checkpoint/restore-directive.ts'
import { restoredMaxParallelism } from '../checkpoint/restored-max-parallelism.ts'
import type { CheckpointSettings } from '../checkpoint/settings.ts'
import type { Clock } from '../core/clock.ts'
import { type ErrorCode, errorToData, TailraceError } from '../core/errors.ts'
import type { TypeDescription } from '../core/types.ts'
import { planWithMaxParallelism } from '../graph/deployed-numbers.ts'
import type { Plan, PlanOperator } from '../graph/model.ts'
import type { CheckpointingMode, Deployment, StateStorage } from '../rpc/slot-messages.ts'
import type { Schedule } from './attempt.ts'
import type { JobEndStatus } from './job-status.ts'
import type { JobBeginning } from './program-record.ts'

/** What a job's checkpoints and savepoints are stored in. */
export interface JobStorage {
  /** Of the job's deployment, with this JobManager as its owner. */
  readonly store: CheckpointStore
  /** The same for TaskManagers in processes of their own. */
  readonly state: StateStorage
  /** What a savepoint, or a retained checkpoint of anyone, holds; its handles can be read through `store`. */
  readSavepoint(path: string): Promise<RestorePoint>
  /** Throws unless a savepoint can be written there. */
  checkDirectory(directory: string): Promise<void>
  /** Copies what `metadata` names out of `store`, into a folder of its own below `directory`. */
  writeSavepoint(metadata: CheckpointMetadata, directory: string): Promise<WrittenSavepoint>
  /** Of a savepoint that {@link writeSavepoint} wrote. */
  markCommitted(path: string): Promise<void>
  disposeSavepoint(path: string): Promise<void>
}

export type OpenStorage = (job: { jobId: string; plan: Plan; settings: CheckpointSettings }) => Promise<JobStorage>

export interface JobCheckpointsOptions {
  jobId: string
  plan: Plan
  settings: CheckpointSettings
  openStorage: OpenStorage
  /** An earlier leader has begun it, and its program runs again. */
  isRunAgain: boolean
  /** How it begins, where it is told from outside. */
  beginning?: JobBeginning | undefined
  clock: Clock
  schedule: Schedule
  outlet: CheckpointOutlet
  edgeTypes(): Readonly<Record<number, TypeDescription>>
  /** Hears what could not be done and does not matter to the job. */
  warn(text: string): void
}

/** What an attempt begins with. */
export interface AttemptStart {
  restore: Deployment['restore']
  /** Of enumerators, by operator id. */
  enumerators: Record<string, unknown> | undefined
  edgeTypes: Record<number, TypeDescription>
}

export const FROM_NOTHING: AttemptStart = { restore: undefined, enumerators: undefined, edgeTypes: {} }

/** How the job ended. */
export interface JobClose {
  status: JobEndStatus
  /** Why it failed. */
  code: ErrorCode | undefined
  /** Whatever is configured. */
  keep: boolean
}

/** A job that has ended is not held up for longer by what is left to delete. */
const CLEAN_UP_MS = 30_000

export class JobCheckpoints {
  readonly #options: JobCheckpointsOptions
  #storage: JobStorage | undefined
  #coordinator: CheckpointCoordinator | undefined
  #closed = false
  /** The savepoint that the job began from and owns [SV-08], and how many checkpoints must complete until it is not needed. */
  #claimed: { path: string; left: number } | undefined

  constructor(options: JobCheckpointsOptions) {
    this.#options = options
  }

  get settings(): CheckpointSettings {
    return this.#options.settings
  }
  /** undefined before {@link open} has resolved. */
  get coordinator(): CheckpointCoordinator | undefined {
    return this.#coordinator
  }
  get store(): CheckpointStore | undefined {
    return this.#storage?.store
  }
  get state(): StateStorage | undefined {
    return this.#storage?.state
  }
  /** undefined: tasks do not wait for checkpoints at their end. */
  get mode(): CheckpointingMode | undefined {
    const { intervalMs, timeoutMs, mode } = this.settings
    return intervalMs === undefined
      ? undefined
      : { exactlyOnce: mode === 'EXACTLY_ONCE', times: { intervalMs, timeoutMs } }
  }

  /** Takes over the store and finds what the job begins from; gives the plan with the numbers of key groups that this has. */
  async open(): Promise<Plan> {
    const { jobId, settings, openStorage, clock, schedule, outlet, edgeTypes, warn } = this.#options
    let storage = await openStorage({ jobId, plan: this.#options.plan, settings })
    if (this.#options.isRunAgain && storage.store.completed.length > 0 && handsOver(this.#options.plan)) {
      // The program that has taken values is gone with them: whoever runs it again gets all of them.
      await anew(storage, this.#options.plan)
      storage = await openStorage({ jobId, plan: this.#options.plan, settings })
    }
    if (this.#closed) {
      await storage.store.close()
      return this.#options.plan
    }
    this.#storage = storage
    const { store } = storage
    const { restore } = settings
    const { begin, keep } = this.#begin(store)
    const savepoint = begin.from === 'path' ? await storage.readSavepoint(begin.path) : undefined
    await keep()
    if (this.#closed) return this.#options.plan
    const newest = begin.from === 'store' ? store.completed.at(-1) : undefined
    const { metadata } = newest ?? savepoint ?? {}
    let { plan } = this.#options
    if (metadata !== undefined) plan = planWithMaxParallelism(plan, restoredMaxParallelism(metadata, plan))
    const writeSavepoint: JobStorage['writeSavepoint'] = (...args) => storage.writeSavepoint(...args)
    this.#coordinator = new CheckpointCoordinator({
      jobId,
      plan,
      settings,
      store,
      clock,
      schedule,
      outlet,
      edgeTypes,
      writeSavepoint,
      markCommitted: (path) =>
        storage
          .markCommitted(path)
          .catch((error) => warn(`Cannot mark savepoint "${path}" as committed: ${textOf(error)}`)),
    })
    for (const warning of restore?.warnings ?? []) warn(warning)
    if (newest === undefined) this.#coordinator.beginFrom(savepoint)
    if (savepoint !== undefined) {
      const isConfigured = begin.from === 'path' && begin.path === restore?.path
      if (isConfigured && restore.claimMode === 'CLAIM')
        this.#claimed = { path: savepoint.path, left: settings.retained }
    }
    return plan
  }

  /** What the job begins with. Throws TR-HA-006 and 007. */
  #begin({ completed, nextCheckpointId }: CheckpointStore): { begin: Begin; keep(): Promise<void> } {
    const { beginning, plan, settings } = this.#options
    const configured = settings.restore?.path
    if (beginning === undefined) {
      const begin: Begin =
        completed.length > 0
          ? { from: 'store' }
          : configured === undefined
            ? { from: 'empty' }
            : { from: 'path', path: configured }
      return { begin, keep: async () => {} }
    }
    const ids = completed.map(({ metadata }) => metadata.checkpointId)
    const { jobName } = plan.config
    const decided = decideBegin({ jobName, ...beginning, completed: ids, nextCheckpointId, configured })
    return { begin: decided.begin, keep: () => beginning.keep(decided.keep) }
  }

  /** What the next attempt goes on from. Throws TR-CHECKPOINT-004. */
  start(plan: Plan): AttemptStart {
    const { metadata, committed = false } = this.#coordinator?.restorePoint ?? {}
    if (metadata === undefined) return FROM_NOTHING
    const allowNonRestoredState =
      this.settings.allowNonRestoredState || this.#options.beginning?.directive.allowNonRestoredState === true
    const { restores, finished, coordinators, edgeTypes, warnings } = assignState({
      metadata,
      plan,
      allowNonRestoredState,
    })
    for (const warning of warnings) this.#options.warn(warning)
    return {
      restore: { checkpointId: metadata.checkpointId, state: restores, finished, ...(committed ? { committed } : {}) },
      enumerators: coordinators,
      edgeTypes,
    }
  }

  /** A checkpoint is complete: the savepoint that the job owns goes when it would have, had the job taken it. */
  completed(): void {
    const claimed = this.#claimed
    if (claimed === undefined || --claimed.left > 0) return
    this.#claimed = undefined
    this.#storage!.disposeSavepoint(claimed.path).catch((error) =>
      this.#options.warn(`Cannot delete savepoint "${claimed.path}", which the job has claimed: ${textOf(error)}`),
    )
  }

  /** Where a savepoint goes, once it is sure that it can; throws TR-CHECKPOINT-006 when nobody says where. Needs the storage to be open. */
  async directory(given: string | undefined): Promise<string> {
    const directory = given ?? this.settings.savepointDirectory
    if (directory === undefined)
      throw new TailraceError(
        'TR-CHECKPOINT-006',
        `Cannot take a savepoint of the job "${this.#options.plan.config.jobName}": a target directory is wanted, in the request or as execution.checkpointing.savepoint-dir`,
      )
    await this.#storage!.checkDirectory(directory)
    return directory
  }

  /** The job has ended. Resolves, whatever happens. */
  async close(end: JobClose): Promise<void> {
    this.#closed = true
    this.#coordinator?.jobEnds(end.status === 'FINISHED')
    const cleanUp = Promise.withResolvers<void>()
    const stopWaiting = this.#options.schedule(CLEAN_UP_MS, () =>
      cleanUp.reject(new Error('the store does not answer')),
    )
    this.#cleanUp(end).then(cleanUp.resolve, cleanUp.reject)
    try {
      await cleanUp.promise
    } catch (error) {
      this.#options.warn(
        `Cannot clean up the checkpoints of the job "${this.#options.plan.config.jobName}": ${textOf(error)}`,
      )
    }
    stopWaiting()
  }

  async #cleanUp({ status, code, keep }: JobClose): Promise<void> {
    await this.#coordinator?.settled()
    const store = this.#storage?.store
    const { retention } = this.settings
    const tookOne = (this.#coordinator?.statistics.numbers().numberOfCompletedCheckpoints ?? 0) > 0
    const isTold = this.#options.beginning !== undefined
    const decision = keep ? 'keep' : decideRetention({ status, retention, code, tookOne, isTold })
    let failure: unknown
    try {
      if (decision === 'delete') {
        await store?.discardAll()
        this.#coordinator?.statistics.keeps([])
      }
    } catch (error) {
      failure = error
    }
    await this.#coordinator?.stopEnds(failure)
    await store?.close()
    if (failure !== undefined) throw failure
  }
}

const collects = ({ module }: PlanOperator): boolean => module === 'collect'

/** Values go to the program: executeAndCollect(). */
function handsOver({ vertices }: Plan): boolean {
  return vertices.some(({ operators }) => operators.some(collects))
}

/** Throws TR-HA-005 when others would have a part of the results twice. */
async function anew({ store }: JobStorage, { config, vertices }: Plan): Promise<void> {
  const sink = vertices.flatMap(({ operators }) => operators).find((one) => one.isSink && !collects(one))
  try {
    if (sink !== undefined)
      throw new TailraceError(
        'TR-HA-005',
        `Cannot run the job "${config.jobName}" again: it hands values to its program by executeAndCollect(), which an earlier run of the program has taken, and "${sink.name}" has results of that run; wanted: executeAndCollect() without other sinks, or execute()`,
      )
    await store.discardAll()
  } finally {
    await store.close()
  }
}

function textOf(error: unknown): string {
  return errorToData(error).message
}
