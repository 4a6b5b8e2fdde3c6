/**
 * How much memory the exchange with slots of other processes takes in a slot, at most: what its parts are bounded by, added up. docs/performance.md has it in words.
 *
 * Not in it: what the system keeps for each connection (`net.ipv4.tcp_rmem`, `tcp_wmem`), what TLS encrypts of a write that is under way (as much again as waits for a socket), and output
 * beyond the credit, which has limits of its own (`tailrace.task.overflow.memory-size`).
 */
import { BUFFER_BYTES } from '../buffer-pool.ts'
import { ENTRIES, EXCLUSIVE_BYTES, REMOTE_FLOATING_MAX } from '../channel-ends.ts'
import { CREDIT_FRAME_BYTES_MAX, EVENT_BYTES, FRAME_BYTES } from './frames.ts'
import { FREE_MAX, PIECE_BYTES } from './outbox.ts'
import { READ_BYTES } from './sockets.ts'

/** Of an entry in a ring of remote-input.ts: its type, buffer, length and value. */
const ENTRY_BYTES = 1 + 4 + 4 + 8
/** Of each channel that a slot receives by, whatever the load: 9,280. */
export const INPUT_BYTES = ENTRIES * ENTRY_BYTES + 2 * EXCLUSIVE_BYTES
/** Of each channel that a slot sends by, whatever the load: 8,192. */
export const OUTPUT_BYTES = 2 * EXCLUSIVE_BYTES
/** Of each connection: what is read into, and what is put together: 196,608. */
export const PEER_BYTES = READ_BYTES + CREDIT_FRAME_BYTES_MAX

/** What a slot has for its input from everywhere, from the beginning to the end of a job. Bytes. */
export function poolBytes(poolBuffers: number): number {
  return poolBuffers * BUFFER_BYTES
}

export interface ExchangeSize {
  /** Slots of other processes that it is connected with. */
  peers: number
  /** Channels from and to those. */
  inputs: number
  outputs: number
  /** `tailrace.exchange.buffers-per-slot`: of this slot, and of those that it sends to. */
  poolBuffers: number
}

/** What a slot takes to receive, at most. Bytes. */
export function receiverBytesMax({ peers, inputs, poolBuffers }: ExchangeSize): number {
  return poolBytes(poolBuffers) + inputs * INPUT_BYTES + peers * PEER_BYTES
}

/**
 * What a slot takes to send, at most: when all peers have granted all that they have, and their sockets take nothing. Bytes.
 *
 * @example
 * senderBytesMax({ peers: 1, inputs: 0, outputs: 4, poolBuffers: 128 }) // 7.1 MB
 */
export function senderBytesMax({ peers, outputs, poolBuffers }: ExchangeSize): number {
  const granted = Math.min(outputs * REMOTE_FLOATING_MAX, peers * poolBuffers)
  const frames =
    granted * (FRAME_BYTES + BUFFER_BYTES) + outputs * (OUTPUT_BYTES + ENTRIES * (FRAME_BYTES + EVENT_BYTES))
  // A piece is left when the next frame does not fit into it.
  const pieces = Math.ceil(frames / (PIECE_BYTES - FRAME_BYTES - BUFFER_BYTES)) + peers + FREE_MAX
  const open = outputs * BUFFER_BYTES
  return pieces * PIECE_BYTES + open + outputs * OUTPUT_BYTES
}
