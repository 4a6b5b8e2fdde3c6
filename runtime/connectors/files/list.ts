/**
 * Which files a path names: a file, a directory (all files below it), or a pattern.
 *
 * Names that begin with `.` or `_` are left out, except where a path names one itself: so writers mark what is not finished.
 */
import { glob, readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { TailraceError } from '../../core/errors.ts'

export interface FoundFile {
  /** Absolute. */
  path: string
  bytes: number
}

/** Files in the order of their paths, each once. `missing`: what a path without any file is. */
export async function listFiles(paths: readonly string[], missing: 'fail' | 'empty'): Promise<FoundFile[]> {
  const found = new Map<string, number>()
  for (const path of paths) {
    let any = false
    for await (const file of filesOf(path)) {
      any = true
      if (file.path !== '') found.set(file.path, file.bytes)
    }
    if (!any && missing === 'fail')
      throw new TailraceError(
        'TR-SOURCE-001',
        `Cannot read "${path}": there is no such file, wanted a file, a directory, or a pattern that some file matches`,
      )
  }
  return [...found].map(([path, bytes]) => ({ path, bytes })).sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** A directory that exists gives an entry without a path, so that an empty one is not taken for a missing one. */
async function* filesOf(path: string): AsyncGenerator<FoundFile> {
  const found = await statOf(path)
  if (found === undefined) {
    if (!/[*?[{]/.test(path)) return
    // What the pattern spells out is meant; what it merely matches is left out when hidden.
    const spelled = new Set(path.split(/[/\\]/))
    const hidden = (match: string) => match.split(/[/\\]/).some((name) => isHidden(name) && !spelled.has(name))
    for await (const match of glob(path)) if (!hidden(match)) yield* filesOf(match)
  } else if (found.isDirectory()) {
    yield { path: '', bytes: 0 }
    for (const name of await readdir(path)) if (!isHidden(name)) yield* filesOf(join(path, name))
  } else yield { path: resolve(path), bytes: found.size }
}

const isHidden = (name: string): boolean => /^[._]/.test(name)

/** undefined when there is nothing: also when it vanished while listing. */
async function statOf(path: string) {
  try {
    return await stat(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new TailraceError('TR-SOURCE-001', `Cannot read "${path}": ${(error as Error).message}`, { cause: error })
  }
}
