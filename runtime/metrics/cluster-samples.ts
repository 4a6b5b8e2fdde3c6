/** Samples of the JobManager, of jobs as it sees them, and of the TaskManagers; then all of a cluster. */
import { createHash } from 'node:crypto'
import { jobEnded, type MeasuredJob, type MeasuredTaskManager } from './measured.ts'
import type { MetricsReader } from './reader.ts'
import { NO_LABELS, type Sample } from './sample.ts'
import { taskSamples } from './task-samples.ts'

/** Statuses for which Flink measures how long a job was in them, and the words in the names. */
const STATUS_TIMES: readonly (readonly [status: string, word: string])[] = [
  ['INITIALIZING', 'initializing'],
  ['CREATED', 'created'],
  ['RUNNING', 'running'],
  ['RESTARTING', 'restarting'],
  ['FAILING', 'failing'],
  ['CANCELLING', 'cancelling'],
]

/** Id of the TaskManager that lives in this process: stable while it runs, 32 hex digits as REST wants them. */
export function embeddedTaskManagerId(startTime: number): string {
  return createHash('sha256').update(`embedded ${process.pid} ${startTime}`).digest('hex').slice(0, 32)
}

/** Everything there is to know in this process about a cluster right now: TaskManagers in processes of their own tell of themselves. `host` is the label. */
export function* allSamples(reader: MetricsReader, host: string): Iterable<Sample> {
  const { cluster } = reader
  const embedded = { host, tm_id: embeddedTaskManagerId(cluster.cluster().startTime) }
  const isEmbedded = cluster.taskManagers() === undefined
  yield* jobManagerSamples(reader, { host })
  if (isEmbedded) yield* taskManagerSamples(reader, embedded)
  for (const [job, labels] of liveJobs(reader)) {
    yield* jobSamples(job, { host, ...labels }, reader.timeMs())
    if (isEmbedded) yield* taskSamples(job, reader.read(job), { ...embedded, ...labels }, reader.nowMs())
  }
}

/** What a TaskManager in a process of its own tells: of the process, and of the tasks of its slots. */
export function* ownSamples(reader: MetricsReader, owner: { host: string; tm_id: string }): Iterable<Sample> {
  yield* taskManagerSamples(reader, owner)
  for (const [job, labels] of liveJobs(reader))
    yield* taskSamples(job, reader.read(job), { ...owner, ...labels }, reader.nowMs())
}

function* liveJobs({ cluster }: MetricsReader): Iterable<[MeasuredJob, { job_id: string; job_name: string }]> {
  for (const { id, status } of cluster.list()) {
    if (jobEnded(status)) continue
    const job = cluster.view(id)
    if (job !== undefined) yield [job, { job_id: id, job_name: job.name }]
  }
}

export function* jobManagerSamples(reader: MetricsReader, owner: Sample['owner']): Iterable<Sample> {
  const { slots } = reader.cluster.cluster()
  const gauge = (name: string, value: number): Sample => ({
    scope: 'jobmanager',
    name,
    kind: 'gauge',
    value,
    owner,
    labels: NO_LABELS,
  })
  yield gauge('numRegisteredTaskManagers', reader.cluster.taskManagers()?.length ?? 1)
  yield gauge('numPendingTaskManagers', 0)
  yield gauge('numRunningJobs', reader.cluster.list().filter(({ status }) => !jobEnded(status)).length)
  yield gauge('taskSlotsAvailable', slots.filter(({ state }) => state !== 'busy').length)
  yield gauge('taskSlotsTotal', slots.length)
  yield* processSamples(reader, 'jobmanager', owner)
}

/** Of a TaskManager in this process; an embedded one shares it, and so its numbers, with the JobManager. */
export function taskManagerSamples(reader: MetricsReader, owner: Sample['owner']): Iterable<Sample> {
  return processSamples(reader, 'taskmanager', owner)
}

/** Of a TaskManager in a process of its own, as it told last. */
export function* remoteSamples({ process }: MeasuredTaskManager, owner: Sample['owner']): Iterable<Sample> {
  for (const [name, value] of Object.entries(process))
    yield { scope: 'taskmanager', name, kind: 'gauge', value, owner, labels: NO_LABELS }
}

function* processSamples(reader: MetricsReader, scope: Sample['scope'], owner: Sample['owner']): Iterable<Sample> {
  for (const { name, kind, value } of reader.process.values()) {
    yield { scope, name, kind, value, owner, labels: NO_LABELS }
  }
}

/** `timeMs` is now, milliseconds since 1970. */
export function* jobSamples(job: MeasuredJob, owner: Sample['owner'], timeMs: number): Iterable<Sample> {
  const gauge = (name: string, value: number): Sample => ({
    scope: 'jobmanager_job',
    name,
    kind: 'gauge',
    value,
    owner,
    labels: NO_LABELS,
  })
  const running = job.timestamps.RUNNING ?? 0
  const ended = jobEnded(job.status)
  // Flink's uptime is that of an uninterrupted run, and -1 once the job has ended.
  yield gauge('uptime', ended ? -1 : job.status === 'RUNNING' ? timeMs - running : 0)
  // … and its downtime the time since it failed, while it is being restarted.
  yield gauge('downtime', ended ? -1 : job.status === 'RESTARTING' ? timeMs - (job.timestamps.RESTARTING ?? timeMs) : 0)
  yield gauge('numRestarts', job.numRestarts)
  yield gauge('numRescales', job.numRescales)
  for (const [name, value] of Object.entries(job.checkpoints ?? {})) yield gauge(name, value)
  for (const [status, word] of STATUS_TIMES) {
    const isIn = job.status === status
    const since = job.timestamps[status] ?? 0
    yield gauge(`${word}State`, isIn ? 1 : 0)
    yield gauge(`${word}Time`, isIn ? timeMs - since : 0)
    yield gauge(`${word}TimeTotal`, job.totalMs[status] ?? 0)
  }
  const { isIn, ms } = deploying(job, timeMs)
  yield gauge('deployingState', isIn ? 1 : 0)
  yield gauge('deployingTime', isIn ? ms : 0)
  yield gauge('deployingTimeTotal', ms)
}

/** From the first subtask that was deployed to the last one that began to initialize. */
function deploying(job: MeasuredJob, timeMs: number): { isIn: boolean; ms: number } {
  let first = Number.POSITIVE_INFINITY
  let last = 0
  let isIn = false
  for (const { subtasks } of job.vertices) {
    for (const { state, timestamps } of subtasks) {
      const from = timestamps.DEPLOYING ?? -1
      if (from > 0) first = Math.min(first, from)
      last = Math.max(last, timestamps.INITIALIZING ?? -1)
      if (state === 'SCHEDULED' || state === 'DEPLOYING') isIn = true
    }
  }
  if (first === Number.POSITIVE_INFINITY) return { isIn, ms: 0 }
  return { isIn, ms: Math.max(0, (isIn ? timeMs : last) - first) }
}
