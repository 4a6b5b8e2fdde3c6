/**
 * What the job of a generation begins with, told to the JobManager by an annotation of its Lease. It resolves it in the store, where the truth is, and fails with a code when it cannot be honoured.
 *
 * A JobManager of an older generation begins no job any more. The first start of a generation keeps what it began with; later starts of the same one go on from the newest checkpoint.
 */

export interface RestoreDirective {
  generation: number
  /** `latest`: the newest checkpoint or savepoint of this deployment; `empty`; else the path of a savepoint. */
  from: string
  /** The newest checkpoint that the operator has seen: an older one is refused. */
  atLeast?: number
  /** Without state it does not begin. */
  neverEmpty?: boolean
  /** State that no operator of the job takes is left behind. */
  allowNonRestoredState?: boolean
}

export function directiveText(directive: RestoreDirective): string {
  const { generation, from, atLeast, neverEmpty, allowNonRestoredState } = directive
  return JSON.stringify({
    generation,
    from,
    ...(atLeast !== undefined && { atLeast }),
    neverEmpty: neverEmpty ?? from !== 'empty',
    ...(allowNonRestoredState && { allowNonRestoredState }),
  })
}

/** What a Lease says; undefined: nothing that can be read. */
export function readDirective(text: string | undefined): RestoreDirective | undefined {
  if (text === undefined) return undefined
  try {
    const value = JSON.parse(text) as RestoreDirective | null
    return Number.isSafeInteger(value?.generation) && typeof value?.from === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
