/**
 * exchange-fanout-400: one sender with 400 receivers, as a subtask has in a shuffle to parallelism 400. Reports what it costs in time and in
 * memory: batches must shrink with the fan-out, or 400 open batches of 32 KB would be 13 MB at every sender.
 */
import { inferType } from '../../runtime/core/types.ts'
import { CHANNEL_BYTES } from '../../runtime/network/channel.ts'
import { Loopback } from '../../runtime/network/loopback.ts'
import { EXCHANGE_SETTINGS } from '../../runtime/network/settings.ts'
import { type CaseInput, type Figures, Meter, round } from '../measure.ts'
import { KINDS, makeWeigher } from './records.ts'

const CHANNELS = 400
const POOL = 1024
const PER_TURN = 512

export async function run({ records }: CaseInput): Promise<Figures> {
  const kind = KINDS.wide
  const made = kind.make(POOL)
  const type = inferType(made.slice(0, 64))
  const rssBefore = process.memoryUsage.rss()
  const heads = await Promise.all(Array.from({ length: CHANNELS }, () => makeWeigher('wide')))
  const loop = new Loopback({
    selector: { kind: 'key', keyOf: kind.keyOf, maxParallelism: 1024 },
    heads,
    type,
    poolBuffers: EXCHANGE_SETTINGS.poolBuffers,
  })
  push(loop, made, Math.min(records, 1_000_000))
  const counted = () => heads.reduce((sum, head) => sum + head.count, 0)
  const before = counted()
  const meter = new Meter()
  push(loop, made, records)
  const figures = meter.figures(records, counted() - before)
  const { recordsOut, buffersOut } = loop.writer
  return {
    ...figures,
    channels: CHANNELS,
    channelBytes: CHANNEL_BYTES,
    channelsMb: round((CHANNELS * CHANNEL_BYTES) / 2 ** 20, 1),
    rssGrowthMb: Math.round((process.memoryUsage.rss() - rssBefore) / 2 ** 20),
    recordsPerBatch: round(recordsOut / buffersOut, 1),
  }
}

function push(loop: Loopback, made: any[], records: number): void {
  const never = () => false
  for (let i = 0; i < records; ) {
    for (let end = Math.min(i + PER_TURN, records); i < end; i++) loop.writer.process(made[i % POOL], i)
    for (const gate of loop.gates) gate.take(never)
    loop.writer.drain()
  }
  loop.settle()
}
