/**
 * What a file system refused, as an error that says what to do.
 */
import { TailraceError } from '../core/errors.ts'

const FOUND: Record<string, string> = {
  EACCES: 'access is refused (EACCES), wanted: permission to read and write for the user of this process',
  EPERM:
    'the operation is not permitted (EPERM), wanted: a file system with hard links, and permission for the user of this process',
  EROFS: 'the file system is read-only (EROFS), wanted: one that can be written',
  ENOSPC: 'the disk is full (ENOSPC), wanted: room for the checkpoints that are kept and one more',
  EDQUOT: 'the quota of the disk is used up (EDQUOT), wanted: room for the checkpoints that are kept and one more',
  ENOTDIR: 'a part of the path is a file (ENOTDIR), wanted: a directory',
  EEXIST: 'it is a file (EEXIST), wanted: a directory',
  ENOENT: 'it is gone (ENOENT), wanted: a directory that stays while it is in use',
  EISDIR: 'it is a directory (EISDIR), wanted: a file',
  ENOTSUP: 'the file system has no hard links (ENOTSUP), wanted: one that has, for conditional writes stand on them',
  ENOSYS: 'the file system has no hard links (ENOSYS), wanted: one that has, for conditional writes stand on them',
}

/** TR-CHECKPOINT-005 with the path and the reason; an error that is none of a file system is passed on as it is. */
export function directoryError(what: string, path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  if (!(error instanceof Error) || typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) return error
  const found = FOUND[code] ?? `${error.message}, wanted: a file system that works`
  return new TailraceError('TR-CHECKPOINT-005', `Cannot ${what} "${path}": ${found}`, { cause: error })
}

/** There is no such file; also where its directory is a file, or it is a directory. */
export function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(String((error as NodeJS.ErrnoException | undefined)?.code))
}
