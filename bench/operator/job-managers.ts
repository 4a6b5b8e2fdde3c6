/** REST services of JobManagers that are played, all behind one address: as the operator asks them, by the name of the Service in `host`. Answers have the shape and the size of the real ones. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Operation } from '../../operator/controllers/stream-deployment/facts.ts'
import type { Changes, JobManagerClient } from '../../operator/controllers/stream-deployment/job-manager-client.ts'
import { PORTS } from '../../operator/resources/names.ts'
import type { ChangesAnswer } from '../../runtime/rest/changes.ts'

export interface JobManager extends JobManagerClient {
  /** Of the pod that answers; 0: none does. */
  readonly generation: number
}

export interface JobManagersOptions {
  address: string
  /** {@link PORTS}.rest if not given. */
  port?: number
  /** By `host` without the port, such as `fraud-rest.jobs.svc`. */
  find(host: string): JobManager | undefined
  /** It was asked for something. */
  asked(host: string): void
}

/** Returns how to close it. Rejects when the address is in use. */
export async function serveJobManagers(options: JobManagersOptions): Promise<() => Promise<void>> {
  const { address, port = PORTS.rest, find } = options
  const server = createServer((request, response) => {
    const host = request.headers.host!.split(':')[0]!
    const jobManager = find(host)
    // As a Service without a pod that is ready.
    if (jobManager === undefined || jobManager.generation === 0) return void request.socket.destroy()
    reply(jobManager, request, response).then(
      () => request.method !== 'GET' && options.asked(host),
      (error: unknown) => answer(response, 500, { errors: [String(error)] }),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, resolve)
  })
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
}

async function reply(jobManager: JobManager, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, 'http://job-manager')
  const [, first, jobId, kind, triggerId] = url.pathname.split('/')
  switch (`${request.method} ${first}${kind === undefined ? '' : `/${kind}`}`) {
    case 'GET tailrace/changes': {
      const since = url.searchParams.get('since')
      const next = await changes(
        jobManager,
        since === null ? undefined : Number(since),
        Number(url.searchParams.get('waitMs')),
        response,
      )
      if (next === undefined) return void request.socket.destroy()
      return answer(response, 200, changesAnswer(next))
    }
    case 'PATCH jobs':
      await jobManager.cancel(jobId!)
      return answer(response, 202, {})
    case 'GET jobs/savepoints':
    case 'GET jobs/checkpoints':
      return answer(response, ...operationAnswer(await jobManager.operation(kind as 'savepoints', jobId!, triggerId!)))
    case 'POST jobs/savepoints':
    case 'POST jobs/checkpoints':
    case 'POST jobs/stop': {
      const { triggerId: id, drain } = await bodyOf(request)
      if (kind === 'stop') await jobManager.stop(jobId!, id, drain)
      else if (kind === 'savepoints') await jobManager.savepoint(jobId!, id)
      else await jobManager.checkpoint(jobId!, id)
      return answer(response, 202, { 'request-id': id })
    }
    default:
      return answer(response, 404, { errors: [`Not found: ${request.url}`] })
  }
}

async function changes(
  jobManager: JobManager,
  since: number | undefined,
  waitMs: number,
  response: ServerResponse,
): Promise<Changes | undefined> {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), waitMs)
  response.once('close', () => over.abort())
  try {
    return await jobManager.changes(since, waitMs, over.signal)
  } finally {
    clearTimeout(timer)
  }
}

function changesAnswer({ version, generation, jobs, slots }: Changes): ChangesAnswer {
  return {
    version,
    deployment: { id: null, generation: generation ?? null },
    jobs: jobs.map(({ id, name, state, startTime, parallelism, restarts, latestCheckpoint: taken }) => ({
      id,
      name,
      state,
      startTime,
      endTime: -1,
      parallelism,
      tasks: { total: parallelism * 3, running: state === 'RUNNING' ? parallelism * 3 : 0 },
      restarts,
      rescales: 0,
      checkpoints: { completed: taken?.id ?? 0, failed: 0 },
      restored: null,
      latestCheckpoint: taken ?? null,
      latestSavepoint: null,
      exception: null,
    })),
    slots: {
      total: slots.total,
      free: slots.free,
      byTaskManager: Object.fromEntries(slots.byTaskManager.map(({ id, ...one }) => [id, one])),
    },
  }
}

function operationAnswer(operation: Operation): [status: number, body: object] {
  switch (operation.state) {
    case 'UNKNOWN':
      return [404, { errors: ['Operation not found'] }]
    case 'IN_PROGRESS':
      return [200, { status: { id: 'IN_PROGRESS' }, operation: null }]
    case 'COMPLETED':
      return [200, { status: { id: 'COMPLETED' }, operation: { location: operation.location } }]
    case 'FAILED': {
      const failure = { class: 'Error', 'stack-trace': operation.message }
      return [200, { status: { id: 'COMPLETED' }, operation: { 'failure-cause': failure } }]
    }
  }
}

async function bodyOf(request: IncomingMessage): Promise<any> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString())
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
