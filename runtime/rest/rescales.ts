/**
 * The parallelism of a job: what is wanted, another one, and how it came to the one that it has. Flink's `resource-requirements`, `rescaling` (which Flink itself has switched off) and `rescales`.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { isTailraceError } from '../core/errors.ts'
import { jobEnded } from '../metrics/measured.ts'
import type { JobView, RescalesView, RescaleView } from '../rpc/views.ts'
import { type App, jobOf, jobParams, type RestContext, RestError } from './common.ts'
import { binary } from './job.ts'
import { causeOf } from './operations.ts'
import { triggered, triggerId } from './operations-schemas.ts'
import {
  type RequirementsBody,
  type RescaleDetails,
  type Rescaling,
  requirements,
  rescaleDetails,
  rescalesConfig,
  rescalesHistory,
  rescalesOverview,
  rescalesSummary,
  rescaling,
  rescalingQuery,
} from './rescale-schemas.ts'

export function rescaleRoutes(app: App, context: RestContext): void {
  const { cluster, clock } = context
  const at = '/jobs/:jobid'

  app.get(
    `${at}/resource-requirements`,
    { schema: { params: jobParams, response: { 200: requirements } } },
    ({ params }): RequirementsBody => {
      const wanted = cluster.requirements(jobOf(context, params.jobid).id) ?? {}
      return Object.fromEntries(Object.entries(wanted).map(([id, parallelism]) => [id, { parallelism }]))
    },
  )

  app.put(
    `${at}/resource-requirements`,
    { schema: { params: jobParams, body: requirements, response: { 200: z.object({}) } } },
    ({ params, body }) => {
      const job = mayRescale(params.jobid)
      const wanted = Object.entries(body).map(([id, { parallelism }]) => [id, parallelism] as const)
      refusals(() => cluster.setRequirements(job.id, Object.fromEntries(wanted)))
      return {}
    },
  )

  app.patch(
    `${at}/rescaling`,
    { schema: { params: jobParams, querystring: rescalingQuery, response: { 200: triggered } } },
    ({ params, query }) => {
      const { parallelism, triggerId } = query
      const job = mayRescale(params.jobid)
      const id = cluster.trigger(job.id, {
        kind: 'rescale',
        parallelism,
        ...(triggerId === undefined ? {} : { triggerId }),
      })
      return { 'request-id': id! }
    },
  )

  const triggerParams = jobParams.extend({ triggerid: triggerId })
  app.get(
    `${at}/rescaling/:triggerid`,
    { schema: { params: triggerParams, response: { 200: rescaling } } },
    ({ params: { jobid, triggerid } }): Rescaling => {
      const operation = cluster.operation(jobid, 'rescale', triggerid)
      if (operation === undefined)
        throw new RestError(
          404,
          `Cannot find the operation ${triggerid}: there is none of this id here, or its result was kept long enough`,
        )
      const { status, error } = operation
      if (status === 'IN_PROGRESS') return { status: { id: status }, operation: null }
      return { status: { id: status }, operation: error === undefined ? {} : { 'failure-cause': causeOf(error) } }
    },
  )

  const schema = { params: jobParams }
  app.get(`${at}/rescales/overview`, { schema: { ...schema, response: { 200: rescalesOverview } } }, ({ params }) => {
    const view = rescalesOf(params.jobid)
    const latest = (state: string) => {
      const found = view.rescales.findLast(({ end }) => end?.state === state)
      return found === undefined ? null : detailsOf(found, clock.now())
    }
    return {
      rescalesCounts: countsOf(view),
      latest: { completed: latest('COMPLETED'), failed: latest('FAILED'), ignored: latest('IGNORED') },
    }
  })

  app.get(`${at}/rescales/history`, { schema: { ...schema, response: { 200: rescalesHistory } } }, ({ params }) =>
    rescalesOf(params.jobid).rescales.map((one) => detailsOf(one, clock.now())),
  )

  app.get(
    `${at}/rescales/details/:rescaleuuid`,
    { schema: { params: jobParams.extend({ rescaleuuid: z.string() }), response: { 200: rescaleDetails } } },
    ({ params: { jobid, rescaleuuid } }) => {
      // As UUIDs are written, or without their dashes.
      const plain = (id: string) => id.replaceAll('-', '').toLowerCase()
      const found = rescalesOf(jobid).rescales.find(({ id }) => plain(id) === plain(rescaleuuid))
      if (found !== undefined) return detailsOf(found, clock.now())
      throw new RestError(
        404,
        `Cannot find the rescale ${rescaleuuid}: job ${jobid} remembers none of this id, GET /jobs/${jobid}/rescales/history has them`,
      )
    },
  )

  app.get(`${at}/rescales/summary`, { schema: { ...schema, response: { 200: rescalesSummary } } }, ({ params }) => {
    const view = rescalesOf(params.jobid)
    const durations = (state?: string) =>
      statisticsOf(
        view.rescales.flatMap(({ startMs, end }) =>
          end !== undefined && (state === undefined || end.state === state) ? [end.atMs - startMs] : [],
        ),
      )
    return {
      rescalesCounts: countsOf(view),
      rescalesDurationStatsInMillis: durations(),
      completedRescalesDurationStatsInMillis: durations('COMPLETED'),
      failedRescalesDurationStatsInMillis: durations('FAILED'),
      ignoredRescalesDurationStatsInMillis: durations('IGNORED'),
    }
  })

  app.get(`${at}/rescales/config`, { schema: { ...schema, response: { 200: rescalesConfig } } }, ({ params }) => {
    const { settings } = rescalesOf(params.jobid)
    return {
      rescaleHistoryMax: settings.historyMax,
      // A job is given what it asks for, not all that there is.
      schedulerExecutionMode: null,
      submissionResourceWaitTimeoutInMillis: settings.slotsTimeoutMs,
      submissionResourceStabilizationTimeoutInMillis: settings.startStabilizationMs,
      // A slot that a job does not need is given back at once.
      slotIdleTimeoutInMillis: 0,
      executingCooldownTimeoutInMillis: settings.cooldownMs,
      executingResourceStabilizationTimeoutInMillis: settings.stabilizationMs,
      // A checkpoint is taken when a rescale is due; none is waited for.
      maximumDelayForTriggeringRescaleInMillis: 0,
      rescaleOnFailedCheckpointCount: settings.checkpointFailuresMax,
    }
  })

  function rescalesOf(jobId: string): RescalesView {
    return cluster.rescales(jobOf(context, jobId).id)!
  }

  function mayRescale(jobId: string): JobView {
    const job = jobOf(context, jobId)
    const { id, name, status } = job
    if (!context.canRescale)
      throw new RestError(403, `Cannot rescale job ${id} (${name}): rescaling is switched off by web.rescale.enable`)
    if (jobEnded(status)) throw new RestError(409, `Cannot rescale job ${id} (${name}): it is ${status} already`)
    return job
  }
}

/** What cannot be is the request's fault. */
function refusals(act: () => unknown): void {
  try {
    act()
  } catch (error) {
    if (isTailraceError(error) && error.code === 'TR-CLUSTER-004')
      throw new RestError(400, `${error.code}: ${error.message}`)
    throw error
  }
}

