/** Questions about what a checkpoint has of one operator, and how messages name the operator. */
import type { OperatorMetadata, OperatorSnapshot } from './model.ts'

/** `"count" (uid "count-by-user")`; an operator is found again by its uid, so its absence is worth a word. */
export function nameOfOperator({ name, uid }: { name: string; uid: string | null }): string {
  return `"${name}" (${uid === null ? 'no uid' : `uid "${uid}"`})`
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
