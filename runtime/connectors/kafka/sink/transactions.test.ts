import fc from 'fast-check'
import { expect, test } from 'vitest'
import { partsOf } from './transactional-ids.ts'
import { type KafkaWriterState, type Producer, type TransactionHandle, Transactions } from './transactions.ts'

const PLACE = { prefix: 'p', generation: { epoch: 1, attempt: 0 }, subtask: 0, parallelism: 1 }
const producerOf = (transactionalId: string): Producer => {
  return { transactionalId, producerId: 1n, epoch: 0, sequences: new Map() }
}
const handleOf = (transactionalId: string, epoch = 0): TransactionHandle => {
  return { transactionalId, producerId: '1', epoch }
}

/** A coordinator of transactions: what it knows of each id. */
class Coordinator {
  readonly ids = new Map<string, { epoch: number; state: 'ongoing' | 'committed' | 'aborted' }>()

  init(transactionalId: string): Producer {
    const epoch = (this.ids.get(transactionalId)?.epoch ?? -1) + 1
    this.ids.set(transactionalId, { epoch, state: 'ongoing' })
    return { transactionalId, producerId: 1n, epoch, sequences: new Map() }
  }

  /** False: it is fenced, or was aborted. */
  commit({ transactionalId, epoch }: TransactionHandle): boolean {
    const known = this.ids.get(transactionalId)!
    if (known.epoch !== epoch || known.state === 'aborted') return false
    known.state = 'committed'
    return true
  }
}

interface Committable {
  checkpointId: number
  handle: TransactionHandle
}

/** What is stored of a job with one writer. */
interface Checkpoint {
  id: number
  writer: KafkaWriterState
  committer: Committable[]
}

/** A writer, its committer, and who takes checkpoints, as kafka-sink.ts, writer.ts and operators/commits.ts put them together. */
class Job {
  readonly kafka = new Coordinator()
  /** The job may go on from the last of these. */
  complete: Checkpoint | undefined
  #pending: Checkpoint[] = []
  #nextCheckpoint = 1
  #transactions!: Transactions
  #committer: Committable[] = []
  #open!: { producer: Promise<Producer>; records: boolean }
  /** Ids that were begun in this attempt. */
  #begun = new Set<string>()

  constructor() {
    this.#start(new Set())
  }

  write(): void {
    this.#open.records = true
  }

  async checkpoint(): Promise<void> {
    const id = this.#nextCheckpoint++
    const { producer, records } = this.#open
    if (records) {
      const handle = producer.then(({ transactionalId, producerId, epoch }) => ({
        transactionalId: transactionalId!,
        producerId: String(producerId),
        epoch,
      }))
      this.#begin()
      this.#transactions.prepare(handle)
      this.#committer.push({ checkpointId: id, handle: await handle })
    }
    this.#pending.push({ id, writer: await this.#transactions.snapshot(id), committer: [...this.#committer] })
  }

  /** One that is under way, and not those before it, becomes complete; `fails`: not 0: commits fail, from 2 on when they have taken effect. */
  finish(which: number, fails: number): void {
    const checkpoint = this.#pending[which % Math.max(1, this.#pending.length)]
    if (checkpoint === undefined) return
    this.#pending = this.#pending.filter(({ id }) => id > checkpoint.id)
    this.complete = checkpoint
    this.#commit(checkpoint.id, fails)
  }

  drop(which: number): void {
    this.#pending.splice(which % Math.max(1, this.#pending.length), 1)
  }

  /** From the last complete checkpoint, by the code of kafka-sink.ts. */
  restart(fails: number): void {
    this.#pending = []
    const { writer, committer } = this.complete ?? { writer: undefined, committer: [] }
    const handles = writer?.handles ?? []
    const held = new Set(handles.map(({ transactionalId }) => transactionalId))
    // Or it would be taken for one that lingers, and aborted.
    for (const { handle } of committer) expect(held).toContain(handle.transactionalId)
    this.#start(held)
    this.#transactions.carry(handles)
    for (const [id, known] of this.kafka.ids)
      if (!held.has(id) && known.state === 'ongoing' && !this.#begun.has(id)) known.state = 'aborted'
    this.#committer = [...committer]
    this.#commit(this.complete?.id ?? 0, fails)
  }

  retry(): void {
    this.#commit(this.complete?.id ?? 0, 0)
  }

  /** Ids in use: none that is free, nor reserved. */
  get idsMax(): number {
    return this.#idsMax
  }
  #idsMax = 0

  #start(held: ReadonlySet<string>): void {
    this.#begun = new Set()
    const init = (id: string): Producer => {
      const held = this.complete?.committer.filter(({ handle }) => handle.transactionalId === id) ?? []
      expect(held).toEqual([])
      this.#begun.add(id)
      this.#idsMax = Math.max(this.#idsMax, partsOf('p', id)!.n + 1)
      return this.kafka.init(id)
    }
    this.#transactions = new Transactions({ ...PLACE, begin: async (nextId) => init(nextId()) })
    for (const id of held) this.#transactions.setAside(id)
    this.#begin()
  }

