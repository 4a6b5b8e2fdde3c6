/**
 * Which of a job's slots does which part of it, so that as much state as can be lies where it is read. Pure.
 *
 * The part that would have the most to fetch chooses first; what has nothing near any slot stays in the slot that it has, or takes what is left. (An assignment of the least total cost is not worth
 * its code: parts are about the same size, and a TaskManager mostly has all of one or nothing.)
 */

/** Of a part of the job, a slot by its index: bytes of its state by TaskManager. */
export type LocalBytes = ReadonlyMap<string, number>

/**
 * For each part the slot that is best for it, as an index of `slots`. There are as many slots as parts, or more.
 *
 * @param local by part; none or too few where nothing is known
 * @param slots by the part that they have now: id of the TaskManager, undefined where there is no slot
 *
 * @example
 * decidePlaces([new Map([['b', 9]]), new Map()], ['a', 'b']) // [1, 0]
 */
export function decidePlaces(
  parts: number,
  local: readonly LocalBytes[],
  slots: readonly (string | undefined)[],
): (number | undefined)[] {
  const places: (number | undefined)[] = Array(parts).fill(undefined)
  const left = new Set(slots.keys().filter((slot) => slots[slot] !== undefined))
  const put = (part: number, slot: number | undefined) => {
    if (slot === undefined || !left.delete(slot)) return
    places[part] = slot
  }
  for (const { part, taskManager } of byBytes(parts, local)) {
    if (places[part] !== undefined) continue
    const near = [...left].filter((slot) => slots[slot] === taskManager)
    put(part, near.includes(part) ? part : near[0])
  }
  for (let part = 0; part < parts; part++) if (places[part] === undefined && left.has(part)) put(part, part)
  for (let part = 0; part < parts; part++) if (places[part] === undefined) put(part, left.values().next().value)
  return places
}

/** TaskManagers of which one more slot would bring state near, the one that would bring the most first: a place for each part that has none in the slots that are there. */
export function wishedPlaces(
  parts: number,
  local: readonly LocalBytes[],
  slots: readonly (string | undefined)[],
): string[] {
  const room = new Map<string, number>()
  for (const slot of slots) if (slot !== undefined) room.set(slot, (room.get(slot) ?? 0) + 1)
  const placed = new Set<number>()
  const wishes: string[] = []
  for (const { part, taskManager } of byBytes(parts, local)) {
    if (placed.has(part)) continue
    placed.add(part)
    const has = room.get(taskManager) ?? 0
    if (has > 0) room.set(taskManager, has - 1)
    else wishes.push(taskManager)
  }
  return wishes
}

function byBytes(parts: number, local: readonly LocalBytes[]): { part: number; taskManager: string }[] {
  return local
    .slice(0, parts)
    .flatMap((byTaskManager, part) => [...byTaskManager].map(([taskManager, bytes]) => ({ part, taskManager, bytes })))
    .sort((a, b) => b.bytes - a.bytes || a.part - b.part)
}
