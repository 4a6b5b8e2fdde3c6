/**
 * The contract of sinks. Committers and writer state join it with the checkpoints.
 */
import type { RuntimeContext } from './functions.ts'

export interface Sink<T> {
  createWriter(context: SinkContext): SinkWriter<T>
  /** Text for the plan and the page. */
  describe?(): string
}

export interface SinkContext extends RuntimeContext {
  /** The writer can take records again after `pending()` was true. */
  wake(): void
  /** Fails the task from a callback. */
  fail(error: unknown): void
}

export interface SinkWriter<T> {
  /** Takes one record; never blocks. What cannot be written yet is kept in a bounded buffer, see `pending`. */
  write(value: T, timestamp: number): void
  /** True while the buffer is full: the task takes no input until it is false. Called once a batch. */
  pending?(): boolean
  /** Pushes out what is buffered. At `endOfInput` the promise resolves when all of it is durable. */
  flush(endOfInput: boolean): void | Promise<void>
  writeWatermark?(timestamp: number): void
  close(): void | Promise<void>
}
