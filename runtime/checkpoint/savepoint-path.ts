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
  const text = path.trim()
  if (text === '') throw unusable(path, 'it is empty')
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return split('', posix.resolve(cwd, text))
  if (scheme === 'file') return split('', filePath(text))
  if (!/^s3[anp]?$/.test(scheme)) throw unusable(path, `its scheme is "${scheme}:"`)
  const [, bucket, key] = /^[^:]+:\/\/([^/?#]+)\/?([^?#]*)$/.exec(text) ?? []
  if (bucket === undefined) throw unusable(path, 'it names no bucket')
  return split(`s3://${bucket}`, posix.resolve('/', key!))
}

/** The file or folder in a folder. */
export function below(folder: string, name: string): string {
  return folder.endsWith('/') ? folder + name : `${folder}/${name}`
}

/** With a scheme or a leading slash: not below the folder of who names it. */
export function isAbsolutePath(file: string): boolean {
  return /^(\/|[a-z][a-z0-9+.-]*:)/i.test(file)
}

function split(root: string, absolute: string): SavepointPath {
  const path = posix.basename(absolute) === METADATA_FILE ? posix.dirname(absolute) : absolute
  const join = (part: string) => (root !== '' && part === '/' ? root : root + part)
  if (path === '/') return { folder: join('/'), parent: join('/'), prefix: '' }
  return { folder: join(path), parent: join(posix.dirname(path)), prefix: `${posix.basename(path)}/` }
}

function filePath(url: string): string {
  try {
    return posix.resolve(fileURLToPath(url))
  } catch (cause) {
    throw unusable(url, (cause as Error).message, cause)
  }
}

function unusable(path: string, found: string, cause?: unknown): TailraceError {
  return new TailraceError(
    'TR-CHECKPOINT-003',
    `Cannot read the checkpoint or savepoint "${path}": ${found}, wanted: a path, file:///… or s3://bucket/…, of a folder or the ${METADATA_FILE} in it`,
    { cause },
  )
}
