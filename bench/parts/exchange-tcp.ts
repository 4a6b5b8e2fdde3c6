/**
 * exchange-tcp: wide bids between two processes on one machine, keyed, two senders to two receivers over one connection: encoding, both ends of
 * the channels, the kernel's part of TCP, decoding, and loops that give way and sleep as slots with remote channels do. CPU time is that of both
 * processes. The second process is this file again.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { BatchReader } from '../../runtime/codec/batch-reader.ts'
import { inferType } from '../../runtime/core/types.ts'
import { BufferPool } from '../../runtime/network/buffer-pool.ts'
import { Doorbell } from '../../runtime/network/doorbell.ts'
import { InputGate } from '../../runtime/network/input-gate.ts'
import { Overflow } from '../../runtime/network/overflow.ts'
import { RecordWriter } from '../../runtime/network/record-writer.ts'
import { DataPort } from '../../runtime/network/remote/data-port.ts'
import { channelKey, SlotLinks } from '../../runtime/network/remote/slot-links.ts'
import type { Address } from '../../runtime/network/remote/sockets.ts'
import { EXCHANGE_SETTINGS } from '../../runtime/network/settings.ts'
import { WatermarkValve } from '../../runtime/network/valve.ts'
import { type CaseInput, type Figures, round } from '../measure.ts'
import { KINDS, type KindName, makeWeigher, weightOf, withLast } from './records.ts'

const POOL = 1024
const SENDERS = 2
const RECEIVERS = 2
/** Records that a sender puts out before the other has its turn; a source task does the same. */
const PER_TURN = 512
const SENDING_SLOT = 0
const RECEIVING_SLOT = 1
/** A slot with channels to other processes gives way after this time: what it has made goes out then, and credit comes in. */
const SLICE_MS = 0.25
const STARVED_SLICE_MS = 0.1
const SLEEP_MS = 1000
const CHILD = '--exchange-tcp-receiver'

type Role = 'send' | 'receive'

interface Round {
  kind: KindName
  records: number
}

interface Done {
  count: number
  weight: number
  /** CPU time that the round took in its process. Microseconds. */
  cpuUs: number
}

type DoRound = (records: number) => Promise<Omit<Done, 'cpuUs'>>

