/**
 * What is to be sent to one peer: frames in order, collected during a turn and sent by one write.
 *
 * Small frames are gathered in one piece of memory. A batch stays in the buffer it was encoded into and goes from there, with its header
 * before it; the buffer is free again when the socket has the bytes. While a write is under way the next one is collected. What may wait
 * here is bounded by the credit: the outbox itself refuses nothing.
 */
import { FRAME_BYTES, writeFrameHeader } from './frames.ts'
import type { SendBuffers } from './send-buffers.ts'
import type { DataSocket } from './sockets.ts'

const PIECE_BYTES = 64 * 1024
/** Batches up to this size are copied to the small frames: cheaper than a part of its own in the write. */
const COPIED_BYTES = 2048

export class Outbox {
  readonly #socket: DataSocket
  readonly #buffers: SendBuffers
  /** Called when a write that took its time is done: buffers are free again. */
  readonly #flushed: () => void
  #piece: Buffer = Buffer.allocUnsafeSlow(PIECE_BYTES)
  #view: DataView = new DataView(this.#piece.buffer)
  /** A second piece, while the first is being written. */
  #spare: Buffer | undefined
  /** Where the frames begin that are in no chunk yet, and where they end. */
  #from = 0
  #at = 0
  #chunks: Buffer[] = []
  /** Buffers to give back when the collected chunks are written. */
  #held: number[] = []
  #writing: number[] | undefined
  #closed = false
  readonly #wrote = (): void => {
    const held = this.#writing
    this.#writing = undefined
    if (held !== undefined) for (const index of held) this.#buffers.give(index)
    this.flush()
    this.#flushed()
  }

  constructor(socket: DataSocket, buffers: SendBuffers, flushed: () => void) {
    this.#socket = socket
    this.#buffers = buffers
    this.#flushed = flushed
  }

  /** A frame whose payload of `length` bytes the caller writes to `bytes` at the answered position, at once. */
  frame(length: number, kind: number, type = 0, flags = 0, channel = 0, extra = 0): number {
    const whole = FRAME_BYTES + length
    if (this.#at + whole > this.#piece.length) this.#newPiece(whole)
    const at = this.#at
    writeFrameHeader(this.#view, at, length, kind, type, flags, channel, extra)
    this.#at = at + whole
    return at + FRAME_BYTES
  }

  /** Of the frame that was made last. */
  get bytes(): Buffer {
    return this.#piece
  }
  get view(): DataView {
    return this.#view
  }

  /**
   * A frame whose payload is in `bytes` from `start` on, with FRAME_BYTES of room before it. `buffer` is given back when it is sent, -1: it is not
   * one of the send buffers, and stays as it is until then.
   */
  batch(
    bytes: Buffer,
    view: DataView,
    start: number,
    length: number,
    buffer: number,
    kind: number,
    type: number,
    flags: number,
    channel: number,
    extra: number,
  ): void {
    if (length <= COPIED_BYTES) {
      const at = this.frame(length, kind, type, flags, channel, extra)
      bytes.copy(this.#piece, at, start, start + length)
      if (buffer >= 0) this.#buffers.give(buffer)
      return
    }
    this.#endChunk()
    writeFrameHeader(view, start - FRAME_BYTES, length, kind, type, flags, channel, extra)
    this.#chunks.push(bytes.subarray(start - FRAME_BYTES, start + length))
    if (buffer >= 0) this.#held.push(buffer)
  }

  /** Sends what has been collected, unless a write is under way: then it goes after that. */
  flush(): void {
    if (this.#writing !== undefined || this.#closed) return
    this.#endChunk()
    const chunks = this.#chunks
    if (chunks.length === 0) return
    const held = this.#held
    if (this.#socket.write(chunks, this.#wrote)) {
      for (const index of held) this.#buffers.give(index)
      held.length = 0
      this.#from = this.#at = 0
      // The socket may have kept the array itself.
      this.#chunks = []
      return
    }
    this.#writing = held
    this.#held = []
    this.#chunks = []
    const spare = this.#spare ?? Buffer.allocUnsafeSlow(PIECE_BYTES)
    this.#spare = this.#piece
    this.#usePiece(spare)
  }

  /** Whether something waits for the socket. */
  get pending(): boolean {
    return this.#writing !== undefined || this.#chunks.length > 0 || this.#at > this.#from
  }

  /** Forgets what no write has begun with: it belongs to an attempt that is over. */
  clear(): void {
    for (const index of this.#held) this.#buffers.give(index)
    this.#held = []
    this.#chunks = []
    this.#from = this.#at
  }

  /** The socket is closed or closing: nothing more is sent, and all buffers are free. */
  close(): void {
    this.#closed = true
    this.clear()
    for (const index of this.#writing ?? []) this.#buffers.give(index)
    this.#writing = undefined
  }

  #endChunk(): void {
    if (this.#at === this.#from) return
    this.#chunks.push(this.#piece.subarray(this.#from, this.#at))
    this.#from = this.#at
  }

  #newPiece(length: number): void {
    this.#endChunk()
    // The full one lives on in its chunks.
    this.#usePiece(Buffer.allocUnsafeSlow(Math.max(PIECE_BYTES, length)))
  }

  #usePiece(piece: Buffer): void {
    this.#piece = piece
    this.#view = new DataView(piece.buffer)
    this.#from = this.#at = 0
  }
}
