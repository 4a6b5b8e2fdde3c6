/**
 * The sink of executeAndCollect: sends values to the program in batches, and takes no more input while more than
 * {@link UNACKNOWLEDGED_MAX} of them have not been taken there.
 */
import { BaseOperator, type OperatorContext } from './operator.ts'

/** Values per message. */
export const BATCH_MAX = 256
/** Sent or waiting, and not acknowledged. A bound on memory in the program, met to within one turn of the task. */
export const UNACKNOWLEDGED_MAX = 4096

export class Operator extends BaseOperator {
  readonly #collectId: string
  #values: unknown[] = []
  #unacknowledged = 0
  #sent = 0

  constructor({ collectId }: { collectId: string }) {
    super()
    this.#collectId = collectId
  }
  override open(context: OperatorContext): void {
    super.open(context)
    context.slot.onCollectAck(this.#collectId, (count) => {
      const wasPending = this.pending()
      this.#unacknowledged -= count
      if (wasPending && !this.pending()) context.wake()
    })
  }
  override process(value: any): void {
    this.#values.push(value)
    this.#unacknowledged++
    if (this.#values.length >= BATCH_MAX) this.#flush()
  }
  override watermark(): void {}
  override status(): void {}
  override pending(): boolean {
    return this.#unacknowledged >= UNACKNOWLEDGED_MAX
  }
  override publish(): void {
    this.#flush()
    this.context.metrics.add('numRecordsSend', this.#sent)
    this.context.metrics.add('numRecordsOut', this.#sent)
    this.#sent = 0
  }
  override finish(): void {
    this.#flush()
  }

  #flush(): void {
    if (this.#values.length === 0) return
    const values = this.#values
    this.#values = []
    this.#sent += values.length
    this.context.slot.collected(this.#collectId, values)
  }
}
