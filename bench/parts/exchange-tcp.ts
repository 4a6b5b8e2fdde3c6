/**
 * exchange-tcp: wide bids between two processes on one machine over one connection: encoding, both ends of the channels, the kernel's part of TCP, decoding, and loops that give way
 * and sleep as slots with remote channels do. CPU time is that of both processes. The second process is this file again.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { BufferPool } from '../../runtime/network/buffer-pool.ts'
import { Doorbell } from '../../runtime/network/doorbell.ts'
import { DataPort } from '../../runtime/network/remote/data-port.ts'
import { channelKey, SlotLinks } from '../../runtime/network/remote/slot-links.ts'
import type { Address } from '../../runtime/network/remote/sockets.ts'
import { EXCHANGE_SETTINGS } from '../../runtime/network/settings.ts'
import { type CaseInput, type Figures, round } from '../measure.ts'
import { compare, makeSide, type Role, type Round, type Done as Seen, type Step, warmUp } from './exchange-driver.ts'
import { KINDS, type KindName } from './records.ts'

const SENDING_SLOT = 0
const RECEIVING_SLOT = 1
/** A slot with channels to other processes gives way after this time: what it has made goes out then, and credit comes in. */
const SLICE_MS = 0.25
const STARVED_SLICE_MS = 0.1
const SLEEP_MS = 1000
const CHILD = '--exchange-tcp-receiver'

interface Done extends Seen {
  /** CPU time that the round took in its process. Microseconds. */
  cpuUs: number
}

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
  const both = async (one: Round) => {
    const theirs = once(child, 'message')
    child.send(one)
    const sent = await end(one)
    const [received] = (await theirs) as [Done]
    compare(one.records, sent, received)
    return { sent, received }
  }
  await warmUp('wide', records, both)
  const startMs = performance.now()
  const { sent, received } = await both({ kind: 'wide', records })
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

/** One side, and its links. */
async function makeEnd(role: Role, dataPort: DataPort, peer: Address, compression: 'none' | 'lz4') {
  const bell = new Doorbell(Doorbell.allocate())
  const pool = new BufferPool(BufferPool.allocate(EXCHANGE_SETTINGS.poolBuffers))
  const links = new SlotLinks({ dataPort, wake: () => bell.ring(), compression })
  const [slotIndex, other] = role === 'send' ? [SENDING_SLOT, RECEIVING_SLOT] : [RECEIVING_SLOT, SENDING_SLOT]
  links.begin({ jobId: 'bench', attempt: 0, slotIndex, peers: { [other]: peer }, token: 'bench', pool })
  const edges = Object.keys(KINDS)
  const key = (kind: KindName, sender: number, receiver: number) => channelKey(edges.indexOf(kind), sender, receiver)
  const rounds = await makeSide(role, {
    output: (...which) => links.output(RECEIVING_SLOT, key(...which)),
    input: (...which) => links.input(SENDING_SLOT, key(...which)),
    loop: (step) => loop(bell, links, step),
  })
  await links.open()
  return async ({ kind, records }: Round): Promise<Done> => {
    const before = process.cpuUsage()
    const done = await rounds[kind](records)
    const { user, system } = process.cpuUsage(before)
    return { ...done, cpuUs: user + system }
  }
}

/** As the loop of a slot with channels to other processes. */
function loop(bell: Doorbell, links: SlotLinks, step: () => Step): Promise<void> {
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
