/**
 * The JobManager of a deployment, asked by its REST service: what changes, and what the operator has it do.
 *
 * What must hold: an answer says of which generation the JobManager is that gave it, as two of them may follow each other behind one address. Nothing throws where nobody answers: that is a fact.
 */
import type { ClusterView, JobView, Operation } from './facts.ts'
import { type SendJson, sendJson, type TextResponse } from './http-request.ts'

export interface JobManagerClient {
  /** What is, or what has become of it after `since`; undefined: nobody answers. */
  changes(since: number | undefined, waitMs: number, signal: AbortSignal): Promise<Changes | undefined>
  /** By trigger id: repeated it takes no second one. Rejects when it is refused or nobody answers. */
  savepoint(jobId: string, triggerId: string): Promise<void>
  checkpoint(jobId: string, triggerId: string): Promise<void>
  stop(jobId: string, triggerId: string, drain: boolean): Promise<void>
  cancel(jobId: string): Promise<void>
  operation(kind: 'savepoints' | 'checkpoints', jobId: string, triggerId: string): Promise<Operation>
}

export interface Changes extends ClusterView {
  version: number
}

export interface RestOptions {
  /** `http://fraud-rest.jobs.svc:8081` */
  url: string
  send?: SendJson
  timeoutMs?: number
}

const TIMEOUT_MS = 5_000
/** The code of what was lost with the JobManager that had begun it. */
const LOST = 'TR-HA-010'

/** As the service answers; what is not there is null. */
interface Answer {
  version: number
  deployment: { generation: number | null }
  jobs: (Omit<JobView, 'latestCheckpoint' | 'latestSavepoint' | 'exception'> & {
    latestCheckpoint?: JobView['latestCheckpoint'] | null
    latestSavepoint?: JobView['latestSavepoint'] | null
    exception?: JobView['exception'] | null
  })[]
  slots: { total: number; free: number; byTaskManager: Record<string, { total: number; free: number }> }
}

/**
 * @example
 * const client = restClient({ url: 'http://fraud-rest.jobs.svc:8081' })
 * await client.savepoint(jobId, triggerId)
 */
export function restClient({ url, send = sendJson, timeoutMs = TIMEOUT_MS }: RestOptions): JobManagerClient {
  const ask = (method: string, path: string, body?: object, waitMs = 0, signal?: AbortSignal): Promise<TextResponse> =>
    send({ method, url: `${url}${path}`, body, timeoutMs: timeoutMs + waitMs, signal })
  const say = async (method: string, path: string, body?: object): Promise<void> => {
    const { status, text } = await ask(method, path, body)
    if (!isOk(status)) throw new Error(`${method} ${path}: ${status} ${refusal(text)}`)
  }
  return {
    async changes(since, waitMs, signal) {
      try {
        const query = since === undefined ? '?waitMs=0' : `?since=${since}&waitMs=${waitMs}`
        const { status, text } = await ask('GET', `/tailrace/v1/changes${query}`, undefined, waitMs, signal)
        if (isOk(status)) return changesOf(JSON.parse(text) as Answer)
      } catch {
        // Nobody answers.
      }
      return undefined
    },
    savepoint: (jobId, triggerId) => say('POST', `/jobs/${jobId}/savepoints`, { triggerId }),
    checkpoint: (jobId, triggerId) => say('POST', `/jobs/${jobId}/checkpoints`, { triggerId }),
    stop: (jobId, triggerId, drain) => say('POST', `/jobs/${jobId}/stop`, { triggerId, drain }),
    cancel: (jobId) => say('PATCH', `/jobs/${jobId}`),
    async operation(kind, jobId, triggerId) {
      try {
        const { status, text } = await ask('GET', `/jobs/${jobId}/${kind}/${triggerId}`)
        return isOk(status) ? operationOf(JSON.parse(text) as OperationAnswer) : { state: 'UNKNOWN' }
      } catch {
        return { state: 'UNKNOWN' }
      }
    },
  }
}

function isOk(status: number): boolean {
  return status >= 200 && status < 300
}

function changesOf({ version, deployment, jobs, slots }: Answer): Changes {
  return {
    version,
    generation: deployment.generation ?? undefined,
    jobs: jobs.map(({ latestCheckpoint, latestSavepoint, exception, ...job }) => ({
      ...job,
      ...(latestCheckpoint && { latestCheckpoint }),
      ...(latestSavepoint && { latestSavepoint }),
      ...(exception && { exception }),
    })),
    slots: { ...slots, byTaskManager: Object.entries(slots.byTaskManager).map(([id, one]) => ({ id, ...one })) },
  }
}

interface OperationAnswer {
  status: { id: string }
  operation: { location?: string; checkpointId?: number; failureCause?: Failure; 'failure-cause'?: Failure } | null
}
interface Failure {
  class: string
  message?: string
  'stack-trace'?: string
}

function operationOf({ status, operation }: OperationAnswer): Operation {
  if (status.id !== 'COMPLETED') return { state: 'IN_PROGRESS' }
  const failure = operation?.['failure-cause'] ?? operation?.failureCause
  // Asked for again it begins again, under the same id.
  if (failure?.class === LOST) return { state: 'UNKNOWN' }
  if (failure !== undefined)
    return { state: 'FAILED', message: `${failure.class} ${failure.message ?? failure['stack-trace'] ?? ''}`.trim() }
  return { state: 'COMPLETED', location: operation?.location ?? '' }
}

function refusal(text: string): string {
  try {
    return (JSON.parse(text) as { errors?: string[] }).errors?.join('; ') ?? text.slice(0, 200)
  } catch {
    return text.slice(0, 200)
  }
}
