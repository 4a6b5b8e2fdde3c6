/**
 * Avro's binary values, written to a buffer that grows. Each refuses what it cannot hold with {@link Unfit}.
 */

/** A value that its type cannot hold. */
export class Unfit extends Error {
  override readonly name = 'Unfit'
  readonly value: unknown
  /** In words: `an int`. */
  readonly wanted: string
  /** Where it stands, innermost first. */
  readonly path: (string | number)[] = []

  constructor(value: unknown, wanted: string) {
    super(`not ${wanted}`)
    this.value = value
    this.wanted = wanted
  }
}

/** Texts up to here are written byte by byte as long as they are ASCII. */
const SHORT_TEXT = 48
const VARINT_BYTES = 10
const INITIAL_BYTES = 1024

export class Output {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES)
  #pos = 0

  /** What has been written since; the next call of {@link reset} uses its memory again. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#pos)
  }

  /** @param reserved bytes at the beginning that the caller fills */
  reset(reserved = 0): void {
    this.#pos = reserved
  }

  boolean(value: unknown): void {
    if (typeof value !== 'boolean') throw new Unfit(value, 'a boolean')
    this.#room(1)
    this.#bytes[this.#pos++] = value ? 1 : 0
  }

  int(value: unknown): void {
    if (typeof value !== 'number' || (value | 0) !== value) throw new Unfit(value, 'an int (a whole number of 32 bits)')
    this.#long(value)
  }

  long(value: unknown): void {
    if (Number.isSafeInteger(value)) this.#long(value as number)
    else if (typeof value === 'bigint') this.#bigint(value)
    else throw new Unfit(value, 'a long (a whole number up to 2^53, or a bigint)')
  }

  float(value: unknown): void {
    if (typeof value !== 'number') throw new Unfit(value, 'a float')
    this.#room(4)
    this.#pos = this.#bytes.writeFloatLE(value, this.#pos)
  }

  double(value: unknown): void {
    if (typeof value !== 'number') throw new Unfit(value, 'a double')
    this.#room(8)
    this.#pos = this.#bytes.writeDoubleLE(value, this.#pos)
  }

  string(value: unknown): void {
    if (typeof value !== 'string') throw new Unfit(value, 'a text')
    const { length } = value
    if (length <= SHORT_TEXT) {
      this.#room(1 + SHORT_TEXT)
      const bytes = this.#bytes
      let pos = this.#pos
      bytes[pos++] = length * 2
      let i = 0
      for (; i < length; i++) {
        const c = value.charCodeAt(i)
        if (c > 127) break
        bytes[pos++] = c
      }
      if (i === length) {
        this.#pos = pos
        return
      }
    }
    const size = Buffer.byteLength(value)
    this.#long(size)
    this.#room(size)
    this.#pos += this.#bytes.utf8Write(value, this.#pos, size)
  }

  bytes(value: unknown): void {
    if (!(value instanceof Uint8Array)) throw new Unfit(value, 'bytes (a Uint8Array)')
    this.#long(value.length)
    this.raw(value)
  }

  fixed(value: unknown, size: number): void {
    if (!(value instanceof Uint8Array) || value.length !== size) throw new Unfit(value, `a Uint8Array of ${size} bytes`)
    this.raw(value)
  }

  /** The number of a branch or symbol, or of items. */
  index(value: number): void {
    this.#long(value)
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#pos)
    this.#pos += bytes.length
  }

  #long(value: number): void {
    this.#room(VARINT_BYTES)
    const bytes = this.#bytes
    let pos = this.#pos
    const magnitude = value < 0 ? -value - 1 : value
    let low = (magnitude % 2 ** 27) * 2 + (value < 0 ? 1 : 0)
    let high = Math.floor(magnitude / 2 ** 27)
    for (let i = 0; high > 0 && i < 4; i++) {
      bytes[pos++] = (low & 127) | 128
      low >>>= 7
    }
    if (high > 0) {
      while (high > 127) {
        bytes[pos++] = (high % 128) | 128
        high = Math.floor(high / 128)
      }
      bytes[pos++] = high
    } else {
      while (low > 127) {
        bytes[pos++] = (low & 127) | 128
        low >>>= 7
      }
      bytes[pos++] = low
    }
    this.#pos = pos
  }

  #bigint(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) throw new Unfit(value, 'a long (64 bits)')
    this.#room(VARINT_BYTES)
    let rest = value < 0n ? -value * 2n - 1n : value * 2n
    while (rest > 127n) {
      this.#bytes[this.#pos++] = Number(rest & 127n) | 128
      rest >>= 7n
    }
    this.#bytes[this.#pos++] = Number(rest)
  }

  #room(size: number): void {
    if (this.#pos + size <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#pos + size))
    larger.set(this.#bytes.subarray(0, this.#pos))
    this.#bytes = larger
  }
}
