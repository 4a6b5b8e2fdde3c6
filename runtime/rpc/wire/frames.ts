/**
 * Frames: how a stream of bytes is cut into messages.
 *
 *     length of the rest: u32 | kind: u8 | body
 *
 * Numbers are big-endian. What must hold: a length that is too large is refused before a byte of the body is kept, and memory for a body grows with the bytes that have come,
 * never with the length that was claimed.
 */
import { TailraceError } from '../../core/errors.ts'

export const KIND = {
  /** The first frame of each side (hello.ts). */
  hello: 1,
  /** Instead of a hello, or after the other's: why there will be no connection. */
  refusal: 2,
  call: 3,
  /** Of a call that succeeded. */
  answer: 4,
  /** Of a call that failed. */
  failure: 5,
  oneWay: 6,
  /** A sign of life; no body. */
  alive: 7,
  /** Last frame of a side that closes: why. */
  goodbye: 8,
} as const

export const FRAME_HEADER_BYTES = 5

/** Begins a frame: room for `bodyBytes` behind its header. */
export function newFrame(kind: number, bodyBytes: number): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + bodyBytes)
  frame.writeUInt32BE(1 + bodyBytes, 0)
  frame[4] = kind
  return frame
}

const FIRST_BYTES = 16 * 1024

/**
 * Takes bytes as they come and gives frames.
 *
 * @example
 * const frames = new FrameReader({ bytesMax: 1024, onFrame: (kind, body) => … })
 * frames.push(bytes)
 */
export class FrameReader {
  /** Longest frame; may change between two frames. */
  bytesMax: number
  readonly #onFrame: (kind: number, body: Uint8Array) => void
  readonly #head = Buffer.alloc(4)
  #headBytes = 0
  /** Of the open frame; -1: its length is not known yet. */
  #length = -1
  #body = Buffer.alloc(0)
  #bodyBytes = 0
  #stopped = false

  /** `onFrame`: the body is its to keep until it returns. */
  constructor({ bytesMax, onFrame }: { bytesMax: number; onFrame: (kind: number, body: Uint8Array) => void }) {
    this.bytesMax = bytesMax
    this.#onFrame = onFrame
  }

  /** No frame comes any more. */
  stop(): void {
    this.#stopped = true
    this.#body = Buffer.alloc(0)
  }

  /** Throws TR-RPC-006 for a length that cannot be. */
  push(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length && !this.#stopped) {
      if (this.#length < 0) {
        this.#head[this.#headBytes++] = bytes[at++]!
        if (this.#headBytes === 4) this.#begin()
        continue
      }
      const wanted = this.#length - this.#bodyBytes
      const taken = Math.min(wanted, bytes.length - at)
      if (this.#bodyBytes === 0 && taken === wanted) {
        this.#complete(bytes.subarray(at, at + taken))
      } else {
        this.#keep(bytes.subarray(at, at + taken))
        if (taken === wanted) this.#complete(this.#body.subarray(0, this.#length))
      }
      at += taken
    }
  }

  #begin(): void {
    const length = this.#head.readUInt32BE(0)
    if (length < 1 || length > this.bytesMax)
      throw new TailraceError(
        'TR-RPC-006',
        `Cannot read a frame of ${length} bytes: 1 to ${this.bytesMax} are wanted${hint(this.#head)}`,
      )
    this.#length = length
  }

  #keep(piece: Uint8Array): void {
    const needed = this.#bodyBytes + piece.length
    if (needed > this.#body.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#length, Math.max(FIRST_BYTES, 2 * needed)))
      this.#body.copy(grown, 0, 0, this.#bodyBytes)
      this.#body = grown
    }
    this.#body.set(piece, this.#bodyBytes)
    this.#bodyBytes = needed
  }

  #complete(frame: Uint8Array): void {
    this.#length = -1
    this.#headBytes = 0
    this.#bodyBytes = 0
    this.#body = Buffer.alloc(0)
    this.#onFrame(frame[0]!, frame.subarray(1))
  }
}

/** What else the first bytes may be. */
function hint(head: Buffer): string {
  if (head[0] === 0x16 && head[1] === 3)
    return '. The other side speaks TLS and this one does not: security.ssl.internal.enabled must be the same on both'
  if (/^(GET|POST|HEAD|PUT |PRI )/.test(head.toString('latin1')))
    return '. The other side speaks HTTP: is it meant for rest.port?'
  return ''
}
