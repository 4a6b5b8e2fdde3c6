/**
 * Cuts what comes from a socket into frames. Nothing is allocated per frame: the header's fields lie in the reader, and the payload is copied to
 * where the sink wants it, piece by piece as it comes.
 */
import { FRAME_BYTES } from './frames.ts'

const NOWHERE = Buffer.alloc(0)

export interface FrameSink {
  /**
   * A header has come: check it, and set `target` and `targetAt` to where `length` bytes go, or `skip()`. Throws what is wrong with it.
   */
  head(frame: FrameReader): void
  /** The payload is there. Not called for what is skipped. */
  body(frame: FrameReader): void
}

export class FrameReader {
  sink: FrameSink
  length = 0
  kind = 0
  type = 0
  flags = 0
  channel = 0
  extra = 0
  target: Buffer = NOWHERE
  targetAt = 0
  #skipped = false
  /** Bytes of the payload that have not come. */
  #missing = 0
  #inBody = false
  readonly #head = Buffer.allocUnsafeSlow(FRAME_BYTES)
  readonly #headView = new DataView(this.#head.buffer)
  #headLength = 0
  /** Of the buffer that came last; a socket uses the same one again and again. */
  #bytes: Buffer | undefined
  #view: DataView = this.#headView

  constructor(sink: FrameSink) {
    this.sink = sink
  }

  /** Takes `length` bytes from the start of `bytes`. Throws what the sink throws; the reader is of no use then. */
  feed(bytes: Buffer, length: number): void {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    let at = 0
    while (at < length) {
      if (this.#inBody) {
        const part = Math.min(this.#missing, length - at)
        if (!this.#skipped) {
          bytes.copy(this.target, this.targetAt, at, at + part)
          this.targetAt += part
        }
        at += part
        this.#missing -= part
        if (this.#missing === 0) this.#end()
      } else if (this.#headLength === 0 && length - at >= FRAME_BYTES) {
        this.#begin(this.#view, at)
        at += FRAME_BYTES
        if (this.#missing === 0) this.#end()
      } else {
        const part = Math.min(FRAME_BYTES - this.#headLength, length - at)
        bytes.copy(this.#head, this.#headLength, at, at + part)
        at += part
        this.#headLength += part
        if (this.#headLength < FRAME_BYTES) return
        this.#headLength = 0
        this.#begin(this.#headView, 0)
        if (this.#missing === 0) this.#end()
      }
    }
  }

  /** What is still to come of the frame in hand goes nowhere; its target is no longer written to. */
  skip(): void {
    this.#skipped = true
    this.target = NOWHERE
  }

  #begin(view: DataView, at: number): void {
    this.length = view.getUint32(at, true)
    this.kind = view.getUint8(at + 4)
    this.type = view.getUint8(at + 5)
    this.flags = view.getUint16(at + 6, true)
    this.channel = view.getUint32(at + 8, true)
    this.extra = view.getUint32(at + 12, true)
    this.#skipped = false
    this.sink.head(this)
    this.#missing = this.length
    this.#inBody = true
  }

  #end(): void {
    this.#inBody = false
    if (!this.#skipped) this.sink.body(this)
  }
}
