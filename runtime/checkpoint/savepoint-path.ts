/**
 * What a user's path to a checkpoint or savepoint means: a folder, by a plain path or a URL, or the `_metadata` in it. Pure.
 */
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TailraceError } from '../core/errors.ts'
import { METADATA_FILE } from './metadata.ts'

export interface SavepointPath {
  /** The folder, absolute: `/data/savepoint-1` or `s3://bucket/savepoint-1`. */
  folder: string
  /** What holds the folder, for a store: `/data`, `s3://bucket`. */
  parent: string
  /** The folder's key below `parent` and a slash; empty when it is a bucket or the root itself. */
  prefix: string
}

/**
 * @param cwd absolute; what a relative path begins at
 * @example
 * savepointPath('file:///data/savepoint-1/_metadata', '/') // { folder: '/data/savepoint-1', parent: '/data', prefix: 'savepoint-1/' }
 */
export function savepointPath(path: string, cwd: string): SavepointPath {
  const { root, absolute } = resolve(path, cwd, noSavepoint)
  return split(root, posix.basename(absolute) === METADATA_FILE ? posix.dirname(absolute) : absolute)
}

/**
 * A directory that savepoints go into, absolute. Throws TR-CHECKPOINT-006 when it is none.
 *
 * @example
 * savepointDirectory('savepoints', '/data') // '/data/savepoints'
 */
export function savepointDirectory(directory: string, cwd: string): string {
  const { root, absolute } = resolve(directory, cwd, noDirectory)
  return split(root, absolute).folder
}

/** The file or folder in a folder. */
export function below(folder: string, name: string): string {
  return folder.endsWith('/') ? folder + name : `${folder}/${name}`
}

/** With a scheme or a leading slash: not below the folder of who names it. */
export function isAbsolutePath(file: string): boolean {
  return /^(\/|[a-z][a-z0-9+.-]*:)/i.test(file)
}

type Refuse = (path: string, found: string, cause?: unknown) => TailraceError

/** `root` is of a bucket, and empty for files. */
function resolve(path: string, cwd: string, refuse: Refuse): { root: string; absolute: string } {
  const text = path.trim()
  if (text === '') throw refuse(path, 'it is empty')
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return { root: '', absolute: posix.resolve(cwd, text) }
  if (scheme === 'file') return { root: '', absolute: filePath(text, refuse) }
  if (!/^s3[anp]?$/.test(scheme)) throw refuse(path, `its scheme is "${scheme}:"`)
  const [, bucket, key] = /^[^:]+:\/\/([^/?#]+)\/?([^?#]*)$/.exec(text) ?? []
  if (bucket === undefined) throw refuse(path, 'it names no bucket')
  return { root: `s3://${bucket}`, absolute: posix.resolve('/', key!) }
}

function split(root: string, path: string): SavepointPath {
  const join = (part: string) => (root !== '' && part === '/' ? root : root + part)
  if (path === '/') return { folder: join('/'), parent: join('/'), prefix: '' }
  return { folder: join(path), parent: join(posix.dirname(path)), prefix: `${posix.basename(path)}/` }
}

function filePath(url: string, refuse: Refuse): string {
  try {
    return posix.resolve(fileURLToPath(url))
  } catch (cause) {
    throw refuse(url, (cause as Error).message, cause)
  }
}

const noSavepoint: Refuse = (path, found, cause) =>
  new TailraceError(
    'TR-CHECKPOINT-003',
    `Cannot read the checkpoint or savepoint "${path}": ${found}, wanted: a path, file:///… or s3://bucket/…, of a folder or the ${METADATA_FILE} in it`,
    { cause },
  )

const noDirectory: Refuse = (directory, found, cause) =>
  new TailraceError(
    'TR-CHECKPOINT-006',
    `Cannot write a savepoint into "${directory}": ${found}, wanted: a path, file:///… or s3://bucket/…, of a directory`,
    { cause },
  )
