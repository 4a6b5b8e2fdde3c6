/**
 * One line per record on standard output or error, as the program's own thread writes it: `n> ` before it, counted from 1, when
 * there are several subtasks; `prefix:n> ` or `prefix> ` when the author gave a prefix.
 *
 * Lines are buffered within a turn of the task and leave whole, so that those of several threads never mix.
 */
import { inspect } from 'node:util'
import { BaseOperator, type OperatorContext } from './operator.ts'

const BUFFERED_CHARS_MAX = 32_768

export interface PrintOptions {
  stream: 'stdout' | 'stderr'
  prefix?: string | undefined
}

export class Operator extends BaseOperator {
  readonly #stream: 'stdout' | 'stderr'
  readonly #given: string
  #prefix = ''
  #text = ''
  #written = 0

  constructor({ stream, prefix }: PrintOptions) {
    super()
    this.#stream = stream
    this.#given = prefix ?? ''
  }
  override open(context: OperatorContext): void {
    super.open(context)
    const { parallelism, subtaskIndex } = context.task
    const subtask = parallelism > 1 ? String(subtaskIndex + 1) : ''
    const prefix = [this.#given, subtask].filter((part) => part !== '').join(':')
    this.#prefix = prefix === '' ? '' : `${prefix}> `
  }
  override process(value: any): void {
    this.#written++
    this.#text += `${this.#prefix}${typeof value === 'string' ? value : inspect(value, INSPECT)}\n`
    if (this.#text.length >= BUFFERED_CHARS_MAX) this.#flush()
  }
  override watermark(): void {}
  override status(): void {}
  override publish(): void {
    this.#flush()
    this.context.metrics.add('numRecordsSend', this.#written)
    this.context.metrics.add('numRecordsOut', this.#written)
    this.#written = 0
  }
  override finish(): void {
    this.#flush()
  }
  /** What was printed before a failure is shown. */
  override close(): void {
    this.#flush()
  }

  #flush(): void {
    if (this.#text === '') return
    const text = this.#text
    this.#text = ''
    this.context.slot.print(this.#stream, text)
  }
}

/** On one line, whole. */
const INSPECT = { breakLength: Infinity, compact: true, depth: 8, maxArrayLength: null, maxStringLength: null } as const
