/**
 * The channels between two slots during an attempt, over one connection that lives on to the next attempt.
 *
 *   begin(attempt) ─ outputs and inputs are made ─ open(connection) ─ our BEGIN goes ─┬─ both begun: ready, channel frames go
 *                                                        peer's BEGIN for it comes ─┘
 *   end() ─ what comes of the attempt is passed over, until the next begin
 *
 * Correctness: a slot sends channel frames of an attempt only after it has the peer's BEGIN for it, so a frame of an older attempt is one that comes
 * before the peer's next BEGIN, and a frame of a newer one than ours cannot come.
 */
import { BUFFER_BYTES } from '../buffer-pool.ts'
import type { Connection } from './connection.ts'
import type { FrameReader, FrameSink } from './frame-reader.ts'
import {
  BEGIN,
  BEGIN_BYTES_MAX,
  badFrame,
  CREDIT,
  CREDIT_BYTES,
  CREDIT_FRAME_BYTES_MAX,
  DATA_FRAME,
  EVENT,
  EVENT_BYTES,
  FAREWELL,
  FLAG_LZ4,
  PING,
  PONG,
  RECALL,
  RETURN,
  TEXT_BYTES_MAX,
  WANT,
} from './frames.ts'
import { decompress } from './lz4.ts'
import type { PoolShares } from './pool-shares.ts'
import { RemoteInput } from './remote-input.ts'
import { type Compression, RemoteOutput } from './remote-output.ts'
import type { SendBuffers } from './send-buffers.ts'

const NONE = -1
const KEY_LENGTH_MAX = 60

export interface LinkOptions {
  buffers: SendBuffers
  compression: Compression
  /** Entries or credit came that a task waits for, or a grant has to be sent. */
  wake(): void
}

export class Link implements FrameSink {
  /** The peer's index in the job. */
  peer = NONE
  readonly #options: LinkOptions
  #connection: Connection | undefined
  #shares: PoolShares | undefined
  #attempt = NONE
  #active = false
  /** Our BEGIN for the attempt is sent. */
  #begun = false
  #ready = false
  #outputs: RemoteOutput[] = []
  readonly #inputs = new Map<string, RemoteInput>()
  /** Inputs by the peer's numbers. */
  #incoming: RemoteInput[] = []
  /** What the peer has begun last. */
  #peerAttempt = NONE
  #peerKeys: string[] = []
  #dirty: RemoteInput[] = []
  #wakes = false
  /** Payloads that go into no buffer of a channel. */
  #staged = Buffer.allocUnsafeSlow(CREDIT_FRAME_BYTES_MAX)
  #stagedView = new DataView(this.#staged.buffer)
  readonly #changed = (input: RemoteInput) => this.#dirty.push(input)
  /** Called when both have begun the attempt. */
  whenReady: () => void = () => {}

  constructor(options: LinkOptions) {
    this.#options = options
  }

  // --- an attempt

  begin(attempt: number, peer: number, shares: PoolShares): void {
    this.end()
    this.#attempt = attempt
    this.peer = peer
    this.#shares = shares
    this.#active = true
    this.#begun = false
    this.#connection?.outbox.clear()
  }

