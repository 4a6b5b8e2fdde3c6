/**
 * The record of the jobs that run beside Flink, and the numbers that it is made of.
 *
 * Event i has key `mix(i) >>> 1 mod keys`, value `low 31 bits of (mix(i) ^ mix(i) >>> 32) mod 1000`, event time `floor(i * 1000 / rate)` and a
 * payload of 70 characters out of 1,024, where mix is the finalizer of splitmix64 over 64-bit integers. The numbers must be those of a
 * program with 64-bit integers (event.test.ts compares them with BigInt), as both systems are to do the same work.
 *
 * Two 32-bit halves stand for 64 bits here: BigInt costs ten times the rest of a record.
 */
export interface Event {
  ts: number
  key: number
  value: number
  payload: string
}

export const PAYLOADS = 1024
const PAYLOAD_CHARS = 70

/** Halves of the constants of splitmix64; those of the factors are cut once more for the upper half of a product. */
const STEP_HI = 0x9e3779b9
const STEP_LO = 0x7f4a7c15
const A_HI = 0xbf58476d | 0
const A_LO = 0x1ce4e5b9
const A_LO_LO = A_LO & 0xffff
const A_LO_HI = A_LO >>> 16
const B_HI = 0x94d049bb | 0
const B_LO = 0x133111eb
const B_LO_LO = B_LO & 0xffff
const B_LO_HI = B_LO >>> 16
const TWO_32 = 4294967296

/** Below it a quotient would have more bits than a double; above it a remainder more than an integer. */
const KEYS_MIN = 4096
const KEYS_MAX = 2 ** 30

/**
 * Keys and values of the events first, first + stride, first + 2 * stride, ...
 *
 * @example
 * const numbers = new EventNumbers(0, 1, 10_000)
 * numbers.fill(512)
 * numbers.keys[0] // key of event 0
 */
export class EventNumbers {
  static readonly CAPACITY = 1024
  readonly keys = new Int32Array(EventNumbers.CAPACITY)
  readonly values = new Int32Array(EventNumbers.CAPACITY)
  readonly #stride: number
  readonly #keyCount: number
  /** Halves of i + the step of splitmix64 for the next event i. */
  #hi: number
  #lo: number

  constructor(first: number, stride: number, keyCount: number) {
    if (!(keyCount >= KEYS_MIN && keyCount <= KEYS_MAX)) {
      throw new RangeError(`Cannot make events of ${keyCount} keys: wanted ${KEYS_MIN} to ${KEYS_MAX}`)
    }
    this.#stride = stride
    this.#keyCount = keyCount
    const lo = (first >>> 0) + STEP_LO
    this.#lo = lo | 0
    this.#hi = (Math.floor(first / TWO_32) + STEP_HI + (lo >= TWO_32 ? 1 : 0)) | 0
  }

  /** Fills `keys` and `values` with the next `n` events. */
  fill(n: number): void {
    const { keys, values } = this
    const stride = this.#stride
    const keyCount = this.#keyCount
    const inverse = 1 / keyCount
    let zLo = this.#lo
    let zHi = this.#hi
    // What the first step takes from the upper half; it changes once in 2^32 events.
    let shifted = zHi << 2
    let product = Math.imul(zHi ^ (zHi >>> 30), A_LO)
    for (let i = 0; i < n; i++) {
      let lo = zLo ^ ((zLo >>> 30) | shifted)
      // (hi, lo) * A: the upper half of lo * A_LO in 16-bit pieces, and the products that reach the upper half only.
      let left = lo >>> 16
      let right = lo & 0xffff
      let middle = (Math.imul(left, A_LO_LO) + (Math.imul(right, A_LO_LO) >>> 16)) | 0
      let hi =
        (Math.imul(left, A_LO_HI) +
          (middle >>> 16) +
          ((Math.imul(right, A_LO_HI) + (middle & 0xffff)) >>> 16) +
          product +
          Math.imul(lo, A_HI)) |
        0
      lo = Math.imul(lo, A_LO)
      lo ^= (lo >>> 27) | (hi << 5)
      hi ^= hi >>> 27
      left = lo >>> 16
      right = lo & 0xffff
      middle = (Math.imul(left, B_LO_LO) + (Math.imul(right, B_LO_LO) >>> 16)) | 0
      hi =
        (Math.imul(left, B_LO_HI) +
          (middle >>> 16) +
          ((Math.imul(right, B_LO_HI) + (middle & 0xffff)) >>> 16) +
          Math.imul(hi, B_LO) +
          Math.imul(lo, B_HI)) |
        0
      lo = Math.imul(lo, B_LO)
      lo ^= (lo >>> 31) | (hi << 1)
      hi ^= hi >>> 31
      values[i] = ((lo ^ hi) & 0x7fffffff) % 1000
      // The remainder by a quotient that is one off at most (a double has 53 bits), put right by its sign.
      const half = (lo >>> 1) | (hi << 31)
      const quotient = ((hi >>> 1) * TWO_32 + (half >>> 0)) * inverse
      let key = (half - Math.imul(quotient, keyCount)) | 0
      key = (key + (keyCount & (key >> 31)) - keyCount) | 0
      keys[i] = key + (keyCount & (key >> 31))
      zLo = (zLo + stride) | 0
      if (zLo >= 0 && zLo < stride) {
        zHi = (zHi + 1) | 0
        shifted = zHi << 2
        product = Math.imul(zHi ^ (zHi >>> 30), A_LO)
      }
    }
    this.#lo = zLo
    this.#hi = zHi
  }
}

/** splitmix64's finalizer of one number in two halves; for the payloads, where speed is of no concern. */
function mix(hi: number, lo: number): [hi: number, lo: number] {
  const sum = (lo >>> 0) + STEP_LO
  lo = sum | 0
  hi = (hi + STEP_HI + (sum >= TWO_32 ? 1 : 0)) | 0
  ;[hi, lo] = multiply(hi ^ (hi >>> 30), lo ^ ((lo >>> 30) | (hi << 2)), A_HI, A_LO)
  ;[hi, lo] = multiply(hi ^ (hi >>> 27), lo ^ ((lo >>> 27) | (hi << 5)), B_HI, B_LO)
  return [hi ^ (hi >>> 31), lo ^ ((lo >>> 31) | (hi << 1))]
}

function multiply(aHi: number, aLo: number, bHi: number, bLo: number): [hi: number, lo: number] {
  const middle = (Math.imul(aLo >>> 16, bLo & 0xffff) + (Math.imul(aLo & 0xffff, bLo & 0xffff) >>> 16)) | 0
  const upper =
    Math.imul(aLo >>> 16, bLo >>> 16) +
    (middle >>> 16) +
    ((Math.imul(aLo & 0xffff, bLo >>> 16) + (middle & 0xffff)) >>> 16)
  return [(upper + Math.imul(aHi, bLo) + Math.imul(aLo, bHi)) | 0, Math.imul(aLo, bLo)]
}

/** The payloads; event i has number i mod 1,024. Flat strings of one byte a character, as a decoded record has. */
export function makePayloads(): string[] {
  const bytes = Buffer.alloc(PAYLOAD_CHARS)
  return Array.from({ length: PAYLOADS }, (_, i) => {
    let [hi, lo] = mix(0, i + 1)
    for (let at = 0; at < PAYLOAD_CHARS; at++) {
      bytes[at] = 97 + ((((hi >>> 0) % 26) * (TWO_32 % 26) + ((lo >>> 0) % 26)) % 26)
      ;[hi, lo] = mix(hi, lo)
    }
    return bytes.toString('latin1')
  })
}
