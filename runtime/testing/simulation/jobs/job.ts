/**
 * A job of the simulation: its results must not depend on the order in which events of different lanes meet, and an oracle says in a few lines what must come out.
 */
import type { DataStream } from '../../../api/data-stream.ts'
import type { StreamExecutionEnvironment } from '../../../api/environment.ts'
import type { Here } from '../here.ts'
import type { Event, Lanes } from '../input.ts'

/** What a job is built from. */
export interface Parts {
  env: StreamExecutionEnvironment
  here: Here
  /** Events of the first input, or of the second. */
  read(which: 'first' | 'second'): DataStream<Event>
  inputs: { first: Lanes; second: Lanes }
  sink(stream: DataStream<string>, name: string): void
  /** For operators that need not have the job's parallelism: the same at each call of one place. */
  parallelism(place: number): number
}

export interface Job {
  name: string
  /** A record that is processed again gives what it gave before, and nothing else changes: so at least once can be checked. */
  stateless?: boolean
  /** Results are `key=number`, and only the sum of each key's numbers is fixed. */
  sums?: boolean
  /** Results at the end of the input may be missing, as the engine promises none. */
  mayLack?: boolean
  build(parts: Parts): void
  /** What must come out, in no order. */
  expected(first: Lanes, second: Lanes): string[]
}

/** Values by key, in the order of the events. */
export function groupBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> {
  return Map.groupBy(items, keyOf)
}

export function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const n of numbers) total += n
  return total
}
