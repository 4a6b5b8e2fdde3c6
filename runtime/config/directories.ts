/** Where a process keeps files: its working directory, and what is temporary. Both may go when it ends. */
import { delimiter } from 'node:path'
import type { ConfigValues, Option } from './option.ts'
import { namesOf } from './option.ts'
import { CLUSTER } from './options/processes.ts'

/**
 * Of a list such as `io.tmp.dirs`: parts between commas, bars or, as in a PATH, colons.
 *
 * @example
 * directoryList('/disk1, /disk2') // ['/disk1', '/disk2']
 */
export function directoryList(text: string): string[] {
  return text
    .split(new RegExp(`[,|${delimiter}]`))
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** `io.tmp.dirs`: the first of them; undefined: that of the system. */
export function temporaryDirectory(read: ConfigValues): string | undefined {
  return directoryList(read.get(CLUSTER.temporaryDirectories) ?? '')[0]
}

/**
 * The working directory of a process of one kind, whose own option comes first; undefined: nobody says where, so it is where temporary files are.
 *
 * @example
 * workingDirectory(read, TASK_MANAGER.workingDirectory) ?? tmpdir()
 */
export function workingDirectory(read: ConfigValues, own: Option<string | undefined>): string | undefined {
  const found = read.find(own) ?? read.find(CLUSTER.workingDirectory)
  if (found === undefined) return undefined
  return namesOf(CLUSTER.temporaryDirectories).includes(found.key) ? directoryList(found.text)[0] : found.text
}
