/**
 * Metrics of this process under the names that Flink uses for its JVM, so that dashboards of either work.
 *
 * What stands for what: Heap is V8's heap of the main thread; NonHeap is everything else that the process holds (slot heaps, state
 * tables, rings, code); Metaspace is code and its metadata; Direct is array buffers of the main thread. Collectors are V8's kinds,
 * main thread only: asking a slot would stop it. CPU covers all threads. What the system does not tell is left out, never zero.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { getHeapCodeStatistics, getHeapStatistics } from 'node:v8'
import type { Clock } from '../core/clock.ts'

export interface ProcessValue {
  /** Dots between groups: `Status.JVM.Memory.Heap.Used`. */
  name: string
  kind: 'gauge' | 'counter'
  value: number
}

/** The histogram times a timer of this period, so a reading of it means no delay. */
const DELAY_RESOLUTION_MS = 20
const DELAY_PERIOD_MS = 10_000

const COLLECTORS: Record<number, string> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'Scavenge',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'MarkCompact',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'IncrementalMarking',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'WeakCallbacks',
}

interface Collector {
  count: number
  timeMs: number
  /** Of the last look. */
  beforeMs: number
  msPerSecond: number
}

const collector = (): Collector => ({ count: 0, timeMs: 0, beforeMs: 0, msPerSecond: 0 })

export class ProcessReader {
  readonly #clock: Clock
  readonly #collectors = new Map<string, Collector>([
    ['All', collector()],
    ...Object.values(COLLECTORS).map((name): [string, Collector] => [name, collector()]),
  ])
  #observer: PerformanceObserver | undefined
  #delay: ReturnType<typeof monitorEventLoopDelay> | undefined
  /** Over the last whole period; undefined before there was one. */
  #delayMs: { mean: number; p99: number; max: number } | undefined
  #delaySinceMs: number
  #lookedMs: number
  #cpuMicros: number
  #load = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lookedMs = clock.monotonic()
    this.#delaySinceMs = this.#lookedMs
    this.#cpuMicros = cpuMicros()
  }

  start(): void {
    if (this.#observer !== undefined) return
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const kind = (entry as { detail?: { kind?: number } }).detail?.kind
        for (const name of ['All', COLLECTORS[kind ?? -1]]) {
          const found = name === undefined ? undefined : this.#collectors.get(name)
          if (found === undefined) continue
          found.count++
          found.timeMs += entry.duration
        }
      }
    })
    this.#observer.observe({ entryTypes: ['gc'] })
    this.#delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
    this.#delay.enable()
  }

  stop(): void {
    this.#observer?.disconnect()
    this.#observer = undefined
    this.#delay?.disable()
    this.#delay = undefined
  }

  /** Once a second: what is a rate is measured between two looks. */
  look(): void {
    const nowMs = this.#clock.monotonic()
    const spentMs = nowMs - this.#lookedMs
    if (spentMs < 100) return
    this.#lookedMs = nowMs
    const micros = cpuMicros()
    this.#load = Math.min(1, (micros - this.#cpuMicros) / 1000 / spentMs / availableParallelism())
    this.#cpuMicros = micros
    for (const one of this.#collectors.values()) {
      one.msPerSecond = ((one.timeMs - one.beforeMs) * 1000) / spentMs
      one.beforeMs = one.timeMs
    }
    if (this.#delay !== undefined && nowMs - this.#delaySinceMs >= DELAY_PERIOD_MS) {
      const { mean, max, count } = this.#delay
      if (count > 0) this.#delayMs = { mean: lateMs(mean), p99: lateMs(this.#delay.percentile(99)), max: lateMs(max) }
      this.#delay.reset()
      this.#delaySinceMs = nowMs
    }
  }

  values(): ProcessValue[] {
    const values: ProcessValue[] = []
    const put = (name: string, value: number | undefined, kind: ProcessValue['kind'] = 'gauge') => {
      if (value !== undefined) values.push({ name: `Status.${name}`, kind, value })
    }
    put('JVM.CPU.Load', this.#load)
    put('JVM.CPU.Time', cpuMicros() * 1000)
    const memory = process.memoryUsage()
    const heap = getHeapStatistics()
    put('JVM.Memory.Heap.Used', memory.heapUsed)
    put('JVM.Memory.Heap.Committed', memory.heapTotal)
    put('JVM.Memory.Heap.Max', heap.heap_size_limit)
    const rest = Math.max(0, memory.rss - memory.heapTotal)
    put('JVM.Memory.NonHeap.Used', rest)
    put('JVM.Memory.NonHeap.Committed', rest)
    put('JVM.Memory.NonHeap.Max', -1)
    const code = getHeapCodeStatistics()
    const codeBytes = code.code_and_metadata_size + code.bytecode_and_metadata_size
    put('JVM.Memory.Metaspace.Used', codeBytes)
    put('JVM.Memory.Metaspace.Committed', codeBytes)
    put('JVM.Memory.Metaspace.Max', -1)
    put('JVM.Memory.Direct.MemoryUsed', memory.arrayBuffers)
    put('JVM.Memory.Direct.TotalCapacity', memory.arrayBuffers)
    put('JVM.Threads.Count', entriesOf('/proc/self/task'))
    const filesMax = openFilesMax()
    put('FileDescriptor.Open', entriesOf('/proc/self/fd'))
    put('FileDescriptor.Open.Count', entriesOf('/proc/self/fd'))
    put('FileDescriptor.Max', filesMax)
    put('FileDescriptor.Max.Count', filesMax)
    for (const [name, { count, timeMs, msPerSecond }] of this.#collectors) {
      put(`JVM.GarbageCollector.${name}.Count`, count)
      put(`JVM.GarbageCollector.${name}.Time`, timeMs)
      put(`JVM.GarbageCollector.${name}.TimeMsPerSecond`, msPerSecond)
    }
    put('Process.ResidentMemory', memory.rss)
    put('EventLoop.DelayMsMean', this.#delayMs?.mean)
    put('EventLoop.DelayMsP99', this.#delayMs?.p99)
    put('EventLoop.DelayMsMax', this.#delayMs?.max)
    return values
  }
}

function lateMs(nanos: number): number {
  return Math.max(0, nanos / 1e6 - DELAY_RESOLUTION_MS)
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** How many entries a directory of /proc has; undefined where there is no /proc. */
function entriesOf(path: string): number | undefined {
  try {
    return readdirSync(path).length
  } catch {
    return undefined
  }
}

let filesMax: number | undefined | null = null

function openFilesMax(): number | undefined {
  if (filesMax === null) {
    try {
      const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
      filesMax = found === null ? undefined : Number(found[1])
    } catch {
      filesMax = undefined
    }
  }
  return filesMax
}
