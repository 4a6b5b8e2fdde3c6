/**
 * What a cluster has been told to run, and what has come of it: the state of the registry, and the changes of which it is made. Pure; registry.ts stores it.
 *
 * A program is what was submitted; each of its executes is a job. The life of a job here:
 *
 *     added ──▶ ended (dirty: it must not run again, but its checkpoints may still have to be cleaned up) ──▶ cleaned
 */
import { z } from 'zod'
import type { Before, GenerationBegin } from '../checkpoint/restore-directive.ts'
import { TailraceError } from '../core/errors.ts'
import type { Json } from './tagged-json.ts'

/** A value in the record itself, or in a file beside it; tagged JSON either way. */
export type Body = { value: Json } | { file: string; bytes: number; sha256: string }

export interface JobOutcome {
  status: 'FINISHED' | 'FAILED' | 'CANCELED'
  endedMs: number
  /** What the program's execute() is told. */
  result: Body
  /** The savepoint behind which it has finished. */
  stopped?: { checkpointId: number; path: string } | undefined
}

/** A savepoint, a checkpoint or a stop that somebody has asked for under an id of their own. */
export interface OperationEntry {
  kind: 'checkpoint' | 'savepoint' | 'stop'
  triggerId: string
  /** `begun`: nobody knows whether it came to its end, but for a stop whose job has finished. */
  state: 'begun' | 'done' | 'failed'
  /** What was taken. */
  taken?: { checkpointId: number; path: string } | undefined
  error?: { code: string; message: string } | undefined
}

export interface JobEntry {
  jobId: string
  /** Which execute() of its program it is, from 0. */
  executeIndex: number
  jobName: string
  submittedMs: number
  plan: Body
  outcome?: JobOutcome | undefined
  /** Nothing of it is left to be cleaned up. */
  cleaned: boolean
  /** What the newest generation of the deployment has begun with. */
  begun?: GenerationBegin | undefined
  /** In the order of their begins; the newest {@link OPERATIONS_MAX}. */
  operations?: OperationEntry[] | undefined
}

/** Kept of a job. */
export const OPERATIONS_MAX = 100

export interface ProgramEntry {
  programId: string
  submittedMs: number
  /** A ProgramRef. */
  program: Body
  /** Hash of the artifact that it is in, if it is in one. */
  artifact: string | null
  /** By the names of env.once(). */
  once: Record<string, Body>
  /** In the order of their executes. */
  jobs: JobEntry[]
  outcome?: { status: 'FINISHED' | 'FAILED' | 'CANCELED'; endedMs: number; error: Body | null } | undefined
}

export interface ArtifactEntry {
  /** 64 hex digits: what jobs know it by. */
  sha256: string
  /** As it was uploaded. */
  name: string
  bytes: number
  file: string
  storedMs: number
}

/** What is left to the next generation of its deployment of a program that is forgotten, until that begins. */
export interface LeftEntry extends Before {
  programId: string
}

export interface RegistryState {
  programs: ProgramEntry[]
  artifacts: ArtifactEntry[]
  left?: LeftEntry[] | undefined
}

const text = z.string()
const ms = z.number()
const body: z.ZodType<Body> = z.union([
  z.object({ file: text, bytes: z.int().min(0), sha256: text }),
  z.object({ value: z.json() as z.ZodType<Json> }),
])
const status = z.enum(['FINISHED', 'FAILED', 'CANCELED'])
const taken = z.object({ checkpointId: z.int().min(0), path: text })
const jobOutcome = z.object({ status, endedMs: ms, result: body, stopped: taken.optional() })
const begun = z.object({ generation: z.int().min(0), from: text, above: z.int().min(0) })
const operation = z.object({
  kind: z.enum(['checkpoint', 'savepoint', 'stop']),
  triggerId: text,
  state: z.enum(['begun', 'done', 'failed']),
  taken: taken.optional(),
  error: z.object({ code: text, message: text }).optional(),
})
const job = z.object({
  jobId: text,
  executeIndex: z.int().min(0),
  jobName: text,
  submittedMs: ms,
  plan: body,
  outcome: jobOutcome.optional(),
  cleaned: z.boolean(),
  begun: begun.optional(),
  operations: z.array(operation).optional(),
})
const programOutcome = z.object({ status, endedMs: ms, error: body.nullable() })
const program = z.object({
  programId: text,
  submittedMs: ms,
  program: body,
  artifact: text.nullable(),
  once: z.record(text, body),
  jobs: z.array(job),
  outcome: programOutcome.optional(),
})
const artifact = z.object({ sha256: text, name: text, bytes: z.int().min(0), file: text, storedMs: ms })
const left = z.object({ programId: text, begun: begun.optional(), stopped: taken.optional() })

export const StateRecord: z.ZodType<RegistryState> = z.object({
  programs: z.array(program),
  artifacts: z.array(artifact),
  left: z.array(left).optional(),
})

export const ChangeRecord = z.discriminatedUnion('change', [
  z.object({ change: z.literal('programAdded'), program }),
  z.object({ change: z.literal('onceComputed'), programId: text, name: text, value: body }),
  z.object({ change: z.literal('jobAdded'), programId: text, job }),
  z.object({ change: z.literal('jobEnded'), jobId: text, outcome: jobOutcome }),
  z.object({ change: z.literal('jobCleaned'), jobId: text }),
  z.object({ change: z.literal('jobBegun'), jobId: text, begun }),
  z.object({ change: z.literal('operationChanged'), jobId: text, operation }),
  z.object({ change: z.literal('programEnded'), programId: text, outcome: programOutcome }),
  z.object({ change: z.literal('programForgotten'), programId: text }),
  z.object({ change: z.literal('artifactAdded'), artifact }),
  z.object({ change: z.literal('artifactRemoved'), sha256: text }),
])
export type Change = z.infer<typeof ChangeRecord>

