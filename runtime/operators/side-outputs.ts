/**
 * Emits to side outputs by tag. A tag that no one reads loses its records, so they are counted as a metric of their own.
 */

import { TailraceError } from '../core/errors.ts'
import type { Counter } from '../core/metrics.ts'
import type { OutputTag } from '../core/output-tag.ts'
import type { OperatorContext, Receiver } from './operator.ts'

/** Name of the counter of records given to tags that have no consumer. */
export const UNREAD_SIDE_OUTPUT = 'numRecordsSideOutputUnread'

export class SideOutputs {
  readonly #context: OperatorContext
  readonly #receivers = new Map<string, Receiver | undefined>()
  #unread: Counter | undefined
  /** The last tag: a function emits to the same one again and again. */
  #tag: OutputTag<any> | undefined
  #receiver: Receiver | undefined
  /** Records emitted to readers since {@link publish}. */
  emitted = 0

  constructor(context: OperatorContext) {
    this.#context = context
  }

  emit(tag: OutputTag<any>, value: any, timestamp: number): void {
    if (tag !== this.#tag) this.#select(tag)
    const receiver = this.#receiver
    if (receiver === undefined) {
      this.#unread!.inc()
      return
    }
    this.emitted++
    receiver.process(value, timestamp)
  }

  #select(tag: OutputTag<any>): void {
    if (typeof tag?.id !== 'string') {
      throw new TailraceError('TR-GRAPH-006', `Cannot emit to the side output ${String(tag)}: an OutputTag is wanted`)
    }
    if (!this.#receivers.has(tag.id)) this.#receivers.set(tag.id, this.#context.sideOutput(tag.id))
    this.#tag = tag
    this.#receiver = this.#receivers.get(tag.id)
    if (this.#receiver === undefined) this.#unread ??= this.#context.metrics.group.counter(UNREAD_SIDE_OUTPUT)
  }

  /** Moves the count into the page; returns it, for the operator's own numRecordsOut. */
  publish(): number {
    const { emitted } = this
    this.emitted = 0
    this.#context.metrics.add('numRecordsSideOutput', emitted)
    return emitted
  }
}
