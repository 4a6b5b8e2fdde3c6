/**
 * How much of what a job wants it gets from so many slots. Pure.
 *
 * Each slot sharing group has slots of its own, as many as its widest vertex. Every group gets what it cannot do without; what is left goes to the groups in turn, first to
 * the one that lacks the most, until each has what it wants.
 */
import type { Plan } from '../../graph/model.ts'
import type { Requirements } from '../../rpc/views.ts'

/** By vertex id. */
export type Parallelism = Readonly<Record<string, number>>

interface Group {
  least: number
  most: number
  slots: number
}

/**
 * undefined: there are too few slots.
 *
 * @example
 * decideParallelism(plan, requirements, 3) // { [source]: 3, [sink]: 1 }
 */
export function decideParallelism(plan: Plan, requirements: Requirements, slots: number): Parallelism | undefined {
  const groups = groupsOf(plan, requirements)
  let left = slots
  for (const group of groups.values()) left -= group.least
  if (left < 0) return undefined
  for (; left > 0; left--) {
    let poorest: Group | undefined
    for (const group of groups.values())
      if (group.most - group.slots > (poorest === undefined ? 0 : poorest.most - poorest.slots)) poorest = group
    if (poorest === undefined) break
    poorest.slots++
  }
  return Object.fromEntries(
    plan.vertices.map(({ id, slotSharingGroup }) => [
      id,
      Math.min(requirements[id]!.upperBound, groups.get(slotSharingGroup)!.slots),
    ]),
  )
}

/** Slots for all that is wanted, and for the least. */
export function slotsWanted(plan: Plan, requirements: Requirements): { least: number; most: number } {
  let least = 0
  let most = 0
  for (const group of groupsOf(plan, requirements).values()) {
    least += group.least
    most += group.most
  }
  return { least, most }
}

export function sameParallelism(a: Parallelism, b: Parallelism): boolean {
  return Object.entries(a).every(([id, parallelism]) => b[id] === parallelism)
}

function groupsOf(plan: Plan, requirements: Requirements): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const { id, slotSharingGroup } of plan.vertices) {
    const { lowerBound, upperBound } = requirements[id]!
    const group = groups.get(slotSharingGroup) ?? { least: 0, most: 0, slots: 0 }
    group.least = Math.max(group.least, lowerBound)
    group.most = Math.max(group.most, upperBound)
    group.slots = group.least
    groups.set(slotSharingGroup, group)
  }
  return groups
}
