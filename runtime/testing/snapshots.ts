/**
 * Takes the state of one operator at a barrier and gives it back to others, in memory: what a task and the store of checkpoints do, for tests that drive
 * operators by hand. Rows and elements are encoded when they are given, so a test sees what a job would see: later changes of a value are not in it.
 *
 * @example
 * const taken = await takeSnapshot(operator, barrier(1))
 * const second = await openOperator(new Operator(options), { restored: restoredFrom([taken], 0, 1) })
 */
import { Packr } from 'msgpackr'
import type { ListMode, StateTable } from '../checkpoint/model.ts'
import type { Barrier } from '../core/checkpoint.ts'
import { assert } from '../core/errors.ts'
import { keyGroupRange } from '../core/key-groups.ts'
import type { BaseOperator, RestoredState, SnapshotWriter, TableWriter } from '../operators/operator.ts'

const packr = new Packr({ moreTypes: true, useBigIntExtension: true })

/** What one subtask gave. */
export interface TakenSnapshot {
  barrier: Barrier
  tables: { table: StateTable; rows: { row: Uint8Array; keyHash: number; timestamp: number }[] }[]
  lists: { name: string; mode: ListMode; elements: Uint8Array[] }[]
  /** It had finished all of its data. */
  finished: boolean
}

/** A barrier of a periodic checkpoint, or another. */
export function barrier(checkpointId: number, more: Partial<Barrier> = {}): Barrier {
  return { checkpointId, timestampMs: checkpointId * 1000, kind: 'checkpoint', then: 'go on', ...more }
}

/** A snapshot whose synchronous part is over; its long work goes on in {@link step}, as between the records of a task. */
export class SnapshotUnderWay implements SnapshotWriter {
  readonly barrier: Barrier
  readonly #taken: TakenSnapshot
  readonly #waits: Promise<void>[] = []
  #steps: (() => boolean)[] = []
  #closed = false

  constructor(of: Barrier) {
    this.barrier = of
    this.#taken = { barrier: of, tables: [], lists: [], finished: of.then === 'end' }
  }

  table(table: StateTable): TableWriter {
    this.#assertNew(this.#taken.tables.map((t) => t.table.name).includes(table.name), table.name)
    const rows: TakenSnapshot['tables'][number]['rows'] = []
    this.#taken.tables.push({ table, rows })
    const put: TableWriter['put'] = (row, keyHash, timestamp) => {
      assert(!this.#closed, `a row of "${table.name}" came after the snapshot was closed`)
      rows.push({ row: Buffer.from(packr.pack(row)), keyHash, timestamp })
    }
    return { put, putEarly: put }
  }
  list(name: string, mode: ListMode, elements: Iterable<unknown>): void {
    this.#assertNew(this.#taken.lists.map((list) => list.name).includes(name), name)
    this.#taken.lists.push({ name, mode, elements: [...elements].map((e) => Buffer.from(packr.pack(e))) })
  }
  later(step: () => boolean): void {
    this.#steps.push(step)
  }
  wait(promise: Promise<void>): void {
    promise.catch(() => {})
    this.#waits.push(promise)
  }

  #assertNew(known: boolean, name: string): void {
    assert(!this.#closed, `"${name}" came after the snapshot was closed`)
    assert(!known, `the snapshot has two states of the name "${name}"`)
  }

  /** One piece of long work; true when there is none left. */
  step(): boolean {
    const [first] = this.#steps
    if (first === undefined) return true
    if (first()) this.#steps = this.#steps.slice(1)
    return this.#steps.length === 0
  }

  /** Does all that is left, and waits for what the operator waits for. Rejects where the checkpoint would be declined. */
  async end(): Promise<TakenSnapshot> {
    while (!this.step());
    // What it waits for may ask to wait for more.
    for (let i = 0; i < this.#waits.length; i++) await this.#waits[i]
    this.#closed = true
    return this.#taken
  }
}

/** Lets a barrier pass and ends the synchronous part. */
export function beginSnapshot(operator: BaseOperator, of: Barrier): SnapshotUnderWay {
  operator.prepareBarrier(of)
  const writer = new SnapshotUnderWay(of)
  operator.snapshot(writer)
  return writer
}

export function takeSnapshot(operator: BaseOperator, of: Barrier): Promise<TakenSnapshot> {
  return beginSnapshot(operator, of).end()
}

/** What subtask `subtask` of `parallelism` gets of the snapshots of all subtasks of one checkpoint. */
export function restoredFrom(
  snapshots: readonly TakenSnapshot[],
  subtask: number,
  parallelism: number,
  maxParallelism = 128,
): RestoredState {
  const range = keyGroupRange(maxParallelism, parallelism, subtask)
  const lists = new Map(snapshots.flatMap((snapshot) => snapshot.lists).map(({ name, mode }) => [name, { name, mode }]))
  return {
    lists: [...lists.values()],
    checkpointId: snapshots[0]!.barrier.checkpointId,
    finished: snapshots.every((snapshot) => snapshot.finished),
    async readTables(take) {
      for (const { table, rows } of snapshots.flatMap((snapshot) => snapshot.tables)) {
        const put = take(table)
        for (const { row, keyHash, timestamp } of rows) {
          const group = (keyHash >>> 0) % maxParallelism
          if (group >= range.start && group <= range.end) put?.(packr.unpack(row), keyHash, timestamp)
        }
      }
    },
    async list(name) {
      const parts = snapshots.map((snapshot) => snapshot.lists.find((list) => list.name === name))
      const mode = lists.get(name)?.mode
      const all = parts.flatMap((part) => part?.elements ?? [])
      let own = all
      if (mode === 'split') own = all.filter((_, i) => i % parallelism === subtask)
      else if (mode === 'broadcast') own = parts[subtask % parts.length]?.elements ?? []
      return own.map((element) => packr.unpack(element))
    },
  }
}

/** Names and elements of the list states, for assertions. */
export function listsOf(snapshot: TakenSnapshot): Record<string, unknown[]> {
  return Object.fromEntries(snapshot.lists.map(({ name, elements }) => [name, elements.map((e) => packr.unpack(e))]))
}
