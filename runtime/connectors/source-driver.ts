/**
 * Runs a source by hand, without a cluster: its enumerator and its readers in one thread, every split through JSON as it would travel.
 * Time stands still unless the caller moves it.
 *
 * @example
 * const driver = new SourceDriver(sequenceSource(1, 3), { parallelism: 2 })
 * await driver.untilEnd()
 * driver.values // [1, 2, 3] in some order
 */
import { ManualClock } from '../core/clock.ts'
import type { Counter, Gauge, MetricGroup } from '../core/metrics.ts'
import type {
  PollStatus,
  ReaderOutput,
  Source,
  SourceReader,
  SourceSplit,
  SplitEnumerator,
  SplitOutput,
} from '../core/source.ts'

export interface DriverOptions {
  parallelism?: number
  /** `max` of each poll. */
  max?: number
  clock?: ManualClock
  /** Go on from these instead of the beginning. */
  restore?: SourceSnapshot
}

/** What a checkpoint of a source would hold. JSON. */
export interface SourceSnapshot {
  enumerator: unknown
  splits: SourceSplit[]
}

interface DrivenReader<T> {
  reader: SourceReader<T>
  output: RecordingOutput<T>
  status: PollStatus
  woken: boolean
  wakeAtMs: number
}

export class SourceDriver<T> {
  readonly source: Source<T>
  readonly clock: ManualClock
  readonly max: number
  readonly readers: DrivenReader<T>[] = []
  readonly counters = new Map<string, number>()
  /** Subtasks that were told that there is no split for them now, in order. */
  readonly noneNow: number[] = []
  /** Values of side outputs. */
  readonly sides: { tagId: string; value: any }[] = []
  readonly #enumerator: SplitEnumerator<SourceSplit>
  readonly #timers = new Set<NodeJS.Timeout>()
  #error: unknown
  #closed = false
  #onProgress: (() => void) | undefined

