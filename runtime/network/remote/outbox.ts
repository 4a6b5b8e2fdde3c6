/**
 * What is to be sent to one peer: frames in order, collected during a turn and sent by one write.
 *
 * Frames are copied into pieces of memory that all peers of the slot share; a piece is free again when the socket has its bytes, which is nearly
 * always at once. While a write takes its time the next one is collected. (Measured: leaving the batches where they were encoded, each a
 * part of the write, costs as much CPU as copying them, and keeps their buffers.) What may wait here is bounded by the credit of the
 * channels: the outbox itself refuses nothing.
 */
import { FRAME_BYTES, writeFrameHeader } from './frames.ts'
import type { DataSocket } from './sockets.ts'

/** Room for some full batches. */
export const PIECE_BYTES = 128 * 1024
/** Free pieces that are kept: as many peers can be slow at once without memory being made anew. */
export const FREE_MAX = 8

interface Piece {
  readonly bytes: Buffer
  readonly view: DataView
  /** Where its frames end. */
  end: number
}

/** The pieces of a slot. */
export class Pieces {
  readonly #free: Piece[] = []
  /** Pieces that somebody has. */
  inUse = 0

  take(length: number): Piece {
    this.inUse++
    if (length <= PIECE_BYTES) {
      const free = this.#free.pop()
      if (free !== undefined) return free
    }
    const bytes = Buffer.allocUnsafeSlow(Math.max(length, PIECE_BYTES))
    return { bytes, view: new DataView(bytes.buffer), end: 0 }
  }

  give(piece: Piece): void {
    this.inUse--
    piece.end = 0
    if (piece.bytes.length === PIECE_BYTES && this.#free.length < FREE_MAX) this.#free.push(piece)
  }
}

export class Outbox {
  readonly #socket: DataSocket
  readonly #pieces: Pieces
  #filled: Piece[] = []
  #last: Piece | undefined
  #writing: Piece[] | undefined
  #closed = false
  readonly #wrote = (): void => {
    for (const piece of this.#writing ?? []) this.#pieces.give(piece)
    this.#writing = undefined
    this.flush()
  }

  constructor(socket: DataSocket, pieces: Pieces) {
    this.#socket = socket
    this.#pieces = pieces
  }

  /** A frame whose payload of `length` bytes the caller writes to `bytes` at the answered position, at once. */
  frame(length: number, kind: number, type = 0, flags = 0, channel = 0, extra = 0): number {
    const whole = FRAME_BYTES + length
    let piece = this.#last
    if (piece === undefined || piece.end + whole > piece.bytes.length) piece = this.#next(whole)
    const at = piece.end
    writeFrameHeader(piece.view, at, length, kind, type, flags, channel, extra)
    piece.end = at + whole
    return at + FRAME_BYTES
  }

  /** A frame whose payload are `length` bytes of `source` from `start` on. */
  copy(source: Buffer, start: number, length: number, kind: number, type = 0, flags = 0, channel = 0, extra = 0): void {
    const at = this.frame(length, kind, type, flags, channel, extra)
    source.copy(this.#last!.bytes, at, start, start + length)
  }

  #next(length: number): Piece {
    const piece = this.#pieces.take(length)
    this.#filled.push(piece)
    this.#last = piece
    return piece
  }

  /** Of the frame that was made last. */
  get bytes(): Buffer {
    return this.#last!.bytes
  }
  get view(): DataView {
    return this.#last!.view
  }

  /** Sends what has been collected, unless a write is under way: then it goes after that. */
  flush(): void {
    if (this.#writing !== undefined || this.#closed) return
    const pieces = this.#filled
    if (pieces.length === 0) return
    this.#filled = []
    this.#last = undefined
    const chunks = pieces.map(({ bytes, end }) => bytes.subarray(0, end))
    if (this.#socket.write(chunks, this.#wrote)) for (const piece of pieces) this.#pieces.give(piece)
    else this.#writing = pieces
  }

  /** Forgets what no write has begun with: it belongs to an attempt that is over. */
  clear(): void {
    for (const piece of this.#filled) this.#pieces.give(piece)
    this.#filled = []
    this.#last = undefined
  }

  /** The socket is closed or closing: nothing more is sent. What it may still have in hand is not used again. */
  close(): void {
    this.#closed = true
    this.clear()
    this.#pieces.inUse -= this.#writing?.length ?? 0
    this.#writing = undefined
  }
}
