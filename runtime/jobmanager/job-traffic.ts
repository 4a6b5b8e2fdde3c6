/**
 * What passes between the slots of a job, its program and the coordinator of its checkpoints.
 *
 * What must hold: nothing that an enumerator of an earlier attempt said reaches a task, and nothing that a slot of an earlier attempt says reaches anyone, but for output
 * and the bytes of late snapshots. Messages of one sender stay in order: splits that an enumerator gave before its state was taken are in their slot before the trigger.
 */
import type { CheckpointCoordinator } from '../checkpoint/coordinator/checkpoint-coordinator.ts'
import type { CheckpointOutlet } from '../checkpoint/coordinator/coordinator-options.ts'
import type { ErrorData, TailraceError } from '../core/errors.ts'
import type { TypeDescription } from '../core/types.ts'
import type { Plan } from '../graph/model.ts'
import type { FromProgram, ToProgram } from '../rpc/program-messages.ts'
import type { FromSlot } from '../rpc/slot-messages.ts'
import type { Attempt } from './attempt.ts'
import type { Parallelism } from './scheduler/decide-parallelism.ts'

/** Messages of the program about a job that runs. */
export type AboutJob = Extract<FromProgram, { jobId: string }>

export interface JobTrafficOptions {
  jobId: string
  plan: Plan
  toProgram(message: ToProgram): void
  onPrint(stream: 'stdout' | 'stderr', text: string): void
  /** undefined: it takes no checkpoints, or has not begun. */
  coordinator(): CheckpointCoordinator | undefined
  /** An enumerator threw. */
  onSourceFailed(error: ErrorData, vertexId: string): void
}

export class JobTraffic {
  readonly #options: JobTrafficOptions
  #attempt: Attempt | undefined
  /** The enumerators of this attempt speak; before, what comes is of an earlier one. */
  #enumeratorsReset = false
  /** Agreed so far, by edge id. */
  readonly edgeTypes: Record<number, TypeDescription> = {}
  /** Index of the slot of each subtask that sends collected values. */
  readonly #collectors = new Map<string, number>()

  constructor(options: JobTrafficOptions) {
    this.#options = options
    for (const edge of options.plan.edges) if (edge.type !== null) this.edgeTypes[edge.id] = edge.type
  }

  /** The program has taken values of executeAndCollect() in this attempt. */
  get hasCollected(): boolean {
    return this.#collectors.size > 0
  }

  /** From now on it is this attempt that slots and enumerators speak for; `enumerators` are the states of the latter, by operator id. */
  begin(attempt: Attempt, enumerators: Record<string, unknown> | undefined, parallelism: Parallelism): void {
    this.#attempt = attempt
    this.#enumeratorsReset = false
    this.#collectors.clear()
    const { jobId, toProgram } = this.#options
    toProgram({ type: 'resetEnumerators', jobId, attempt: attempt.number, states: enumerators, parallelism })
  }

  fromSlot(attempt: number, slot: number, message: FromSlot): void {
    if (attempt !== this.#attempt?.number) {
      this.late(message)
      return
    }
    const { coordinator, jobId, toProgram } = this.#options
    switch (message.type) {
      case 'splitRequest':
      case 'sourceEvent':
        toProgram({ ...message, jobId })
        break
      case 'proposeType':
        // The first one holds. Everyone hears it again: who proposed another waits for an answer.
        this.edgeTypes[message.edgeId] ??= message.edgeType
        this.#attempt.postAll({ ...message, type: 'edgeType', edgeType: this.edgeTypes[message.edgeId]! })
        break
      case 'collected':
        this.#collectors.set(`${message.collectId}/${message.subtask}`, slot)
        toProgram({ ...message, jobId })
        break
      case 'dataEnded':
        coordinator()?.dataEnded(message.vertexId, message.subtask)
        break
      case 'checkpointDeclined':
        coordinator()?.declined(message, message.error)
        break
      default:
        this.late(message)
    }
  }

  /** Of a slot in which no attempt runs: output is written all the same, and the bytes of a snapshot that nobody waits for are deleted. */
  late(message: FromSlot): void {
    if (message.type === 'print') this.#options.onPrint(message.stream, message.text)
    if (message.type === 'checkpointAck')
      this.#options.coordinator()?.acknowledged(message, message.snapshot, message.stats)
  }

  fromProgram(message: AboutJob): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    switch (message.type) {
      case 'enumeratorsReset':
        if (message.attempt === attempt.number) this.#enumeratorsReset = true
        break
      case 'collectAck': {
        const { collectId, subtask, count } = message
        const slot = this.#collectors.get(`${collectId}/${subtask}`)
        if (slot !== undefined) attempt.postTo(slot, { type: 'collectAck', collectId, subtask, count })
        break
      }
      default:
        if (this.#enumeratorsReset) this.#fromEnumerator(attempt, message)
    }
  }

  #fromEnumerator(attempt: Attempt, message: AboutJob): void {
    const coordinator = this.#options.coordinator()
    switch (message.type) {
      case 'assignSplits': {
        const { vertexId, subtask, splits } = message
        attempt.post(vertexId, subtask, { type: 'splits', vertexId, subtask, splits })
        break
      }
      case 'noMoreSplits': {
        const { vertexId, subtask } = message
        attempt.post(vertexId, subtask, { type: 'noMoreSplits', vertexId, subtask })
        break
      }
      case 'sourceEvent': {
        const { vertexId, subtask, event } = message
        attempt.post(vertexId, subtask, { type: 'sourceEvent', vertexId, subtask, event })
        break
      }
      case 'enumeratorStates':
        coordinator?.enumeratorStates(message.checkpointId, message.states, message.error)
        break
      case 'backlog':
        coordinator?.backlog(message.vertexId, message.has)
        break
      case 'coordinatorFailed':
        this.#options.onSourceFailed(message.error, message.vertexId)
        break
    }
  }

  /** The coordinator's ways out, to the attempt that runs. */
  outlet(job: { completed(): void; aborted(): void; fail(error: TailraceError): void }): CheckpointOutlet {
    const { jobId, toProgram } = this.#options
    return {
      snapshotEnumerators: (checkpointId) => toProgram({ type: 'snapshotEnumerators', jobId, checkpointId }),
      trigger: ({ vertexId, subtask }, barrier) =>
        this.#attempt?.post(vertexId, subtask, { type: 'triggerCheckpoint', vertexId, subtask, barrier }),
      drain: ({ vertexId, subtask }) => this.#attempt?.post(vertexId, subtask, { type: 'drain', vertexId, subtask }),
      complete: (checkpointId) => {
        this.#attempt?.postAll({ type: 'checkpointComplete', checkpointId })
        toProgram({ type: 'checkpointComplete', jobId, checkpointId })
        job.completed()
      },
      abort: (checkpointId) => {
        this.#attempt?.postAll({ type: 'checkpointAborted', checkpointId })
        job.aborted()
      },
      fail: (error) => job.fail(error),
    }
  }
}
