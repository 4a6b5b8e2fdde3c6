/**
 * A thread that sleeps half a millisecond over and over and notes how much later than asked it woke: pauses that the host puts upon
 * every thread of the machine. Tails of latency are read beside it.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

const SLEEP_MS = 0.5
/** Cells: [0] 1 asks the thread to end. */
const STOP = 0

export class HostGaps {
  readonly #cells = new Int32Array(new SharedArrayBuffer(4))
  readonly #worker = new Worker(new URL(import.meta.url), { workerData: this.#cells.buffer })

  /** The longest gap since `start`, milliseconds; the thread ends. */
  async stop(): Promise<number> {
    const gap = new Promise<number>((resolve) => this.#worker.once('message', resolve))
    Atomics.store(this.#cells, STOP, 1)
    return await gap
  }
}

if (!isMainThread && workerData instanceof SharedArrayBuffer) {
  const cells = new Int32Array(workerData)
  const idle = new Int32Array(new SharedArrayBuffer(4))
  let longestMs = 0
  while (Atomics.load(cells, STOP) === 0) {
    const beforeMs = performance.now()
    Atomics.wait(idle, 0, 0, SLEEP_MS)
    longestMs = Math.max(longestMs, performance.now() - beforeMs - SLEEP_MS)
  }
  parentPort!.postMessage(longestMs)
}
