/**
 * The slots of one process: what stands between their threads and the JobManager. It makes the memory that the slots of an attempt share, stores the bytes of
 * snapshots and reads those of restores (snapshot-uploads.ts); everything else passes.
 *
 * What must hold: all slots of one attempt in this process get the same memory, and no other attempt gets it; it goes when the last of them has ended.
 */
import { errorToData } from '../core/errors.ts'
import { allocateWiring } from '../network/wiring.ts'
import type { Deployment, FromSlot, SlotHost, SlotThreadHost, ToSlot, Wiring } from '../rpc/slot-messages.ts'
import {
  type CopiesOfJob,
  SnapshotUploads,
  type SplitsHeld,
  type StateBytes,
  type UploadSizes,
} from './snapshot-uploads.ts'

export interface TaskManagerOptions {
  /** Of all TaskManagers that a JobManager may know at a time, no other has it. */
  id: string
  /** Starts what runs a slot. */
  spawn(slot: number): SlotThreadHost
  /** Where the state of a job goes; undefined when it takes no checkpoints. Asked when its state is written or read. */
  storeOf(deployment: Deployment): StateBytes | undefined
  sizes?: UploadSizes
}

function tell(copies: CopiesOfJob | undefined, message: ToSlot): void {
  if (message.type === 'checkpointComplete') copies?.completed(message.checkpointId)
  if (message.type === 'checkpointAborted') copies?.aborted(message.checkpointId)
}

/** What the slots of an attempt share. */
interface AttemptMemory {
  attempt: number
  wiring: Wiring
  users: Set<SlotThreadHost>
}

/**
 * @example
 * const taskManager = new TaskManager({ id: 'tm-1', spawn: (slot) => threadHost(entry, { name: `slot-${slot}` }), storeOf })
 * const pool = new SlotPool({ size: 2, spawn: (slot) => taskManager.start(slot) })
 */
export class TaskManager {
  readonly #options: TaskManagerOptions
  /** By job. */
  readonly #memories = new Map<string, AttemptMemory>()

  constructor(options: TaskManagerOptions) {
    this.#options = options
  }

  get id(): string {
    return this.#options.id
  }

  /**
   * A new thread in a slot, for one job.
   *
   * @param onSplits hears what readers in it have begun and ended
   */
  start(slot: number, onSplits?: (message: SplitsHeld) => void): SlotHost {
    const { spawn, storeOf, sizes } = this.#options
    const host = spawn(slot)
    let deployed: Deployment | undefined
    let toJobManager: (message: FromSlot) => void = () => {}
    const uploads = new SnapshotUploads({
      store: () => (deployed === undefined ? undefined : storeOf(deployed)),
      toSlot: (message, transfer) => host.port.post(message, transfer),
      toJobManager: (message) => toJobManager(message),
      onSplits,
      ...(sizes === undefined ? {} : { sizes }),
    })
    host.onExit(() => this.#release(host))
    return {
      port: {
        post: (message, transfer) => {
          if (message.type !== 'deploy') {
            if (deployed !== undefined) tell(storeOf(deployed)?.copies, message)
            host.port.post(message, transfer)
            return
          }
          const { deployment } = message
          deployed = deployment
          try {
            storeOf(deployment)?.copies?.begins(deployment.restore?.checkpointId)
            const { wiring } = this.#memoryOf(deployment, host)
            host.port.post({ type: 'deploy', deployment: { ...deployment, wiring } }, transfer)
          } catch (error) {
            // No memory left, or settings that only this process cannot keep.
            queueMicrotask(() => toJobManager({ type: 'deployFailed', error: errorToData(error) }))
          }
        },
        onMessage: (handler) => {
          toJobManager = handler
          host.port.onMessage((message) => uploads.receive(message))
        },
        close: () => host.port.close(),
      },
      onExit: (handler) => host.onExit(handler),
      terminate: () => host.terminate(),
    }
  }

  #memoryOf({ jobId, attempt, plan, places, slots }: Deployment, host: SlotThreadHost): AttemptMemory {
    let memory = this.#memories.get(jobId)
    if (memory?.attempt !== attempt) {
      const isLocal = slots.map(({ taskManager }) => taskManager === this.id)
      memory = { attempt, wiring: allocateWiring(plan, places, isLocal), users: new Set() }
      this.#memories.set(jobId, memory)
    }
    memory.users.add(host)
    return memory
  }

  #release(host: SlotThreadHost): void {
    for (const [jobId, { users }] of this.#memories)
      if (users.delete(host) && users.size === 0) this.#memories.delete(jobId)
  }
}
