/** Savepoints and stops: begun by a POST, then asked about until they have come to something. */
import type { SavepointProgress, Triggered } from '../rest/operations-schemas.ts'
import { fetchJson } from './api.ts'

const POLL_MS = 300

export interface SavepointRequest {
  /** Empty: where the job's configuration says. */
  directory: string
}

/** Gives the folder. Rejects with the cluster's words. */
export function takeSavepoint(jobId: string, { directory }: SavepointRequest): Promise<string> {
  return locationOf(jobId, 'savepoints', directory === '' ? {} : { 'target-directory': directory })
}

/** `drain`: the input ends first, and everything is flushed. */
export function stopWithSavepoint(
  jobId: string,
  { directory, drain }: SavepointRequest & { drain: boolean },
): Promise<string> {
  return locationOf(jobId, 'stop', { drain, ...(directory === '' ? {} : { targetDirectory: directory }) })
}

async function locationOf(jobId: string, path: 'savepoints' | 'stop', body: object): Promise<string> {
  const triggered = await fetchJson<Triggered>(`jobs/${jobId}/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    const { status, operation } = await fetchJson<SavepointProgress>(
      `jobs/${jobId}/savepoints/${triggered['request-id']}`,
    )
    if (status.id === 'IN_PROGRESS') continue
    const cause = operation?.['failure-cause']
    if (cause !== undefined) throw new Error(`${cause.class}: ${cause.message}`)
    return operation?.location ?? ''
  }
}
