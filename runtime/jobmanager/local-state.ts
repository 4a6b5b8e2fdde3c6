/** Where the state that a job goes on from lies beside the store: on which TaskManagers, by the names of its files. */
import { assignState } from '../checkpoint/assign.ts'
import { handlesOfRestore } from '../checkpoint/handles.ts'
import type { CheckpointMetadata } from '../checkpoint/model.ts'
import { type WriterRef, writerOf } from '../checkpoint/task-state-store.ts'
import type { Plan } from '../graph/model.ts'
import { assignSlots } from '../graph/slots.ts'
import type { LocalBytes } from './scheduler/decide-places.ts'

/** The TaskManager that has what this writer has written; undefined: it is gone, or has no copies. */
export type HolderOf = (writer: WriterRef) => string | undefined

/** By slot of the job, for a plan with its parallelism. Nothing when the plan cannot go on from it: whoever deploys says why. */
export function localBytes(metadata: CheckpointMetadata, plan: Plan, holderOf: HolderOf): LocalBytes[] {
  let restores: ReturnType<typeof assignState>['restores']
  try {
    restores = assignState({ metadata, plan, allowNonRestoredState: true }).restores
  } catch {
    return []
  }
  const { slotCount, vertices } = assignSlots(plan)
  const local = Array.from({ length: slotCount }, () => new Map<string, number>())
  const holders = new Map<string, string | undefined>()
  const holderOfFile = (file: string): string | undefined => {
    if (!holders.has(file)) {
      const writer = writerOf(file)
      holders.set(file, writer && holderOf(writer))
    }
    return holders.get(file)
  }
  for (const { vertexId, slots } of vertices) {
    for (const [subtask, slot] of slots.entries()) {
      const bytes = local[slot]!
      for (const handle of handlesOfRestore(restores[vertexId]?.[subtask])) {
        const holder = 'file' in handle ? holderOfFile(handle.file) : undefined
        if (holder !== undefined && 'file' in handle) bytes.set(holder, (bytes.get(holder) ?? 0) + handle.length)
      }
    }
  }
  return local
}
