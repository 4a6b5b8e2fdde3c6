/** `io.tmp.dirs`: makes it the place of all temporary files of a process, as the system itself would be told. */
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { temporaryDirectory } from '../config/directories.ts'
import { ConfigValues } from '../config/option.ts'
import { TailraceError } from '../core/errors.ts'

/**
 * Sets TMPDIR, which threads of the process inherit, also for user code; before any of them is started. Throws TR-CONFIG-001 for a directory that cannot be made.
 *
 * @example
 * useTemporaryDirectory({ 'io.tmp.dirs': '/disk1/tmp,/disk2/tmp' }, process.env, terminal.cwd) // TMPDIR=/disk1/tmp
 */
export function useTemporaryDirectory(
  configuration: Readonly<Record<string, string>>,
  environment: Record<string, string | undefined>,
  cwd: string,
): void {
  const given = temporaryDirectory(new ConfigValues(configuration, 'TR-CONFIG-001'))
  if (given === undefined) return
  const directory = resolve(cwd, given)
  try {
    mkdirSync(directory, { recursive: true })
  } catch (cause) {
    throw new TailraceError(
      'TR-CONFIG-001',
      `Cannot use "${given}" for io.tmp.dirs: ${(cause as Error).message}; a directory that is there or can be made is wanted`,
      { cause },
    )
  }
  environment.TMPDIR = directory
}
