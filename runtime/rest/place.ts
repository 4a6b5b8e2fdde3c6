/** Where a subtask runs, as REST has it: the one TaskManager of an embedded cluster has an id of its own, and the host of this process. */
import { embeddedTaskManagerId } from '../metrics/cluster-samples.ts'
import type { SlotView } from '../rpc/views.ts'
import type { RestContext } from './common.ts'

/** Flink's word for what is not scheduled yet. */
const UNASSIGNED = '(unassigned)'

export interface Place {
  /** Of the TaskManager. */
  id: string
  host: string
}

export function placeOf(
  { cluster, host }: Pick<RestContext, 'cluster' | 'host'>,
  subtask: { taskManager: string; host: string },
): Place {
  if (cluster.taskManagers() === undefined) return { id: embeddedTaskManagerId(cluster.cluster().startTime), host }
  if (subtask.taskManager === '') return { id: UNASSIGNED, host: UNASSIGNED }
  return { id: subtask.taskManager, host: subtask.host }
}

/** The slots of a TaskManager by its id in REST. */
export function slotsOf({ cluster }: Pick<RestContext, 'cluster'>, taskManagerId: string): SlotView[] {
  const { slots } = cluster.cluster()
  if (cluster.taskManagers() === undefined) return slots
  return slots.filter(({ taskManager }) => taskManager === taskManagerId)
}
