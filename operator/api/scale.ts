/**
 * How many TaskManagers of how many slots, and which parallelism: pure, from the spec and from what was decided before.
 *
 * Slots are decided once: what the configuration says, else as many as the first parallelism needs on the first replicas. After that `replicas` and `parallelism` are two handles on one job, and the one that was moved last
 * holds: other replicas (`kubectl scale`, an autoscaler) make the parallelism replicas × slots, another parallelism stands as it is and has TaskManagers enough.
 */

/** What a spec says of it. */
export interface ScaleWish {
  /** `spec.taskManager.replicas`. */
  replicas: number
  /** `spec.job.parallelism`. */
  parallelism: number | undefined
  /** `taskmanager.numberOfTaskSlots`. */
  slots: number | undefined
  reactive: boolean
  /** Without a job there is no parallelism to serve. */
  session: boolean
}

/** What was decided; kept in the status. */
export interface Scale {
  taskManagers: number
  slots: number
  /** 0 for a session cluster. */
  parallelism: number
  /** Which handle was moved last. */
  by: 'parallelism' | 'replicas'
  /** What the spec said then. */
  ofReplicas: number
  ofParallelism?: number | undefined
}

/**
 * @example
 * const first = decideScale({ replicas: 4, parallelism: 8, slots: undefined, reactive: false, session: false })
 * // { taskManagers: 4, slots: 2, parallelism: 8, by: 'parallelism', … }
 * decideScale({ replicas: 8, parallelism: 8, slots: undefined, reactive: false, session: false }, first).parallelism // 16
 */
export function decideScale(wish: ScaleWish, before?: Scale): Scale {
  const { replicas, parallelism, session } = wish
  const slots = wish.slots ?? before?.slots ?? Math.max(1, Math.ceil((parallelism ?? replicas) / replicas))
  const by = handleOf(wish, before)
  const of = { ofReplicas: replicas, ...(parallelism === undefined ? {} : { ofParallelism: parallelism }) }
  if (session) return { taskManagers: replicas, slots, parallelism: 0, by, ...of }
  if (by === 'replicas') return { taskManagers: replicas, slots, parallelism: replicas * slots, by, ...of }
  return {
    taskManagers: Math.max(replicas, Math.ceil(parallelism! / slots)),
    slots,
    parallelism: parallelism!,
    by,
    ...of,
  }
}

function handleOf({ replicas, parallelism, reactive, session }: ScaleWish, before?: Scale): Scale['by'] {
  if (reactive || session || parallelism === undefined) return 'replicas'
  if (before === undefined || parallelism !== before.ofParallelism) return 'parallelism'
  return replicas === before.ofReplicas ? before.by : 'replicas'
}
