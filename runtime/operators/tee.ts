/**
 * Several receivers of one output. All get the same value: a consumer that changes it changes it for the others, so functions
 * make new values instead.
 */
import type { Receiver } from './operator.ts'

export class Tee implements Receiver {
  readonly receivers: readonly Receiver[]

  constructor(receivers: readonly Receiver[]) {
    this.receivers = receivers
  }
  process(value: any, timestamp: number): void {
    const receivers = this.receivers
    for (let i = 0; i < receivers.length; i++) receivers[i]!.process(value, timestamp)
  }
  watermark(timestampMs: number): void {
    for (const receiver of this.receivers) receiver.watermark(timestampMs)
  }
  status(idle: boolean): void {
    for (const receiver of this.receivers) receiver.status(idle)
  }
}
