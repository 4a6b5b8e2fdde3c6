/**
 * `tailrace jobmanager`: takes TaskManagers, runs programs in threads of its own and their jobs in the slots of those.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { ConfigValues } from '../config/option.ts'
import { JOB } from '../config/options/job.ts'
import { JOB_MANAGER, SLOTS } from '../config/options/processes.ts'
import { backgroundSchedule, type Clock, type Schedule, systemClock, systemSchedule } from '../core/clock.ts'
import { errorToData } from '../core/errors.ts'
import { Dispatcher, type DispatcherOptions, HISTORY_MAX } from '../jobmanager/dispatcher.ts'
import type { OpenStorage } from '../jobmanager/job-checkpoints.ts'
import { jobStorage, savepointDisposer } from '../jobmanager/job-storage.ts'
import type { ProgramRecord } from '../jobmanager/program-record.ts'
import { type ProgramHost, ProgramSession, type SessionOptions } from '../jobmanager/program-session.ts'
import { SlotPool } from '../jobmanager/slot-pool.ts'
import { type ArtifactPiece, TaskManagers } from '../jobmanager/task-managers.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import type { Leadership } from './high-availability.ts'
import type { JobManagerPort } from './jobmanager-port.ts'
import { KeptPrograms } from './kept-programs.ts'
import { MemoryGuard, processMemory } from './memory-guard.ts'
import { programThread } from './program-ahead.ts'

export interface JobManagerOptions extends Pick<DispatcherOptions, 'onPrint' | 'historyMax' | 'operationKeptMs'> {
  configuration: Readonly<Record<string, string>>
  environment: Readonly<Record<string, string | undefined>>
  cwd: string
  /** Where TaskManagers find it: theirs from now on. */
  port: JobManagerPort
  leadership: Leadership
  /** Another leads: nothing may be changed any more. */
  onLost(why: string): void
  readArtifact(sha256: string, offset: number, length: number): Promise<ArtifactPiece>
  /** A line of the log. */
  log(text: string): void
  clock?: Clock
  schedule?: Schedule
  /** 32 hex digits that nobody has had; by chance unless given. */
  newId?(): string
  /** From 0 up to 1. */
  random?(): number
  /** Where jobs store their checkpoints; where their configuration says unless given. */
  openStorage?: OpenStorage
  /** Starts what runs a program; a thread unless given. */
  startProgram?(program: ProgramRef): ProgramHost
}

export type Watch = Pick<SessionOptions, 'onJob' | 'onJobEnd' | 'jobId' | 'restore'>

export class JobManager {
  readonly dispatcher: Dispatcher
  readonly taskManagers: TaskManagers
  readonly #pool: SlotPool
  readonly #options: JobManagerOptions
  /** What outlives this process; undefined: nothing. */
  readonly programs: KeptPrograms | undefined
  readonly #openStorage: OpenStorage
  readonly #port: JobManagerPort
  readonly #sessions = new Set<ProgramSession>()
  readonly #guard: MemoryGuard

