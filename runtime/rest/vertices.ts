/** A vertex of a job: its subtasks, their times, back-pressure and watermarks. */
import { countStates, vertexState } from '../jobmanager/task-states.ts'
import type { JobReader } from '../metrics/job-reader.ts'
import { formatValue } from '../metrics/sample.ts'
import type { JobView, SubtaskView, VertexView } from '../rpc/views.ts'
import { type App, jobOf, type RestContext, subtaskOf, subtaskParams, vertexOf, vertexParams } from './common.ts'
import type { IoMetrics } from './common-schemas.ts'
import { distribution, ioMetricsOf } from './io-metrics.ts'
import { metricValues } from './metrics-schemas.ts'
import { type Place, placeOf } from './place.ts'
import {
  type BackPressure,
  backPressure,
  type Subtask,
  subtask,
  subtaskTimes,
  type VertexDetails,
  vertexDetails,
  vertexTaskManagers,
} from './vertices-schemas.ts'

export function vertexRoutes(app: App, context: RestContext): void {
  const { clock, metrics } = context
  const at = '/jobs/:jobid/vertices/:vertexid'
  const find = ({ jobid, vertexid }: { jobid: string; vertexid: string }) => {
    const job = jobOf(context, jobid)
    return { job, vertex: vertexOf(job, vertexid), reader: metrics.read(job) }
  }

  app.get(at, { schema: { params: vertexParams, response: { 200: vertexDetails } } }, ({ params }) => {
    const { vertex, reader } = find(params)
    return detailsOf(vertex, reader, context)
  })

  app.get(`${at}/backpressure`, { schema: { params: vertexParams, response: { 200: backPressure } } }, ({ params }) => {
    const { vertex, reader } = find(params)
    return backPressureOf(vertex, reader, context)
  })

  app.get(`${at}/watermarks`, { schema: { params: vertexParams, response: { 200: metricValues } } }, ({ params }) => {
    const { job, vertex, reader } = find(params)
    return { metrics: watermarksOf(job, vertex, reader) }
  })

  app.get(`${at}/subtasktimes`, { schema: { params: vertexParams, response: { 200: subtaskTimes } } }, ({ params }) => {
    const { id, name, subtasks } = find(params).vertex
    return {
      id,
      name,
      now: clock.now(),
      subtasks: subtasks.map((one) => ({
        subtask: one.index,
        endpoint: placeOf(context, one).host,
        duration: one.duration,
        timestamps: one.timestamps,
      })),
    }
  })

  app.get(
    `${at}/taskmanagers`,
    { schema: { params: vertexParams, response: { 200: vertexTaskManagers } } },
    ({ params }) => {
      const { vertex, reader } = find(params)
      const byPlace = new Map<string, { place: Place; subtasks: SubtaskView[] }>()
      for (const one of vertex.subtasks) {
        const place = placeOf(context, one)
        const found = byPlace.get(place.id) ?? { place, subtasks: [] }
        found.subtasks.push(one)
        byPlace.set(place.id, found)
      }
      return {
        id: vertex.id,
        name: vertex.name,
        now: clock.now(),
        taskmanagers: [...byPlace.values()].map(({ place, subtasks }) =>
          onTaskManager(place, { ...vertex, subtasks }, reader, context),
        ),
      }
    },
  )

  for (const path of [`${at}/subtasks/:subtaskindex`, `${at}/subtasks/:subtaskindex/attempts/:attempt`]) {
    app.get(path, { schema: { params: subtaskParams, response: { 200: subtask } } }, ({ params }) => {
      const { vertex, reader } = find(params)
      return subtaskInfo(vertex, subtaskOf(vertex, params.subtaskindex), reader, context)
    })
  }
}

/** @param vertex with the subtasks that are there */
function onTaskManager(place: Place, vertex: VertexView, reader: JobReader, context: RestContext) {
  const { subtasks } = vertex
  const tasks = countStates(subtasks.map(({ state }) => state))
  const starts = subtasks.map(({ startTime }) => startTime).filter((ms) => ms >= 0)
  const startTime = starts.length === 0 ? -1 : Math.min(...starts)
  const endTime = subtasks.every((one) => one.endTime >= 0) ? Math.max(...subtasks.map((one) => one.endTime)) : -1
  return {
    endpoint: place.host,
    status: vertexState(tasks),
    'start-time': startTime,
    'end-time': endTime,
    duration: startTime < 0 ? -1 : Math.max(0, (endTime < 0 ? context.clock.now() : endTime) - startTime),
    metrics: ioMetricsOf(subtasks.map(({ index }) => reader.task(vertex.id, index))),
    'status-counts': tasks,
    'taskmanager-id': place.id,
    aggregated: detailsOf(vertex, reader, context).aggregated,
  }
}

