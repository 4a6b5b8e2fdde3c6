/**
 * Which of the slots that are free a job takes, and which of its slots serves which of its subtasks. Pure.
 *
 * | choice | slots |
 * |---|---|
 * | in order | of TaskManagers as they registered, those whose threads are ready first |
 * | few | of as few TaskManagers as can be, first those that the job is on |
 * | even | of the TaskManager that is used the least, one after the other |
 *
 * Where TaskManagers have ordinals, as pods of a StatefulSet do (`fraud-taskmanager-2`), lower ones come first among what is equal; and a job that shrinks leaves the highest ones, whatever the choice, as those are
 * what such a set can let go.
 */
export type SlotChoice = 'in order' | 'few' | 'even'

export interface Choosable {
  readonly index: number
  readonly ready: boolean
  readonly taskManager: string
  /** It has the program of the job that asks. */
  readonly loaded?: string | undefined
}

/** How a TaskManager's slots are used. */
export interface SlotUse {
  total: number
  busy: number
  /** By the job that asks. */
  own: number
}

/**
 * `count` of the free ones, or all that there are, by their index.
 *
 * @param uses by TaskManager
 */
export function chooseSlots<T extends Choosable>(
  free: readonly T[],
  count: number,
  choice: SlotChoice,
  uses: ReadonlyMap<string, SlotUse>,
): T[] {
  const isLoaded = ({ loaded }: T) => Number(loaded !== undefined)
  const inOrder = free.toSorted(
    (a, b) => isLoaded(b) - isLoaded(a) || ordinalOf(a.taskManager) - ordinalOf(b.taskManager),
  )
  const ready = [...inOrder.filter((slot) => slot.ready), ...inOrder.filter((slot) => !slot.ready)]
  const chosen = choice === 'in order' ? ready : byTaskManager(ready, count, choice, uses)
  return chosen.slice(0, count).toSorted((a, b) => a.index - b.index)
}

/** One of the free ones for each TaskManager that is wished, those that are ready first; nothing for one that has none left. */
export function wishedSlots<T extends Choosable>(free: readonly T[], wished: readonly string[]): T[] {
  const slots: T[] = []
  for (const taskManager of wished) {
    const its = free.filter((slot) => slot.taskManager === taskManager && !slots.includes(slot))
    const best = its.find(({ ready }) => ready) ?? its[0]
    if (best !== undefined) slots.push(best)
  }
  return slots
}

function byTaskManager<T extends Choosable>(
  free: readonly T[],
  count: number,
  choice: 'few' | 'even',
  uses: ReadonlyMap<string, SlotUse>,
): T[] {
  const groups = [...Map.groupBy(free, ({ taskManager }) => taskManager)].map(([taskManager, slots]) => ({
    slots,
    use: uses.get(taskManager)!,
  }))
  // What is equal stays in the order of ordinals, or of registration.
  if (choice === 'few')
    return groups
      .toSorted((a, b) => b.use.own - a.use.own || b.slots.length - a.slots.length)
      .flatMap(({ slots }) => slots)
  const chosen: T[] = []
  const used = groups.map(({ use }) => use.busy)
  for (let n = Math.min(count, free.length); n > 0; n--) {
    let least = -1
    for (const [i, { slots, use }] of groups.entries()) {
      if (used[i]! - use.busy === slots.length) continue
      if (least < 0 || used[i]! / use.total < used[least]! / groups[least]!.use.total) least = i
    }
    const { slots, use } = groups[least]!
    chosen.push(slots[used[least]!++ - use.busy]!)
  }
  return chosen
}

/** Which of its slots a job keeps that needs fewer, by the TaskManagers that they are on. Gives indexes into `held`, rising. */
export function keepSlots(held: readonly string[], count: number, choice: SlotChoice): number[] {
  const lowest = keepLowest(held, count)
  if (lowest !== undefined) return lowest
  const slots = held.map((taskManager, index) => ({ index, ready: true, taskManager }))
  const uses = new Map(held.map((taskManager) => [taskManager, { total: 1, busy: 0, own: 0 }]))
  return chooseSlots(slots, count, choice, uses).map(({ index }) => index)
}

/** Those of the lowest ordinals; undefined: not all TaskManagers have one. Gives indexes into `held`, rising. */
export function keepLowest(held: readonly string[], count: number): number[] | undefined {
  const ordinals = held.map(ordinalOf)
  if (ordinals.includes(NO_ORDINAL) || new Set(held.map(setOf)).size > 1) return undefined
  return [...held.keys()]
    .sort((a, b) => ordinals[a]! - ordinals[b]! || a - b)
    .slice(0, count)
    .sort((a, b) => a - b)
}

const ORDINAL = /-(0|[1-9]\d{0,4})$/

/** Behind all that have one. */
const NO_ORDINAL = Number.MAX_SAFE_INTEGER

function ordinalOf(taskManager: string): number {
  const [, ordinal] = ORDINAL.exec(taskManager) ?? []
  return ordinal === undefined ? NO_ORDINAL : Number(ordinal)
}

const setOf = (taskManager: string): string => taskManager.replace(ORDINAL, '')

/**
 * Deals slots out so that each TaskManager gets about as many tasks: which of the slots serves number i, `tasks[i]` being how many tasks that one has.
 *
 * @example
 * spreadTasks(['a', 'a', 'b', 'b'], [3, 3, 1, 1]) // [0, 2, 1, 3]: four tasks each
 */
export function spreadTasks(taskManagers: readonly string[], tasks: readonly number[]): number[] {
  const loads = new Map(taskManagers.map((taskManager) => [taskManager, 0]))
  const left = new Set(taskManagers.keys())
  const slots: number[] = new Array(tasks.length)
  for (const number of [...tasks.keys()].toSorted((a, b) => tasks[b]! - tasks[a]! || a - b)) {
    let best: number | undefined
    for (const slot of left)
      if (best === undefined || loads.get(taskManagers[slot]!)! < loads.get(taskManagers[best]!)!) best = slot
    const slot = best!
    left.delete(slot)
    loads.set(taskManagers[slot]!, loads.get(taskManagers[slot]!)! + tasks[number]!)
    slots[number] = slot
  }
  return slots
}
