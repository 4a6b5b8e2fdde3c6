/**
 * What checkpoints hold of part files, and what is to be done with one after a crash: pure decisions over what is found.
 *
 *   in progress (hidden) ──ended──▶ pending (hidden, closed) ──its checkpoint is complete──▶ finished (visible)
 *
 * A part that a checkpoint has in progress ends there when the job goes on from that checkpoint: its first bytes are copied to a file of the new writer,
 * which is then pending. A copy, and not the file itself: whoever still writes to that one cannot reach what readers will see.
 *
 * A file gets its visible name at once, and only where nobody has it. Before it a mark is left: where both names are gone, the mark says that the file was
 * finished and someone has taken it away, and no mark that it is lost. Marks are kept for as long as a checkpoint may be committed again.
 *
 * Names are relative to the sink's folder, with slashes.
 */
import { posix } from 'node:path'

/** In progress. */
export interface PartState {
  hidden: string
  visible: string
  /** At the barrier. */
  bytes: number
}

/** Pending. */
export interface PartCommittable {
  hidden: string
  visible: string
  bytes: number
  /** Of which `hidden` is a copy; of no use once it is committed. */
  original?: string
}

export const markOf = (visible: string): string =>
  posix.join(posix.dirname(visible), `.${posix.basename(visible)}.committed`)

/** Sizes of the file by its names; undefined: it has not that name. */
export interface PartFacts {
  hidden: number | undefined
  visible: number | undefined
}

export type CommitDecision = { do: 'publish' } | { do: 'nothing' } | { do: 'refuse'; because: string }

export function decideCommit({ hidden, visible }: PartFacts, marked: boolean, bytes: number): CommitDecision {
  const refuse = (because: string): CommitDecision => ({ do: 'refuse', because })
  if (visible !== undefined) {
    if (hidden !== undefined) return refuse('another file has its name')
    if (visible !== bytes) return refuse(`a file of ${visible} bytes has its name, and it has ${bytes}`)
    return { do: 'nothing' }
  }
  if (hidden === undefined) return marked ? { do: 'nothing' } : refuse('it is gone')
  return hidden === bytes ? { do: 'publish' } : refuse(`it has ${hidden} bytes instead of ${bytes}`)
}

export type TakeOverDecision = { do: 'copy' } | { do: 'refuse'; because: string }

export function decideTakeOver({ hidden, visible }: PartFacts, bytes: number): TakeOverDecision {
  if (visible !== undefined) {
    return {
      do: 'refuse',
      because:
        'a newer checkpoint has finished it, so what it holds would be written twice. Start from the newest checkpoint, or write to another folder',
    }
  }
  if (hidden === undefined) return { do: 'refuse', because: 'it is gone' }
  if (hidden < bytes) return { do: 'refuse', because: `it has ${hidden} bytes instead of ${bytes}` }
  return { do: 'copy' }
}
