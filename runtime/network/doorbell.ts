/**
 * Wakes the loop of a slot. Whoever makes data or credit available rings; the bell sounds only when the loop sleeps.
 *
 * Two cells of shared memory: [0] sequence of rings, [1] 1 while the loop sleeps or is about to. The loop announces its sleep, looks
 * once more for work, and then waits for the sequence to change. A ringer publishes first and looks at the sleeping cell second. Both
 * orders are sequentially consistent, so one of them sees the other.
 */
const SEQUENCE = 0
const SLEEPING = 1
const NEVER = new Int32Array(new SharedArrayBuffer(4))

export class Doorbell {
  readonly #cells: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.#cells = new Int32Array(buffer)
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(8)
  }

  ring(): void {
    if (Atomics.load(this.#cells, SLEEPING) === 1) {
      Atomics.store(this.#cells, SLEEPING, 0)
      Atomics.add(this.#cells, SEQUENCE, 1)
      Atomics.notify(this.#cells, SEQUENCE)
    }
  }

  /** First half of going to sleep; look for work after it. */
  announceSleep(): number {
    Atomics.store(this.#cells, SLEEPING, 1)
    return Atomics.load(this.#cells, SEQUENCE)
  }

  /** The look found work. */
  stayAwake(): void {
    Atomics.store(this.#cells, SLEEPING, 0)
  }

  /** True when it has rung since `sequence` was taken. */
  rungSince(sequence: number): boolean {
    return Atomics.load(this.#cells, SEQUENCE) !== sequence
  }

  /**
   * Second half: resolves at a ring since `sequence` was taken, or after `timeoutMs`. Does not block the thread, so that messages and
   * callbacks of connectors run meanwhile.
   */
  wait(sequence: number, timeoutMs: number): Promise<unknown> | undefined {
    const wait = Atomics.waitAsync(this.#cells, SEQUENCE, sequence, timeoutMs)
    return wait.async ? wait.value : undefined
  }

  /** Blocks the thread for a moment that no ring ends: who publishes meanwhile need not ring, and the loop finds it all at once. */
  nap(ms: number): void {
    Atomics.wait(NEVER, 0, 0, ms)
  }

  /** As `wait`, but blocks the thread: several times cheaper, and nothing else of the thread runs meanwhile. */
  block(sequence: number, timeoutMs: number): void {
    Atomics.wait(this.#cells, SEQUENCE, sequence, timeoutMs)
    Atomics.store(this.#cells, SLEEPING, 0)
  }
}
