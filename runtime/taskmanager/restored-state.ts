/** State of one operator as it was dealt out for one subtask; its bytes are fetched when the operator asks for them. */
import { restoreKeyed } from '../checkpoint/keyed-restore.ts'
import type { ListMode, OperatorRestore, StateHandle, StateTable } from '../checkpoint/model.ts'
import { unreadableState } from '../checkpoint/operator-state.ts'
import { createUnpackr } from '../codec/msgpack.ts'
import type { KeyGroupRange } from '../core/key-groups.ts'
import type { RestoredState } from '../operators/operator.ts'

export interface RestoredOperatorOptions {
  checkpointId: number
  committed?: boolean
  restore: OperatorRestore
  range: KeyGroupRange
  maxParallelism: number
  read(handle: StateHandle): Promise<Uint8Array>
}

export class RestoredOperator implements RestoredState {
  readonly checkpointId: number
  readonly finished: boolean
  readonly committed: boolean
  readonly #options: RestoredOperatorOptions

  constructor(options: RestoredOperatorOptions) {
    this.#options = options
    this.checkpointId = options.checkpointId
    this.finished = options.restore.finished
    this.committed = options.committed ?? false
  }

  readTables(
    take: (table: StateTable) => ((row: any, keyHash: number, timestamp: number) => void) | undefined,
  ): Promise<void> {
    const { restore, range, maxParallelism, read } = this.#options
    return restoreKeyed({ snapshots: restore.keyed, range, maxParallelism, read, take })
  }

  get lists(): readonly { name: string; mode: ListMode }[] {
    return this.#options.restore.lists
  }

  async list(name: string): Promise<unknown[]> {
    const elements: unknown[] = []
    const unpackr = createUnpackr()
    for (const list of this.#options.restore.lists) {
      if (list.name !== name) continue
      for (const { handle, offsets, from, to } of list.parts) {
        if (from >= to) continue
        const bytes = await this.#options.read(handle).catch((error) => {
          throw unreadableState([name], error)
        })
        for (let i = from; i < to; i++) {
          // A copy: msgpackr may hand out views of its input.
          const element = bytes.slice(offsets[i]!, i + 1 < offsets.length ? offsets[i + 1]! : bytes.length)
          elements.push(unpackr.unpack(element))
        }
      }
    }
    return elements
  }
}
