/**
 * A job whose deployment is heavy: each subtask goes on with the union of many lists of all subtasks. The first attempt fails when a checkpoint is complete; the second one looks through all that it was
 * given, and goes on. Parameters: `lists` (of each subtask), `entries` (of each list), `marker` (a file that the first attempt writes when it fails).
 */
import { existsSync, writeFileSync } from 'node:fs'
import {
  type CheckpointedFunction,
  type Collector,
  type InitializationContext,
  type OperatorListState,
  type ProcessContext,
  ProcessFunction,
  type RuntimeContext,
  type StreamExecutionEnvironment,
  WatermarkStrategy,
} from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'

class Heavy extends ProcessFunction<number, string> implements CheckpointedFunction {
  readonly #lists: number
  readonly #entries: number
  readonly #marker: string
  #states: OperatorListState<string>[] = []
  #restored = 0
  #complete = false
  #subtask = 0
  #parallelism = 0

  constructor(parameters: Readonly<Record<string, string>>) {
    super()
    this.#lists = Number(parameters.lists)
    this.#entries = Number(parameters.entries)
    this.#marker = parameters.marker!
  }

  override open({ task }: RuntimeContext): void {
    this.#subtask = task.subtaskIndex
    this.#parallelism = task.parallelism
  }

  initializeState({ operatorState, isRestored }: InitializationContext): void {
    this.#states = Array.from({ length: this.#lists }, (_, i) => operatorState.getUnionListState<string>(`list-${i}`))
    if (!isRestored) return
    for (const state of this.#states) this.#restored += [...state.get()].length
  }

  snapshotState(): void {
    for (const [i, state] of this.#states.entries())
      state.update(
        Array.from({ length: this.#entries }, (_, n) => `entry ${n} of list ${i} of subtask ${this.#subtask}`),
      )
  }

  notifyCheckpointComplete(): void {
    this.#complete = true
  }

  override processElement(_n: number, _context: ProcessContext, _out: Collector<string>): void {
    if (this.#restored > 0) {
      const wanted = this.#lists * this.#entries * this.#parallelism
      if (this.#restored !== wanted)
        throw new Error(`subtask ${this.#subtask} has ${this.#restored} of ${wanted} entries`)
    } else if (this.#complete && !existsSync(this.#marker)) {
      writeFileSync(this.#marker, '')
      throw new Error('once')
    }
  }
}

export default async function main(env: StreamExecutionEnvironment) {
  env
    .fromSource(
      dataGenSource({ generate: (index) => index, recordsPerSecond: 1000 }),
      WatermarkStrategy.noWatermarks(),
      'numbers',
    )
    .uid('numbers')
    .rebalance()
    .process(new Heavy(env.parameters))
    .uid('heavy')
    .print()
  await env.execute('heavy')
}
