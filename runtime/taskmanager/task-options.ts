/** What a task is made of. */

import type { Clock } from '../core/clock.ts'
import type { CheckpointTimes } from '../core/sink.ts'
import type { JobVertex } from '../graph/model.ts'
import type { MetricsPage } from '../metrics/page.ts'
import type { BarrierAligner } from '../network/barrier-aligner.ts'
import type { InputGate } from '../network/input-gate.ts'
import type { Overflow } from '../network/overflow.ts'
import type { RecordWriter } from '../network/record-writer.ts'
import type { RestoredState } from '../operators/operator.ts'
import type { FromSlotThread } from '../rpc/slot-messages.ts'
import type { Chain } from './chain.ts'
import type { ChunkBuffers } from './chunk-buffers.ts'

/** What a task goes on from. */
export interface TaskRestore {
  /** It had ended its data: it has nothing to do but to commit what its state holds. */
  finished: boolean
  /** By operator id. */
  states: ReadonlyMap<string, RestoredState>
}

export interface TaskOptions {
  vertex: JobVertex
  subtask: number
  attempt: number
  clock: Clock
  parameters: Readonly<Record<string, string>>
  chain: Chain
  writers: RecordWriter[]
  /** undefined: the head is a source. */
  gate: InputGate | undefined
  overflow: Overflow
  page: MetricsPage
  /** The job takes checkpoints. */
  checkpointing: boolean
  checkpointTimes?: CheckpointTimes | undefined
  /** Of the job's checkpoints; undefined: nobody stores any. */
  ownerEpoch?: number | undefined
  buffers: ChunkBuffers
  restored: TaskRestore | undefined
  /** The gate's, to let go of a checkpoint that was given up. */
  aligner: BarrierAligner | undefined
  post(message: FromSlotThread, transfer?: ArrayBuffer[]): void
  /** Makes the slot take a turn soon. */
  wakeSlot(): void
}