export async function run({ records, settings }: CaseInput): Promise<Figures> {
  const compression = settings.compression === 'lz4' ? 'lz4' : 'none'
  const child = fork(fileURLToPath(import.meta.url), [CHILD, compression], {
    execArgv: process.execArgv,
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  const port = await DataPort.listen({ host: '127.0.0.1', port: 0 })
  const [address] = (await once(child, 'message')) as [Address]
  child.send(port.address)
  const end = await makeEnd('send', port, address, compression)
  await once(child, 'message')
  const round1 = async (kind: KindName, n: number) => {
    const theirs = once(child, 'message')
    child.send({ kind, records: n } satisfies Round)
    const sent = await end({ kind, records: n })
    const [received] = (await theirs) as [Done]
    if (received.count !== n || received.weight !== sent.weight) {
      throw new Error(
        `Cannot trust the exchange: ${received.count} of ${n} records came, weight ${received.weight} of ${sent.weight}`,
      )
    }
    return { sent, received }
  }
  for (const kind of withLast('wide')) await round1(kind, Math.min(records, 1_000_000))
  const startMs = performance.now()
  const { sent, received } = await round1('wide', records)
  const wallMs = performance.now() - startMs
  child.disconnect()
  await once(child, 'exit')
  port.close()
  const perRecord = (us: number) => round((us * 1000) / records, 2)
  return {
    records,
    recordsPerSecond: Math.round((records / wallMs) * 1000),
    cpuNsPerRecord: perRecord(sent.cpuUs + received.cpuUs),
    out: received.count,
    sendCpuNs: perRecord(sent.cpuUs),
    receiveCpuNs: perRecord(received.cpuUs),
  }
}

/** One side: its links, and its channels of every kind. */
async function makeEnd(role: Role, dataPort: DataPort, peer: Address, compression: 'none' | 'lz4') {
  const bell = new Doorbell(Doorbell.allocate())
  const pool = new BufferPool(BufferPool.allocate(EXCHANGE_SETTINGS.poolBuffers))
  const links = new SlotLinks({ dataPort, wake: () => bell.ring(), compression })
  const [slotIndex, other] = role === 'send' ? [SENDING_SLOT, RECEIVING_SLOT] : [RECEIVING_SLOT, SENDING_SLOT]
  links.begin({ jobId: 'bench', attempt: 0, slotIndex, peers: { [other]: peer }, token: 'bench', pool })
  const rounds = {} as Record<KindName, DoRound>
  for (const [edge, name] of (Object.keys(KINDS) as KindName[]).entries()) {
    rounds[name] = await (role === 'send' ? makeSender : makeReceiver)(name, edge, links, bell)
  }
  await links.open()
  return async ({ kind, records }: Round): Promise<Done> => {
    const before = process.cpuUsage()
    const done = await rounds[kind](records)
    const { user, system } = process.cpuUsage(before)
    return { ...done, cpuUs: user + system }
  }
}

/** Does `step` until it says 'done', as the loop of a slot with channels to other processes. */
function loop(bell: Doorbell, links: SlotLinks, step: () => 'worked' | 'nothing' | 'done'): Promise<void> {
  return new Promise((resolve) => {
    /** The sockets have been looked at since there was work. */
    let looked = false
    const turn = () => {
      const startMs = performance.now()
      do {
        let found = step()
        if (found === 'worked') {
          looked = false
          continue
        }
        links.flush()
        if (found === 'done') return resolve()
        if (!looked) {
          looked = true
          break
        }
        const sequence = bell.announceSleep()
        found = step()
        const wait = found === 'nothing' ? bell.wait(sequence, SLEEP_MS) : undefined
        if (wait !== undefined) {
          void wait.then(turn)
          return
        }
        bell.stayAwake()
        if (found === 'done') return resolve()
      } while (performance.now() - startMs < (links.starved ? STARVED_SLICE_MS : SLICE_MS))
      links.flush()
      setImmediate(turn)
    }
    turn()
  })
}

/** Writers of one kind. */
async function makeSender(name: KindName, edge: number, links: SlotLinks, bell: Doorbell): Promise<DoRound> {
  const kind = KINDS[name]
  const made = kind.make(POOL)
  const overflow = new Overflow()
  const writers = Array.from(
    { length: SENDERS },
    (_, sender) =>
      new RecordWriter({
        edgeId: edge,
        epoch: 0,
        channels: Array.from({ length: RECEIVERS }, (_, receiver) =>
          links.output(RECEIVING_SLOT, channelKey(edge, sender, receiver)),
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
    await loop(bell, links, () => {
      let worked = false
      for (const writer of writers) {
        writer.drain()
        if (writer.blocked()) continue
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

/** Gates of one kind. */
async function makeReceiver(name: KindName, edge: number, links: SlotLinks, bell: Doorbell): Promise<DoRound> {
  const type = inferType(KINDS[name].make(64))
  const heads = await Promise.all(Array.from({ length: RECEIVERS }, () => makeWeigher(name)))
  const gates = heads.map((head, receiver) => {
    const channels = Array.from({ length: SENDERS }, (_, sender) => ({
      channel: links.input(SENDING_SLOT, channelKey(edge, sender, receiver)),
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
    await loop(bell, links, () => {
      let took = false
      for (const gate of gates) took = gate.take(never) || took
      if (heads.reduce((sum, head) => sum + head.count, 0) === records) return 'done'
      return took ? 'worked' : 'nothing'
    })
    const sum = (field: 'count' | 'weight') => heads.reduce((total, head) => total + head[field], 0)
    return { count: sum('count'), weight: sum('weight') }
  }
}

if (process.argv[2] === CHILD) {
  process.on('disconnect', () => process.exit())
  // Nothing else holds this process.
  process.channel!.ref()
  const port = await DataPort.listen({ host: '127.0.0.1', port: 0 })
  const theirs = once(process, 'message')
  process.send!(port.address)
  const [peer] = (await theirs) as [Address]
  const opening = makeEnd('receive', port, peer, process.argv[3] === 'lz4' ? 'lz4' : 'none')
  process.on('message', async (message: Round) => process.send!(await (await opening)(message)))
  await opening
  process.send!('ready')
}
