/**
 * How a window's accumulators are kept in a slice table: as columns of numbers, as objects, or as lists of records.
 *
 * An aggregation belongs to one operator. When it meets an accumulator that it cannot keep, `first` and `add` return false and
 * leave it in `deviant`; the operator then moves its tables to another aggregation (columns → objects) and puts it there.
 */
import type { Segment } from './table.ts'

export interface Aggregation {
  /** Doubles per accumulator in the cells; -1: accumulators lie in `values`. */
  readonly columns: number
  /** Sets the accumulator of a new place from its first record. False: it is in `deviant`, and nothing is stored. */
  first(segment: Segment, place: number, value: any): boolean
  /** Adds a record to the accumulator of a place. False: the new accumulator is in `deviant`, and the old one is no longer valid. */
  add(segment: Segment, place: number, value: any): boolean
  /** The accumulator of a place: an object of its own where it comes from columns. */
  load(segment: Segment, place: number): any
  deviant: any
}

/** Reduce and aggregate functions as one: what a first record makes, and what the next ones do to it. */
export interface Fold {
  first(value: any): any
  /** May change and return its accumulator. */
  add(value: any, accumulator: any): any
}
