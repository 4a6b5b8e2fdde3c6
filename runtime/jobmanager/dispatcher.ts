/**
 * The jobs of a cluster: takes submissions, finds slots, remembers ended jobs. REST and metrics see the cluster through it.
 */
import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { Plan } from '../graph/model.ts'
import { assignSlots } from '../graph/slots.ts'
import { loadedBy } from '../rpc/loaded-program.ts'
import type { ToProgram } from '../rpc/program-messages.ts'
import type { ProgramRef, ProgramReplay } from '../rpc/slot-messages.ts'
import type {
  CheckpointView,
  Cluster,
  ClusterChanges,
  ClusterView,
  JobCheckpointsView,
  JobSummary,
  JobView,
  OperationKind,
  OperationRequest,
  OperationResult,
  OperationView,
  ProcessInspection,
  Requirements,
  RescalesView,
  TaskManagerView,
} from '../rpc/views.ts'
import type { JobTimeouts } from './attempt.ts'
import { Changes, type Versioned } from './changes.ts'
import { endedChanges, jobChanges, slotChanges } from './cluster-changes.ts'
import { type EndedJob, endedCheckpoints, endedRequirements, endedSummary, endedView } from './ended-job.ts'
import { JobMaster } from './job-master.ts'
import type { JobEnd, JobOptions } from './job-options.ts'
import { type KeptOperations, Operations } from './operations.ts'
import type { SlotPool } from './slot-pool.ts'
import type { TaskManagers } from './task-managers.ts'

/** `jobstore.max-capacity`: ended jobs that are remembered; each keeps its metrics pages. */
export const HISTORY_MAX = 50
export const TIMEOUTS: JobTimeouts = { deployMs: 60_000, cancelMs: 10_000, slotsMs: 300_000 }

export interface DispatcherOptions {
  pool: SlotPool
  /** TaskManagers come and go, so a job waits for its slots; else one that finds too few is refused at once. */
  waitForSlots?: boolean
  /** TaskManagers in processes of their own; undefined: the only one shares this process. */
  taskManagers?: Pick<TaskManagers, 'views' | 'inspection'> & Partial<Pick<TaskManagers, 'jobEnded' | 'holderOf'>>
  /** A new id of a job, or of an operation: 32 hex digits. */
  newJobId(): string
  clock?: Clock
  schedule?: JobOptions['schedule']
  random?: JobOptions['random']
  timeouts?: Partial<JobTimeouts>
  historyMax?: number
  /** Takes what print() writes. */
  onPrint?: JobOptions['onPrint']
  /** For the log: what becomes of jobs, and why. */
  log?: JobOptions['log']
  /** Where checkpoints are stored; without it jobs that take any are refused. */
  openStorage?: JobOptions['openStorage']
  /** Deletes a savepoint of anyone; without it disposing is refused. */
  disposeSavepoint?(path: string): Promise<void>
  /** `rest.async.store-duration`: how long the result of an operation is kept. */
  operationKeptMs?: number
  /** What outlives this JobManager of operations. */
  keptOperations?: KeptOperations | undefined
}

export interface Submission {
  plan: Plan
  /** That it had with an earlier JobManager; a new one if not given. */
  jobId?: string | undefined
  /** An earlier leader has begun it. */
  isRunAgain?: boolean
  /** How it begins, where it is told from outside. */
  beginning?: JobOptions['beginning']
  /** Its outcome is certain, and nothing of it is cleaned up or told before this resolves. */
  beforeEnd?: JobOptions['beforeEnd']
  program: ProgramRef
  replay: ProgramReplay
  toProgram(message: ToProgram): void
  onEnd(job: JobMaster, end: JobEnd): void
}

