/**
 * All input channels of one task: takes entries in turn, decodes batches into the head, combines watermarks and status by the valve, and
 * brings barriers together by the aligner: a channel that waits for others' barriers is passed over.
 */

import type { BatchReader } from '../codec/batch-reader.ts'
import { type BarrierAligner, barrierOfCode } from './barrier-aligner.ts'
import {
  ACTIVE,
  BARRIER,
  DATA,
  DATA_END,
  END,
  FRAGMENT,
  IDLE,
  type InputEnd,
  TRIGGERED,
  WATERMARK,
} from './channel-ends.ts'
import type { ChannelTimes } from './input-valves.ts'

/** Batches that are taken from one channel before the next has its turn. */
const BATCHES_PER_CHANNEL = 4

export interface InputChannel {
  readonly channel: InputEnd
  readonly reader: BatchReader
  fragments: Buffer[] | undefined
  /** Of the barrier that comes next. */
  triggeredMs?: number
  dataEnded: boolean
  ended: boolean
}

export class InputGate {
  readonly #channels: InputChannel[]
  readonly #valve: ChannelTimes
  readonly #aligner: BarrierAligner | undefined
  #first = 0
  #open: number
  /** Channels whose data has not ended. */
  #withData: number
  recordsIn = 0
  bytesIn = 0
  buffersIn = 0

  /** The valve's channel i, and the aligner's, is channel i of the gate. Without an aligner barriers are passed over. */
  constructor(channels: InputChannel[], valve: ChannelTimes, aligner?: BarrierAligner) {
    this.#channels = channels
    this.#valve = valve
    this.#aligner = aligner
    this.#open = channels.length
    this.#withData = channels.length
  }

  /** No record will come any more; barriers may. */
  get dataEnded(): boolean {
    return this.#withData === 0
  }

  /** All channels have ended and everything of them was taken. */
  get ended(): boolean {
    return this.#open === 0
  }

  /**
   * Takes up to four batches of each channel. `paused` is asked after every watermark and batch; while it is true nothing more is taken.
   * True when anything was taken.
   */
  take(paused: () => boolean): boolean {
    const channels = this.#channels
    const n = channels.length
    let took = false
    for (let i = 0; i < n; i++) {
      const index = (this.#first + i) % n
      const input = channels[index]!
      if (input.ended) continue
      for (let taken = 0; taken < BATCHES_PER_CHANNEL; taken++) {
        if (this.#aligner?.isBlocked(index) === true || !input.channel.next()) break
        if (!this.#takeEntry(input, index)) break
        took = true
        if (paused()) {
          this.#first = index
          return true
        }
      }
    }
    this.#first = n === 0 ? 0 : (this.#first + 1) % n
    return took
  }

  /** False: the entry cannot be read yet and stays. */
  #takeEntry(input: InputChannel, index: number): boolean {
    const channel = input.channel
    switch (channel.type) {
      case DATA: {
        const { buffer, length } = channel
        const start = channel.startOf(buffer)
        const fragments = input.fragments
        if (fragments !== undefined) {
          fragments.push(Buffer.from(channel.bytesOf(buffer).subarray(start, start + length)))
          // A copy of its own array: Buffer.concat may use the shared pool, where the offset is not 0.
          const whole = Buffer.concat(fragments)
          const view = new DataView(whole.buffer, whole.byteOffset, whole.length)
          if (!input.reader.canRead(view, 0)) {
            fragments.pop()
            return false
          }
          input.fragments = undefined
          channel.done()
          this.recordsIn += input.reader.read(view, whole, 0)
        } else {
          const view = channel.viewOf(buffer)
          if (!input.reader.canRead(view, start)) return false
          this.recordsIn += input.reader.read(view, channel.bytesOf(buffer), start)
          channel.done()
        }
        this.bytesIn += length
        this.buffersIn++
        return true
      }
      case FRAGMENT: {
        const start = channel.startOf(channel.buffer)
        input.fragments ??= []
        input.fragments.push(Buffer.from(channel.bytesOf(channel.buffer).subarray(start, start + channel.length)))
        this.bytesIn += channel.length
        this.buffersIn++
        channel.done()
        return true
      }
      case WATERMARK: {
        const value = channel.value
        channel.done()
        this.#valve.inputWatermark(index, value)
        return true
      }
      case IDLE:
      case ACTIVE: {
        const idle = channel.type === IDLE
        channel.done()
        this.#valve.inputStatus(index, idle)
        return true
      }
      case TRIGGERED:
        input.triggeredMs = channel.value
        channel.done()
        return true
      case BARRIER: {
        const barrier = barrierOfCode(channel.value, input.triggeredMs ?? 0)
        channel.done()
        this.#aligner?.barrier(index, barrier)
        return true
      }
      case DATA_END:
        channel.done()
        input.dataEnded = true
        this.#withData--
        this.#valve.end(index)
        return true
      case END:
        channel.done()
        input.ended = true
        this.#open--
        if (!input.dataEnded) {
          input.dataEnded = true
          this.#withData--
          this.#valve.end(index)
        }
        this.#aligner?.ended(index)
        return true
    }
  }

  /** Entries that wait in all channels. */
  get queued(): number {
    let n = 0
    for (const input of this.#channels) if (!input.ended) n += input.channel.queued
    return n
  }

  /** True when there is something to take. */
  hasInput(): boolean {
    for (const [i, input] of this.#channels.entries()) {
      if (!input.ended && this.#aligner?.isBlocked(i) !== true && input.channel.queued > 0) return true
    }
    return false
  }
}
