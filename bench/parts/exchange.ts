/**
 * exchange-wide, exchange-narrow: bids between two threads, keyed, two senders to two receivers over channels in shared memory: all of an
 * exchange, waking included, and nothing of the tasks around it. The two threads are this file again.
 */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { BatchReader } from '../../runtime/codec/batch-reader.ts'
import { inferType } from '../../runtime/core/types.ts'
import { BufferPool } from '../../runtime/network/buffer-pool.ts'
import { allocateGate, ChannelReader, ChannelWriter } from '../../runtime/network/channel.ts'
import { Doorbell } from '../../runtime/network/doorbell.ts'
import { InputGate } from '../../runtime/network/input-gate.ts'
import { Overflow } from '../../runtime/network/overflow.ts'
import { RecordWriter } from '../../runtime/network/record-writer.ts'
import { EXCHANGE_SETTINGS } from '../../runtime/network/settings.ts'
import { WatermarkValve } from '../../runtime/network/valve.ts'
import { type CaseInput, type Figures, Meter, type RunCase } from '../measure.ts'
import { KINDS, type KindName, makeWeigher, weightOf, withLast } from './records.ts'

const POOL = 1024
const SENDERS = 2
const RECEIVERS = 2
/** Records that a sender puts out before the other has its turn; a source task does the same. */
const PER_TURN = 512

export const wide: RunCase = (input) => run('wide', input)
export const narrow: RunCase = (input) => run('narrow', input)

/** Memory that joins the two threads. */
interface Shared {
  role: 'send' | 'receive'
  pool: SharedArrayBuffer
  bells: Record<Shared['role'], SharedArrayBuffer>
  /** By receiver, one channel per sender; a set for each kind. */
  gates: Record<KindName, SharedArrayBuffer[]>
}

interface Round {
  kind: KindName
  records: number
}

interface Done {
  count: number
  weight: number
}

type DoRound = (records: number) => Promise<Done>

async function run(measured: KindName, { records }: CaseInput): Promise<Figures> {
  const gates = Object.fromEntries(
    Object.keys(KINDS).map((name) => [name, Array.from({ length: RECEIVERS }, () => allocateGate(SENDERS))]),
  ) as Shared['gates']
  const shared = {
    pool: BufferPool.allocate(EXCHANGE_SETTINGS.poolBuffers),
    bells: { send: Doorbell.allocate(), receive: Doorbell.allocate() },
    gates,
  }
  const workers = (['receive', 'send'] as const).map(
    (role) => new Worker(new URL(import.meta.url), { workerData: { role, ...shared } satisfies Shared }),
  )
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  const round = async (kind: KindName, n: number): Promise<Done> => {
    const done = Promise.all(workers.map((worker) => once(worker, 'message')))
    for (const worker of workers) worker.postMessage({ kind, records: n } satisfies Round)
    const [[received], [sent]] = (await done) as [[Done], [Done]]
    if (received.count !== n || received.weight !== sent.weight) {
      throw new Error(
        `Cannot trust the exchange: ${received.count} of ${n} records came, weight ${received.weight} of ${sent.weight}`,
      )
    }
    return received
  }
  for (const kind of withLast(measured)) await round(kind, Math.min(records, 1_000_000))
  const meter = new Meter()
  const { count } = await round(measured, records)
  const figures = meter.figures(records, count)
  await Promise.all(workers.map((worker) => worker.terminate()))
  return figures
}

/** Does `step` until it says 'done'; sleeps as a slot does while it says 'nothing'. */
function loop(bell: Doorbell, step: () => 'worked' | 'nothing' | 'done'): void {
  let napped = false
  for (;;) {
    let found = step()
    if (found === 'done') return
    if (found === 'worked') {
      napped = false
      continue
    }
    if (!napped) {
      napped = true
      bell.nap(0.1)
      continue
    }
    const sequence = bell.announceSleep()
    found = step()
    if (found === 'nothing') bell.block(sequence, 0.5)
    else bell.stayAwake()
    if (found === 'done') return
  }
}

/** Writers of one kind, both in this thread. */
async function makeSender(shared: Shared, name: KindName): Promise<DoRound> {
  const kind = KINDS[name]
  const made = kind.make(POOL)
  const overflow = new Overflow()
  const writers = Array.from(
    { length: SENDERS },
    (_, sender) =>
      new RecordWriter({
        edgeId: 0,
        epoch: 0,
        channels: shared.gates[name].map(
          (gate) => new ChannelWriter(gate, sender, new BufferPool(shared.pool), new Doorbell(shared.bells.receive)),
        ),
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
    loop(new Doorbell(shared.bells.send), () => {
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

/** Gates of one kind, both in this thread. */
async function makeReceiver(shared: Shared, name: KindName): Promise<DoRound> {
  const kind = KINDS[name]
  const type = inferType(kind.make(64))
  const pool = new BufferPool(shared.pool)
  const heads = await Promise.all(Array.from({ length: RECEIVERS }, () => makeWeigher(name)))
  const gates = heads.map((head, receiver) => {
    const channels = Array.from({ length: SENDERS }, (_, sender) => ({
      channel: new ChannelReader(shared.gates[name][receiver]!, sender, pool, new Doorbell(shared.bells.send)),
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
    loop(new Doorbell(shared.bells.receive), () => {
      let took = false
      for (const gate of gates) took = gate.take(never) || took
      if (heads.reduce((sum, head) => sum + head.count, 0) === records) return 'done'
      return took ? 'worked' : 'nothing'
    })
    const sum = (field: 'count' | 'weight') => heads.reduce((total, head) => total + head[field], 0)
    return { count: sum('count'), weight: sum('weight') }
  }
}

if (!isMainThread && workerData?.role !== undefined) {
  const shared = workerData as Shared
  const make = shared.role === 'send' ? makeSender : makeReceiver
  const rounds = {} as Record<KindName, DoRound>
  for (const name of Object.keys(KINDS) as KindName[]) rounds[name] = await make(shared, name)
  parentPort!.on('message', async ({ kind, records }: Round) => parentPort!.postMessage(await rounds[kind](records)))
  parentPort!.postMessage('ready')
}
