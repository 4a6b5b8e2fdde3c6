/** What a slot's thread has loaded, as a name: it may serve that job alone, since modules never unload. */
import { createHash } from 'node:crypto'
import type { ProgramRef } from './slot-messages.ts'

/** Equal for the same program of the same job; 32 characters. */
export function loadedBy(jobId: string, { url, main = '', artifact }: ProgramRef): string {
  const text = JSON.stringify([jobId, artifact?.sha256 ?? url, artifact?.entry ?? '', main])
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
