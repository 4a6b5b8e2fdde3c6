/**
 * What a job is told to begin with from outside, once for each generation of its deployment, and what it does begin with. Pure.
 *
 * What must hold:
 * - a generation begins once: what it began with is kept, and a later start of the same generation goes on from the newest checkpoint since, or begins with the same again;
 * - where state is promised, the job begins with that state or newer, or not at all;
 * - a generation that goes on from the latest goes on from the one before: from its newest checkpoint, from the savepoint behind which it was stopped, or from what it began with. Nothing
 *   that was committed since is done again.
 */
import { TailraceError } from '../core/errors.ts'

export interface RestoreDirective {
  /** Of the deployment; rises with each change of it. */
  generation: number
  /** `latest`: the newest state of the deployment ({@link Before}); `empty`: nothing; else the path of a savepoint or a checkpoint. */
  from: string
  /** With `latest`: an older checkpoint is refused. */
  atLeast?: number | undefined
  /** Nothing to begin with is refused. */
  neverEmpty?: boolean | undefined
  /** State without an operator is left behind, as if the configuration said so. */
  allowNonRestoredState?: boolean | undefined
}

/** What a generation has begun with: checkpoints of the deployment whose ids are above it are its own, or what it was to go on from. */
export interface GenerationBegin {
  generation: number
  /** As in the directive, or what its `latest` was; `latest` only where that was a checkpoint of the store. */
  from: string
  above: number
}

/** What generations before have come to, as far as the store does not say it. */
export interface Before {
  /** What the newest of them has begun with. */
  begun?: GenerationBegin | undefined
  /** The savepoint behind which its job has finished. What the job had in the store went with its end. */
  stopped?: { checkpointId: number; path: string } | undefined
}

export interface BeginFacts {
  jobName: string
  directive: RestoreDirective
  /** Of this generation, by an earlier start; undefined: it has not begun. */
  begun: GenerationBegin | undefined
  /** Of the generations before this one; undefined: nothing is known of any. */
  before?: Before | undefined
  /** Ids of checkpoints in the deployment's store, the oldest first. */
  completed: readonly number[]
  /** Above every id that was used. */
  nextCheckpointId: number
  /** `execution.savepoint.path`: for a first start with nothing in the store. */
  configured: string | undefined
}

export type Begin =
  /** The newest checkpoint of the store. */
  { from: 'store' } | { from: 'empty' } | { from: 'path'; path: string }

/**
 * What the job begins with, and what is to be kept of it before it does.
 *
 * Throws TR-HA-006 when there is nothing where state is promised, 007 when the newest checkpoint is older than is wanted.
 *
 * @example
 * decideBegin({ ...facts, directive: { generation: 2, from: 'latest' }, completed: [7] })
 * // { begin: { from: 'store' }, keep: { generation: 2, from: 'latest', above: 6 } }
 */
export function decideBegin(facts: BeginFacts): { begin: Begin; keep: GenerationBegin } {
  const { begun, completed } = facts
  if (begun === undefined) return decideFirst(facts)
  if (completed.some((id) => id > begun.above)) return { begin: { from: 'store' }, keep: begun }
  if (begun.from === 'latest')
    throw nothing(facts, `it began with checkpoint ${begun.above + 1}, and neither that nor a newer one is there`)
  return { begin: begun.from === 'empty' ? { from: 'empty' } : { from: 'path', path: begun.from }, keep: begun }
}

function decideFirst(facts: BeginFacts): { begin: Begin; keep: GenerationBegin } {
  const { jobName, directive, completed, nextCheckpointId, configured } = facts
  const { generation, from, atLeast, neverEmpty = false } = directive
  const above = nextCheckpointId - 1
  if (from === 'empty') {
    if (neverEmpty) throw nothing(facts, 'it is told to begin with nothing, and that it never may')
    return { begin: { from: 'empty' }, keep: { generation, from, above } }
  }
  const fromPath = (path: string) => ({
    begin: { from: 'path' as const, path },
    keep: { generation, from: path, above },
  })
  if (from !== 'latest') return fromPath(from)
  const { begun, stopped } = facts.before ?? {}
  // What is older than what a generation began with is not its state.
  const newest = completed.findLast((id) => id > (begun?.above ?? -1))
  const isStopped = stopped !== undefined && stopped.checkpointId > (newest ?? -1)
  const id = isStopped ? stopped.checkpointId : newest
  if (id !== undefined && id < (atLeast ?? 0))
    throw new TailraceError(
      'TR-HA-007',
      `Cannot begin the job "${jobName}" (generation ${generation}) with the newest checkpoint: that is ${id}, wanted ${atLeast} or a newer one`,
    )
  if (isStopped) return fromPath(stopped.path)
  if (newest !== undefined) return { begin: { from: 'store' }, keep: { generation, from, above: newest - 1 } }
  if (begun?.from === 'latest')
    throw nothing(
      facts,
      `generation ${begun.generation} began with checkpoint ${begun.above + 1}, and neither that nor a newer one is there`,
    )
  // All that is left is older than what was seen.
  const path = begun?.from ?? configured
  if (path !== undefined && path !== 'empty' && atLeast === undefined) return fromPath(path)
  if (neverEmpty || atLeast !== undefined)
    throw nothing(facts, `there is no checkpoint${atLeast === undefined ? '' : `, wanted ${atLeast} or a newer one`}`)
  return { begin: { from: 'empty' }, keep: { generation, from: 'empty', above } }
}

function nothing({ jobName, directive }: BeginFacts, found: string): TailraceError {
  return new TailraceError(
    'TR-HA-006',
    `Cannot begin the job "${jobName}" (generation ${directive.generation}) from "${directive.from}": ${found}`,
  )
}

/**
 * A directive from its JSON. Throws TR-HA-008; `where` it stands is for the message.
 *
 * @example
 * parseRestoreDirective('{"generation":7,"from":"latest","atLeast":12,"neverEmpty":true}', 'annotation x')
 */
export function parseRestoreDirective(text: string, where: string): RestoreDirective {
  const refuse = (found: string) =>
    new TailraceError(
      'TR-HA-008',
      `Cannot read ${where}: ${found}, wanted such as {"generation":7,"from":"latest","atLeast":12,"neverEmpty":true}`,
    )
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw refuse(`"${text}" is no JSON`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse(`"${text}" is no object`)
  const { generation, from, atLeast, neverEmpty, allowNonRestoredState } = value as Record<string, unknown>
  const isCount = (one: unknown): one is number => Number.isSafeInteger(one) && (one as number) >= 0
  if (!isCount(generation)) throw refuse(`"generation" is ${JSON.stringify(generation)}`)
  if (typeof from !== 'string' || from === '') throw refuse(`"from" is ${JSON.stringify(from)}`)
  if (atLeast !== undefined && !isCount(atLeast)) throw refuse(`"atLeast" is ${JSON.stringify(atLeast)}`)
  for (const [name, one] of Object.entries({ neverEmpty, allowNonRestoredState }))
    if (one !== undefined && typeof one !== 'boolean') throw refuse(`"${name}" is ${JSON.stringify(one)}`)
  return {
    generation,
    from,
    ...(atLeast !== undefined && { atLeast }),
    ...(neverEmpty === true && { neverEmpty }),
    ...(allowNonRestoredState === true && { allowNonRestoredState }),
  }
}
