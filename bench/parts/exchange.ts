/**
 * exchange-wide, exchange-narrow: bids between two threads over channels in shared memory: all of an exchange, waking included, and nothing of the tasks around it. The two threads
 * are this file again.
 */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { BufferPool } from '../../runtime/network/buffer-pool.ts'
import { allocateGate, ChannelReader, ChannelWriter } from '../../runtime/network/channel.ts'
import { Doorbell } from '../../runtime/network/doorbell.ts'
import { EXCHANGE_SETTINGS } from '../../runtime/network/settings.ts'
import { type CaseInput, type Figures, Meter, type RunCase } from '../measure.ts'
import {
  compare,
  type Done,
  makeSide,
  RECEIVERS,
  type Role,
  type Round,
  SENDERS,
  type Step,
  type Ways,
  warmUp,
} from './exchange-driver.ts'
import { KINDS, type KindName } from './records.ts'

export const wide: RunCase = (input) => run('wide', input)
export const narrow: RunCase = (input) => run('narrow', input)

/** Memory that joins the two threads. */
interface Shared {
  role: Role
  pool: SharedArrayBuffer
  bells: Record<Role, SharedArrayBuffer>
  /** By receiver, one channel per sender; a set for each kind. */
  gates: Record<KindName, SharedArrayBuffer[]>
}

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
  const round = async (one: Round): Promise<Done> => {
    const done = Promise.all(workers.map((worker) => once(worker, 'message')))
    for (const worker of workers) worker.postMessage(one)
    const [[received], [sent]] = (await done) as [[Done], [Done]]
    compare(one.records, sent, received)
    return received
  }
  await warmUp(measured, records, round)
  const meter = new Meter()
  const { count } = await round({ kind: measured, records })
  const figures = meter.figures(records, count)
  await Promise.all(workers.map((worker) => worker.terminate()))
  return figures
}

/** As the loop of a slot whose thread is its own. */
function loop(bell: Doorbell, step: () => Step): void {
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

function waysOf({ role, pool, bells, gates }: Shared): Ways {
  const own = new Doorbell(bells[role])
  const buffers = new BufferPool(pool)
  return {
    output: (kind, sender, receiver) =>
      new ChannelWriter(gates[kind][receiver]!, sender, buffers, new Doorbell(bells.receive)),
    input: (kind, sender, receiver) =>
      new ChannelReader(gates[kind][receiver]!, sender, buffers, new Doorbell(bells.send)),
    loop: (step) => loop(own, step),
  }
}

if (!isMainThread && workerData?.role !== undefined) {
  const shared = workerData as Shared
  const rounds = await makeSide(shared.role, waysOf(shared))
  parentPort!.on('message', async ({ kind, records }: Round) => parentPort!.postMessage(await rounds[kind](records)))
  parentPort!.postMessage('ready')
}
