/**
 * Reads batches of one edge and pushes their records into the head of a task. One per edge and task: the generated loop and the head are
 * compiled together, so that what the head does not use is not even cut out of the text.
 */

import { TailraceError } from '../core/errors.ts'
import type { TypeDescription } from '../core/types.ts'
import { BATCH_VERSION, FLAG_HASH, FLAG_MSGPACK, FLAG_UTF16, HASH_AT, HEADER_BYTES } from './batch.ts'
import { type ExtraReader, generateTake, isOpaque, type Take } from './codec.ts'
import { createUnpackr } from './msgpack.ts'

/** What a batch is pushed into. */
export interface Head {
  process(value: any, timestamp: number, keyHash?: number): void
  /** See {@link BaseOperator.beforeBatch}. */
  beforeBatch?(hashes: DataView, at: number, stride: number, count: number, bytes: number): void
}

export class BatchReader implements ExtraReader {
  readonly #head: Head
  readonly #unpackr = createUnpackr()
  readonly #withHash: boolean
  readonly #announces: boolean
  #take: Take | undefined
  #rowBytes = 0
  #bytes!: Buffer
  #extraAt = 0

  /** `withHash`: the edge is partitioned by key. */
  constructor(head: Head, withHash: boolean, type: TypeDescription | undefined) {
    this.#head = head
    this.#withHash = withHash
    this.#announces = withHash && head.beforeBatch !== undefined
    if (type !== undefined) this.setType(type)
  }

  setType(type: TypeDescription): void {
    if (this.#take !== undefined || isOpaque(type)) return
    const { makeTake, rowBytes } = generateTake(type, this.#withHash)
    this.#take = makeTake(this.#head)
    this.#rowBytes = rowBytes
  }

  /** False when the batch is typed and the type has not arrived yet: leave it in the channel. */
  canRead(view: DataView, at: number): boolean {
    return this.#take !== undefined || (view.getUint8(at + 1) & FLAG_MSGPACK) !== 0
  }

  /** Pushes the records of the batch at `at`; returns their number. */
  read(view: DataView, bytes: Buffer, at: number): number {
    const version = view.getUint8(at)
    if (version !== BATCH_VERSION) {
      throw new TailraceError(
        'TR-INTERNAL-001',
        `Cannot read a batch of format version ${version}: this is version ${BATCH_VERSION}`,
      )
    }
    const flags = view.getUint8(at + 1)
    const count = view.getUint16(at + 2, true)
    const rows = at + HEADER_BYTES
    const textAt = rows + view.getUint32(at + 16, true)
    const textEnd = textAt + view.getUint32(at + 20, true)
    const typed = (flags & FLAG_MSGPACK) === 0
    if (this.#announces) {
      this.#head.beforeBatch!(view, rows + HASH_AT, this.#rowBytes, typed ? count : 0, textEnd - rows)
    }
    if (!typed) this.#readMsgpack(view, bytes, rows, count, (flags & FLAG_HASH) !== 0)
    else {
      const text =
        textEnd === textAt
          ? ''
          : (flags & FLAG_UTF16) !== 0
            ? bytes.ucs2Slice(textAt, textEnd)
            : bytes.latin1Slice(textAt, textEnd)
      this.#bytes = bytes
      this.#extraAt = textEnd
      this.#take!(view, rows, count, text, this)
    }
    return count
  }

  #readMsgpack(view: DataView, bytes: Buffer, at: number, count: number, hashed: boolean): void {
    const head = this.#head
    for (let i = 0; i < count; i++) {
      const timestamp = view.getFloat64(at, true)
      const hash = hashed ? view.getUint32(at + 8, true) : 0
      at += hashed ? 12 : 8
      const length = view.getUint32(at, true)
      at += 4
      // A copy: msgpackr may hand out views of its input, and the buffer goes back to its writer.
      const value = this.#unpackr.unpack(Buffer.from(bytes.subarray(at, at + length)))
      at += length
      head.process(value, timestamp, hash)
    }
  }

  bytes(length: number): Uint8Array {
    const at = this.#extraAt
    this.#extraAt = at + length
    return new Uint8Array(this.#bytes.subarray(at, at + length))
  }

  any(length: number): unknown {
    return this.#unpackr.unpack(Buffer.from(this.bytes(length)))
  }
}
