/**
 * Slots of a job [RT-03]: a slot holds one subtask of each vertex of its slot sharing group; groups share no slots.
 */
import type { ExecutionVertex } from './model.ts'

export interface SlotAssignment {
  /** Sum over the groups of the largest parallelism in each. */
  slotCount: number
  vertices: ExecutionVertex[]
}

/** The parts of a job graph or a plan that placing needs. */
interface Placeable {
  readonly vertices: readonly { readonly id: string; readonly parallelism: number; readonly slotSharingGroup: string }[]
}

/**
 * Subtask i of each vertex of a group goes to the group's slot i, so that forward and rescale edges stay within a slot where they
 * can. Groups take their slots in the order in which they appear.
 */
export function assignSlots(graph: Placeable): SlotAssignment {
  const sizes = new Map<string, number>()
  for (const { slotSharingGroup, parallelism } of graph.vertices) {
    sizes.set(slotSharingGroup, Math.max(sizes.get(slotSharingGroup) ?? 0, parallelism))
  }
  const bases = new Map<string, number>()
  let slotCount = 0
  for (const [group, size] of sizes) {
    bases.set(group, slotCount)
    slotCount += size
  }
  const vertices = graph.vertices.map(({ id, parallelism, slotSharingGroup }) => {
    const base = bases.get(slotSharingGroup)!
    return { vertexId: id, slots: Array.from({ length: parallelism }, (_, subtask) => base + subtask) }
  })
  return { slotCount, vertices }
}