export const EMPTY: RegistryState = { programs: [], artifacts: [] }

/** The state after a change. Throws TR-HA-003 when the change is about what is not there. */
export function apply(state: RegistryState, change: Change): RegistryState {
  const { programs, artifacts } = state
  switch (change.change) {
    case 'programAdded':
      return { ...state, programs: [...programs, change.program] }
    case 'programForgotten':
      return {
        ...withLeft(state, change.programId, leftOf(state, change.programId)),
        programs: programs.filter(({ programId }) => programId !== change.programId),
      }
    case 'artifactAdded':
      return { ...state, artifacts: [...artifacts, change.artifact] }
    case 'artifactRemoved':
      return { ...state, artifacts: artifacts.filter(({ sha256 }) => sha256 !== change.sha256) }
    case 'onceComputed':
      return changeProgram(state, change.programId, (one) => ({
        ...one,
        once: { ...one.once, [change.name]: change.value },
      }))
    case 'programEnded':
      return changeProgram(state, change.programId, (one) => ({ ...one, outcome: change.outcome }))
    case 'jobAdded': {
      const inOrder = (a: JobEntry, b: JobEntry) => a.executeIndex - b.executeIndex
      return changeProgram(state, change.programId, (one) => ({
        ...one,
        jobs: [...one.jobs, change.job].sort(inOrder),
      }))
    }
    case 'jobEnded':
      return changeJob(state, change.jobId, (one) => ({ ...one, outcome: change.outcome }))
    case 'jobBegun': {
      const now = changeJob(state, change.jobId, (one) => ({ ...one, begun: change.begun }))
      return withLeft(now, findJob(now, change.jobId)!.program.programId, undefined)
    }
    case 'operationChanged':
      return changeJob(state, change.jobId, (one) => ({ ...one, operations: withOperation(one, change.operation) }))
    case 'jobCleaned':
      return changeJob(state, change.jobId, (one) => ({ ...one, cleaned: true }))
  }
}

/** A job that has failed leaves its checkpoints, one that was stopped its savepoint; others leave nothing to go on from. */
function leftOf(state: RegistryState, programId: string): Before | undefined {
  const jobs = state.programs.find((one) => one.programId === programId)?.jobs ?? []
  const last = jobs.findLast(({ begun }) => begun !== undefined)
  // None of its jobs has begun: the next generation is told of what was before this one.
  if (last === undefined) return state.left?.find((one) => one.programId === programId)
  const { begun, outcome } = last
  if (outcome?.stopped !== undefined) return { begun, stopped: outcome.stopped }
  return outcome?.status === 'FAILED' ? { begun } : undefined
}

function withLeft({ left = [], ...state }: RegistryState, programId: string, its: Before | undefined): RegistryState {
  const others = left.filter((one) => one.programId !== programId)
  const now = its === undefined ? others : [...others, { ...its, programId }]
  return now.length === 0 ? state : { ...state, left: now }
}

function withOperation({ operations = [] }: JobEntry, operation: OperationEntry): OperationEntry[] {
  const isSame = ({ kind, triggerId }: OperationEntry) => kind === operation.kind && triggerId === operation.triggerId
  if (operations.some(isSame)) return operations.map((one) => (isSame(one) ? operation : one))
  return [...operations, operation].slice(-OPERATIONS_MAX)
}

export function findJob(state: RegistryState, jobId: string): { program: ProgramEntry; job: JobEntry } | undefined {
  for (const program of state.programs) {
    const job = program.jobs.find((one) => one.jobId === jobId)
    if (job !== undefined) return { program, job }
  }
  return undefined
}

/** Names of all files that the state needs. */
export function filesOf({ programs, artifacts }: RegistryState): Set<string> {
  const bodies = programs.flatMap(({ program, once, jobs, outcome }) => [
    program,
    ...Object.values(once),
    ...jobs.flatMap(({ plan, outcome }) => [plan, outcome?.result]),
    outcome?.error,
  ])
  const files = bodies.flatMap((one) => (one != null && 'file' in one ? [one.file] : []))
  return new Set([...files, ...artifacts.map(({ file }) => file)])
}

function changeProgram(state: RegistryState, programId: string, how: (one: ProgramEntry) => ProgramEntry) {
  if (!state.programs.some((one) => one.programId === programId)) throw unknown('program', programId)
  return { ...state, programs: state.programs.map((one) => (one.programId === programId ? how(one) : one)) }
}

function changeJob(state: RegistryState, jobId: string, how: (one: JobEntry) => JobEntry): RegistryState {
  const found = findJob(state, jobId)
  if (found === undefined) throw unknown('job', jobId)
  return changeProgram(state, found.program.programId, (one) => ({
    ...one,
    jobs: one.jobs.map((job) => (job.jobId === jobId ? how(job) : job)),
  }))
}

function unknown(what: string, id: string): TailraceError {
  return new TailraceError(
    'TR-HA-003',
    `Cannot change the ${what} "${id}" in the high availability store: it has no such ${what}, wanted one that was added before`,
  )
}
