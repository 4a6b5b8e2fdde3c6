/**
 * Reads the metrics of a cluster from shared memory, once a second while jobs run, and whenever somebody asks.
 *
 * What must hold: reading never asks a slot and never waits. Jobs that the cluster has forgotten are forgotten here.
 */
import type { Clock } from '../core/clock.ts'
import { JobReader } from './job-reader.ts'
import { jobEnded, type MeasuredCluster, type MeasuredJob } from './measured.ts'
import { ProcessReader } from './process-reader.ts'

const LOOK_EVERY_MS = 1000

export type MeasuredProcess = Pick<ProcessReader, 'start' | 'look' | 'values' | 'stop'>

/**
 * @example
 * const metrics = new MetricsReader(dispatcher, systemClock)
 * metrics.start()
 * metrics.read(dispatcher.view(jobId)!).task(vertexId, 0)?.perSecond('numRecordsIn', 5000, metrics.nowMs())
 * metrics.stop()
 */
export class MetricsReader {
  readonly cluster: MeasuredCluster
  readonly process: MeasuredProcess
  readonly #clock: Clock
  readonly #jobs = new Map<string, JobReader>()
  #timer: NodeJS.Timeout | undefined

  /** @param process of this process; one of its own unless given */
  constructor(cluster: MeasuredCluster, clock: Clock, process: MeasuredProcess = new ProcessReader(clock)) {
    this.cluster = cluster
    this.#clock = clock
    this.process = process
  }

  /** Begins to look once a second. The timer does not keep the process alive. */
  start(): void {
    if (this.#timer !== undefined) return
    this.process.start()
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS)
    this.#timer.unref()
    this.look()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.process.stop()
  }

  /** Monotonic, for rates. */
  nowMs(): number {
    return this.#clock.monotonic()
  }

  /** Milliseconds since 1970. */
  timeMs(): number {
    return this.#clock.now()
  }

  /** Remembers what running jobs have counted up to now. */
  look(): void {
    const nowMs = this.nowMs()
    const known = new Set<string>()
    for (const { id, status } of this.cluster.list()) {
      known.add(id)
      if (jobEnded(status)) continue
      const job = this.cluster.view(id)
      if (job !== undefined) this.#reader(id).update(job, nowMs)
    }
    for (const id of this.#jobs.keys()) if (!known.has(id)) this.#jobs.delete(id)
    this.process.look()
  }

  /** Values of a job as of now. */
  read(job: MeasuredJob): JobReader {
    const reader = this.#reader(job.id)
    reader.update(job)
    return reader
  }

  #reader(jobId: string): JobReader {
    let reader = this.#jobs.get(jobId)
    if (reader === undefined) {
      reader = new JobReader()
      this.#jobs.set(jobId, reader)
    }
    return reader
  }
}
