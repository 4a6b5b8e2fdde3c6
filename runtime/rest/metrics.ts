/**
 * Metrics by REST: of the JobManager, TaskManagers, jobs, vertices and subtasks; without `get` their ids, with it their values,
 * and on the aggregating paths min, max, sum, avg and skew over what is selected.
 */
import { z } from 'zod'
import {
  embeddedTaskManagerId,
  jobManagerSamples,
  jobSamples,
  remoteSamples,
  taskManagerSamples,
} from '../metrics/cluster-samples.ts'
import type { TaskReader } from '../metrics/job-reader.ts'
import { formatValue, NO_LABELS, type Sample } from '../metrics/sample.ts'
import { subtaskSamples } from '../metrics/task-samples.ts'
import type { JobView, VertexView } from '../rpc/views.ts'
import {
  type App,
  jobOf,
  jobParams,
  list,
  type RestContext,
  RestError,
  subtaskOf,
  subtaskParams,
  vertexOf,
  vertexParams,
} from './common.ts'
import { type AggregatedMetric, aggregatedMetrics, metricValues } from './metrics-schemas.ts'
import { requireTaskManager, taskManagerParams } from './taskmanagers.ts'

/** Metrics by id; an id that is there twice has its last value. */
type Values = Map<string, Pick<Sample, 'name' | 'value'>>

const query = z.object({ get: list })
const AGGREGATIONS = ['min', 'max', 'sum', 'avg', 'skew'] as const
const aggregatingQuery = z.object({
  get: list,
  agg: list.pipe(z.array(z.string().toLowerCase().pipe(z.enum(AGGREGATIONS))).optional()),
  jobs: list,
  taskmanagers: list,
  subtasks: list,
})

export function metricsRoutes(app: App, context: RestContext): void {
  const { cluster, metrics, clock } = context
  const vertex = '/jobs/:jobid/vertices/:vertexid'
  const plain = { querystring: query, response: { 200: metricValues } }
  const aggregating = { querystring: aggregatingQuery, response: { 200: aggregatedMetrics } }
  /** By id. */
  const taskManagers = (): Map<string, () => Values> => {
    const remote = cluster.taskManagers()
    if (remote !== undefined) return new Map(remote.map((one) => [one.id, () => byId(remoteSamples(one, NO_LABELS))]))
    return new Map([
      [embeddedTaskManagerId(cluster.cluster().startTime), () => byId(taskManagerSamples(metrics, NO_LABELS))],
    ])
  }
  const ofJob = (job: JobView) => byId(jobSamples(job, NO_LABELS, clock.now()))
  const ofSubtask = (job: JobView, { id }: VertexView, index: number): Values => {
    const task = metrics.read(job).task(id, index)
    return task === undefined ? new Map() : byId(samplesOf(job, task, metrics.nowMs()))
  }

  app.get('/jobmanager/metrics', { schema: plain }, ({ query }) =>
    answer(byId(jobManagerSamples(metrics, NO_LABELS)), query.get),
  )
  app.get(
    '/taskmanagers/:taskmanagerid/metrics',
    { schema: { ...plain, params: taskManagerParams } },
    ({ params, query }) => {
      requireTaskManager(context, params.taskmanagerid)
      return answer(taskManagers().get(params.taskmanagerid)!(), query.get)
    },
  )
  app.get('/taskmanagers/metrics', { schema: aggregating }, ({ query }) => {
    const chosen = [...taskManagers()].filter(([id]) => query.taskmanagers?.includes(id) !== false)
    return aggregate(
      chosen.map(([, values]) => values()),
      query,
    )
  })
  app.get('/jobs/metrics', { schema: aggregating }, ({ query }) => {
    const ids = query.jobs ?? cluster.list().map(({ id }) => id)
    return aggregate(
      ids.map((id) => ofJob(jobOf(context, id))),
      query,
    )
  })
  app.get('/jobs/:jobid/metrics', { schema: { ...plain, params: jobParams } }, ({ params, query }) =>
    answer(ofJob(jobOf(context, params.jobid)), query.get),
  )
  app.get(`${vertex}/metrics`, { schema: { ...plain, params: vertexParams } }, ({ params, query }) => {
    const job = jobOf(context, params.jobid)
    const found = vertexOf(job, params.vertexid)
    const values: Values = new Map()
    for (const { index } of found.subtasks) {
      for (const [id, value] of ofSubtask(job, found, index)) values.set(`${index}.${id}`, value)
    }
    return answer(values, query.get)
  })
  // The JobManager's parts of operators, which hand splits out and commit, count nothing of their own.
  app.get(`${vertex}/jm-operator-metrics`, { schema: { ...plain, params: vertexParams } }, ({ params }) => {
    vertexOf(jobOf(context, params.jobid), params.vertexid)
    return { metrics: [] }
  })
  app.get(`${vertex}/subtasks/metrics`, { schema: { ...aggregating, params: vertexParams } }, ({ params, query }) => {
    const job = jobOf(context, params.jobid)
    const found = vertexOf(job, params.vertexid)
    const wanted = query.subtasks === undefined ? undefined : new Set(rangesOf(query.subtasks))
    const subtasks = found.subtasks.filter(({ index }) => wanted?.has(index) !== false)
    return aggregate(
      subtasks.map(({ index }) => ofSubtask(job, found, index)),
      query,
    )
  })
  app.get(
    `${vertex}/subtasks/:subtaskindex/metrics`,
    { schema: { ...plain, params: subtaskParams } },
    ({ params, query }) => {
      const job = jobOf(context, params.jobid)
      const found = vertexOf(job, params.vertexid)
      return answer(ofSubtask(job, found, subtaskOf(found, params.subtaskindex).index), query.get)
    },
  )
}