  output(key: string): RemoteOutput {
    checkKey(key)
    const output = new RemoteOutput(key, this.#outputs.length, this.#options.buffers, this.#options.compression)
    this.#outputs.push(output)
    return output
  }

  input(key: string): RemoteInput {
    checkKey(key)
    const input = new RemoteInput(key, this.#shares!, this.#changed)
    this.#inputs.set(key, input)
    return input
  }

  get connected(): boolean {
    return this.#connection !== undefined && !this.#connection.isClosed
  }
  get connection(): Connection | undefined {
    return this.#connection
  }
  get ready(): boolean {
    return this.#ready
  }

  /** The connection from now on; what it reads next is for this link. */
  attach(connection: Connection): void {
    this.#connection = connection
    this.#peerAttempt = NONE
    connection.reader.sink = this
    connection.received = () => {
      if (!this.#wakes) return
      this.#wakes = false
      this.#options.wake()
    }
  }

  /** All channels are there: tells the peer. Throws when the peer has begun the attempt with other channels. */
  open(): void {
    const { outbox } = this.#connection!
    const keys = this.#outputs.map((output) => Buffer.from(output.key, 'latin1'))
    const length = keys.reduce((sum, key) => sum + 1 + key.length, 8)
    let at = outbox.frame(length, BEGIN)
    outbox.view.setUint32(at, this.#attempt, true)
    outbox.view.setUint32(at + 4, keys.length, true)
    at += 8
    for (const key of keys) {
      outbox.view.setUint8(at, key.length)
      key.copy(outbox.bytes, at + 1)
      at += 1 + key.length
    }
    this.#begun = true
    outbox.flush()
    this.#checkReady()
  }

  #checkReady(): void {
    if (!this.#active || !this.#begun || this.#ready || this.#peerAttempt !== this.#attempt) return
    this.#incoming = this.#peerKeys.map((key, number) => {
      const input = this.#inputs.get(key)
      if (input === undefined) throw badFrame(`channel ${key} is unknown here`)
      input.number = number
      return input
    })
    if (new Set(this.#incoming).size !== this.#inputs.size || this.#incoming.length !== this.#inputs.size) {
      throw badFrame(`it opens ${this.#incoming.length} channels, wanted ${[...this.#inputs.keys()].join(', ')}`)
    }
    this.#ready = true
    for (const output of this.#outputs) output.open(this.#connection!.outbox)
    for (const input of this.#incoming) input.grant()
    this.#wakes = false
    this.#options.wake()
    this.whenReady()
  }

  /** The connection is closed: outputs have no credit any more; what came can still be read. True: the attempt needs it. */
  disconnected(): boolean {
    const needed = !this.#finished()
    this.#ready = false
    for (const output of this.#outputs) output.close()
    return needed
  }

  /** Nothing of the attempt is sent or taken any more. */
  end(): void {
    // A frame that has come in part goes nowhere: its buffer is the pool's again.
    if (this.#active) this.#connection?.reader.skip()
    this.#active = false
    this.#ready = false
    for (const output of this.#outputs) output.close()
    for (const input of this.#inputs.values()) input.close()
    this.#outputs = []
    this.#inputs.clear()
    this.#incoming = []
    this.#dirty = []
  }

  /** Everything between the two slots has been sent and has come: it does not matter whether the connection stays. */
  #finished(): boolean {
    if (!this.#ready) return false
    for (const output of this.#outputs) if (!output.ended) return false
    for (const input of this.#incoming) if (!input.ended) return false
    return true
  }

  // --- what goes

  /** Sends what the turn has made: batches, events, credit. */
  flush(): void {
    if (!this.#ready) return
    if (this.#dirty.some(isUrgent)) this.#writeCredit()
    this.#connection!.outbox.flush()
  }

  #writeCredit(): void {
    const { outbox } = this.#connection!
    const dirty = this.#dirty
    const perFrame = CREDIT_FRAME_BYTES_MAX / CREDIT_BYTES
    for (let first = 0; first < dirty.length; first += perFrame) {
      const end = Math.min(first + perFrame, dirty.length)
      let at = outbox.frame((end - first) * CREDIT_BYTES, CREDIT)
      const { view } = outbox
      for (let i = first; i < end; i++) {
        view.setUint32(at, dirty[i]!.number, true)
        dirty[i]!.writeCredit(view, at + 4)
        at += CREDIT_BYTES
      }
    }
    dirty.length = 0
  }

  /** Asks for buffers that the peer has and does not need. */
  recall(): void {
    if (!this.#ready || !this.#incoming.some((input) => input.unused > 0)) return
    this.#connection!.outbox.frame(0, RECALL)
  }

  // --- what comes

  head(frame: FrameReader): void {
    const { kind, length } = frame
    switch (kind) {
      case DATA_FRAME:
        if (this.#takes(frame)) this.#headBatch(frame)
        return
      case EVENT:
        if (length !== EVENT_BYTES) throw badFrame(`an event of ${length} bytes`)
        if (this.#takes(frame)) this.#stage(frame)
        return
      case CREDIT:
        if (length > CREDIT_FRAME_BYTES_MAX || length % CREDIT_BYTES !== 0) throw badFrame(`credit of ${length} bytes`)
        if (this.#takes(frame)) this.#stage(frame)
        return
      case WANT:
      case RETURN:
      case RECALL:
        if (length !== 0) throw badFrame(`a frame of kind ${kind} with ${length} bytes`)
        this.#takes(frame)
        return
      case BEGIN:
        if (length < 8 || length > BEGIN_BYTES_MAX) throw badFrame(`a beginning of ${length} bytes`)
        this.#stage(frame)
        return
      case FAREWELL:
        if (length > TEXT_BYTES_MAX) throw badFrame(`a farewell of ${length} bytes`)
        this.#stage(frame)
        return
      case PING:
      case PONG:
        if (length !== 0) throw badFrame(`a ping of ${length} bytes`)
        return
      default:
        throw badFrame(`no frame is of kind ${kind} here`)
    }
  }

  /** Whether a channel frame is for the attempt that runs; one of an attempt that is over is skipped. */
  #takes(frame: FrameReader): boolean {
    const theirs = this.#peerAttempt
    if (this.#ready && theirs === this.#attempt) return true
    if (theirs === NONE || theirs > this.#attempt || (this.#active && theirs === this.#attempt)) {
      throw badFrame('it belongs to an attempt that has not begun on both sides')
    }
    // Of what is passed over nothing is kept, whatever its length: that of a batch at most.
    if (frame.length > BUFFER_BYTES * 2) throw badFrame(`a frame of ${frame.length} bytes`)
    frame.skip()
    return false
  }

  #stage(frame: FrameReader): void {
    if (frame.length > this.#staged.length) {
      this.#staged = Buffer.allocUnsafeSlow(frame.length)
      this.#stagedView = new DataView(this.#staged.buffer)
    }
    frame.target = this.#staged
    frame.targetAt = 0
  }

  #headBatch(frame: FrameReader): void {
    const input = this.#inputOf(frame.channel)
    const compressed = (frame.flags & FLAG_LZ4) !== 0
    input.beginBatch(frame.type, frame.flags, frame.extra, frame.length, compressed)
    if (compressed) this.#stage(frame)
    else {
      frame.target = input.fillBytes
      frame.targetAt = input.fillStart
    }
  }

  #inputOf(channel: number): RemoteInput {
    const input = this.#incoming[channel]
    if (input === undefined) throw badFrame(`there is no channel ${channel}, it has begun ${this.#incoming.length}`)
    return input
  }

  body(frame: FrameReader): void {
    switch (frame.kind) {
      case DATA_FRAME: {
        const input = this.#incoming[frame.channel]!
        let { length } = frame
        if ((frame.flags & FLAG_LZ4) !== 0)
          length = input.fillCompressed(decompress(this.#staged.subarray(0, length), BUFFER_BYTES), frame.flags)
        input.endBatch(frame.type, length)
        this.#wakes = true
        return
      }
      case EVENT:
        this.#inputOf(frame.channel).event(frame.type, frame.extra, this.#stagedView.getFloat64(0, true))
        this.#wakes = true
        return
      case CREDIT:
        this.#takeCredit(frame.length)
        return
      case WANT:
        this.#inputOf(frame.channel).wants(frame.extra)
        this.#wakes = true
        return
      case RETURN:
        this.#inputOf(frame.channel).returns(frame.extra)
        this.#wakes = true
        return
      case RECALL:
        for (const output of this.#outputs) output.recall()
        this.#wakes = true
        return
      case BEGIN:
        this.#takeBegin(frame.length)
        return
      case FAREWELL:
        this.#connection!.leaves(this.#staged.toString('utf8', 0, frame.length))
        return
      default:
        this.#connection!.common(frame.kind)
    }
  }

  #takeCredit(length: number): void {
    const view = this.#stagedView
    for (let at = 0; at < length; at += CREDIT_BYTES) {
      const channel = view.getUint32(at, true)
      const output = this.#outputs[channel]
      if (output === undefined) throw badFrame(`credit for channel ${channel}, there are ${this.#outputs.length}`)
      if (output.credit(view.getInt32(at + 4, true), view.getInt32(at + 8, true), view.getInt32(at + 12, true))) {
        this.#wakes = true
      }
    }
  }

  #takeBegin(length: number): void {
    const attempt = this.#stagedView.getUint32(0, true)
    const count = this.#stagedView.getUint32(4, true)
    if (attempt <= this.#peerAttempt) throw badFrame(`attempt ${attempt} begins after ${this.#peerAttempt}`)
    const keys: string[] = []
    let at = 8
    while (keys.length < count && at < length) {
      const end = at + 1 + this.#staged[at]!
      if (end > length) break
      keys.push(this.#staged.toString('latin1', at + 1, end))
      at = end
    }
    if (keys.length !== count || at !== length) throw badFrame(`a beginning of ${count} channels has ${length} bytes`)
    this.#peerAttempt = attempt
    this.#peerKeys = keys
    this.#checkReady()
  }
}

function isUrgent(input: RemoteInput): boolean {
  return input.urgent
}

function checkKey(key: string): void {
  if (key.length > KEY_LENGTH_MAX)
    throw new RangeError(`Cannot make channel "${key}": a key has ${KEY_LENGTH_MAX} characters at most`)
}
