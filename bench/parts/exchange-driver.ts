/**
 * What the cases of an exchange have in common: bids, keyed, from two senders to two receivers, each side in a loop of its own. Where the sides run, what is between them and how
 * they wait is the case's ({@link Ways}).
 */
import { BatchReader } from '../../runtime/codec/batch-reader.ts'
import { inferType } from '../../runtime/core/types.ts'
import { type InputChannel, InputGate } from '../../runtime/network/input-gate.ts'
import { Overflow } from '../../runtime/network/overflow.ts'
import { RecordWriter, type RecordWriterOptions } from '../../runtime/network/record-writer.ts'
import { WatermarkValve } from '../../runtime/network/valve.ts'
import { KINDS, type KindName, makeWeigher, weightOf, withLast } from './records.ts'

const POOL = 1024
export const SENDERS = 2
export const RECEIVERS = 2
/** Records that a sender puts out before the other has its turn; a source task does the same. */
const PER_TURN = 512
const WARM_UP_RECORDS = 1_000_000

export type Role = 'send' | 'receive'

export interface Round {
  kind: KindName
  records: number
}

/** What one side has seen of a round. */
export interface Done {
  count: number
  weight: number
}

export type DoRound = (records: number) => Promise<Done>

/** What is between the two sides. */
export interface Ways {
  output(kind: KindName, sender: number, receiver: number): RecordWriterOptions['channels'][number]
  input(kind: KindName, sender: number, receiver: number): InputChannel['channel']
  /** Does `step` until it says 'done'; gives way, and sleeps while it says 'nothing', as a slot does. */
  loop(step: () => Step): void | Promise<void>
}

export type Step = 'worked' | 'nothing' | 'done'

/** One side of all kinds, all in this thread. */
export async function makeSide(role: Role, ways: Ways): Promise<Record<KindName, DoRound>> {
  const rounds = {} as Record<KindName, DoRound>
  for (const name of Object.keys(KINDS) as KindName[])
    rounds[name] = await (role === 'send' ? makeSender : makeReceiver)(name, ways)
  return rounds
}

/** Warms up with all kinds, the one that is to be measured last. */
export async function warmUp(measured: KindName, records: number, round: (round: Round) => unknown): Promise<void> {
  for (const kind of withLast(measured)) await round({ kind, records: Math.min(records, WARM_UP_RECORDS) })
}

/** Throws unless what came is what was sent. */
export function compare(records: number, sent: Done, received: Done): void {
  if (received.count === records && received.weight === sent.weight) return
  throw new Error(
    `Cannot trust the exchange: ${received.count} of ${records} records came, weight ${received.weight} of ${sent.weight}`,
  )
}

async function makeSender(name: KindName, ways: Ways): Promise<DoRound> {
  const kind = KINDS[name]
  const made = kind.make(POOL)
  const overflow = new Overflow()
  const writers = Array.from(
    { length: SENDERS },
    (_, sender) =>
      new RecordWriter({
        edgeId: 0,
        epoch: 0,
        channels: Array.from({ length: RECEIVERS }, (_, receiver) => ways.output(name, sender, receiver)),
        selector: { kind: 'key', keyOf: kind.keyOf, maxParallelism: 128 },
        overflow,
        type: inferType(made.slice(0, 64)),
        proposeType() {},
        bufferTimeoutMs: 5,
        operatorName: name,
      }),
  )
  return async (records) => {
    let sent = 0
    await ways.loop(() => {
      let worked = false
      for (const writer of writers) {
        writer.drain()
        if (writer.blocked()) {
          // blocked() has asked to be woken; a second look finds credit that came before.
          writer.drain()
          if (writer.blocked()) continue
        }
        for (let end = Math.min(sent + PER_TURN, records); sent < end; sent++) writer.process(made[sent % POOL], sent)
        worked = true
      }
      if (sent < records) return worked ? 'worked' : 'nothing'
      for (const writer of writers) writer.flushAll()
      for (const writer of writers) if (!writer.drain()) writer.blocked()
      return overflow.size === 0 ? 'done' : 'nothing'
    })
    return { count: records, weight: weightOf(kind, made, records) }
  }
}

async function makeReceiver(name: KindName, ways: Ways): Promise<DoRound> {
  const type = inferType(KINDS[name].make(64))
  const heads = await Promise.all(Array.from({ length: RECEIVERS }, () => makeWeigher(name)))
  const gates = heads.map((head, receiver) => {
    const channels = Array.from({ length: SENDERS }, (_, sender) => ({
      channel: ways.input(name, sender, receiver),
      reader: new BatchReader(head, true, type),
      fragments: undefined,
      dataEnded: false,
      ended: false,
    }))
    return new InputGate(channels, new WatermarkValve(SENDERS, { watermark() {}, status() {} }))
  })
  const never = () => false
  return async (records) => {
    for (const head of heads) head.count = head.weight = 0
    await ways.loop(() => {
      let took = false
      for (const gate of gates) took = gate.take(never) || took
      if (heads.reduce((sum, head) => sum + head.count, 0) === records) return 'done'
      return took ? 'worked' : 'nothing'
    })
    const sum = (field: 'count' | 'weight') => heads.reduce((total, head) => total + head[field], 0)
    return { count: sum('count'), weight: sum('weight') }
  }
}
