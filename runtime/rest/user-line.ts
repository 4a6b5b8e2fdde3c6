/** Finds the line of the user's that an error came from. */
import { pathToFileURL } from 'node:url'
import type { ErrorData } from '../core/errors.ts'

/** Where the sources or the built files of this runtime are, as stacks spell it. */
const OWN = new URL('../', import.meta.url).href
const OWN_PATH = decodeURIComponent(new URL(OWN).pathname)

/**
 * `/home/me/job.ts:12:7`: the first frame of the innermost cause that is neither Node's, nor a package's, nor ours; undefined when
 * there is none. Paths under the working directory are shortened to be relative to it.
 */
export function userLine(error: ErrorData): string | undefined {
  const inner = error.cause === undefined ? undefined : userLine(error.cause)
  if (inner !== undefined) return inner
  for (const line of error.stack.split('\n')) {
    const found = /^\s*at (?:.*\(|async )?((?:file:\/\/|[A-Za-z]:[\\/]|\/)[^()]*?:\d+:\d+)\)?$/.exec(line)?.[1]
    if (found === undefined || found.includes('/node_modules/') || isOwn(found)) continue
    const path = found.startsWith('file://') ? decodeURIComponent(found.slice('file://'.length)) : found
    const here = decodeURIComponent(pathToFileURL(`${process.cwd()}/`).pathname)
    return (path.startsWith(here) ? path.slice(here.length) : path).replace(/\?[^:]*/, '')
  }
  return undefined
}

function isOwn(frame: string): boolean {
  return frame.startsWith(OWN) || frame.startsWith(OWN_PATH)
}
