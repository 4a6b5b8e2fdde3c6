/**
 * Ends a part that a checkpoint has in progress where the checkpoint has it, by a durable copy of its first bytes (part-states.ts says why a copy).
 */
import { join, posix } from 'node:path'
import { isTailraceError, TailraceError } from '../../core/errors.ts'
import { cannotWrite, type PartFiles } from './part-files.ts'
import { decideTakeOver, type PartCommittable, type PartState } from './part-states.ts'

/** Throws TR-SINK-002 when the part is not as the checkpoint has it, TR-SINK-001 when it cannot be copied. */
export async function takeOver(
  files: PartFiles,
  directory: string,
  { hidden, visible, bytes }: PartState,
  by: { uid: string; checkpointId: number | undefined },
): Promise<PartCommittable> {
  const at = (name: string) => join(directory, name)
  const copy = `${hidden}.${by.uid}`
  try {
    const facts = { hidden: await files.size(at(hidden)), visible: await files.size(at(visible)) }
    const decision = decideTakeOver(facts, bytes)
    if (decision.do === 'refuse') {
      throw new TailraceError(
        'TR-SINK-002',
        `Cannot go on with the file "${at(hidden)}" that checkpoint ${by.checkpointId} has in progress: ${decision.because}`,
      )
    }
    await files.copy(at(hidden), at(copy), bytes)
    await files.syncFolder(at(posix.dirname(copy)))
  } catch (error) {
    throw isTailraceError(error) ? error : cannotWrite(directory, error)
  }
  return { hidden: copy, visible, bytes, original: hidden }
}
