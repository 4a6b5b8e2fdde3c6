/**
 * Buffers for the chunks of a slot's snapshots. They travel to whoever stores them and come back, so a snapshot allocates nothing large: a large
 * allocation outside of the heap can set off a full collection, 50 ms per million entries (50 to 60 ms in half of all snapshots when it was measured).
 */
import { CHUNK_BYTES } from '../checkpoint/keyed-snapshot.ts'

/** 16 MiB: what is under way between a slot and its store. */
const BUFFERS_MAX = 64

export class ChunkBuffers {
  readonly #free: ArrayBuffer[] = []
  /** Made, and not dropped. */
  #count = 0

  /** True while a long snapshot may go on without more than BUFFERS_MAX buffers. */
  get available(): boolean {
    return this.#free.length > 0 || this.#count < BUFFERS_MAX
  }

  /** Always gives one; beyond the bound for what cannot wait. */
  take(bytes: number): ArrayBuffer {
    if (bytes > CHUNK_BYTES) return new ArrayBuffer(bytes)
    const free = this.#free.pop()
    if (free !== undefined) return free
    this.#count++
    return new ArrayBuffer(CHUNK_BYTES)
  }

  /** One comes back. */
  give(buffer: ArrayBuffer): void {
    if (buffer.byteLength !== CHUNK_BYTES) return
    if (this.#count > BUFFERS_MAX) this.#count--
    else this.#free.push(buffer)
  }
}
