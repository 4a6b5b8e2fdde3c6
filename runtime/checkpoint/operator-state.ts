/** Questions about what a checkpoint has of one operator, and how messages name the operator. */
import { isTailraceError, TailraceError } from '../core/errors.ts'
import type { OperatorMetadata, OperatorSnapshot } from './model.ts'

/** `"count" (uid "count-by-user")`; an operator is found again by its uid, so its absence is worth a word. */
export function nameOfOperator({ name, uid }: { name: string; uid: string | null }): string {
  return `"${name}" (${uid === null ? 'no uid' : `uid "${uid}"`})`
}

const NAMES_MAX = 3

/** `state "a"`, `states "a", "b"`: bytes may be of several, and of windows of very many. */
export function nameOfStates(names: readonly string[]): string {
  const quoted = names.slice(0, NAMES_MAX).map((name) => `"${name}"`)
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : ''
  return `${names.length === 1 ? 'state' : 'states'} ${quoted.join(', ')}${more}`
}

/** The error of bytes that could not be read, with the states that they are of. Others, such as that a store does not answer, are passed on as they are. */
export function unreadableState(names: readonly string[], error: unknown): unknown {
  if (!isTailraceError(error) || error.code !== 'TR-CHECKPOINT-003') return error
  const { message } = error
  return new TailraceError(
    'TR-CHECKPOINT-003',
    `Cannot restore ${nameOfStates(names)}: ${message.charAt(0).toLowerCase()}${message.slice(1)}`,
    { cause: error },
  )
}

/** Rows by key, elements, or an enumerator's state: what would be lost without the operator. */
export function hasState(operator: OperatorMetadata): boolean {
  return operator.coordinator !== undefined || operator.subtasks.some((s) => hasKeyedRows(s) || hasElements(s))
}

/** Only rows tie an operator to a number of key groups. */
export function hasKeyedState(operator: OperatorMetadata): boolean {
  return operator.subtasks.some(hasKeyedRows)
}

function hasKeyedRows(snapshot: OperatorSnapshot | null): boolean {
  return snapshot?.keyed?.chunks.some((chunk) => chunk.rows > 0) ?? false
}

function hasElements(snapshot: OperatorSnapshot | null): boolean {
  return snapshot?.lists.some((list) => list.offsets.length > 0) ?? false
}

/** Whether all, some or none of the subtasks had finished their data. */
export function finishedPart({ finished }: OperatorMetadata): 'all' | 'some' | 'none' {
  if (finished.every((done) => done)) return 'all'
  return finished.some((done) => done) ? 'some' : 'none'
}

/**
 * A union state of which a part is gone because its subtask had finished [CC-04]: a checkpoint with it must not complete, since nobody could be given all of the
 * elements. The coordinator takes another one, until all of the subtasks have finished.
 *
 * @param operators of the checkpoint that is about to complete
 */
export function partOfUnion(
  operators: readonly OperatorMetadata[],
): { operator: OperatorMetadata; state: string } | undefined {
  for (const operator of operators) {
    if (finishedPart(operator) !== 'some') continue
    const unionsOf = (subtask: OperatorSnapshot | null) => subtask?.lists.filter(({ mode }) => mode === 'union') ?? []
    for (const { name } of operator.subtasks.flatMap(unionsOf)) {
      const gone = operator.subtasks.some(
        (subtask, i) => operator.finished[i]! && !unionsOf(subtask).some((list) => list.name === name),
      )
      if (gone) return { operator, state: name }
    }
  }
  return undefined
}
