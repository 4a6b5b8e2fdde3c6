/**
 * The checkpoints of a task: when it takes its part, what waits behind one, and what its operators hear of them.
 *
 * A barrier passes between two turns' records: from the gate when it is aligned, or by a trigger at a source. What the coordinator sends a source
 * after a trigger waits until the barrier has passed, so nothing slips from one side of a checkpoint to the other [C-06].
 */
import type { Barrier } from '../core/checkpoint.ts'
import { T } from '../metrics/page.ts'
import { attributeError } from './attribute-error.ts'
import type { Task } from './task.ts'
import { TaskSnapshot } from './task-snapshot.ts'

export class TaskCheckpoints {
  readonly #task: Task
  readonly #snapshots: TaskSnapshot[] = []
  /** A checkpoint that waits for the task's turn. */
  #trigger: Barrier | undefined
  /** What came behind the trigger. */
  #behind: (() => void)[] = []
  /** First checkpoint whose barrier came after the end of the data; when it is complete the task is done. */
  #endCheckpoint: number | undefined
  /** The checkpoint behind which nothing more runs. */
  #suspendCheckpoint: number | undefined

  constructor(task: Task) {
    this.#task = task
  }

  /** A barrier has passed behind which nothing more runs. */
  get suspended(): boolean {
    return this.#suspendCheckpoint !== undefined
  }

  /** Does what the coordinator says to a source: at once, or behind the checkpoint that was triggered before. */
  inOrder(action: () => void): void {
    if (this.#trigger === undefined) this.#task.guard(action)
    else this.#behind.push(action)
  }

  /** Takes a checkpoint when the turn allows it: for a source, and for a task whose inputs have all ended. */
  trigger(barrier: Barrier): void {
    const { vertexId, subtask, state, options, end } = this.#task
    if (state !== 'RUNNING' || end.phase === 'outputs') {
      options.post({ type: 'checkpointDeclined', vertexId, subtask, checkpointId: barrier.checkpointId })
      return
    }
    // One after the other, and with what came between them.
    if (this.#trigger === undefined) this.#trigger = barrier
    else this.#behind.push(() => this.trigger(barrier))
    options.wakeSlot()
  }

  /** Takes what was triggered, if the task is ready for it; true when it was. */
  takeTrigger(): boolean {
    const barrier = this.#trigger
    if (barrier === undefined || this.#task.isBusy()) return false
    const { gate, clock } = this.#task.options
    const { phase } = this.#task.end
    if (gate !== undefined && !gate.ended) return false
    if (phase === 'operators' || (gate !== undefined && phase === 'no')) return false
    this.#trigger = undefined
    this.take(barrier, 0, Math.max(0, clock.now() - barrier.timestampMs))
    this.#runBehind()
    return true
  }

  /** Up to the next trigger. */
  #runBehind(): void {
    const behind = this.#behind
    this.#behind = []
    for (let i = 0; i < behind.length; i++) {
      if (this.#trigger !== undefined) {
        this.#behind = behind.slice(i)
        return
      }
      this.#task.guard(behind[i]!)
    }
  }

  /** The barrier passes: what came before it is in the checkpoint. */
  take(barrier: Barrier, alignmentMs: number, startDelayMs: number): void {
    const { links, vertexId, subtask, end, measures, options } = this.#task
    const { buffers, clock, post, vertex, wakeSlot, writers } = options
    const finished = end.phase === 'data ended'
    const { page, base } = measures.metrics
    page[base + T.checkpointAlignmentTime] = alignmentMs * 1e6
    page[base + T.checkpointStartDelayNanos] = startDelayMs * 1e6
    for (const link of links) {
      try {
        link.operator.prepareBarrier(barrier)
      } catch (error) {
        throw attributeError(error, this.#task, link)
      }
    }
    for (const writer of writers) writer.barrier(barrier)
    const snapshot = new TaskSnapshot({
      barrier,
      vertexId,
      subtask,
      maxParallelism: vertex.maxParallelism,
      clock,
      buffers,
      startDelayMs,
      alignmentMs,
      finished,
      post,
      wake: wakeSlot,
    })
    for (const link of links) snapshot.take(link.operatorId, link.operator)
    snapshot.synchronousPartDone()
    this.#snapshots.push(snapshot)
    if (finished) this.#endCheckpoint ??= barrier.checkpointId
    if (barrier.then === 'suspend') this.#suspendCheckpoint = barrier.checkpointId
  }

  /** Goes on with what is being taken; true when there was work. */
  step(): boolean {
    let worked = false
    for (let i = 0; i < this.#snapshots.length; ) {
      const step = this.#snapshots[i]!.step()
      if (step === 'done') this.#snapshots.splice(i, 1)
      else i++
      if (step !== 'waits') worked = true
    }
    return worked
  }

  complete(checkpointId: number): void {
    const task = this.#task
    if (task.state !== 'RUNNING') return
    const notified = task.links.map(async (link) => {
      try {
        await link.operator.notifyCheckpointComplete(checkpointId)
      } catch (error) {
        throw attributeError(error, task, link)
      }
    })
    const holdsEnd = this.#endCheckpoint !== undefined && checkpointId >= this.#endCheckpoint
    const suspends = this.#suspendCheckpoint !== undefined && checkpointId >= this.#suspendCheckpoint
    Promise.all(notified).then(
      () => {
        if (task.state !== 'RUNNING' || !(holdsEnd || suspends)) return
        task.end.endOutputs()
      },
      (error) => task.fail(error),
    )
  }

  aborted(checkpointId: number): void {
    const { links, options, state } = this.#task
    if (state !== 'RUNNING') return
    options.aligner?.abort(checkpointId)
    if (this.#trigger?.checkpointId === checkpointId) {
      this.#trigger = undefined
      this.#runBehind()
    }
    for (const snapshot of this.#snapshots) if (snapshot.checkpointId === checkpointId) snapshot.cancel()
    if (this.#endCheckpoint === checkpointId) this.#endCheckpoint = undefined
    for (const { operator } of links) operator.notifyCheckpointAborted(checkpointId)
    options.wakeSlot()
  }

  /** What is being taken is not sent any more. */
  cancel(): void {
    for (const snapshot of this.#snapshots) snapshot.cancel()
  }
}