  constructor(source: Source<T>, options: DriverOptions = {}) {
    const { parallelism = 1, restore } = options
    this.source = source
    this.clock = options.clock ?? new ManualClock()
    this.max = options.max ?? 100
    const context = {
      parallelism,
      readers: () => this.readers.map((_, i) => i),
      assign: (split: SourceSplit, subtask: number) => this.#to(subtask, (reader) => reader.addSplits([json(split)])),
      noMoreSplits: (subtask: number) => this.#to(subtask, (reader) => reader.noMoreSplits()),
      noSplitsNow: (subtask: number) => this.noneNow.push(subtask),
      sendEvent: (subtask: number, event: unknown) => this.#to(subtask, (reader) => reader.handleEvent?.(json(event))),
      callAsync: <R>(task: () => Promise<R>, then: (result: R) => void, everyMs?: number) => {
        void this.#callAsync(task, then, everyMs)
      },
      setIsProcessingBacklog: () => {},
    }
    this.#enumerator =
      restore === undefined
        ? source.createEnumerator(context)
        : source.restoreEnumerator!(context, json(restore.enumerator))
    this.#enumerator.start()
    for (let subtask = 0; subtask < parallelism; subtask++) this.readers.push(this.#createReader(subtask, parallelism))
    for (let subtask = 0; subtask < parallelism; subtask++) {
      this.readers[subtask]!.reader.start()
      const mine = restore?.splits.filter((_, i) => i % parallelism === subtask) ?? []
      if (mine.length > 0) this.readers[subtask]!.reader.addSplits(json(mine))
      this.#enumerator.addReader(subtask)
    }
  }

  /** Everything that was emitted, by reader. */
  get values(): T[] {
    return this.readers.flatMap((r) => r.output.values)
  }

  /** One poll of every reader that may have something; true when any emitted or changed. */
  step(): boolean {
    if (this.#error !== undefined) throw this.#error
    let worked = false
    for (const driven of this.readers) {
      if (driven.status === 'end') continue
      if (driven.status === 'idle' && !driven.woken && this.clock.monotonic() < driven.wakeAtMs) continue
      driven.woken = false
      if (this.clock.monotonic() >= driven.wakeAtMs) driven.wakeAtMs = Infinity
      const before = driven.output.values.length
      driven.status = driven.reader.poll(driven.output, this.max)
      if (driven.output.values.length > before || driven.status !== 'idle') worked = true
    }
    return worked
  }

  /** Steps until `done` or nothing is left to do; waits for callbacks. Throws what failed. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) {
      if (!this.step() && !done() && !this.readers.some((r) => r.woken || this.clock.monotonic() >= r.wakeAtMs)) {
        await new Promise<void>((resolve) => {
          this.#onProgress = resolve
        })
        this.#onProgress = undefined
      } else await Promise.resolve()
    }
    if (this.#error !== undefined) throw this.#error
  }

  /** Until all readers have ended. */
  untilEnd(): Promise<void> {
    return this.until(() => this.readers.every((r) => r.status === 'end'))
  }

  /** Lets callbacks come: disk, network. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 2))
  }

  snapshot(): SourceSnapshot {
    return json({ enumerator: this.#enumerator.snapshot(), splits: this.readers.flatMap((r) => r.reader.snapshot(1)) })
  }

  /** A reader fails and comes back; its splits, as they were assigned, return to the enumerator. */
  async failReader(subtask: number, splits: SourceSplit[]): Promise<void> {
    const old = this.readers[subtask]!
    await old.reader.close()
    this.readers[subtask] = this.#createReader(subtask, this.readers.length)
    this.#enumerator.addSplitsBack(json(splits), subtask)
    this.readers[subtask]!.reader.start()
    this.#enumerator.addReader(subtask)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#enumerator.close()
    for (const { reader } of this.readers) await reader.close()
  }

  /** What is on the way to a reader that failed meanwhile is lost, as it is in a cluster. */
  #to(subtask: number, action: (reader: SourceReader<T>) => void): void {
    const driven = this.readers[subtask]!
    this.#later(() => {
      if (this.readers[subtask] !== driven) return
      driven.woken = true
      action(driven.reader)
    })
  }

  #createReader(subtask: number, parallelism: number): DrivenReader<T> {
    const driven: DrivenReader<T> = {
      reader: undefined as never,
      output: new RecordingOutput<T>((tagId, value) => this.sides.push({ tagId, value })),
      status: 'more',
      woken: true,
      wakeAtMs: Infinity,
    }
    driven.reader = this.source.createReader({
      subtask,
      parallelism,
      requestSplit: () => this.#later(() => this.#enumerator.handleSplitRequest(subtask)),
      sendEvent: (event) => this.#later(() => this.#enumerator.handleEvent?.(subtask, json(event))),
      wake: () => {
        driven.woken = true
        this.#onProgress?.()
      },
      wakeAt: (monotonicMs) => {
        driven.wakeAtMs = Math.min(driven.wakeAtMs, monotonicMs)
      },
      fail: (error) => this.#fail(error),
      clock: this.clock,
      metrics: this.#group(''),
    })
    return driven
  }

  /** As messages between threads: never inside the call that sends them. */
  #later(action: () => void): void {
    queueMicrotask(() => {
      if (this.#closed) return
      try {
        action()
      } catch (error) {
        this.#fail(error)
      }
      this.#onProgress?.()
    })
  }

  async #callAsync<R>(task: () => Promise<R>, then: (result: R) => void, everyMs: number | undefined): Promise<void> {
    try {
      const result = await task()
      if (this.#closed) return
      then(result)
    } catch (error) {
      this.#fail(error)
      return
    }
    if (everyMs === undefined) return
    const timer = setTimeout(() => void this.#callAsync(task, then, everyMs), everyMs)
    this.#timers.add(timer)
  }

  #fail(error: unknown): void {
    this.#error ??= error
    this.#onProgress?.()
  }

  #group(prefix: string): MetricGroup {
    const cell = (name: string): Counter & Gauge => ({
      inc: (by = 1) => this.counters.set(prefix + name, (this.counters.get(prefix + name) ?? 0) + by),
      set: (value) => this.counters.set(prefix + name, value),
      value: () => this.counters.get(prefix + name) ?? 0,
    })
    return { counter: cell, gauge: cell, group: (name) => this.#group(`${prefix}${name}.`) }
  }
}

/** Writes down records and which split they came from. */
export class RecordingOutput<T> implements ReaderOutput<T> {
  readonly values: T[] = []
  readonly timestamps: number[] = []
  /** Splits seen and not released. */
  readonly open = new Set<string>()
  readonly released: string[] = []
  readonly idle = new Set<string>()
  readonly #sideOutput: (tagId: string, value: unknown) => void

  constructor(sideOutput: (tagId: string, value: unknown) => void) {
    this.#sideOutput = sideOutput
  }
  collect(value: T, timestamp: number): void {
    this.values.push(value)
    this.timestamps.push(timestamp)
  }
  markIdle(): void {}
  markActive(): void {}
  split(id: string): SplitOutput<T> {
    this.open.add(id)
    return {
      collect: (value, timestamp) => {
        this.idle.delete(id)
        this.collect(value, timestamp)
      },
      markIdle: () => void this.idle.add(id),
      markActive: () => void this.idle.delete(id),
    }
  }
  release(id: string): void {
    this.open.delete(id)
    this.released.push(id)
  }
  sideOutput(tagId: string, value: unknown): boolean {
    this.#sideOutput(tagId, value)
    return true
  }
}

const json = <V>(value: V): V => (value === undefined ? value : JSON.parse(JSON.stringify(value)))
