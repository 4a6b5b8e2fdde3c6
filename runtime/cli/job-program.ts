/** The job that a command line names. */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { TailraceError } from '../core/errors.ts'
import { parseArguments } from '../program/parameters.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'

/** Throws TR-CLI-001 when there is no such file. */
export function jobProgram(
  job: string,
  args: readonly string[],
  options: Record<string, string>,
  cwd: string,
): ProgramRef {
  return { url: programUrl(job, cwd), ...parseArguments(withoutSeparator(args)), options }
}

function programUrl(job: string, cwd: string): string {
  if (!/\.[mc]?[jt]sx?$/.test(job))
    throw new TailraceError('TR-CLI-001', `Cannot run "${job}": wanted a .ts, .mts, .js or .mjs file`)
  if (job.startsWith('file:')) return job
  const path = resolve(cwd, job)
  if (!existsSync(path) || !statSync(path).isFile())
    throw new TailraceError('TR-CLI-001', `Cannot run "${job}": there is no such file in ${cwd}`)
  return pathToFileURL(path).href
}

/** The `--` that ends the options of tailrace is not the job's. */
function withoutSeparator(args: readonly string[]): string[] {
  const at = args.indexOf('--')
  return at < 0 ? [...args] : args.toSpliced(at, 1)
}
