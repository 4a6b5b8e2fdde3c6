/**
 * The floating buffers of one receiving slot, in shared memory. Senders of all slots take, the receiver gives back.
 *
 * Layout: Int32 header [0] top of the free stack, [1..] next index of each free buffer; then the buffers, each of BUFFER_BYTES.
 * Algorithm: Treiber's lock-free stack; the upper half of `top` counts changes, so that a top that went away and came back is noticed.
 */

/** Capacity of a floating buffer: one full batch. */
export const BUFFER_BYTES = 32768
const EMPTY = 0xffff

export class BufferPool {
  readonly view: DataView
  readonly bytes: Buffer
  readonly size: number
  /** Byte position of buffer 0. */
  readonly #dataStart: number
  readonly #cells: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.size = BufferPool.#sizeOf(buffer.byteLength)
    this.#dataStart = BufferPool.#header(this.size)
    this.#cells = new Int32Array(buffer, 0, this.size + 1)
    this.view = new DataView(buffer)
    this.bytes = Buffer.from(buffer)
  }

  static #header(size: number): number {
    return Math.ceil(((size + 1) * 4) / 64) * 64
  }

  static #sizeOf(byteLength: number): number {
    let size = Math.floor(byteLength / BUFFER_BYTES)
    while (BufferPool.#header(size) + size * BUFFER_BYTES > byteLength) size--
    return size
  }

  /** Memory for `size` buffers, all free. */
  static allocate(size: number): SharedArrayBuffer {
    if (!(size >= 1 && size < EMPTY))
      throw new RangeError(`Cannot make a pool of ${size} buffers: wanted 1 to ${EMPTY - 1}`)
    const buffer = new SharedArrayBuffer(BufferPool.#header(size) + size * BUFFER_BYTES)
    const cells = new Int32Array(buffer, 0, size + 1)
    for (let i = 0; i < size; i++) cells[1 + i] = i + 1 < size ? i + 1 : EMPTY
    cells[0] = 0
    return buffer
  }

  /** Index of a buffer that is now the caller's; -1 when none is free. */
  take(): number {
    const cells = this.#cells
    for (;;) {
      const top = Atomics.load(cells, 0)
      const index = top & 0xffff
      if (index === EMPTY) return -1
      const next = Atomics.load(cells, 1 + index)
      if (Atomics.compareExchange(cells, 0, top, (((top >>> 16) + 1) << 16) | next) === top) return index
    }
  }

  give(index: number): void {
    const cells = this.#cells
    for (;;) {
      const top = Atomics.load(cells, 0)
      Atomics.store(cells, 1 + index, top & 0xffff)
      if (Atomics.compareExchange(cells, 0, top, (((top >>> 16) + 1) << 16) | index) === top) return
    }
  }

  hasFree(): boolean {
    return (Atomics.load(this.#cells, 0) & 0xffff) !== EMPTY
  }

  /** Byte position of a buffer in `view` and `bytes`. */
  start(index: number): number {
    return this.#dataStart + index * BUFFER_BYTES
  }

  /** For tests and metrics: counts the free stack. Only exact while no one changes it. */
  free(): number {
    let n = 0
    for (let i = Atomics.load(this.#cells, 0) & 0xffff; i !== EMPTY; i = Atomics.load(this.#cells, 1 + i)) n++
    return n
  }
}
