/**
 * The valves of a task: one per input of its head, over the channels of that input. The gate knows channels only; what goes out says which
 * input it is.
 */
import { WatermarkValve } from './valve.ts'

/** What the gate tells of its channels' time. */
export interface ChannelTimes {
  inputWatermark(channel: number, timestampMs: number): void
  inputStatus(channel: number, idle: boolean): void
  /** The channel's data has ended. */
  end(channel: number): void
}

export interface InputTimes {
  watermark(input: number, timestampMs: number): void
  status(input: number, idle: boolean): void
  /** The data of all channels of the input has ended. */
  end(input: number): void
}

export class InputValves implements ChannelTimes {
  readonly #output: InputTimes
  readonly #valves: WatermarkValve[]
  /** By channel of the gate: its input, and its number among that input's channels. */
  readonly #inputOf: readonly number[]
  readonly #placeOf: number[]
  /** By input: channels whose data has not ended. */
  readonly #open: number[]

  /** `inputOf[channel]` is the input, from 0, that a channel of the gate belongs to. */
  constructor(inputOf: readonly number[], output: InputTimes) {
    this.#output = output
    this.#inputOf = inputOf
    this.#open = []
    this.#placeOf = inputOf.map((input) => {
      const place = this.#open[input] ?? 0
      this.#open[input] = place + 1
      return place
    })
    this.#valves = this.#open.map(
      (channels, input) =>
        new WatermarkValve(channels, {
          watermark: (timestampMs) => output.watermark(input, timestampMs),
          status: (idle) => output.status(input, idle),
        }),
    )
  }

  inputWatermark(channel: number, timestampMs: number): void {
    this.#valves[this.#inputOf[channel]!]!.inputWatermark(this.#placeOf[channel]!, timestampMs)
  }

  inputStatus(channel: number, idle: boolean): void {
    this.#valves[this.#inputOf[channel]!]!.inputStatus(this.#placeOf[channel]!, idle)
  }

  end(channel: number): void {
    const input = this.#inputOf[channel]!
    this.#valves[input]!.end(this.#placeOf[channel]!)
    if (--this.#open[input]! === 0) this.#output.end(input)
  }
}
