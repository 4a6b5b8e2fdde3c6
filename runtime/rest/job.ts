/** One job: its plan, its vertices and their numbers. */
import { createHash } from 'node:crypto'
import type { Plan, PlanOperator } from '../graph/model.ts'
import type { JobView } from '../rpc/views.ts'
import { type App, jobOf, jobParams, type RestContext } from './common.ts'
import { ioMetricsOf, tasksOf } from './io-metrics.ts'
import { type JobDetails, jobDetails, jobPlan, type RestPlan } from './job-schemas.ts'

export function jobRoutes(app: App, context: RestContext): void {
  app.get('/jobs/:jobid', { schema: { params: jobParams, response: { 200: jobDetails } } }, ({ params }) =>
    detailsOf(jobOf(context, params.jobid), context),
  )
  app.get('/jobs/:jobid/plan', { schema: { params: jobParams, response: { 200: jobPlan } } }, ({ params }) => ({
    plan: planOf(jobOf(context, params.jobid)),
  }))
}

function detailsOf(job: JobView, { metrics, clock }: RestContext): JobDetails {
  const reader = metrics.read(job)
  const groups = new Map(job.plan.vertices.map(({ id, slotSharingGroup }) => [id, slotSharingGroup]))
  const statusCounts: Record<string, number> = {}
  for (const { state, tasks } of job.vertices) {
    for (const one of Object.keys(tasks)) statusCounts[one] ??= 0
    statusCounts[state]!++
  }
  return {
    jid: job.id,
    name: job.name,
    isStoppable: false,
    state: job.status,
    'job-type': 'STREAMING',
    'start-time': job.startTime,
    'end-time': job.endTime,
    duration: job.duration,
    maxParallelism: job.plan.config.maxParallelism ?? -1,
    now: clock.now(),
    timestamps: job.timestamps,
    vertices: job.vertices.map((vertex) => ({
      id: vertex.id,
      slotSharingGroupId: binary(
        createHash('md5')
          .update(groups.get(vertex.id) ?? '')
          .digest('hex'),
      ),
      name: vertex.name,
      maxParallelism: vertex.maxParallelism,
      parallelism: vertex.parallelism,
      status: vertex.state,
      'start-time': vertex.startTime,
      'end-time': vertex.endTime,
      duration: vertex.duration,
      tasks: vertex.tasks,
      metrics: ioMetricsOf(tasksOf(reader, vertex)),
    })),
    'status-counts': statusCounts,
    plan: planOf(job),
    'stream-graph': {},
    'pending-operators': 0,
    schedulerType: 'Default',
    'application-id': binary(job.id),
  }
}

/** Flink's words for how records find their subtask. */
const SHIP: Record<string, string> = { key: 'HASH' }

const planOf = ({ id, plan }: JobView): RestPlan => restPlan(id, plan)

/** @param id of the job */
export function restPlan(id: string, plan: Plan): RestPlan {
  return {
    jid: id,
    name: plan.config.jobName,
    type: 'STREAMING',
    nodes: plan.vertices.map((vertex) => ({
      id: vertex.id,
      parallelism: vertex.parallelism,
      operator: '',
      operator_strategy: '',
      description: chainText(vertex.operators),
      inputs: plan.edges
        .filter(({ to }) => to === vertex.id)
        .map(({ from, partitioner }, num) => ({
          num,
          id: from,
          ship_strategy: SHIP[partitioner] ?? partitioner.toUpperCase(),
          exchange: 'pipelined_bounded',
          local_strategy: '',
          caching: '',
        })),
      optimizer_properties: {},
    })),
  }
}

/** The chain as a tree, one operator a line, in the form that Flink's page shows. */
export function chainText(operators: readonly PlanOperator[]): string {
  const depths: number[] = []
  return operators
    .map(({ name, description, parent }) => {
      const depth = parent < 0 ? 0 : depths[parent]! + 1
      depths.push(depth)
      return `${depth === 0 ? '' : `${'   '.repeat(depth - 1)}+- `}${escapeHtml(description ?? name)}<br/>`
    })
    .join('')
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** An id of 32 hex digits in the parts of Flink's contract. Halves beyond 2^53 are rounded, as JSON readers round them. */
export function binary(hex: string): { bytes: string; lowerPart: number; upperPart: number } {
  const bytes = Buffer.from(hex, 'hex')
  return {
    bytes: bytes.toString('base64'),
    lowerPart: Number(bytes.readBigInt64BE(0)),
    upperPart: Number(bytes.readBigInt64BE(8)),
  }
}
