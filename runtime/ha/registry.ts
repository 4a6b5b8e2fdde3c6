/**
 * The record of jobs in the store of a cluster (`high-availability.storageDir`): what a leader needs of those before it to run their programs again as if nothing had happened, and
 * to run nothing again that has ended. Below the cluster's folder; docs/ha-store.md has the bytes:
 *
 *     claims/<epoch>      who leads since then (checkpoint/claims.ts)
 *     journal/            programs, jobs, results (journal.ts)
 *     bodies/, artifacts/ what the journal names (registry-files.ts)
 *
 * The order that a leader keeps: it is elected, it opens the registry with its epoch, and only then does it speak to anyone for the cluster. The registry's epoch is the one for all
 * of that: it is the election's, or above it where the lease was deleted in between.
 */
import { Claims } from '../checkpoint/claims.ts'
import { Deletions } from '../checkpoint/deletions.ts'
import type { ObjectStore } from '../checkpoint/object-store.ts'
import { proveStore } from '../checkpoint/prove-store.ts'
import type { Before, GenerationBegin } from '../checkpoint/restore-directive.ts'
import type { Clock } from '../core/clock.ts'
import { type ErrorData, TailraceError } from '../core/errors.ts'
import type { Plan } from '../graph/model.ts'
import type { ProgramRef, ProgramReplay } from '../rpc/slot-messages.ts'
import { Journal, readJournal } from './journal.ts'
import { epochOfFile, hashOf, RegistryFiles, readBody, readChecked } from './registry-files.ts'
import {
  type ArtifactEntry,
  type Change,
  filesOf,
  findJob,
  type JobEntry,
  type JobOutcome,
  type OperationEntry,
  type ProgramEntry,
  type RegistryState,
} from './registry-state.ts'

export interface OpenRegistryOptions {
  store: ObjectStore
  /** Of the cluster, such as `high-availability.cluster-id`; empty: the store is its own. */
  folder: string
  /** Names this run of the JobManager, and no other ever; may be part of a key. */
  owner: string
  /** Of its election. */
  leaderEpoch: number
  clock: Clock
  warn(text: string): void
}

export type EndStatus = 'FINISHED' | 'FAILED' | 'CANCELED'

/** What JobManagers are told to run, and what has come of it, as one leader sees it. Calls that change it fail with TR-CHECKPOINT-002 once there is a newer leader. */
export interface JobRegistry {
  /** Above those of all leaders before. */
  readonly epoch: number
  readonly programs: readonly ProgramEntry[]
  readonly artifacts: readonly ArtifactEntry[]
  /** Looks into the store, not at a clock: rejects with TR-CHECKPOINT-002 when there is a newer leader. For claims of what the leader alone may have. */
  refuseIfDeposed(what: string): Promise<void>
  /** Programs that have not ended, in the order of their submission: what a leader that takes over runs again. */
  toRun(): ProgramEntry[]
  /** Jobs that have ended, of which something may be left to be cleaned up. */
  toCleanUp(): JobEntry[]

  addProgram(given: { programId: string; program: ProgramRef; artifact?: string }): Promise<void>
  /** What env.once() computed; before the program is told. Throws TR-HA-004 for what cannot be kept. */
  addOnce(programId: string, name: string, value: unknown): Promise<void>
  /** Before the job is scheduled. */
  addJob(programId: string, given: { jobId: string; executeIndex: number; jobName: string; plan: Plan }): Promise<void>
  /** Before anyone is told how it ended; from then on it is never run again. `result` is what the program's execute() is told (an entry of ProgramReplay.results). */
  endJob(jobId: string, given: { status: EndStatus; result: unknown; stopped?: JobOutcome['stopped'] }): Promise<void>
  cleanJob(jobId: string): Promise<void>
  /** What a generation of the deployment has begun the job with; before it does. */
  beginJob(jobId: string, begun: GenerationBegin): Promise<void>
  /** What earlier runs of the program, which are forgotten, have left to the next generation of the deployment. */
  left(programId: string): Before | undefined
  /** What was asked for under an id of the asker's, before it begins and when it is done. */
  keepOperation(jobId: string, operation: OperationEntry): Promise<void>
  endProgram(programId: string, given: { status: EndStatus; error?: ErrorData }): Promise<void>
  /** Deletes a program that has ended, with the results of its jobs. */
  forgetProgram(programId: string): Promise<void>

