/**
 * A subtask of the operator that a harness drives, and what it has given. Nothing happens by itself: {@link HarnessSubtask.settle} does what a task would do
 * in its next turns.
 */
import { NO_TIMESTAMP } from '../core/clock.ts'
import { hotCopy, oneCopy } from '../core/hot-copy.ts'
import type { OperatorSpec } from '../graph/operator-spec.ts'
import type { BaseOperator, Receiver } from '../operators/operator.ts'
import { FakeContext, type FakeContextOptions } from './operator-context.ts'

/** A record that an operator has emitted. */
export interface HarnessRecord<T> {
  readonly value: T
  /** null: it has none. */
  readonly timestamp: number | null
  /** Which subtask emitted it, from 0. */
  readonly subtask: number
}

/** Output of all subtasks, in the order in which it came. */
export class HarnessOutput {
  readonly main: HarnessRecord<any>[] = []
  readonly #sides = new Map<string, HarnessRecord<any>[]>()

  /** Of a side output; empty when nothing was emitted to it. */
  side(tagId: string): HarnessRecord<any>[] {
    let records = this.#sides.get(tagId)
    if (records === undefined) this.#sides.set(tagId, (records = []))
    return records
  }
}

class Written implements Receiver {
  watermarkMs = -Infinity
  readonly #records: HarnessRecord<any>[]
  readonly #subtask: number
  constructor(records: HarnessRecord<any>[], subtask: number) {
    this.#records = records
    this.#subtask = subtask
  }
  process(value: any, timestamp: number): void {
    this.#records.push({ value, timestamp: timestamp === NO_TIMESTAMP ? null : timestamp, subtask: this.#subtask })
  }
  watermark(timestampMs: number): void {
    this.watermarkMs = timestampMs
  }
  status(): void {}
}

class HarnessContext extends FakeContext {
  readonly #output: HarnessOutput
  constructor(options: FakeContextOptions, output: HarnessOutput) {
    super(options)
    this.#output = output
  }
  override sideOutput(tagId: string): any {
    return new Written(this.#output.side(tagId), this.task.subtaskIndex)
  }
}

export class HarnessSubtask {
  readonly operator: BaseOperator
  readonly context: FakeContext
  readonly #written: Written

  private constructor(operator: BaseOperator, context: FakeContext, written: Written) {
    this.operator = operator
    this.context = context
    this.#written = written
  }

  /** All subtasks of all harnesses share one copy of the operator's module. `next`: instead of the output. */
  static async open(
    { module, options }: OperatorSpec,
    place: FakeContextOptions,
    output: HarnessOutput,
    next?: Receiver,
  ): Promise<HarnessSubtask> {
    const copy = oneCopy.acquire()
    const context = new HarnessContext({ ...place, copy }, output)
    const written = new Written(output.main, context.task.subtaskIndex)
    const { Operator } = await hotCopy<{ Operator: new (options: any) => BaseOperator }>(`operators/${module}`, copy)
    const subtask = new HarnessSubtask(new Operator(options), context, written)
    subtask.operator.next = next ?? written
    try {
      await subtask.operator.open(context)
    } catch (error) {
      // The first cause counts.
      await subtask.close().catch(() => {})
      throw error
    }
    return subtask
  }

  /** The last watermark that it gave. */
  get watermarkMs(): number {
    return this.#written.watermarkMs
  }

  /** Goes on with long work and fires the timers that are due by now, until nothing is left; throws what the operator failed with meanwhile. */
  settle(): void {
    const { operator, context } = this
    do while (operator.busy) operator.resume()
    while (context.fireNext(context.clock.now()))
    operator.publish()
    if (context.failures.length > 0) throw context.failures.shift()
  }

  /** Moves the clock and fires the timers that come due on the way, each at its own time. */
  advanceTo(timeMs: number): void {
    while (this.context.fireNext(timeMs)) this.settle()
    this.context.clock.set(timeMs)
    this.settle()
  }

  async close(): Promise<void> {
    await this.operator.close()
  }
}
