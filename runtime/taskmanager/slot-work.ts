/**
 * What a slot's thread runs, as its TaskManager hears of it: goes into a registration, so that a new leader may go on with it (rpc/messages/parts/slot-inventory.ts).
 *
 * Splits are as their readers began them: where a reader is in one only its snapshot says.
 */
import type { SourceSplit } from '../core/source.ts'
import type { MeasuredPage } from '../metrics/measured.ts'
import type { SlotInventory } from '../rpc/messages/parts/slot-inventory.ts'
import type { DeploymentData } from '../rpc/messages/to-slot/deploy.ts'
import type { ToSlotData } from '../rpc/messages/to-slot.ts'
import type { FromSlot, TaskState } from '../rpc/slot-messages.ts'
import type { MeasuredWork } from './measured-jobs.ts'
import type { SplitsHeld } from './snapshot-uploads.ts'

interface SubtaskWork {
  state: TaskState
  lastBarrier: number | undefined
  /** Acknowledged, and not heard of since. */
  pending: Set<number>
  /** That a reader has begun and not ended, by id. */
  splits: Map<string, SourceSplit>
}

export class SlotWork {
  readonly #deployment: DeploymentData
  /** Of the leader that has deployed it. */
  readonly #epoch: number
  readonly #subtasks = new Map<string, SubtaskWork>()

  constructor(deployment: DeploymentData, epoch: number) {
    this.#deployment = deployment
    this.#epoch = epoch
    for (const { vertexId, subtask } of deployment.subtasks)
      this.#subtasks.set(keyOf(vertexId, subtask), {
        state: 'INITIALIZING',
        lastBarrier: undefined,
        pending: new Set(),
        splits: new Map(),
      })
  }

  said(message: FromSlot): void {
    if (message.type === 'taskState') {
      const work = this.#subtasks.get(keyOf(message.vertexId, message.subtask))
      if (work !== undefined) work.state = message.state
    } else if (message.type === 'checkpointAck') {
      const work = this.#subtasks.get(keyOf(message.vertexId, message.subtask))
      if (work === undefined) return
      work.lastBarrier = message.checkpointId
      work.pending.add(message.checkpointId)
    }
  }

  splitsHeld({ vertexId, subtask, begun, ended }: SplitsHeld): void {
    const splits = this.#subtasks.get(keyOf(vertexId, subtask))?.splits
    for (const split of begun) splits?.set(split.id, split)
    for (const id of ended) splits?.delete(id)
  }

  told(message: ToSlotData): void {
    if (message.type !== 'checkpointComplete' && message.type !== 'checkpointAborted') return
    const { checkpointId } = message
    for (const { pending } of this.#subtasks.values()) {
      // What is complete has what was before it.
      if (message.type === 'checkpointAborted') pending.delete(checkpointId)
      else for (const id of pending) if (id <= checkpointId) pending.delete(id)
    }
  }

  /** For metrics. */
  measured(): Omit<MeasuredWork, keyof MeasuredPage> {
    const { jobId, attempt, plan, subtasks } = this.#deployment
    const stateOf = (vertexId: string, subtask: number) => this.#subtasks.get(keyOf(vertexId, subtask))!.state
    return {
      ...{ jobId, attempt, plan },
      subtasks: subtasks.map(({ vertexId, subtask }) => ({ vertexId, subtask, state: stateOf(vertexId, subtask) })),
    }
  }

  inventory(slot: number, thread: number): SlotInventory {
    const { jobId, attempt, slotIndex, plan, subtasks } = this.#deployment
    return {
      ...{ slot, thread, jobId, attempt, slotIndex, epoch: this.#epoch, planHash: plan.hash },
      subtasks: subtasks.map(({ vertexId, subtask }) => {
        const { state, lastBarrier, pending, splits } = this.#subtasks.get(keyOf(vertexId, subtask))!
        return {
          ...{ vertexId, subtask, state, splits: [...splits.values()].map((split) => ({ ...split })) },
          ...(lastBarrier === undefined ? {} : { lastBarrier }),
          pendingCommits: [...pending],
        }
      }),
    }
  }
}

const keyOf = (vertexId: string, subtask: number): string => `${vertexId}/${subtask}`
