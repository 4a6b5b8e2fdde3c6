/** Two slots of different processes with links between them, for tests: record writers on one side, gates on the other, no tasks. */
import { BatchReader } from '../../codec/batch-reader.ts'
import type { TypeDescription } from '../../core/types.ts'
import { VirtualTime } from '../../core/virtual-time.suite.ts'
import { Random } from '../../testing/simulation/random.ts'
import { BufferPool } from '../buffer-pool.ts'
import { InputGate } from '../input-gate.ts'
import { Overflow } from '../overflow.ts'
import { RecordWriter } from '../record-writer.ts'
import { WatermarkValve } from '../valve.ts'
import { DataPort } from './data-port.ts'
import { MemoryNetwork } from './memory-sockets.suite.ts'
import type { Compression } from './remote-output.ts'
import { channelKey, SlotLinks } from './slot-links.ts'

export interface TwoSlotsOptions {
  seed?: number
  poolBuffers?: number
  compression?: Compression
}

/** One of them. */
export interface Side {
  index: number
  port: DataPort
  links: SlotLinks
  pool: BufferPool
  wakes: number
  lost: string[]
}

export class TwoSlots {
  readonly random: Random
  readonly time = new VirtualTime()
  readonly network: MemoryNetwork
  readonly sides: Side[] = []
  readonly options: TwoSlotsOptions

  private constructor(options: TwoSlotsOptions) {
    this.options = options
    this.random = new Random(options.seed ?? 1)
    this.network = new MemoryNetwork(this.random)
  }

  static async make(options: TwoSlotsOptions = {}): Promise<TwoSlots> {
    const made = new TwoSlots(options)
    for (let index = 0; index < 2; index++) made.sides.push(await made.side(index))
    return made
  }

  async side(index: number): Promise<Side> {
    const { network, time, options } = this
    const port = await DataPort.listen({
      host: `host-${index}`,
      port: 0,
      listen: network.listen,
      schedule: time.schedule,
    })
    const side: Side = {
      index,
      port,
      links: undefined as unknown as SlotLinks,
      pool: new BufferPool(BufferPool.allocate(options.poolBuffers ?? 16)),
      wakes: 0,
      lost: [],
    }
    side.links = new SlotLinks({
      dataPort: port,
      connect: network.connect,
      wake: () => void side.wakes++,
      compression: options.compression ?? 'none',
    })
    side.links.onLost = (peer, error) => void side.lost.push(`${peer} ${error.code} ${error.message}`)
    return side
  }

  begin(side: Side, more: { attempt?: number; jobId?: string; token?: string; to?: number } = {}): void {
    const { attempt = 0, jobId = 'job', token = 'secret' } = more
    const peers = Object.fromEntries(this.sides.map(({ port }, index) => [index, port.address]))
    side.links.begin({ jobId, attempt, slotIndex: side.index, peers, token, pool: side.pool })
  }
}

/** A channel from one side to the other: a writer with one channel and a gate with one. */
export class TestChannel {
  readonly writer: RecordWriter
  readonly gate: InputGate
  readonly overflow = new Overflow()
  readonly came: unknown[] = []
  readonly reader: BatchReader

  constructor(from: Side, to: Side, edge: number, type?: TypeDescription) {
    const key = channelKey(edge, from.index, to.index)
    this.writer = new RecordWriter({
      edgeId: edge,
      epoch: 0,
      channels: [from.links.output(to.index, key)],
      selector: { kind: 'forward' },
      overflow: this.overflow,
      type,
      proposeType() {},
      bufferTimeoutMs: 5,
      operatorName: 'test',
    })
    this.reader = new BatchReader({ process: (value) => void this.came.push(value) }, false, type)
    const channel = to.links.input(from.index, key)
    this.gate = new InputGate(
      [{ channel, reader: this.reader, fragments: undefined, dataEnded: false, ended: false }],
      new WatermarkValve(1, {
        watermark: (timestampMs) => void this.came.push(`watermark ${timestampMs}`),
        status: (idle) => void this.came.push(idle ? 'idle' : 'active'),
      }),
    )
  }
}

/** One writer that deals out to many gates. */
export class TestFan {
  readonly writer: RecordWriter
  readonly gates: InputGate[]
  readonly overflow = new Overflow()
  /** `n` of the records that came, by channel. */
  readonly came: number[][]

  /** `first`: where its round robin begins, from 0 to 1. */
  constructor(from: Side, to: Side, channels: number, type: TypeDescription, first: number) {
    const keys = Array.from({ length: channels }, (_, i) => channelKey(0, from.index, i))
    this.writer = new RecordWriter({
      edgeId: 0,
      epoch: 0,
      channels: keys.map((key) => from.links.output(to.index, key)),
      selector: { kind: 'rebalance' },
      random: () => first,
      overflow: this.overflow,
      type,
      proposeType() {},
      bufferTimeoutMs: 5,
      operatorName: 'test',
    })
    this.came = keys.map(() => [])
    this.gates = keys.map((key, i) => {
      const reader = new BatchReader({ process: ({ n }) => void this.came[i]!.push(n) }, false, type)
      const channel = to.links.input(from.index, key)
      return new InputGate(
        [{ channel, reader, fragments: undefined, dataEnded: false, ended: false }],
        new WatermarkValve(1, { watermark() {}, status() {} }),
      )
    })
  }
}
