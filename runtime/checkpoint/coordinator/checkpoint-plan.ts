/**
 * Who begins a checkpoint and who has to acknowledge it, when some tasks have finished [CC-04].
 *
 * Barriers flow in-band, so a checkpoint begins where nothing flows in: at sources, and at tasks whose inputs have all finished. Every task that has not
 * finished acknowledges. A task that has ended its data and waits for a checkpoint to hold its end has not finished: it still passes barriers on.
 */
import type { Plan } from '../../graph/model.ts'
import { isPointwise, type PartitionerKind, sendersOf } from '../../graph/partitioning.ts'

/** Starting: not all of its operators are open. Ended: it has ended its data, and waits. */
export type TaskPhase = 'starting' | 'running' | 'ended' | 'finished' | 'gone'

/** One subtask of the job. Tasks are numbered from 0, vertex by vertex in the plan's order. */
export interface TaskPlace {
  readonly vertexId: string
  readonly subtask: number
  /** Tasks that send to it, as ranges of numbers: first, and behind the last. */
  readonly inputs: readonly (readonly [number, number])[]
}

/** The tasks of a plan, and who sends to whom. */
export function placesOf(plan: Plan): TaskPlace[] {
  const first = new Map<string, number>()
  let count = 0
  for (const { id, parallelism } of plan.vertices) {
    first.set(id, count)
    count += parallelism
  }
  const parallelismOf = (id: string) => plan.vertices.find((vertex) => vertex.id === id)!.parallelism
  return plan.vertices.flatMap(({ id, parallelism }) => {
    const edges = plan.edges.filter((edge) => edge.to === id)
    return Array.from({ length: parallelism }, (_, subtask) => ({
      vertexId: id,
      subtask,
      inputs: edges.map(({ from, partitioner }): [number, number] => {
        const kind = partitioner as PartitionerKind
        const base = first.get(from)!
        const senders = isPointwise(kind) ? sendersOf(kind, parallelismOf(from), parallelism, subtask) : undefined
        // Senders of one subtask lie side by side.
        if (senders === undefined) return [base, base + parallelismOf(from)]
        return [base + senders[0]!, base + senders.at(-1)! + 1]
      }),
    }))
  })
}

export interface CheckpointPlan {
  /** Numbers of tasks. */
  trigger: number[]
  acknowledge: number[]
}

export function planCheckpoint(places: readonly TaskPlace[], phases: readonly TaskPhase[]): CheckpointPlan {
  const lives = (task: number) => phases[task] === 'running' || phases[task] === 'ended'
  // Of how many of the tasks before it each one lives, so that a range is one subtraction.
  const livingBefore = [0]
  for (let task = 0; task < places.length; task++) livingBefore.push(livingBefore[task]! + (lives(task) ? 1 : 0))
  const acknowledge = [...places.keys()].filter(lives)
  const trigger = acknowledge.filter((task) =>
    places[task]!.inputs.every(([from, to]) => livingBefore[from] === livingBefore[to]),
  )
  return { trigger, acknowledge }
}

/** What the tasks of an attempt are doing, as far as checkpoints care. */
export type TasksState =
  /** Some are not there yet, or not any more. */
  | 'not all run'
  | 'run'
  /** All that have not finished have ended their data. */
  | 'ended'
  | 'finished'

export function tasksState(phases: readonly TaskPhase[]): TasksState {
  if (phases.includes('starting') || phases.includes('gone')) return 'not all run'
  if (phases.includes('running')) return 'run'
  return phases.includes('ended') ? 'ended' : 'finished'
}
