/**
 * Lets a test say how many records a source may emit, while its job runs in the test's thread: so it can wait for what the first records
 * have caused before the next ones come.
 */
import type { ReaderOutput, Source, SplitOutput } from '../core/source.ts'

export interface Meter {
  /** Records that may still be emitted; of all readers together. */
  allowed: number
}

/** At `allowed` 0 the source is idle, and looks again each millisecond. */
export function metered<T>(source: Source<T>, meter: Meter): Source<T> {
  return {
    ...source,
    createReader: (context) => {
      const reader = source.createReader(context)
      const poll = reader.poll.bind(reader)
      let counting: ReaderOutput<T> | undefined
      reader.poll = (output, max) => {
        const most = Math.min(max, meter.allowed)
        if (most <= 0) {
          context.wakeAt(context.clock.monotonic() + 1)
          return 'idle'
        }
        counting ??= counted(output, meter)
        return poll(counting, most)
      }
      return reader
    },
  }
}

function counted<T>(output: ReaderOutput<T>, meter: Meter): ReaderOutput<T> {
  const count = (inner: SplitOutput<T>): SplitOutput<T> => ({
    collect: (value, timestamp) => {
      meter.allowed--
      inner.collect(value, timestamp)
    },
    markIdle: () => inner.markIdle(),
    markActive: () => inner.markActive(),
  })
  return { ...count(output), split: (id) => count(output.split(id)), release: (id) => output.release(id) }
}
