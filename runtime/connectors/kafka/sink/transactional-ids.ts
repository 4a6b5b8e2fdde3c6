/**
 * The names of transactions: `<prefix>-<epoch>.<attempt>-<subtask>-<n>`.
 *
 * Epoch (of the process that owns the job's checkpoints) and attempt are the id's generation: attempts that may overlap have different ones. So no request of an attempt that is over, however
 * late a broker comes to it, hits an id that is in use. Brokers remember every id for a week, so both are counted modulo {@link GENERATIONS}: at most 64 generations of the few ids of a subtask.
 * What was begun eight attempts ago may have the same name again; everything of then has been answered, refused or thrown away since.
 *
 * Ids without a generation, `<prefix>-<subtask>-<n>`, are for brokers that cannot list transactions (lingering.ts).
 */

/** Counted on without end here; modulo {@link GENERATIONS} where it was read from an id. */
export interface Generation {
  epoch: number
  attempt: number
}

export interface IdParts {
  generation: Generation | undefined
  subtask: number
  n: number
}

const GENERATIONS = 8

export function idOf(prefix: string, generation: Generation | undefined, subtask: number, n: number): string {
  return generation === undefined
    ? `${prefix}-${subtask}-${n}`
    : `${prefix}-${generation.epoch % GENERATIONS}.${generation.attempt % GENERATIONS}-${subtask}-${n}`
}

/** The parts of an id with this prefix; undefined: it is someone else's. */
export function partsOf(prefix: string, transactionalId: string): IdParts | undefined {
  if (!transactionalId.startsWith(`${prefix}-`)) return undefined
  const found = /^(?:(\d+)\.(\d+)-)?(\d+)-(\d+)$/.exec(transactionalId.slice(prefix.length + 1))
  if (found === null) return undefined
  const [, epoch, attempt, subtask, n] = found
  const generation = epoch === undefined ? undefined : { epoch: Number(epoch), attempt: Number(attempt) }
  return { generation, subtask: Number(subtask), n: Number(n) }
}

/** An id of one of the prefixes, whose subtask is this one modulo the parallelism. */
export function belongsTo(
  prefixes: readonly string[],
  transactionalId: string,
  subtask: number,
  parallelism: number,
): boolean {
  return prefixes.some((prefix) => {
    const parts = partsOf(prefix, transactionalId)
    return parts !== undefined && parts.subtask % parallelism === subtask
  })
}

/**
 * How generation `theirs` stands to `ours`. `newer` is what may be so, as the count begins again and again: one half of all. `before` is older: the attempt before ours, or the process, whose last
 * attempt nobody knows.
 */
export function compareGenerations(theirs: Generation, ours: Generation): 'same' | 'newer' | 'older' | 'before' {
  const ahead = distance(theirs.epoch, ours.epoch) || distance(theirs.attempt, ours.attempt)
  if (ahead === 0) return 'same'
  if (ahead === GENERATIONS - 1) return 'before'
  return ahead <= GENERATIONS / 2 ? 'newer' : 'older'
}

const distance = (to: number, from: number): number => (((to - from) % GENERATIONS) + GENERATIONS) % GENERATIONS
