/**
 * Hands records to the program (executeAndCollect). Takes no more while the program has not acknowledged a bounded number of values.
 */
import { BaseOperator, type OperatorContext } from './operator.ts'

/** Values on their way. */
const UNACKNOWLEDGED_MAX = 4096
const BATCH_MAX = 512

export class Operator extends BaseOperator {
  readonly #collectId: string
  #batch: unknown[] = []
  #onWay = 0
  #timer: number | undefined

  constructor({ collectId }: { collectId: string }) {
    super()
    this.#collectId = collectId
  }
  override open(context: OperatorContext): void {
    super.open(context)
    context.slot.onCollectAck(this.#collectId, (count) => {
      this.#onWay -= count
      context.wake()
    })
  }
  process(value: any): void {
    this.#batch.push(value)
    if (this.#batch.length >= BATCH_MAX) this.#flush()
    else this.#timer ??= this.context.registerTimer(this.context.clock.now(), () => this.#flush())
  }
  override watermark(): void {}
  override status(): void {}
  override pending(): boolean {
    return this.#onWay >= UNACKNOWLEDGED_MAX
  }
  override finish(): void {
    this.#flush()
  }
  #flush(): void {
    this.#timer = undefined
    if (this.#batch.length === 0) return
    const values = this.#batch
    this.#batch = []
    this.#onWay += values.length
    this.context.slot.collected(this.#collectId, values)
  }
}