function countsOf({ counts, rescales }: RescalesView) {
  return {
    inProgress: rescales.some(({ end }) => end === undefined) ? 1 : 0,
    completed: counts.COMPLETED,
    failed: counts.FAILED,
    ignored: counts.IGNORED,
  }
}

function detailsOf(rescale: RescaleView, nowMs: number): RescaleDetails {
  const groups = new Map<string, RescaleView['vertices']>()
  for (const vertex of rescale.vertices)
    groups.set(vertex.slotSharingGroup, [...(groups.get(vertex.slotSharingGroup) ?? []), vertex])
  const of = (name: string) => ({
    slotSharingGroupId: binary(createHash('md5').update(name).digest('hex')),
    slotSharingGroupName: name,
  })
  return {
    rescaleUuid: rescale.id,
    resourceRequirementsUuid: rescale.requirementsId,
    rescaleAttemptId: rescale.number,
    triggerCause: rescale.cause,
    startTimestampInMillis: rescale.startMs,
    endTimestampInMillis: rescale.end?.atMs ?? null,
    terminalState: rescale.end?.state ?? null,
    terminatedReason: rescale.end?.reason ?? null,
    vertices: Object.fromEntries(
      rescale.vertices.map(({ id, name, slotSharingGroup, bounds, before, after, maxParallelism }) => [
        id,
        {
          jobVertexId: id,
          jobVertexName: name,
          ...of(slotSharingGroup),
          desiredParallelism: bounds.upperBound,
          sufficientParallelism: bounds.lowerBound,
          preRescaleParallelism: before ?? null,
          postRescaleParallelism: after ?? null,
          requiredParallelisms: {
            minParallelism: bounds.lowerBound,
            parallelism: bounds.upperBound,
            maxParallelism,
          },
        },
      ]),
    ),
    slots: Object.fromEntries(
      [...groups].map(([name, vertices]) => [
        of(name).slotSharingGroupId.bytes,
        {
          ...of(name),
          desiredSlots: Math.max(...vertices.map(({ bounds }) => bounds.upperBound)),
          minimalRequiredSlots: Math.max(...vertices.map(({ bounds }) => bounds.lowerBound)),
          preRescaleSlots: widest(vertices.map(({ before }) => before)),
          postRescaleSlots: widest(vertices.map(({ after }) => after)),
          // Slots are alike: nothing of them is asked for apart.
          requestResourceProfile: NO_RESOURCES,
          acquiredResourceProfile: NO_RESOURCES,
        },
      ]),
    ),
    schedulerStates: rescale.states.map(({ name, fromMs, untilMs, exception }) => ({
      state: name,
      enterTimestampInMillis: fromMs,
      leaveTimestampInMillis: untilMs ?? null,
      durationInMillis: Math.max(0, (untilMs ?? nowMs) - fromMs),
      stringifiedException: exception ?? null,
    })),
  }
}

const NO_RESOURCES = {
  cpuCores: 0,
  taskHeapMemory: 0,
  taskOffHeapMemory: 0,
  managedMemory: 0,
  networkMemory: 0,
  extendedResources: {},
}

function widest(parallelisms: readonly (number | undefined)[]): number | null {
  const known = parallelisms.filter((one) => one !== undefined)
  return known.length === 0 ? null : Math.max(...known)
}

function statisticsOf(durations: readonly number[]) {
  const sorted = durations.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  const sum = sorted.reduce((a, b) => a + b, 0)
  return {
    min: sorted[0] ?? 0,
    max: sorted.at(-1) ?? 0,
    avg: sorted.length === 0 ? 0 : Math.round(sum / sorted.length),
    p50: at(0.5),
    p90: at(0.9),
    p95: at(0.95),
    p99: at(0.99),
    p999: at(0.999),
  }
}