  /** Stores bytes under their hash, once. */
  storeArtifact(name: string, bytes: Uint8Array): Promise<ArtifactEntry>
  /** Throws TR-HA-003 when there is none, or other bytes. */
  readArtifact(sha256: string): Promise<Uint8Array>
  removeArtifact(sha256: string): Promise<void>

  program(programId: string): Promise<ProgramRef>
  plan(jobId: string): Promise<Plan>
  /** What was given to {@link endJob}. */
  result(jobId: string): Promise<{ error?: ErrorData }>
  /** What a program sees again up to an execute: results of those before it, undefined for one that has not ended, and all values of env.once() so far. */
  replay(programId: string, executeIndex: number): Promise<ProgramReplay>
  /** Waits for deletions. The object store stays open: it is the caller's. */
  close(): Promise<void>
}

/**
 * Takes over the registry of a cluster; whoever had it before is deposed.
 *
 * Throws TR-CHECKPOINT-002 when another was faster, 005 and 007 as checkpoint stores do, TR-HA-003 when a record cannot be read.
 *
 * @example
 * const registry = await openRegistry({ store, folder: clusterId, owner: startId, leaderEpoch: term.epoch, clock, warn })
 * for (const { programId } of registry.toRun()) run(programId, await registry.program(programId))
 */
export async function openRegistry(options: OpenRegistryOptions): Promise<JobRegistry> {
  const { store, folder, owner, leaderEpoch, clock, warn } = options
  const prefix = prefixOf(folder)
  await proveStore(store, `${prefix}probes/${owner}`)
  const claims = new Claims(store, prefix)
  const { epoch } = await claims.claim(owner, clock.now(), leaderEpoch)
  const what = `take over the registry of jobs in "${store.url}/${prefix}"`
  const objects = await store.list(prefix)
  await claims.refuseIfDeposed(epoch, what)
  const found = await readJournal(store, prefix, objects).catch(async (error) => {
    // What looks broken may be the work of a leader that is newer still.
    await claims.refuseIfDeposed(epoch, what)
    throw error
  })
  if (found.epoch > epoch)
    throw new TailraceError(
      'TR-HA-003',
      `Cannot ${what}: there is a journal of epoch ${found.epoch}, and no claim of it, wanted: the folder as Tailrace has written it`,
    )
  const deletions = new Deletions(store, warn)
  const drop = (keys: readonly string[]) => deletions.add(keys, [])
  const journal = await Journal.begin({ store, prefix, claims, epoch, drop }, found.state)
  const needed = filesOf(found.state)
  const names = objects.map(({ key }) => key.slice(prefix.length))
  const orphans = names.filter((name) => (epochOfFile(name) ?? Infinity) < epoch && !needed.has(name))
  const others = names.filter((name) => name.startsWith('probes/') || isOlderClaim(name, epoch))
  deletions.add(
    found.keys,
    [...orphans, ...others].map((name) => prefix + name),
  )
  const files = new RegistryFiles(store, prefix, epoch)
  return new OwnedRegistry({ store, prefix, epoch, claims, clock, journal, files, deletions })
}

/** The highest epoch that a leader has had: where an election begins whose own record is gone. */
export async function highestEpoch(store: ObjectStore, folder: string): Promise<number> {
  return (await new Claims(store, prefixOf(folder)).list()).claims.at(-1) ?? 0
}

/** What is in a registry, for onlookers; it may be changed meanwhile, and then this throws TR-HA-003 at times. */
export async function readRegistry(store: ObjectStore, folder: string): Promise<RegistryState> {
  const prefix = prefixOf(folder)
  return (await readJournal(store, prefix, await store.list(prefix))).state
}

function isOlderClaim(name: string, epoch: number): boolean {
  const older = /^claims\/(\d{1,15})$/.exec(name)?.[1]
  return older !== undefined && Number(older) < epoch
}

function prefixOf(folder: string): string {
  return folder === '' ? '' : `${folder}/`
}

interface OwnedOptions {
  store: ObjectStore
  prefix: string
  epoch: number
  claims: Claims
  clock: Clock
  journal: Journal
  files: RegistryFiles
  deletions: Deletions
}

class OwnedRegistry implements JobRegistry {
  readonly epoch: number
  readonly #options: OwnedOptions

  constructor(options: OwnedOptions) {
    this.epoch = options.epoch
    this.#options = options
  }

  get programs(): readonly ProgramEntry[] {
    return this.#options.journal.state.programs
  }
  get artifacts(): readonly ArtifactEntry[] {
    return this.#options.journal.state.artifacts
  }

