/**
 * The record of the jobs that run beside Flink, and the numbers that it is made of.
 *
 * Event i has key `mix(i) >>> 1 mod keys`, value `low 31 bits of (mix(i) ^ mix(i) >>> 32) mod 1000`, event time `floor(i * 1000 / rate)` and a
 * payload of 70 characters out of 1,024, where mix is the finalizer of splitmix64 over 64-bit integers. The numbers must be those of a
 * program with 64-bit integers (event.test.ts compares them with BigInt), as both systems are to do the same work.
 */
export interface Event {
  ts: number
  key: number
  value: number
  payload: string
}

export const PAYLOADS = 1024
const PAYLOAD_CHARS = 70

/** Halves of the constants of splitmix64. */
const STEP_HI = 0x9e3779b9
const STEP_LO = 0x7f4a7c15
const A_HI = 0xbf58476d | 0
const A_LO = 0x1ce4e5b9
const B_HI = 0x94d049bb | 0
const B_LO = 0x133111eb
const TWO_32 = 4294967296

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
  readonly keys: Int32Array
  readonly values: Int32Array
  readonly #fill: Fill
  readonly #stride: bigint
  readonly #keyCount: bigint
  /** i + the step of splitmix64 for the next event i. */
  #z: bigint

  constructor(first: number, stride: number, keyCount: number) {
    if (!(keyCount >= 1 && keyCount <= KEYS_MAX)) {
      throw new RangeError(`Cannot make events of ${keyCount} keys: wanted 1 to ${KEYS_MAX}`)
    }
    const { memory, fill } = new WebAssembly.Instance((compiled ??= new WebAssembly.Module(fillModule()))).exports
    const { buffer } = memory as WebAssembly.Memory
    this.keys = new Int32Array(buffer, 0, EventNumbers.CAPACITY)
    this.values = new Int32Array(buffer, 4 * EventNumbers.CAPACITY, EventNumbers.CAPACITY)
    this.#fill = fill as Fill
    this.#stride = BigInt(stride)
    this.#keyCount = BigInt(keyCount)
    this.#z = BigInt(first) + STEP
  }

  /** Fills `keys` and `values` with the next `n` events. */
  fill(n: number): void {
    this.#z = this.#fill(this.#z, this.#stride, this.#keyCount, n, 0, 4 * EventNumbers.CAPACITY)
  }
}

type Fill = (z: bigint, stride: bigint, keyCount: bigint, n: number, keysAt: number, valuesAt: number) => bigint

const STEP = 0x9e3779b97f4a7c15n
const A = 0xbf58476d1ce4e5b9n
const B = 0x94d049bb133111ebn
let compiled: WebAssembly.Module | undefined

/**
 * WebAssembly of `fill`, as JavaScript has no fast integers of 64 bits: in halves of 32 they took 8 ns a record, more than the source and the chain
 * that are to be measured. Java has them.
 */
function fillModule(): Uint8Array<ArrayBuffer> {
  const [i32, i64] = [0x7f, 0x7e]
  const get = (local: number) => [0x20, local]
  const set = (local: number) => [0x21, local]
  const tee = (local: number) => [0x22, local]
  const i32const = (n: number) => [0x41, ...signed(BigInt(n))]
  const i64const = (n: bigint) => [0x42, ...signed(BigInt.asIntN(64, n))]
  const [z, stride, keyCount, n, keysAt, valuesAt, h] = [0, 1, 2, 3, 4, 5, 6] as const
  const shiftXor = (bits: bigint) => [...get(h), ...get(h), ...i64const(bits), 0x88, 0x85]
  const times = (factor: bigint) => [...i64const(factor), 0x7e]
  const add = (local: number, by: number) => [...get(local), ...i32const(by), 0x6a, ...set(local)]
  const store = [0x36, 2, 0]
  const body = [
    ...[1, 1, i64], // one local more: h
    ...[0x02, 0x40, 0x03, 0x40], // block, loop
    ...[...get(n), 0x45, 0x0d, 1], // until n is 0
    ...[...get(z), ...set(h)],
    ...[...shiftXor(30n), ...times(A), ...set(h)],
    ...[...shiftXor(27n), ...times(B), ...set(h)],
    ...[...shiftXor(31n), ...set(h)],
    ...[...get(keysAt), ...get(h), ...i64const(1n), 0x88, ...get(keyCount), 0x82, 0xa7, ...store], // (h >>> 1) mod keys
    ...[...get(valuesAt), ...shiftXor(32n), 0xa7, ...i32const(0x7fffffff), 0x71, ...i32const(1000), 0x70, ...store],
    ...[...get(z), ...get(stride), 0x7c, ...tee(z), 0x1a],
    ...[...add(keysAt, 4), ...add(valuesAt, 4), ...add(n, -1)],
    ...[0x0c, 0, 0x0b, 0x0b, ...get(z), 0x0b], // again; end of loop, of block; the next z
  ]
  const section = (id: number, bytes: number[]) => [id, ...unsigned(bytes.length), ...bytes]
  const name = (text: string) => [text.length, ...Buffer.from(text)]
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 6, i64, i64, i64, i32, i32, i32, 1, i64]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('fill'), 0, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ])
}

/** LEB128. */
function unsigned(n: number): number[] {
  return n < 128 ? [n] : [(n & 127) | 128, ...unsigned(n >>> 7)]
}

function signed(n: bigint): number[] {
  const low = Number(n & 127n)
  const rest = n >> 7n
  const last = (rest === 0n && low < 64) || (rest === -1n && low >= 64)
  return last ? [low] : [low | 128, ...signed(rest)]
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