function detailsOf(vertex: VertexView, reader: JobReader, context: RestContext): VertexDetails {
  const subtasks = vertex.subtasks.map((one) => subtaskInfo(vertex, one, reader, context))
  const numbers = Object.keys(subtasks[0]?.metrics ?? {}).filter((name) => !name.endsWith('-complete'))
  const states = Object.keys(subtasks[0]?.['status-duration'] ?? {})
  return {
    id: vertex.id,
    name: vertex.name,
    parallelism: vertex.parallelism,
    maxParallelism: vertex.maxParallelism,
    now: context.clock.now(),
    subtasks,
    aggregated: {
      metrics: Object.fromEntries(
        numbers.map((name) => [
          name,
          distribution(subtasks.map((one) => Number(one.metrics[name as keyof IoMetrics]))),
        ]),
      ),
      'status-duration': Object.fromEntries(
        states.map((state) => [state, distribution(subtasks.map((one) => one['status-duration'][state]!))]),
      ),
    },
  }
}

function subtaskInfo(vertex: VertexView, one: SubtaskView, reader: JobReader, context: RestContext): Subtask {
  const place = placeOf(context, one)
  return {
    subtask: one.index,
    status: one.state,
    attempt: one.attempt,
    endpoint: place.host,
    'start-time': one.startTime,
    'end-time': one.endTime,
    duration: one.duration,
    metrics: ioMetricsOf([reader.task(vertex.id, one.index)]),
    'taskmanager-id': place.id,
    'status-duration': statusDurations(one, context.clock.now()),
    'other-concurrent-attempts': [],
  }
}

/** States that take time, in their order. */
const TIMED = ['CREATED', 'SCHEDULED', 'DEPLOYING', 'INITIALIZING', 'RUNNING'] as const

/** How long the subtask was in each state; -1 for one that it has not reached. */
function statusDurations({ timestamps, endTime }: SubtaskView, nowMs: number): Record<string, number> {
  const durations: Record<string, number> = {}
  for (const [i, state] of TIMED.entries()) {
    const from = timestamps[state]
    const next = TIMED.slice(i + 1).find((later) => timestamps[later] >= 0)
    const to = next === undefined ? (endTime < 0 ? nowMs : endTime) : timestamps[next]
    durations[state] = from < 0 ? -1 : to - from
  }
  return durations
}

/** Flink's bounds [RT-09]: up to 10 % is ok, up to 50 % low. */
function levelOf(ratio: number): 'ok' | 'low' | 'high' {
  return ratio <= 0.1 ? 'ok' : ratio <= 0.5 ? 'low' : 'high'
}

function backPressureOf(vertex: VertexView, reader: JobReader, { metrics, clock }: RestContext): BackPressure {
  const nowMs = metrics.nowMs()
  const subtasks = vertex.subtasks.map(({ index, attempt }) => {
    const times = reader.task(vertex.id, index)?.times(nowMs) ?? { busy: 0, idle: 0, backPressured: 0 }
    const ratio = times.backPressured / 1000
    return {
      subtask: index,
      'attempt-number': attempt,
      backpressureLevel: levelOf(ratio),
      'backpressure-level': levelOf(ratio),
      ratio,
      idleRatio: times.idle / 1000,
      busyRatio: times.busy / 1000,
      'other-concurrent-attempts': [],
    }
  })
  const worst = levelOf(Math.max(0, ...subtasks.map(({ ratio }) => ratio)))
  return {
    status: 'ok',
    backpressureLevel: worst,
    'backpressure-level': worst,
    'end-timestamp': clock.now(),
    subtasks,
  }
}

function watermarksOf(job: JobView, vertex: VertexView, reader: JobReader): { id: string; value: string }[] {
  const isSource = job.plan.vertices.some(({ id, isSource }) => id === vertex.id && isSource)
  const name = 'currentInputWatermark'
  return vertex.subtasks.flatMap(({ index }) => {
    const task = reader.task(vertex.id, index)
    if (task === undefined) return []
    return [{ id: `${index}.${name}`, value: formatValue({ name, value: task.watermark(isSource) }) }]
  })
}
