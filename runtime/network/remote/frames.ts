/**
 * What travels between two slots: frames, each a header of 16 bytes and a payload. Little-endian.
 *
 *   0  u32 bytes of the payload      8  u32 channel: its number among the sender's outputs to this peer
 *   4  u8  kind                      12 u32 extra
 *   5  u8  type of the entry
 *   6  u16 flags: 1 into an exclusive buffer · 2 the payload is lz4 (u32 length, block)
 *
 *   HELLO     JSON: who dials (hello.ts). Only first, and only from who dials.
 *   WELCOME   nothing. Answers HELLO.
 *   FAREWELL  text: why the connection closes. Nothing follows.
 *   BEGIN     u32 attempt, u32 channels, then each: u8 length, key in latin1. What follows belongs to that attempt; the channels are the
 *             sender's outputs, numbered from 0 in this order. Either side sends channel frames only when both have begun the same attempt.
 *   DATA      a batch (codec/batch.ts) or a part of one. type: DATA or FRAGMENT. extra: number of the entry in its channel.
 *   EVENT     f64 value. type: any other. extra: number of the entry.
 *   CREDIT    for each channel that changed: u32 channel (of the peer's outputs), u32 entries taken, u32 exclusive buffers free again,
 *             u32 floating buffers granted; totals since the attempt began, modulo 2^32.
 *   WANT      extra: total of floating buffers that the sender could use.
 *   RECALL    the receiver has no buffers left: give back what is not needed.
 *   RETURN    extra: floating buffers that are given back.
 *   PING, PONG
 */
import { TailraceError } from '../../core/errors.ts'

export const FRAME_BYTES = 16

export const HELLO = 1
export const WELCOME = 2
export const FAREWELL = 3
export const BEGIN = 4
export const DATA_FRAME = 5
export const EVENT = 6
export const CREDIT = 7
export const WANT = 8
export const RECALL = 9
export const RETURN = 10
export const PING = 11
export const PONG = 12

export const FLAG_EXCLUSIVE = 1
export const FLAG_LZ4 = 2

/** Of one channel in a CREDIT frame. */
export const CREDIT_BYTES = 16
/** A CREDIT frame is not larger; more channels take more frames. */
export const CREDIT_FRAME_BYTES_MAX = 64 * 1024
/** Of HELLO and FAREWELL. */
export const TEXT_BYTES_MAX = 2048
/** Of BEGIN: 32,768 channels with keys of 60 characters. */
export const BEGIN_BYTES_MAX = 2 * 2 ** 20
export const EVENT_BYTES = 8

export function writeFrameHeader(
  view: DataView,
  at: number,
  length: number,
  kind: number,
  type: number,
  flags: number,
  channel: number,
  extra: number,
): void {
  view.setUint32(at, length, true)
  view.setUint8(at + 4, kind)
  view.setUint8(at + 5, type)
  view.setUint16(at + 6, flags, true)
  view.setUint32(at + 8, channel, true)
  view.setUint32(at + 12, extra, true)
}

/** The peer breaks the protocol; the connection closes with the text. */
export function badFrame(what: string): TailraceError {
  return new TailraceError('TR-EXCHANGE-003', `Cannot read a frame: ${what}`)
}
