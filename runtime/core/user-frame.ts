/** Finds the author's own line in a stack: where to look first when a job fails. */
import { fileURLToPath } from 'node:url'
import type { ErrorData } from './errors.ts'

/** `runtime/` of the running copy. */
const OWN = fileURLToPath(new URL('../', import.meta.url))

export interface UserFrame {
  /** A path, not a URL. */
  file: string
  line: number
  column: number
}

const FRAME = /^\s*at (?:.*? \()?(?:async )?((?:file:\/\/)?(?:\/|[A-Za-z]:[\\/]).*?):(\d+):(\d+)\)?$/
/** How Node begins the stack of a module that it cannot parse. */
const HEAD = /^((?:file:\/\/)?(?:\/|[A-Za-z]:[\\/]).*):(\d+)$/

/**
 * The topmost frame that lies in a user's file: not in Node, not in node_modules, not in the library.
 *
 * @example
 * userFrame(error.stack) // { file: '/home/ann/job.ts', line: 12, column: 7 }
 */
export function userFrame(stack: string | undefined): UserFrame | undefined {
  for (const text of (stack ?? '').split('\n')) {
    const match = FRAME.exec(text) ?? HEAD.exec(text)
    if (match === null) continue
    const file = pathOf(match[1]!)
    if (file.includes('/node_modules/') || (file.startsWith(OWN) && !/\.(test|suite)\.ts$/.test(file))) continue
    return { file, line: Number(match[2]), column: Number(match[3] ?? 1) }
  }
  return undefined
}

/** The frame of the innermost cause that has one. */
export function userFrameOf(error: ErrorData): UserFrame | undefined {
  return (error.cause === undefined ? undefined : userFrameOf(error.cause)) ?? userFrame(error.stack)
}

function pathOf(place: string): string {
  const url = place.replace(/\?.*$/, '')
  return url.startsWith('file:') ? fileURLToPath(url) : url
}