  private constructor(options: JobManagerOptions) {
    const { configuration, environment, cwd, clock = systemClock, schedule = systemSchedule, log } = options
    this.#options = options
    const { port, leadership, onLost } = options
    const { registry } = leadership
    const refuseUnlessLeader = (what: string) => leadership.refuseUnlessLeader(what)
    this.#port = port
    const programs = registry && new KeptPrograms({ registry, refuseUnlessLeader, onLost, schedule, log })
    this.programs = programs
    const read = new ConfigValues(configuration, 'TR-CONFIG-001')
    const memory = processMemory(read, JOB_MANAGER.memory, { memoryBytes: Number.POSITIVE_INFINITY })
    this.#guard = new MemoryGuard({
      memory,
      residentBytes: () => process.memoryUsage.rss(),
      schedule: options.schedule ?? backgroundSchedule,
      log,
    })
    this.#pool = new SlotPool(schedule)
    const { newId = () => randomBytes(16).toString('hex'), random = Math.random } = options
    const refuseIfDeposed = async (what: string) => {
      try {
        await registry?.refuseIfDeposed(what)
      } catch (error) {
        if (errorToData(error).code === 'TR-CHECKPOINT-002') onLost((error as Error).message)
        throw error
      }
    }
    const storage = { refuseIfDeposed, clock, schedule, random, newOwner: newId, environment, cwd, warn: log }
    const { onPrint, historyMax, operationKeptMs } = options
    const openJobStorage = options.openStorage ?? jobStorage(storage)
    this.#openStorage = async (job) => {
      // Its claim would depose whoever leads now.
      refuseUnlessLeader(`take over the checkpoints of job ${job.jobId}`)
      return openJobStorage(job)
    }
    this.dispatcher = new Dispatcher({
      pool: this.#pool,
      waitForSlots: true,
      taskManagers: {
        views: () => this.taskManagers.views(),
        inspection: (id) => this.taskManagers.inspection(id),
        jobEnded: (jobId) => this.taskManagers.jobEnded(jobId),
        holderOf: (...writer) => this.taskManagers.holderOf(...writer),
      },
      newJobId: newId,
      clock,
      schedule,
      random,
      timeouts: {
        slotsMs: read.get(SLOTS.requestTimeout),
        deployMs: read.get(SLOTS.deployTimeout),
        cancelMs: read.get(JOB.cancellationTimeout),
      },
      openStorage: this.#openStorage,
      log,
      keptOperations: programs && {
        find: (...which) => programs.findOperation(...which),
        keep: (...what) => programs.keepOperation(...what),
      },
      disposeSavepoint: savepointDisposer(storage, configuration),
      ...(onPrint === undefined ? {} : { onPrint }),
      ...(historyMax === undefined ? {} : { historyMax }),
      ...(operationKeptMs === undefined ? {} : { operationKeptMs }),
    })
    this.taskManagers = new TaskManagers({
      pool: this.#pool,
      clock,
      schedule,
      readArtifact: (...piece) => options.readArtifact(...piece),
      refuseUnlessLeader,
      log,
    })
    port.lead(leadership, (peer) => this.taskManagers.serve(peer))
  }

  /** Takes TaskManagers from now on. */
  static start(options: JobManagerOptions): JobManager {
    return new JobManager(options)
  }

  /** Cleans up what earlier leaders could not, of jobs that had ended. Before any program runs. */
  async cleanUp(): Promise<void> {
    await this.programs?.cleanUp(this.#openStorage)
  }

  /** Shows what ended under earlier leaders. */
  async showEnded(): Promise<void> {
    const { historyMax = HISTORY_MAX } = this.#options
    this.dispatcher.showEnded((await this.programs?.endedJobs(historyMax)) ?? [])
  }

  /** Runs a program in a thread of this process; the session ends when it and its jobs have. */
  run(program: ProgramRef, watch: Watch = {}, record?: ProgramRecord): ProgramSession {
    const {
      schedule = systemSchedule,
      configuration,
      startProgram = () => programThread(configuration),
    } = this.#options
    const host = this.#guard.watch(startProgram(program))
    const session = new ProgramSession({ host, program, dispatcher: this.dispatcher, schedule, record, ...watch })
    this.#sessions.add(session)
    void session.ended.then(() => this.#sessions.delete(session))
    session.run()
    return session
  }

  /**
   * The same for a program that the next leader goes on with, if this process does not come to its end: under the id `programId` it has the jobs, results and values of env.once() that it
   * had before. Without anything that outlives this process it is {@link run}.
   *
   * @param artifact the file that the program's artifact is in, if the next leader cannot find it by itself
   */
  async runKept(
    programId: string,
    program: ProgramRef,
    { artifact, ...watch }: Watch & { artifact?: string | undefined } = {},
  ): Promise<ProgramSession> {
    const { programs } = this
    if (programs === undefined) return this.run(program, watch)
    if (artifact !== undefined) await programs.storeArtifact(program.artifact!.name, await readFile(artifact))
    const stored = artifact === undefined ? undefined : program.artifact!.sha256
    return this.run(program, watch, await programs.record(programId, program, stored))
  }

  /** Ends programs and jobs; `shutdown`: the TaskManagers, too. Checkpoints stay. */
  async stop({ shutdown }: { shutdown?: string } = {}): Promise<void> {
    this.#guard.stop()
    for (const session of this.#sessions) session.stop()
    await this.#pool.stop()
    if (shutdown !== undefined) this.taskManagers.shutdown(shutdown)
    await this.#port.close()
  }
}
