/**
 * codec-wide: encode and decode of bids in one thread, through two writers and two readers with a channel each, 256 records a batch. Whoever pushes
 * into the writer and takes out of the reader is all that is left out of an exchange: waiting and waking.
 */
import { inferType } from '../../runtime/core/types.ts'
import { Loopback } from '../../runtime/network/loopback.ts'
import { type CaseInput, type Figures, Meter } from '../measure.ts'
import { KINDS, type KindName, makeWeigher, withLast } from './records.ts'

const POOL = 1024
const BATCH = 256
const INSTANCES = 2

export async function run({ records }: CaseInput): Promise<Figures> {
  let figures: Figures | undefined
  for (const name of withLast('wide')) figures = await measure(name, records)
  return figures!
}

async function measure(name: KindName, records: number): Promise<Figures> {
  const kind = KINDS[name]
  const made = kind.make(POOL)
  const heads = await Promise.all(Array.from({ length: INSTANCES }, () => makeWeigher(name)))
  const type = inferType(made.slice(0, 64))
  const loops = heads.map((head) => new Loopback({ selector: { kind: 'forward' }, heads: [head], type }))
  push(loops, made, Math.min(records, 1_000_000))
  const before = heads.reduce((sum, head) => sum + head.count, 0)
  const meter = new Meter()
  push(loops, made, records)
  const figures = meter.figures(records, heads.reduce((sum, head) => sum + head.count, 0) - before)
  const { bytesOut, recordsOut } = loops[0]!.writer
  return { ...figures, bytesPerRecord: Math.round(bytesOut / recordsOut) }
}

function push(loops: Loopback[], made: any[], records: number): void {
  const never = () => false
  for (let i = 0, turn = 0; i < records; turn++) {
    const loop = loops[turn % loops.length]!
    for (let end = Math.min(i + BATCH, records); i < end; i++) loop.writer.process(made[i % POOL], i)
    loop.gates[0]!.take(never)
  }
  for (const loop of loops) loop.settle()
}
