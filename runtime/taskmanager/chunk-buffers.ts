/**
 * Buffers for the chunks of a slot's snapshots. They travel to whoever stores them and come back, so a snapshot allocates nothing large: a large
 * allocation outside of the heap can set off a full collection, 50 ms per million entries (50 to 60 ms in half of all snapshots when it was measured).
 *
 * What must hold: the bound counts what is under way to the store only. A snapshot holds buffers that it has not filled; were they counted, many snapshots at
 * a time could wait for each other for ever.
 */
import { CHUNK_BYTES } from '../checkpoint/keyed-snapshot.ts'

/** 16 MiB: what is under way between a slot and its store. */
const UNDER_WAY_MAX = 64

export class ChunkBuffers {
  readonly #free: ArrayBuffer[] = []
  readonly #max: number
  #underWay = 0

  constructor(max = UNDER_WAY_MAX) {
    this.#max = max
  }

  /** True while a long snapshot may go on. */
  get available(): boolean {
    return this.#underWay < this.#max
  }

  /** Always gives one. */
  take(bytes: number): ArrayBuffer {
    if (bytes > CHUNK_BYTES) return new ArrayBuffer(bytes)
    return this.#free.pop() ?? new ArrayBuffer(CHUNK_BYTES)
  }

  /** One of them is on its way to the store. */
  sent(): void {
    this.#underWay++
  }

  /** It comes back. */
  returned(buffer: ArrayBuffer): void {
    this.#underWay--
    this.keep(buffer)
  }

  /** It was taken and is not needed. */
  keep(buffer: ArrayBuffer): void {
    if (buffer.byteLength === CHUNK_BYTES && this.#free.length < this.#max) this.#free.push(buffer)
  }
}