export class Dispatcher implements Cluster {
  readonly #options: DispatcherOptions
  readonly #clock: Clock
  readonly #startTime: number
  /** Running, then ended ones; the oldest first. */
  readonly #jobs = new Map<string, JobMaster>()
  readonly #ended: string[] = []
  /** That ended under earlier leaders; the oldest end first. */
  readonly #earlier = new Map<string, EndedJob>()
  readonly #operations: Operations
  readonly #changes: Changes<ClusterChanges>
  /** That the deployment is told to have. */
  #parallelism: number | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#startTime = this.#clock.now()
    this.#changes = new Changes({
      view: () => this.#changesView(),
      schedule: options.schedule ?? scheduleByTimer,
      firstVersion: this.#startTime,
    })
    options.pool.onChange(() => {
      this.#changes.touch()
      for (const job of this.#jobs.values()) job.resourcesChanged()
    })
    const keptMs = options.operationKeptMs
    const kept = keptMs === undefined ? {} : { keptMs }
    const onEnd = () => this.#changes.touch()
    this.#operations = new Operations({
      clock: this.#clock,
      newTriggerId: () => options.newJobId(),
      onEnd,
      kept: options.keptOperations,
      ...kept,
    })
  }

  /** Makes a job of a plan, with slots; `schedule()` starts it. Throws TR-CLUSTER-001 when there are too few, TR-CHECKPOINT-006 for its settings. */
  submit({
    plan,
    program,
    replay,
    toProgram,
    onEnd,
    beforeEnd,
    beginning,
    isRunAgain = false,
    jobId = this.newJobId(),
  }: Submission): JobMaster {
    if (this.#jobs.has(jobId))
      throw new TailraceError(
        'TR-CONFIG-001',
        `Cannot run "${plan.config.jobName}" as job ${jobId}: there is one of this id`,
      )
    this.#earlier.delete(jobId)
    const { slotCount } = assignSlots(plan)
    const { pool, waitForSlots = false } = this.#options
    const loaded = loadedBy(jobId, program)
    const slots = waitForSlots ? [] : pool.acquire(jobId, slotCount, { loaded })
    if (slots === undefined) throw this.#tooFewSlots(plan, slotCount)
    let job: JobMaster
    const options: JobOptions = {
      jobId,
      plan,
      program,
      replay,
      slots,
      acquireSlots: (count, choice, wished) => this.#options.pool.acquire(jobId, count, { choice, wished, loaded }),
      claimSlots: (count) => this.#claimSlots(jobId, count),
      holderOf: (writer, ours) => this.#options.taskManagers?.holderOf?.(jobId, writer, ours),
      newToken: () => randomBytes(16).toString('hex'),
      freeSlots: () => this.#options.pool.free,
      clock: this.#clock,
      timeouts: { ...TIMEOUTS, ...this.#options.timeouts },
      schedule: this.#options.schedule ?? scheduleByTimer,
      random: this.#options.random ?? Math.random,
      toProgram,
      onPrint: this.#options.onPrint ?? (() => {}),
      openStorage: this.#options.openStorage,
      warn: (text) => this.#options.onPrint?.('stderr', `${text}\n`),
      ...(this.#options.log === undefined ? {} : { log: this.#options.log }),
      beforeEnd:
        beforeEnd &&
        (async (end) => {
          const { stopTaken } = job
          if (stopTaken !== undefined) await this.#operations.stops(jobId, stopTaken)
          await beforeEnd(end)
        }),
      beginning,
      parallelism: this.#parallelism,
      isRunAgain,
      onChange: () => this.#changes.touch(),
      onEnd: (end) => {
        this.#remember(jobId)
        this.#changes.touch()
        this.#options.taskManagers?.jobEnded?.(jobId)
        onEnd(job, end)
      },
    }
    try {
      job = new JobMaster(options)
    } catch (error) {
      for (const slot of slots) slot.release(false)
      throw error
    }
    this.#jobs.set(jobId, job)
    return job
  }

  /** Jobs have this parallelism from now on, and those that run are rescaled; undefined: what their programs say, and what runs stays. */
  directParallelism(parallelism: number | undefined): void {
    this.#parallelism = parallelism
    if (parallelism !== undefined) for (const job of this.#jobs.values()) job.parallelism.direct(parallelism)
  }

  newJobId(): string {
    return this.#options.newJobId()
  }

  job(jobId: string): JobMaster | undefined {
    return this.#jobs.get(jobId)
  }

  changes(
    since: number | undefined,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<Versioned<ClusterChanges> | undefined> {
    return this.#changes.next(since, waitMs, signal)
  }

  #changesView(): ClusterChanges {
    const earlier = [...this.#earlier.values()].map(endedChanges)
    const jobs = [...this.#jobs.values()].map((job) => jobChanges(job.view(), job.checkpoints()))
    return { jobs: [...earlier, ...jobs].reverse(), slots: slotChanges(this.#options.pool.views()) }
  }

  cluster(): ClusterView {
    return { startTime: this.#startTime, slots: this.#options.pool.views() }
  }

  taskManagers(): TaskManagerView[] | undefined {
    return this.#options.taskManagers?.views()
  }

  taskManagerProcess(id: string): ProcessInspection | undefined {
    return this.#options.taskManagers?.inspection(id)
  }

  /** Jobs that ended under earlier leaders are shown from now on, those that ended last, as far as there is room. */
  showEnded(jobs: readonly EndedJob[]): void {
    for (const job of jobs.toSorted((a, b) => a.endedMs - b.endedMs))
      if (!this.#jobs.has(job.jobId)) this.#earlier.set(job.jobId, job)
    this.#forgetOldest()
    this.#changes.touch()
  }

  list(): JobSummary[] {
    const jobs = [...this.#jobs.values()].map((job) => job.summary())
    return [...[...this.#earlier.values()].map(endedSummary), ...jobs].reverse()
  }

  view(jobId: string): JobView | undefined {
    return this.#jobs.get(jobId)?.view() ?? this.#ofEarlier(jobId, endedView)
  }

  checkpoints(jobId: string): JobCheckpointsView | undefined {
    const job = this.#jobs.get(jobId)
    if (job === undefined) return this.#ofEarlier(jobId, endedCheckpoints)
    return { ...job.checkpoints(), settings: job.checkpointSettings }
  }

  checkpoint(jobId: string, checkpointId: number): CheckpointView | undefined {
    return this.#jobs.get(jobId)?.checkpoint(checkpointId)
  }

  requirements(jobId: string): Requirements | undefined {
    return this.#jobs.get(jobId)?.parallelism.requirements ?? this.#ofEarlier(jobId, endedRequirements)
  }

  rescales(jobId: string): RescalesView | undefined {
    return this.#jobs.get(jobId)?.parallelism.view()
  }

  setRequirements(jobId: string, wanted: Requirements): boolean {
    this.#jobs.get(jobId)?.parallelism.set(wanted)
    return this.#jobs.has(jobId)
  }

  cancel(jobId: string): void {
    this.#jobs.get(jobId)?.cancel()
  }

  trigger(jobId: string, request: OperationRequest): string | undefined {
    const job = this.#jobs.get(jobId)
    if (job === undefined) return undefined
    return this.#operations.start(jobId, request.kind, request.triggerId, () => run(job, request))
  }

  operation(jobId: string, kind: OperationKind, triggerId: string): OperationView | undefined {
    return this.#operations.view(jobId, kind, triggerId)
  }

  disposeSavepoint(path: string, triggerId?: string): string {
    const { disposeSavepoint: dispose } = this.#options
    return this.#operations.start('', 'disposal', triggerId, async () => {
      if (dispose === undefined)
        throw new TailraceError(
          'TR-CHECKPOINT-005',
          `Cannot dispose of "${path}": this cluster does not reach savepoints`,
        )
      await dispose(path)
      return undefined
    })
  }

  disposal(triggerId: string): OperationView | undefined {
    return this.#operations.view('', 'disposal', triggerId)
  }

  /** Idle slots of younger jobs go to one that can begin with them: all that it lacks, or none. The youngest gives first. */
  #claimSlots(jobId: string, count: number): void {
    const jobs = [...this.#jobs.values()]
    const younger = jobs.slice(jobs.findIndex(({ id }) => id === jobId) + 1).reverse()
    let lacking = count - this.#options.pool.starting
    if (younger.reduce((sum, { idleSlots }) => sum + idleSlots, 0) < lacking) return
    for (const job of younger) {
      if (lacking <= 0) return
      const given = Math.min(lacking, job.idleSlots)
      job.giveBackSlots(given)
      lacking -= given
    }
  }

  #remember(jobId: string): void {
    this.#ended.push(jobId)
    this.#forgetOldest()
  }

  #forgetOldest(): void {
    const max = this.#options.historyMax ?? HISTORY_MAX
    for (const jobId of this.#earlier.keys())
      if (this.#ended.length + this.#earlier.size > max) this.#earlier.delete(jobId)
    while (this.#ended.length > max) this.#jobs.delete(this.#ended.shift()!)
  }

  #ofEarlier<T>(jobId: string, view: (job: EndedJob) => T): T | undefined {
    const job = this.#earlier.get(jobId)
    return job && view(job)
  }

  #tooFewSlots(plan: Plan, needed: number): TailraceError {
    const { free, total } = this.#options.pool
    const way =
      needed > total
        ? `Start the cluster with more (--slots ${needed}, or "taskmanager.numberOfTaskSlots"), or lower the parallelism (-p ${Math.max(1, total)})`
        : 'Wait for another job to end, or start the cluster with more (--slots)'
    return new TailraceError(
      'TR-CLUSTER-001',
      `Cannot run the job "${plan.config.jobName}": it needs ${needed} slots, ${free} of ${total} are free. ${way}`,
    )
  }
}

async function run(job: JobMaster, request: OperationRequest): Promise<OperationResult | undefined> {
  switch (request.kind) {
    case 'checkpoint':
      return job.takeCheckpoint()
    case 'savepoint':
      return job.takeSavepoint(request.directory, { cancel: request.cancelJob ?? false })
    case 'stop':
      return job.stopWithSavepoint(request.directory, request.drain)
    case 'rescale':
      await job.parallelism.change(request.parallelism)
      return undefined
  }
}

function scheduleByTimer(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms)
  return () => clearTimeout(timer)
}
