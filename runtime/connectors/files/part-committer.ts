/**
 * Gives pending parts their visible names (part-states.ts has the decisions). Durable when it says so: the folders are synced before.
 */
import { join, posix } from 'node:path'
import type { CommitRequest, Committer } from '../../core/sink.ts'
import { cannotWrite, type PartFiles } from './part-files.ts'
import { decideCommit, markOf, type PartCommittable } from './part-states.ts'

/** Marks of so many checkpoints are kept: one that was taken while the one before was being committed may ask for both again. */
const MARKED_CHECKPOINTS = 2

export class PartCommitter implements Committer<PartCommittable> {
  readonly #files: PartFiles
  readonly #directory: string
  readonly #marks: boolean
  /** Marks by checkpoint, the newest last. */
  readonly #marked = new Map<number, string[]>()

  /** Without checkpoints nothing is committed a second time, and no marks are needed. */
  constructor(files: PartFiles, directory: string, options: { marks: boolean }) {
    this.#files = files
    this.#directory = directory
    this.#marks = options.marks
  }

  async commit(requests: readonly CommitRequest<PartCommittable>[]): Promise<void> {
    const byFolder = new Map<string, CommitRequest<PartCommittable>[]>()
    for (const request of requests) {
      try {
        if (!(await this.#publish(request))) continue
      } catch (error) {
        request.retryLater(cannotWrite(this.#directory, error))
        continue
      }
      const folder = posix.dirname(request.committable.visible)
      const inFolder = byFolder.get(folder)
      if (inFolder === undefined) byFolder.set(folder, [request])
      else inFolder.push(request)
    }
    for (const [folder, inFolder] of byFolder) {
      try {
        await this.#files.syncFolder(join(this.#directory, folder))
      } catch (error) {
        for (const request of inFolder) request.retryLater(cannotWrite(this.#directory, error))
      }
    }
    for (const checkpointId of [...this.#marked.keys()].slice(0, -MARKED_CHECKPOINTS)) await this.#forget(checkpointId)
  }

  /**
   * A job that has ended leaves no marks. Should it die before it is known to have ended, and a reader have taken a file away by then, its restart is refused.
   */
  async close(allCommitted: boolean): Promise<void> {
    if (allCommitted) for (const checkpointId of this.#marked.keys()) await this.#forget(checkpointId)
  }

  /** False: it cannot be, and never will. */
  async #publish(request: CommitRequest<PartCommittable>): Promise<boolean> {
    const { hidden, visible, bytes, original } = request.committable
    const at = (name: string) => join(this.#directory, name)
    const [from, to, mark] = [at(hidden), at(visible), at(markOf(visible))]
    const facts = { hidden: await this.#files.size(from), visible: await this.#files.size(to) }
    const marked = this.#marks && (await this.#files.size(mark)) !== undefined
    const decision = decideCommit(facts, marked, bytes)
    if (decision.do === 'refuse') {
      request.failedWithKnownReason(`the file "${from}" cannot become "${to}": ${decision.because}`)
      return false
    }
    if (this.#marks) this.#remember(request.checkpointId, mark)
    if (decision.do === 'publish') {
      if (this.#marks && !marked) await (await this.#files.create(mark))?.close()
      await this.#files.rename(from, to)
    } else request.alreadyCommitted()
    if (original !== undefined) await this.#files.remove(at(original))
    return true
  }

  #remember(checkpointId: number, mark: string): void {
    const marks = this.#marked.get(checkpointId)
    if (marks === undefined) this.#marked.set(checkpointId, [mark])
    else marks.push(mark)
  }

  /** A mark that cannot be removed does no harm. */
  async #forget(checkpointId: number): Promise<void> {
    for (const mark of this.#marked.get(checkpointId)!) await this.#files.remove(mark).catch(() => {})
    this.#marked.delete(checkpointId)
  }
}
