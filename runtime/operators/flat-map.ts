/**
 * Any number of records out for each record in, with its timestamp: first what the function gives to its collector, then what it
 * returns.
 */
import type { Collector } from '../core/functions.ts'
import { FunctionOperator } from './function-operator.ts'
import type { OperatorContext, Receiver } from './operator.ts'

/** What the function sees as `out`. */
class Output implements Collector<any> {
  next!: Receiver
  timestamp = 0
  /** Records emitted since the last publish. */
  emitted = 0

  collect(value: any): void {
    this.emitted++
    this.next.process(value, this.timestamp)
  }
}

export class Operator extends FunctionOperator {
  readonly fn: (value: any, out: Collector<any>) => Iterable<any> | void
  readonly out = new Output()

  constructor({ fn }: { fn: any }) {
    super(fn)
    this.fn = typeof fn === 'function' ? fn : (value, out) => fn.flatMap(value, out)
  }
  override open(context: OperatorContext): void | Promise<void> {
    this.out.next = this.next
    return super.open(context)
  }
  override process(value: any, timestamp: number): void {
    const out = this.out
    out.timestamp = timestamp
    const results = this.fn(value, out)
    // An arrow such as (v, out) => out.collect(v) may give anything that is no list; null and undefined are the common ones.
    if (results === undefined || results === null) return
    if (Array.isArray(results)) {
      // By index: an array that its own function fills further is read to its end, and no iterator is made.
      for (let i = 0; i < results.length; i++) out.collect(results[i])
      return
    }
    if (typeof (results as any)[Symbol.iterator] === 'function') for (const result of results) out.collect(result)
  }
  override publish(): void {
    this.context.metrics.add('numRecordsOut', this.out.emitted)
    this.out.emitted = 0
  }
}
