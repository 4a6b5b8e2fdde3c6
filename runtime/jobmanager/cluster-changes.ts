/** What changes of a cluster, as whoever watches it from outside is told (changes.ts). Pure. */
import type { CheckpointsView, CheckpointView } from '../checkpoint/coordinator/statistics-model.ts'
import type { JobChangesView, JobView, SlotCounts, SlotView, TakenView } from '../rpc/views.ts'
import { type EndedJob, endedCheckpoints, endedView } from './ended-job.ts'

export function jobChanges(view: JobView, { counts, latest }: CheckpointsView): JobChangesView {
  const { id, name, status, startTime, endTime, numRestarts, numRescales, plan, vertices, exceptions } = view
  const newest = exceptions.at(-1)
  const sum = (of: (vertex: JobView['vertices'][number]) => number) => vertices.reduce((all, one) => all + of(one), 0)
  return {
    id,
    name,
    state: status,
    startTime,
    endTime,
    parallelism: Math.max(0, ...plan.vertices.map(({ parallelism }) => parallelism)),
    tasks: { total: sum(({ parallelism }) => parallelism), running: sum(({ tasks }) => tasks.RUNNING) },
    restarts: numRestarts,
    rescales: numRescales,
    checkpoints: { completed: counts.completed, failed: counts.failed },
    restored: latest.restored === undefined ? null : { id: latest.restored.id, path: latest.restored.externalPath },
    latestCheckpoint: takenOf(latest.completed),
    latestSavepoint: takenOf(latest.savepoint),
    exception:
      newest === undefined ? null : { time: newest.timestamp, code: newest.error.code, message: newest.error.message },
  }
}

/** Of a job that ended under an earlier leader. */
export function endedChanges(job: EndedJob): JobChangesView {
  const { stopped, endedMs } = job
  const changes = jobChanges(endedView(job), endedCheckpoints(job))
  if (stopped === undefined) return changes
  return { ...changes, latestSavepoint: { id: stopped.checkpointId, path: stopped.path, time: endedMs } }
}

export function slotChanges(slots: readonly SlotView[]): SlotCounts & { byTaskManager: Record<string, SlotCounts> } {
  const groups = Map.groupBy(slots, ({ taskManager }) => taskManager)
  return {
    ...countOf(slots),
    byTaskManager: Object.fromEntries([...groups].map(([taskManager, its]) => [taskManager, countOf(its)])),
  }
}

function takenOf(view: CheckpointView | undefined): TakenView | null {
  if (view?.externalPath === undefined) return null
  return { id: view.id, path: view.externalPath, time: view.latestAckTimestamp }
}

function countOf(slots: readonly SlotView[]): SlotCounts {
  return { total: slots.length, free: slots.filter(({ state }) => state !== 'busy').length }
}
