/**
 * The job that a command line names: a module where it lies, or an artifact, which is fetched first.
 */
import { existsSync, statSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Artifact } from '../artifacts/fetch-artifact.ts'
import { JOB } from '../config/options/job.ts'
import { TailraceError } from '../core/errors.ts'
import { jobEntry } from '../program/job-entry.ts'
import { parseArguments } from '../program/parameters.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import { storeOpener } from './store-opener.ts'
import type { Terminal } from './terminal.ts'

export interface Job {
  program: ProgramRef
  /** It was fetched, and stays in the cache until it is released. */
  artifact?: Artifact
  /** Of the artifact: the module that is run, where the configuration says which. */
  entry?: string
}

/**
 * The program of a job, fetched if it is an artifact. Warnings about it go to the terminal. Which part of it is run is said by `tailrace.job.entry`.
 *
 * Throws TR-CLI-001 for a file that is not there, TR-ARTIFACT-… for artifacts.
 */
export async function openJob(
  job: string,
  args: readonly string[],
  options: Record<string, string>,
  terminal: Terminal,
): Promise<Job> {
  const { cwd } = terminal
  if (!isArtifact(job)) return { program: jobProgram(job, args, options, cwd) }
  const [{ fetchArtifact }, { openArtifactCache }, { artifactSettings }] = await Promise.all([
    import('../artifacts/fetch-artifact.ts'),
    import('../artifacts/cache.ts'),
    import('../artifacts/settings.ts'),
  ])
  const settings = artifactSettings(options)
  const cache = await openArtifactCache({ dir: settings.dir, sizeMax: settings.cacheMax })
  const uri = /^[a-z][a-z0-9+.-]+:/i.test(job) || isAbsolute(job) ? job : resolve(cwd, job)
  const { module: entry, main } = jobEntry(options[JOB.entry.key])
  const artifact = await fetchArtifact(uri, { settings, cache, entry, openStore: storeOpener(options, terminal) })
  for (const warning of artifact.warnings) terminal.error(`! ${warning}\n`)
  const program = { url: artifact.moduleUrl, ...parseArguments(withoutSeparator(args)), options, ...(main && { main }) }
  return { program, artifact, ...(entry !== undefined && { entry }) }
}

/** Anything but a module of this machine. */
export function isArtifact(job: string): boolean {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(job)?.[1]?.toLowerCase()
  if (scheme !== undefined && scheme !== 'file') return true
  return job.includes('#sha256=') || /\.(tgz|tar\.gz|sql|jar)$/i.test(job)
}

/** Throws TR-CLI-001 when there is no such file, TR-ARTIFACT-008 for a module in it. */
export function jobProgram(
  job: string,
  args: readonly string[],
  options: Record<string, string>,
  cwd: string,
): ProgramRef {
  const { module, main } = jobEntry(options[JOB.entry.key])
  if (module !== undefined)
    throw new TailraceError(
      'TR-ARTIFACT-008',
      `Cannot run "${module}" of ${job}: it is one module, wanted: the name of a function that it exports, or no ${JOB.entry.key}`,
    )
  return { url: programUrl(job, cwd), ...parseArguments(withoutSeparator(args)), options, ...(main && { main }) }
}

function programUrl(job: string, cwd: string): string {
  if (!/\.[mc]?[jt]sx?$/.test(job))
    throw new TailraceError('TR-CLI-001', `Cannot run "${job}": wanted a .ts, .mts, .js, .mjs or .tgz file`)
  if (job.startsWith('file:')) return job
  const path = resolve(cwd, job)
  if (!existsSync(path) || !statSync(path).isFile())
    throw new TailraceError('TR-CLI-001', `Cannot run "${job}": there is no such file in ${cwd}`)
  return pathToFileURL(path).href
}

/** The `--` that ends the options of tailrace is not the job's. */
export function withoutSeparator(args: readonly string[]): string[] {
  const at = args.indexOf('--')
  return at < 0 ? [...args] : args.toSpliced(at, 1)
}
