/** Begins something that takes its time and waits for what it comes to. */
import { randomBytes } from 'node:crypto'
import { isTailraceError, TailraceError } from '../core/errors.ts'
import type { FailureCause, Triggered } from '../rest/operations-schemas.ts'
import { type ClusterClient, errorOfCause } from './cluster-client.ts'

export interface Operation {
  /** Where it is begun. */
  begin: string
  /** Absent: it is begun by PATCH and `query`. */
  body?: object
  query?: Record<string, string>
  /** Where its progress is asked for, without its id. */
  progress: string
  /** Completes "Cannot …": `take a savepoint of "clicks"`. */
  what: string
}

/** What it came to, for all kinds. */
export interface Outcome {
  location?: string
  checkpointId?: number
}

interface Progress {
  status: { id: 'IN_PROGRESS' | 'COMPLETED' }
  operation: (Outcome & { 'failure-cause'?: FailureCause; failureCause?: FailureCause }) | null
}

export type Sleep = (ms: number) => Promise<void>

const FIRST_MS = 20
const LONGEST_MS = 1000
/** Times in a row that nobody may answer while it is waited for. */
const LOST_MAX = 3

/** Gives the id by which one asks about it. */
export async function beginOperation(client: ClusterClient, { begin, body, query }: Operation): Promise<string> {
  const triggerId = randomBytes(16).toString('hex')
  const { 'request-id': id } =
    body === undefined
      ? await client.patch<Triggered>(`${begin}?${new URLSearchParams({ ...query, triggerId })}`)
      : await client.post<Triggered>(begin, { ...body, triggerId })
  return id
}

/** Throws what the operation failed with, and TR-CLI-002 when the cluster is gone. */
export async function awaitOperation(client: ClusterClient, operation: Operation, sleep: Sleep): Promise<Outcome> {
  const { what } = operation
  const id = await beginOperation(client, operation)
  let lost = 0
  for (let waitMs = FIRST_MS; ; waitMs = Math.min(LONGEST_MS, waitMs * 2)) {
    await sleep(waitMs)
    let answer: Outcome | undefined
    try {
      answer = await progressOf(client, operation, id)
      lost = 0
    } catch (error) {
      if (!isTailraceError(error) || error.code !== 'TR-CLI-002') throw error
      if (++lost < LOST_MAX) continue
      throw new TailraceError(
        'TR-CLI-002',
        `Cannot tell whether the cluster could ${what}: it had begun, and ${client.url} does not answer any more; look at the target directory`,
        { cause: error },
      )
    }
    if (answer !== undefined) return answer
  }
}

/** What it came to; undefined while it goes on. Throws what it failed with. */
export async function progressOf(
  client: ClusterClient,
  { progress }: Operation,
  id: string,
): Promise<Outcome | undefined> {
  const { status, operation } = await client.get<Progress>(`${progress}/${id}`)
  if (status.id === 'IN_PROGRESS') return undefined
  const cause = operation?.['failure-cause'] ?? operation?.failureCause
  if (cause !== undefined) throw errorOfCause(cause)
  return operation ?? {}
}
