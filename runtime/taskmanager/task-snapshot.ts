/**
 * One subtask's part of one checkpoint, from the barrier to the acknowledgement.
 *
 *     synchronous part (every operator's `snapshot`) → long parts, step by step between records → promises → acknowledgement
 *
 * Correctness: the acknowledgement is posted once, after every byte that it names; an error or a rejection declines the checkpoint and never
 * fails the task; after `cancel` nothing is posted any more.
 */
import { KeyedSnapshotWriter } from '../checkpoint/keyed-snapshot.ts'
import type { ListMode, ListSnapshot, OperatorSnapshot, SnapshotStats, StateTable } from '../checkpoint/model.ts'
import { createPackr } from '../codec/msgpack.ts'
import type { Barrier } from '../core/checkpoint.ts'
import type { Clock } from '../core/clock.ts'
import { errorToData } from '../core/errors.ts'
import type { SnapshotWriter, TableWriter } from '../operators/operator.ts'
import type { FromSlotThread } from '../rpc/slot-messages.ts'
import type { ChunkBuffers } from './chunk-buffers.ts'

export interface TaskSnapshotOptions {
  barrier: Barrier
  vertexId: string
  subtask: number
  maxParallelism: number
  clock: Clock
  buffers: ChunkBuffers
  /** Milliseconds, of the alignment. */
  startDelayMs: number
  alignmentMs: number
  /** The task had ended its data before the barrier. */
  finished: boolean
  post(message: FromSlotThread, transfer?: ArrayBuffer[]): void
  /** A promise has settled: take a turn. */
  wake(): void
}

export class TaskSnapshot {
  readonly checkpointId: number
  readonly barrier: Barrier
  readonly #options: TaskSnapshotOptions
  readonly #parts: OperatorPart[] = []
  readonly #steps: (() => boolean)[] = []
  #waiting = 0
  #chunks = 0
  #bytes = 0
  #error: unknown
  #ended = false
  readonly #startedMs: number
  #syncMs = 0

  constructor(options: TaskSnapshotOptions) {
    this.#options = options
    this.barrier = options.barrier
    this.checkpointId = options.barrier.checkpointId
    this.#startedMs = options.clock.monotonic()
  }

  /** Runs an operator's synchronous part; what it throws declines the checkpoint. */
  take(operatorId: string, operator: { snapshot(writer: SnapshotWriter): void }): void {
    if (this.#error !== undefined) return
    const part = new OperatorPart(operatorId, this.#options.maxParallelism, {
      take: (bytes) => this.#options.buffers.take(bytes),
      give: (buffer, length) => this.#give(buffer, length),
    })
    this.#parts.push(part)
    try {
      operator.snapshot({
        barrier: this.barrier,
        table: (table) => part.table(table),
        list: (name, mode, elements) => part.list(name, mode, elements),
        later: (step) => this.#steps.push(step),
        wait: (promise) => this.#wait(promise),
      })
    } catch (error) {
      this.#error ??= error
    }
  }

  /** After the last operator. */
  synchronousPartDone(): void {
    this.#syncMs = this.#options.clock.monotonic() - this.#startedMs
  }

  /** Does a slice of the long parts. 'done': the snapshot has posted its end. */
  step(): 'worked' | 'waits' | 'done' {
    if (this.#ended) return 'done'
    if (this.#error === undefined && this.#steps.length > 0) {
      if (!this.#options.buffers.available) return 'waits'
      try {
        if (this.#steps[0]!()) this.#steps.shift()
        return 'worked'
      } catch (error) {
        this.#error ??= error
      }
    }
    if (this.#error === undefined && this.#waiting > 0) return 'waits'
    this.#end()
    return 'done'
  }

  /** Nothing is posted any more. Long parts still run to their end, so that operators are in no snapshot after it. */
  cancel(): void {
    this.#ended = true
    this.#runOut()
  }

  /** A long part that was left in its middle would take records for its own for ever. */
  #runOut(): void {
    for (const step of this.#steps) {
      try {
        while (!step());
      } catch {
        // The snapshot has failed already; the operator begins its next one anew.
      }
    }
  }

  #wait(promise: Promise<void>): void {
    this.#waiting++
    promise.then(
      () => {
        this.#waiting--
        this.#options.wake()
      },
      (error) => {
        this.#error ??= error
        this.#options.wake()
      },
    )
  }

  #give(buffer: ArrayBuffer, length: number): number {
    const { vertexId, subtask, buffers, post } = this.#options
    const index = this.#chunks++
    this.#bytes += length
    if (this.#ended) buffers.keep(buffer)
    else {
      buffers.sent()
      const checkpointId = this.checkpointId
      post({ type: 'stateChunk', vertexId, subtask, checkpointId, index, buffer, length }, [buffer])
    }
    return index
  }

  #end(): void {
    const { vertexId, subtask, clock, startDelayMs, alignmentMs, finished, post } = this.#options
    const { checkpointId } = this
    if (this.#error !== undefined) {
      this.#ended = true
      this.#runOut()
      post({
        type: 'checkpointDeclined',
        vertexId,
        subtask,
        checkpointId,
        error: errorToData(this.#error, 'TR-CHECKPOINT-001'),
      })
      return
    }
    const operators = this.#parts.flatMap((part) => part.finish() ?? [])
    this.#ended = true
    const bytes = operators.reduce((n, { lists }) => n + lists.reduce((m, l) => m + listBytes(l), 0), this.#bytes)
    const asyncMs = clock.monotonic() - this.#startedMs - this.#syncMs
    const stats: SnapshotStats = {
      startDelayMs,
      alignmentMs,
      syncMs: this.#syncMs,
      asyncMs,
      bytesWritten: bytes,
      bytes,
    }
    post({ type: 'checkpointAck', vertexId, subtask, checkpointId, snapshot: { operators, finished }, stats })
  }
}

function listBytes({ handle }: ListSnapshot): number {
  return 'bytes' in handle ? handle.bytes.length : handle.length
}

/** What one operator gives. */
class OperatorPart {
  readonly #operatorId: string
  readonly #keyed: KeyedSnapshotWriter
  readonly #lists: ListSnapshot[] = []

  constructor(operatorId: string, maxParallelism: number, sink: ConstructorParameters<typeof KeyedSnapshotWriter>[1]) {
    this.#operatorId = operatorId
    this.#keyed = new KeyedSnapshotWriter((hash) => (hash >>> 0) % maxParallelism, sink)
  }

  table(table: StateTable): TableWriter {
    return this.#keyed.table(table)
  }

  list(name: string, mode: ListMode, elements: Iterable<unknown>): void {
    const packr = createPackr()
    const packed = [...elements].map((element) => packr.pack(element))
    const offsets: number[] = []
    let at = 0
    for (const { length } of packed) {
      offsets.push(at)
      at += length
    }
    this.#lists.push({ name, mode, handle: { bytes: new Uint8Array(Buffer.concat(packed)) }, offsets })
  }

  /** undefined: it has no state. */
  finish(): OperatorSnapshot | undefined {
    const keyed = this.#keyed.finish()
    if (keyed === undefined && this.#lists.length === 0) return undefined
    return { operatorId: this.#operatorId, ...(keyed === undefined ? {} : { keyed }), lists: this.#lists }
  }
}
