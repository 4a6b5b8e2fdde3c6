/**
 * Whether the program of an application cluster has come to its end under an earlier leader. A process that stood by is not to run it again then, one that is started afterwards is.
 */
import type { RegistryState } from '../ha/registry-state.ts'
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
  if (entry?.outcome === undefined) return undefined
  const begun = entry.jobs.flatMap((job) => job.begun?.generation ?? [])
  // Whoever deploys it anew says so by a newer one; a process that is only started again does not.
  if (generation !== undefined && begun.length > 0 && Math.max(...begun) >= generation) return entry.outcome.status
  if (entry.submittedMs !== before && begun.length === 0 && generation === undefined) return entry.outcome.status
  await programs.forget(programId)
  return undefined
}
