/**
 * Takes the state of one operator at a barrier and gives it back to others, in memory, by the code of jobs: what is taken is encoded, dealt out and decoded
 * as in a checkpoint, whatever the parallelism, so later changes of a value are not in it.
 *
 * @example
 * const taken = await takeSnapshot(operator, barrier(1))
 * const second = await openOperator(new Operator(options), { restored: restoredFrom([taken], 0, 1) })
 */
import type { OperatorSnapshot, StateHandle } from '../checkpoint/model.ts'
import { dealKeyed, dealLists, type OldSubtasks } from '../checkpoint/redistribute.ts'
import { createUnpackr } from '../codec/msgpack.ts'
import type { Barrier } from '../core/checkpoint.ts'
import { systemClock } from '../core/clock.ts'
import { assert, errorFromData } from '../core/errors.ts'
import { keyGroupRange } from '../core/key-groups.ts'
import type { BaseOperator, RestoredState } from '../operators/operator.ts'
import type { FromSlotThread } from '../rpc/slot-messages.ts'
import { ChunkBuffers } from '../taskmanager/chunk-buffers.ts'
import { RestoredOperator } from '../taskmanager/restored-state.ts'
import { TaskSnapshot } from '../taskmanager/task-snapshot.ts'

const OPERATOR_ID = '0123456789abcdef0123456789abcdef'

/** What one subtask gave. */
export interface TakenSnapshot {
  readonly barrier: Barrier
  /** null: nothing. */
  readonly state: OperatorSnapshot | null
  /** It had finished all of its data. */
  readonly finished: boolean
}

/** A barrier of a periodic checkpoint, or another. */
export function barrier(checkpointId: number, more: Partial<Barrier> = {}): Barrier {
  return { checkpointId, timestampMs: checkpointId * 1000, kind: 'checkpoint', then: 'go on', ...more }
}

/** A snapshot whose synchronous part is over; the rest of it is done when its end is asked for. */
export class SnapshotUnderWay {
  readonly #barrier: Barrier
  readonly #snapshot: TaskSnapshot
  readonly #buffers = new ChunkBuffers()
  readonly #chunks: Uint8Array[] = []
  #end: FromSlotThread | undefined
  #wake: () => void = () => {}

  constructor(operator: BaseOperator, of: Barrier, maxParallelism: number) {
    this.#barrier = of
    this.#snapshot = new TaskSnapshot({
      barrier: of,
      vertexId: 'vertex',
      subtask: 0,
      maxParallelism,
      clock: systemClock,
      buffers: this.#buffers,
      startDelayMs: 0,
      alignmentMs: 0,
      finished: of.then === 'end',
      post: (message) => this.#post(message),
      wake: () => this.#wake(),
    })
    this.#snapshot.take(OPERATOR_ID, operator)
    this.#snapshot.synchronousPartDone()
  }

  /** Waits for what the operator waits for. Rejects where the checkpoint would be declined. */
  async end(): Promise<TakenSnapshot> {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      if (this.#run()) return this.#taken()
      await woken
    }
  }

  /** For operators that wait for nothing. */
  endNow(): TakenSnapshot {
    assert(this.#run(), 'the operator waits for something')
    return this.#taken()
  }

  /** True when it has ended. */
  #run(): boolean {
    for (;;) {
      const step = this.#snapshot.step()
      if (step !== 'worked') return step === 'done'
    }
  }

  #post(message: FromSlotThread): void {
    if (message.type !== 'stateChunk') {
      this.#end = message
      return
    }
    this.#chunks[message.index] = new Uint8Array(message.buffer, 0, message.length).slice()
    this.#buffers.returned(message.buffer)
  }

  #taken(): TakenSnapshot {
    const end = this.#end!
    if (end.type === 'checkpointDeclined') throw errorFromData(end.error!)
    assert(end.type === 'checkpointAck', 'a snapshot ends with its acknowledgement')
    const { operators, finished } = end.snapshot
    const [state] = operators
    if (state?.keyed === undefined) return { barrier: this.#barrier, state: state ?? null, finished }
    const chunks = state.keyed.chunks.map((chunk) => ({ ...chunk, handle: this.#bytesOf(chunk.handle) }))
    return { barrier: this.#barrier, state: { ...state, keyed: { ...state.keyed, chunks } }, finished }
  }

  /** Chunks are named by their numbers until somebody stores them. */
  #bytesOf(handle: StateHandle): StateHandle {
    assert('offset' in handle, 'a chunk is named by its number')
    return { bytes: this.#chunks[handle.offset]! }
  }
}

/** Lets a barrier pass and ends the synchronous part. */
export function beginSnapshot(operator: BaseOperator, of: Barrier, maxParallelism = 128): SnapshotUnderWay {
  operator.prepareBarrier(of)
  return new SnapshotUnderWay(operator, of, maxParallelism)
}

export function takeSnapshot(operator: BaseOperator, of: Barrier, maxParallelism = 128): Promise<TakenSnapshot> {
  return beginSnapshot(operator, of, maxParallelism).end()
}

/** What subtask `subtask` of `parallelism` gets of the snapshots of all subtasks of one checkpoint. */
export function restoredFrom(
  snapshots: readonly TakenSnapshot[],
  subtask: number,
  parallelism: number,
  { maxParallelism = 128, committed = false }: { maxParallelism?: number; committed?: boolean } = {},
): RestoredState {
  const old: OldSubtasks = snapshots.map(({ state }) => state)
  return new RestoredOperator({
    checkpointId: snapshots[0]!.barrier.checkpointId,
    committed,
    restore: {
      operatorId: OPERATOR_ID,
      keyed: dealKeyed(old, maxParallelism, parallelism)[subtask]!,
      lists: dealLists(old, parallelism)[subtask]!,
      finished: snapshots.every(({ finished }) => finished),
    },
    range: keyGroupRange(maxParallelism, parallelism, subtask),
    maxParallelism,
    read: async (handle) => bytesOf(handle),
  })
}

/** Names and elements of the list states, for assertions. */
export function listsOf({ state }: TakenSnapshot): Record<string, unknown[]> {
  const unpackr = createUnpackr()
  return Object.fromEntries(
    (state?.lists ?? []).map(({ name, handle, offsets }) => {
      const bytes = bytesOf(handle)
      return [name, offsets.map((from, i) => unpackr.unpack(bytes.slice(from, offsets[i + 1] ?? bytes.length)))]
    }),
  )
}

function bytesOf(handle: StateHandle): Uint8Array {
  assert('bytes' in handle, 'state of a test lies in memory')
  return handle.bytes
}