function samplesOf(job: JobView, task: TaskReader, nowMs: number): Iterable<Sample> {
  const plan = job.plan.vertices.find(({ id }) => id === task.vertexId)
  return subtaskSamples(task, NO_LABELS, new Map(plan?.operators.map((one) => [one.operatorId, one])), nowMs)
}

function byId(samples: Iterable<Sample>): Values {
  const values: Values = new Map()
  for (const sample of samples) values.set(idOf(sample), sample)
  return values
}

/** `numRecordsIn` of a task, `parse.numRecordsIn` of an operator, `source.reader.topic.orders.lag` of groups with values. */
function idOf({ name, owner, labels }: Sample): string {
  const parts = name.split('.').flatMap((part) => (part in labels ? [part, clean(labels[part]!)] : [part]))
  if (owner.operator_name !== undefined) parts.unshift(clean(owner.operator_name))
  return parts.join('.')
}

/** A name without the characters that mean something in ids and in `get`. */
function clean(name: string): string {
  return name.replace(/[ .:,]/g, '_')
}

function answer(values: Values, get: readonly string[] | undefined): z.infer<typeof metricValues> {
  if (get === undefined) return { metrics: [...values.keys()].map((id) => ({ id })) }
  return {
    metrics: get.flatMap((id) => {
      const found = values.get(id)
      return found === undefined ? [] : [{ id, value: formatValue(found) }]
    }),
  }
}

function aggregate(groups: readonly Values[], { get, agg }: z.infer<typeof aggregatingQuery>): AggregatedMetric[] {
  if (get === undefined) {
    return [...new Set(groups.flatMap((group) => [...group.keys()]))].map((id) => ({ id }))
  }
  return get.flatMap((id) => {
    const values = groups.map((group) => group.get(id)).filter((found) => found !== undefined)
    if (values.length === 0) return []
    const one: AggregatedMetric = { id }
    const numbers = values.map((found) => Number(formatValue(found)))
    for (const kind of agg ?? AGGREGATIONS) one[kind] = AGGREGATE[kind](numbers)
    return [one]
  })
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
const avg = (values: readonly number[]) => sum(values) / values.length
const AGGREGATE: Record<(typeof AGGREGATIONS)[number], (values: readonly number[]) => number> = {
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
  sum,
  avg,
  /** Mean distance from the average, percent of the average, at most 100: 0 is even. */
  skew: (values) => {
    const middle = avg(values)
    const distance = avg(values.map((value) => Math.abs(value - middle)))
    return distance === 0 ? 0 : middle === 0 ? 100 : Math.min(100, (distance / Math.abs(middle)) * 100)
  },
}

/** `0`, `2-4`: numbers of subtasks. */
function rangesOf(texts: readonly string[]): number[] {
  return texts.flatMap((text) => {
    const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
    if (found === null) {
      throw new RestError(400, `Cannot read subtasks "${text}": wanted numbers and ranges such as 0,2-4`)
    }
    const from = Number(found[1])
    const to = Number(found[2] ?? found[1])
    return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)
  })
}
