/**
 * What the file sink wants of a file system, as steps of which any may be the last one before a crash, and Node's own.
 *
 * Bytes survive a crash once the file was synced, names once their folder was. A name may have slashes; folders are made as needed.
 */
import { constants } from 'node:fs'
import { copyFile, type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TailraceError } from '../../core/errors.ts'

export interface PartFiles {
  /** A new file. undefined: there is one of that name, and it stays. */
  create(path: string): Promise<OpenPart | undefined>
  /** Its length; undefined: there is none. */
  size(path: string): Promise<number | undefined>
  /** The first bytes of a file as a new one (or over an older one), synced. */
  copy(from: string, to: string, bytes: number): Promise<void>
  /** At once: a crash leaves one name or the other. */
  rename(from: string, to: string): Promise<void>
  /** A name that is not there is no error. */
  remove(path: string): Promise<void>
  syncFolder(path: string): Promise<void>
}

export interface OpenPart {
  append(bytes: Uint8Array): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

export const nodeFiles: PartFiles = {
  async create(path) {
    await makeFolder(dirname(path))
    const handle = await unless('EEXIST', open(path, 'wx'))
    if (handle === undefined) return undefined
    return {
      append: (bytes) => handle.writeFile(bytes),
      sync: () => handle.sync(),
      close: () => handle.close(),
    }
  },
  async size(path) {
    return (await unless('ENOENT', stat(path)))?.size
  },
  async copy(from, to, bytes) {
    await copyFile(from, to, constants.COPYFILE_FICLONE)
    const handle = await open(to, 'r+')
    try {
      await handle.truncate(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
  async syncFolder(path) {
    let handle: FileHandle
    try {
      handle = await open(path, 'r')
    } catch (error) {
      // Systems that cannot open folders need it not.
      if (['EISDIR', 'EPERM', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return
      throw error
    }
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
}

/** Makes a folder and those above it, durably. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true })
  if (first === undefined) return
  for (let made = path; ; made = dirname(made)) {
    await nodeFiles.syncFolder(dirname(made))
    if (made === first || made === dirname(made)) return
  }
}

async function unless<R>(code: string, promise: Promise<R>): Promise<R | undefined> {
  try {
    return await promise
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return undefined
    throw error
  }
}

/** What a user is told when the system refuses. */
export function cannotWrite(directory: string, error: unknown): TailraceError {
  const { message, path, code } = error as NodeJS.ErrnoException
  const where = path === undefined ? directory : dirname(path)
  const full = code === 'ENOSPC' || code === 'EDQUOT' ? 'the disk is full; make room there. ' : ''
  return new TailraceError('TR-SINK-001', `Cannot write to "${where}": ${full}${message}`, { cause: error })
}
