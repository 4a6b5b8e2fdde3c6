/**
 * Avro's binary values, read from a part of a buffer. Every length is held to what is left of the part before anything is made of it.
 */
import { MalformedMessage } from '../format.ts'

/** Items of arrays that take no bytes (nulls) which one message may hold. */
const WEIGHTLESS_MAX = 100_000

const TWO_28 = 2 ** 28

export class Input {
  pos = 0
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0
  #weightless = 0
  /** Of the variable-length number read last: bits 0 to 27, and those above. */
  #low = 0
  #high = 0

  reset(bytes: Buffer, start: number, end: number): this {
    this.#bytes = bytes
    this.pos = start
    this.#start = start
    this.#end = end
    this.#weightless = 0
    return this
  }

  /** Throws unless all has been read. */
  finish(): void {
    if (this.pos !== this.#end) this.fail(`${this.#end - this.pos} bytes are left behind the value`)
  }

  fail(reason: string): never {
    throw new MalformedMessage(`${reason} (byte ${Math.min(this.pos, this.#end) - this.#start})`)
  }

  boolean(): boolean {
    if (this.pos >= this.#end) this.#cut()
    const byte = this.#bytes[this.pos++]
    if (byte! > 1) this.fail(`a boolean is ${byte}, wanted 0 or 1`)
    return byte === 1
  }

  int(): number {
    const value = this.long()
    if ((value | 0) !== value) this.fail(`the int ${value} has more than 32 bits`)
    return value
  }

  long(): number {
    const byte = this.#bytes[this.pos]!
    if (byte < 128 && this.pos < this.#end) {
      this.pos++
      return (byte >>> 1) ^ -(byte & 1)
    }
    this.#varint()
    const magnitude = (this.#low >>> 1) + this.#high * (TWO_28 / 2)
    const value = (this.#low & 1) === 0 ? magnitude : -magnitude - 1
    if (!Number.isSafeInteger(value))
      this.fail(`the long ${this.#exact()} is beyond 2^53; with longs: 'bigint' it is read`)
    return value
  }

  bigint(): bigint {
    this.#varint()
    return this.#exact()
  }

  #exact(): bigint {
    const magnitude = (BigInt(this.#high) << 27n) | BigInt(this.#low >>> 1)
    return (this.#low & 1) === 0 ? magnitude : -magnitude - 1n
  }

  #varint(): void {
    const bytes = this.#bytes
    let pos = this.pos
    let low = 0
    let high = 0
    let scale = 1
    for (let i = 0; ; i++) {
      if (pos >= this.#end) this.#cut()
      const byte = bytes[pos++]!
      if (i < 4) low |= (byte & 127) << (7 * i)
      else {
        high += (byte & 127) * scale
        scale *= 128
      }
      if (byte < 128) {
        if (i > 9 || (i === 9 && byte > 1)) this.fail('a number has more than 64 bits')
        break
      }
      if (i > 9) this.fail('a number has more than 64 bits')
    }
    this.pos = pos
    this.#low = low
    this.#high = high
  }

  float(): number {
    return this.#bytes.readFloatLE(this.#take(4))
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8))
  }

  string(): string {
    const at = this.#take(this.long())
    return this.#bytes.utf8Slice(at, this.pos)
  }

  bytes(): Buffer {
    return this.fixed(this.long())
  }

  /** A copy. */
  fixed(size: number): Buffer {
    const at = this.#take(size)
    return Buffer.from(this.#bytes.subarray(at, this.pos))
  }

  /** The number of a branch or symbol, of `count`. */
  index(count: number): number {
    const index = this.long()
    if (index < 0 || index >= count) this.fail(`there is no branch or symbol ${index}, only ${count}`)
    return index
  }

  /** Items of the next block of an array or map; 0: there is none. */
  items(): number {
    const count = this.long()
    if (count >= 0) return count
    this.long()
    return -count
  }

  /** As {@link items}; steps over the block itself where its size is known. Then it is 0 only at the end, and -1 for a block stepped over. */
  skipItems(): number {
    const count = this.long()
    if (count >= 0) return count
    this.skip(this.long())
    return -1
  }

  skip(size: number): void {
    this.#take(size)
  }

  /** An item took no bytes: only their count bounds such items. */
  weightless(): void {
    if (++this.#weightless > WEIGHTLESS_MAX) this.fail(`an array has more than ${WEIGHTLESS_MAX} items of no size`)
  }

  /** Where the next `size` bytes begin. */
  #take(size: number): number {
    const at = this.pos
    if (size < 0) this.fail(`a length is ${size}`)
    if (size > this.#end - at) this.fail(`${size} bytes should follow, ${this.#end - at} are there`)
    this.pos = at + size
    return at
  }

  #cut(): never {
    this.fail('the message ends within a value')
  }
}
