/**
 * Prints records, one line each, with Flink's prefix: `2> ` for the second subtask when there are several, `late:2> ` with a name.
 */
import { inspect } from 'node:util'
import { BaseOperator, type OperatorContext } from './operator.ts'

/** Lines are handed over when they are this many characters, and once a turn. */
const TEXT_MAX = 16_384

export class Operator extends BaseOperator {
  readonly #stream: 'stdout' | 'stderr'
  readonly #name: string | undefined
  #prefix = ''
  #text = ''
  #timer: number | undefined

  constructor({ stream, prefix }: { stream: 'stdout' | 'stderr'; prefix?: string | undefined }) {
    super()
    this.#stream = stream
    this.#name = prefix
  }
  override open(context: OperatorContext): void {
    super.open(context)
    const { parallelism, subtaskIndex } = context.task
    const number = parallelism > 1 ? `${subtaskIndex + 1}` : ''
    const name = this.#name ?? ''
    if (name !== '' || number !== '') this.#prefix = `${name}${name !== '' && number !== '' ? ':' : ''}${number}> `
  }
  process(value: any): void {
    this.#text += `${this.#prefix}${typeof value === 'string' ? value : inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 8 })}\n`
    if (this.#text.length >= TEXT_MAX) this.#flush()
    else this.#timer ??= this.context.registerTimer(this.context.clock.now(), () => this.#flush())
  }
  override watermark(): void {}
  override status(): void {}
  override finish(): void {
    this.#flush()
  }
  #flush(): void {
    this.#timer = undefined
    if (this.#text === '') return
    this.context.slot.print(this.#stream, this.#text)
    this.#text = ''
  }
}