  refuseIfDeposed(what: string): Promise<void> {
    return this.#options.claims.refuseIfDeposed(this.epoch, what)
  }

  toRun(): ProgramEntry[] {
    return this.programs.filter(({ outcome }) => outcome === undefined)
  }

  toCleanUp(): JobEntry[] {
    const jobs = this.programs.flatMap((one) => one.jobs)
    return jobs.filter(({ outcome, cleaned }) => outcome !== undefined && !cleaned)
  }

  async addProgram(given: { programId: string; program: ProgramRef; artifact?: string }): Promise<void> {
    const { programId, artifact = null } = given
    if (this.#find(programId) !== undefined) return
    if (artifact !== null) this.#artifact(artifact)
    const program = await this.#options.files.writeBody(given.program, `the program "${given.program.url}"`)
    const submittedMs = this.#options.clock.now()
    await this.#change(({ programs }) => {
      if (programs.some((one) => one.programId === programId)) return undefined
      // It may have been removed meanwhile.
      if (artifact !== null) this.#artifact(artifact)
      return {
        change: 'programAdded',
        program: { programId, submittedMs, program, artifact, once: {}, jobs: [] },
      }
    })
  }

  async addOnce(programId: string, name: string, given: unknown): Promise<void> {
    if (Object.hasOwn(this.#program(programId).once, name)) return
    const value = await this.#options.files.writeBody(given, `env.once("${name}")`)
    await this.#change(() =>
      Object.hasOwn(this.#program(programId).once, name)
        ? undefined
        : { change: 'onceComputed', programId, name, value },
    )
  }

  async addJob(
    programId: string,
    given: { jobId: string; executeIndex: number; jobName: string; plan: Plan },
  ): Promise<void> {
    const { jobId, executeIndex, jobName } = given
    const known = () => this.#program(programId).jobs.find((one) => one.executeIndex === executeIndex)
    const refuse = (other: string) =>
      new TailraceError(
        'TR-INTERNAL-001',
        `Cannot add job ${jobId} as execute ${executeIndex} of program "${programId}": that is job ${other}, wanted: one job for each`,
      )
    const before = known()
    if (before !== undefined && before.jobId !== jobId) throw refuse(before.jobId)
    if (before !== undefined) return
    const plan = await this.#options.files.writeBody(given.plan, `the plan of job "${jobName}"`)
    const submittedMs = this.#options.clock.now()
    await this.#change(() => {
      const now = known()
      if (now !== undefined && now.jobId !== jobId) throw refuse(now.jobId)
      if (now !== undefined) return undefined
      return {
        change: 'jobAdded',
        programId,
        job: { jobId, executeIndex, jobName, submittedMs, plan, cleaned: false },
      }
    })
  }

  async endJob(
    jobId: string,
    given: { status: EndStatus; result: unknown; stopped?: JobOutcome['stopped'] },
  ): Promise<void> {
    const { status, stopped } = given
    if (this.#job(jobId).outcome !== undefined) return
    const result = await this.#options.files.writeBody(given.result, `the result of job ${jobId}`)
    const endedMs = this.#options.clock.now()
    await this.#change(() =>
      this.#job(jobId).outcome === undefined
        ? { change: 'jobEnded', jobId, outcome: { status, endedMs, result, ...(stopped && { stopped }) } }
        : undefined,
    )
  }

  async cleanJob(jobId: string): Promise<void> {
    await this.#change(() => (this.#job(jobId).cleaned ? undefined : { change: 'jobCleaned', jobId }))
  }

  async beginJob(jobId: string, begun: GenerationBegin): Promise<void> {
    await this.#change(() =>
      this.#job(jobId).begun?.generation === begun.generation ? undefined : { change: 'jobBegun', jobId, begun },
    )
  }

  left(programId: string): Before | undefined {
    return this.#options.journal.state.left?.find((one) => one.programId === programId)
  }

  async keepOperation(jobId: string, operation: OperationEntry): Promise<void> {
    await this.#change(() => {
      this.#job(jobId)
      return { change: 'operationChanged', jobId, operation }
    })
  }

  async endProgram(programId: string, given: { status: EndStatus; error?: ErrorData }): Promise<void> {
    const { files, clock } = this.#options
    const { status } = given
    if (this.#program(programId).outcome !== undefined) return
    const what = `the error of program "${programId}"`
    const error = given.error === undefined ? null : await files.writeBody(given.error, what)
    const outcome = { status, endedMs: clock.now(), error }
    await this.#change(() =>
      this.#program(programId).outcome === undefined ? { change: 'programEnded', programId, outcome } : undefined,
    )
  }

  async forgetProgram(programId: string): Promise<void> {
    const program = this.#find(programId)
    if (program === undefined) return
    if (program.outcome === undefined)
      throw new TailraceError(
        'TR-INTERNAL-001',
        `Cannot forget the program "${programId}": it has not ended, wanted one that has`,
      )
    await this.#change(() =>
      this.#find(programId) === undefined ? undefined : { change: 'programForgotten', programId },
    )
    this.#drop([...filesOf({ programs: [program], artifacts: [] })])
  }

  async storeArtifact(name: string, bytes: Uint8Array): Promise<ArtifactEntry> {
    const { files, clock } = this.#options
    const sha256 = hashOf(bytes)
    const known = () => this.artifacts.find((one) => one.sha256 === sha256)
    if (known() === undefined) {
      const file = await files.writeArtifact(bytes, sha256)
      const artifact = { sha256, name, bytes: bytes.length, file, storedMs: clock.now() }
      await this.#change(() => (known() === undefined ? { change: 'artifactAdded', artifact } : undefined))
      if (known()!.file !== file) this.#drop([file])
    }
    return known()!
  }

  readArtifact(sha256: string): Promise<Uint8Array> {
    const { store, prefix } = this.#options
    const artifact = this.#artifact(sha256)
    return readChecked(store, prefix + artifact.file, artifact)
  }

  async removeArtifact(sha256: string): Promise<void> {
    const artifact = this.artifacts.find((one) => one.sha256 === sha256)
    if (artifact === undefined) return
    await this.#change(({ artifacts, programs }) => {
      const user = programs.find((one) => one.artifact === sha256 && one.outcome === undefined)
      if (user !== undefined)
        throw new TailraceError(
          'TR-CLI-003',
          `Cannot remove the artifact "${artifact.name}": program "${user.programId}" runs from it, wanted one that nobody runs`,
        )
      return artifacts.includes(artifact) ? { change: 'artifactRemoved', sha256 } : undefined
    })
    this.#drop([artifact.file])
  }

  async program(programId: string): Promise<ProgramRef> {
    return (await this.#read(this.#program(programId).program)) as ProgramRef
  }

  async plan(jobId: string): Promise<Plan> {
    return (await this.#read(this.#job(jobId).plan)) as Plan
  }

  async result(jobId: string): Promise<{ error?: ErrorData }> {
    return (await this.#read(this.#job(jobId).outcome!.result)) as { error?: ErrorData }
  }

  async replay(programId: string, executeIndex: number): Promise<ProgramReplay> {
    const { once, jobs } = this.#program(programId)
    const values = Object.entries(once).map(async ([name, body]) => [name, await this.#read(body)] as const)
    const results = Array.from({ length: executeIndex }, async (_, index) => {
      const outcome = jobs.find((one) => one.executeIndex === index)?.outcome
      return outcome && (await this.#read(outcome.result))
    })
    return { executeIndex, results: await Promise.all(results), once: Object.fromEntries(await Promise.all(values)) }
  }

  async close(): Promise<void> {
    await this.#options.journal.close()
    await this.#options.deletions.settled()
  }

  #change(decide: (state: RegistryState) => Change | undefined): Promise<void> {
    return this.#options.journal.change(decide)
  }

  #read(body: ProgramEntry['program']): Promise<unknown> {
    return readBody(this.#options.store, this.#options.prefix, body)
  }

  #drop(files: readonly string[]): void {
    this.#options.deletions.add(
      [],
      files.map((file) => this.#options.prefix + file),
    )
  }

  #find(programId: string): ProgramEntry | undefined {
    return this.programs.find((one) => one.programId === programId)
  }

  #program(programId: string): ProgramEntry {
    return this.#find(programId) ?? unknown('program', programId)
  }

  #job(jobId: string): JobEntry {
    return findJob(this.#options.journal.state, jobId)?.job ?? unknown('job', jobId)
  }

  #artifact(sha256: string): ArtifactEntry {
    return this.artifacts.find((one) => one.sha256 === sha256) ?? unknown('artifact', sha256)
  }
}

function unknown(what: string, id: string): never {
  throw new TailraceError(
    'TR-HA-003',
    `Cannot find the ${what} "${id}" in the high availability store: it has none of that name, wanted one that was added before`,
  )
}
