/**
 * How a window's accumulators are kept in a slice table: as columns of numbers, as objects, or as lists of records.
 *
 * An aggregation belongs to one operator. When it meets an accumulator that it cannot keep, `upsert` returns false and
 * leaves it in `deviant`; the operator then moves its tables to another aggregation (columns → objects) and puts it there.
 */
import type { Key } from '../../core/functions.ts'
import type { Segment } from './table.ts'

export interface Aggregation {
  /** Doubles per accumulator in the cells; -1: accumulators lie in `values`. */
  readonly columns: number
  /**
   * Adds a record to the accumulator of its key, which it makes for the key's first. False: the new accumulator is in `deviant`, the
   * key has a place, and what is stored there is not valid.
   */
  upsert(segment: Segment, key: Key, hash: number, value: any): boolean
  /** The accumulator of a place: an object of its own where it comes from columns. */
  load(segment: Segment, place: number): any
  /** Stores an accumulator that was made elsewhere at a taken place; as `upsert`. */
  put(segment: Segment, place: number, accumulator: any): boolean
  deviant: any
}

/** Reduce and aggregate functions as one: what a first record makes, and what the next ones do to it. */
export interface Fold {
  first(value: any): any
  /** May change and return its accumulator. */
  add(value: any, accumulator: any): any
}
