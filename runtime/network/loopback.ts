/**
 * A record writer joined to gates in one thread, for tests and benchmarks of the exchange: no slot, no tasks.
 */

import { BatchReader, type Head } from '../codec/batch-reader.ts'
import type { TypeDescription } from '../core/types.ts'
import { BufferPool } from './buffer-pool.ts'
import { allocateGate, ChannelReader, ChannelWriter } from './channel.ts'
import { Doorbell } from './doorbell.ts'
import { InputGate } from './input-gate.ts'
import { Overflow, type OverflowLimits } from './overflow.ts'
import { RecordWriter } from './record-writer.ts'
import type { Selector } from './select-channel.ts'
import { WatermarkValve } from './valve.ts'

export interface LoopbackOptions {
  selector: Selector
  /** One receiver per channel. */
  heads: Head[]
  type?: TypeDescription
  poolBuffers?: number
  limits?: OverflowLimits
  recordsMax?: number
  onWatermark?: (channel: number, timestampMs: number) => void
}

export class Loopback {
  readonly writer: RecordWriter
  readonly gates: InputGate[]
  readonly readers: BatchReader[]
  readonly overflow: Overflow
  readonly pool: BufferPool
  proposed: TypeDescription | undefined

  constructor(options: LoopbackOptions) {
    const memory = BufferPool.allocate(options.poolBuffers ?? 64)
    const bell = Doorbell.allocate()
    this.pool = new BufferPool(memory)
    this.overflow = new Overflow(options.limits)
    const blocks = options.heads.map(() => allocateGate(1))
    this.writer = new RecordWriter({
      edgeId: 0,
      epoch: 0,
      channels: blocks.map((block) => new ChannelWriter(block, 0, new BufferPool(memory), new Doorbell(bell))),
      selector: options.selector,
      overflow: this.overflow,
      type: options.type,
      proposeType: (_, type) => {
        this.proposed = type
      },
      bufferTimeoutMs: 5,
      operatorName: 'loopback',
      ...(options.recordsMax === undefined ? {} : { recordsMax: options.recordsMax }),
    })
    this.readers = options.heads.map((head) => new BatchReader(head, options.selector.kind === 'key', options.type))
    this.gates = blocks.map((block, i) => {
      const channel = new ChannelReader(block, 0, new BufferPool(memory), new Doorbell(bell))
      const valve = new WatermarkValve(1, {
        watermark: (timestampMs) => options.onWatermark?.(i, timestampMs),
        status() {},
      })
      return new InputGate(
        [{ channel, reader: this.readers[i]!, fragments: undefined, dataEnded: false, ended: false }],
        valve,
      )
    })
  }

  /** Both ends use the type that was proposed, as the JobManager would have them do. */
  agree(): void {
    if (this.proposed === undefined) return
    for (const reader of this.readers) reader.setType(this.proposed)
    this.writer.setType(this.proposed)
  }

  /** Moves everything that can move until nothing does. */
  settle(): void {
    this.writer.flushAll()
    for (let moved = true; moved; ) {
      this.writer.drain()
      moved = false
      for (const gate of this.gates) if (gate.take(() => false)) moved = true
    }
  }
}