  #begin(): void {
    this.#open = { producer: this.#transactions.begin(), records: false }
    this.#transactions.prepareNext()
  }

  #commit(upTo: number, fails: number): void {
    // By checkpoint, and nothing newer before that is done.
    while (this.#committer.length > 0 && this.#committer[0]!.checkpointId <= upTo) {
      const one = this.#committer[0]!
      this.#transactions.complete(one.checkpointId)
      const answerIsLost = (fails & 2) !== 0
      if (fails > 0 && !answerIsLost) return
      // Fenced or aborted: a transaction of a complete checkpoint is lost.
      expect(this.kafka.commit(one.handle)).toBe(true)
      if (answerIsLost) return
      this.#transactions.committed(one.handle.transactionalId)
      this.#committer.shift()
    }
  }
}

type Step = ['write' | 'checkpoint' | 'finish' | 'drop' | 'restart' | 'retry', number, number]

async function run(steps: readonly Step[]): Promise<Job> {
  const job = new Job()
  for (const [what, which, fails] of steps) {
    if (what === 'write') job.write()
    else if (what === 'checkpoint') await job.checkpoint()
    else if (what === 'finish') job.finish(which, fails)
    else if (what === 'drop') job.drop(which)
    else if (what === 'restart') job.restart(fails)
    else job.retry()
  }
  return job
}

test('no transaction of a complete checkpoint is fenced, aborted or begun again, in any order of what happens', async () => {
  const kind = fc.constantFrom(
    'write',
    'write',
    'checkpoint',
    'checkpoint',
    'finish',
    'finish',
    'drop',
    'restart',
    'retry',
  ) as fc.Arbitrary<Step[0]>
  const steps = fc.array(fc.tuple(kind, fc.nat({ max: 3 }), fc.oneof(fc.constant(0), fc.nat({ max: 3 }))), {
    maxLength: 60,
    size: 'max',
  })
  await fc.assert(
    fc.asyncProperty(steps as fc.Arbitrary<Step[]>, async (all) => {
      const job = await run(all)
      job.restart(0)
      for (const { handle } of job.complete?.committer ?? [])
        expect(job.kafka.ids.get(handle.transactionalId)!.state).toBe('committed')
    }),
    { numRuns: 1000 },
  )
})

test('ids stay few while checkpoints are completed', async () => {
  const round: Step[] = [
    ['write', 0, 0],
    ['checkpoint', 0, 0],
    ['finish', 0, 0],
  ]
  const job = await run(Array.from({ length: 200 }, () => round).flat())
  expect(job.idsMax).toBeLessThanOrEqual(5)
})

test('a handle that could not be committed after a restart is in the checkpoints that follow, until it is', async () => {
  const handle = handleOf('p-0.4-0-4', 2)
  const transactions = new Transactions({ ...PLACE, begin: async (nextId) => producerOf(nextId()) })
  transactions.setAside(handle.transactionalId)
  transactions.carry([handle])
  expect((await transactions.snapshot(9)).handles).toEqual([handle])
  transactions.committed('p-0.4-0-4')
  expect((await transactions.snapshot(10)).handles).toEqual([])
})

test.each([
  [PLACE.generation, ['p-1.0-0-0', 'p-1.0-0-2', 'p-0-1', 'p-1.1-0-1'], ['p-1.0-0-1', 'p-1.0-0-3']],
  [undefined, ['p-0-0', 'p-0-2', 'p-1-1', 'p-1.0-0-1'], ['p-0-1', 'p-0-3']],
])('in the generation %j ids that were set aside are passed over: %j', async (generation, aside, begun) => {
  const transactions = new Transactions({ ...PLACE, generation, begin: async (nextId) => producerOf(nextId()) })
  for (const id of aside) expect(transactions.setAside(id)).toBe(true)
  const first = await transactions.begin()
  transactions.prepareNext()
  const second = await transactions.begin()
  expect([first, second].map(({ transactionalId }) => transactionalId)).toEqual(begun)
  // Too late.
  expect(begun.map((id) => transactions.setAside(id))).toEqual([false, false])
})

test('an id whose request nobody has answered is passed over, then and later', async () => {
  const begun: string[] = []
  const transactions = new Transactions({
    ...PLACE,
    async begin(nextId) {
      begun.push(nextId())
      if (begun.length === 1) begun.push(nextId())
      return producerOf(begun.at(-1)!)
    },
  })
  const { transactionalId } = await transactions.begin()
  expect(transactionalId).toBe('p-1.0-0-1')
  transactions.prepare(Promise.resolve(handleOf(transactionalId!)))
  await transactions.snapshot(1)
  transactions.complete(1)
  transactions.committed(transactionalId!)
  await transactions.snapshot(2)
  transactions.complete(2)
  await transactions.begin()
  await transactions.begin()
  expect(begun).toEqual(['p-1.0-0-0', 'p-1.0-0-1', 'p-1.0-0-1', 'p-1.0-0-2'])
  expect(transactions.setAside('p-1.0-0-0')).toBe(false)
})

test('the job is still ours when a checkpoint is complete that began after the question', async () => {
  const transactions = new Transactions({ ...PLACE, begin: async (nextId) => producerOf(nextId()) })
  const told: string[] = []
  const ask = (who: string) => void transactions.stillOurs().then(() => told.push(who))
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  await transactions.snapshot(4)
  ask('behind 4')
  transactions.complete(4)
  await settle()
  expect(told).toEqual([])
  await transactions.snapshot(5)
  ask('behind 5')
  await transactions.snapshot(6)
  // Restored, or given up.
  transactions.complete(4)
  transactions.complete(5)
  await settle()
  expect(told).toEqual(['behind 4'])
  transactions.complete(7)
  await settle()
  expect(told).toEqual(['behind 4', 'behind 5'])
})
