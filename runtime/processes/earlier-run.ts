/**
 * Whether the program of an application cluster has come to its end under an earlier leader. A process that stood by is not to run it again then, one that is started afterwards is.
 *
 * Where the generation of the deployment is told, that decides: what has ended in it is not run again, but for what has failed, by a process that is started afterwards; a newer generation runs
 * it anew. What is forgotten here is not what that goes on from: the registry keeps it until it has begun.
 */
import type { ProgramEntry, RegistryState } from '../ha/registry-state.ts'
import type { JobEndStatus } from '../jobmanager/job-status.ts'
import type { KeptPrograms } from './kept-programs.ts'

/** Asked when a process begins, before it may lead: tells the run of the program that had ended in peace by then; undefined: none had. */
export function endedBefore({ programs }: RegistryState, programId: string): number | undefined {
  const found = programs.find((one) => one.programId === programId)
  const inPeace =
    found?.outcome !== undefined && found.jobs.every(({ cleaned, outcome }) => cleaned || outcome === undefined)
  return inPeace ? found.submittedMs : undefined
}

export interface EarlierRuns {
  /** What {@link endedBefore} said when the process began. */
  before: number | undefined
  /** Of its deployment, which it is told to run; undefined: nobody tells. */
  generation?: number | undefined
}

/**
 * How the program has ended under a leader that this process followed, or in the generation of its deployment that it is told to run; undefined: it is to run, and what was kept of an earlier
 * run is forgotten.
 */
export async function endOfEarlierRun(
  programs: KeptPrograms,
  programId: string,
  { before, generation }: EarlierRuns,
): Promise<JobEndStatus | undefined> {
  const entry = programs.find(programId)
  if (entry === undefined) return undefined
  const begun = Math.max(-1, ...entry.jobs.flatMap((job) => job.begun?.generation ?? []))
  const isNewer = generation !== undefined && begun >= 0 && generation > begun
  if (entry.outcome === undefined) {
    if (!isNewer || !mustRunAnew(entry)) return undefined
    // Its leader was lost before it could say that the program had ended, too.
    await programs.end(programId)
  } else {
    const { status } = entry.outcome
    const isStarted = entry.submittedMs === before
    const wasHere = generation === undefined ? begun < 0 && !isStarted : begun >= generation
    if (wasHere && !(generation !== undefined && status === 'FAILED' && isStarted)) return status
  }
  await programs.forget(programId)
  return undefined
}

/** The job of the deployment has ended, and the program would only be told so. One that finished by itself may be followed by another job. */
function mustRunAnew({ jobs }: ProgramEntry): boolean {
  const last = jobs.at(-1)?.outcome
  return last !== undefined && (last.status !== 'FINISHED' || last.stopped !== undefined)
}
