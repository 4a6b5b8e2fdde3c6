/**
 * Attempts that are over and do not know it: a task that is cancelled while its sink still opens, a request of it to which a broker comes late, a process that was replaced. Nothing of theirs may
 * touch what the next attempt has begun.
 *
 * Chaos found it (`--kind network --seed 770011`): slot 1 was cancelled while it opened its sinks over slow connections, and went on opening them. InitProducerId of the cancelled attempt
 * came behind that of the next one, in the same thread, for the same id. The transaction of the next attempt, by then in a complete checkpoint, was fenced and lost.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { DataStream } from '../../../api/data-stream.ts'
import { textLines } from '../../../formats/text/index.ts'
import { Operator } from '../../../operators/sink.ts'
import { fakeContext } from '../../../testing/operator-context.ts'
import { type HarnessOptions, OperatorHarness } from '../../../testing/operator-harness.ts'
import { KafkaClient } from '../client/client.ts'
import { describeOnKfake } from '../testing/kafka-broker.suite.ts'
import { kafkaSink } from './kafka-sink.ts'

/** A request on its way. */
interface Held {
  transactionalId: string
  /** It comes to the broker now, whoever still waits for it. */
  arrive(): Promise<void>
}

describeOnKfake('exactly once beside attempts that are over', (kafka) => {
  let topics = 0
  let topic: string
  const opened: { close(): Promise<void> }[] = []
  beforeEach(async () => {
    topic = `superseded-${topics++}`
    await kafka().createTopic(topic, 1)
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    for (const sink of opened.splice(0)) await sink.close().catch(() => {})
  })
  const sink = () =>
    kafkaSink<string>({
      bootstrapServers: kafka().bootstrapServers,
      topic,
      value: textLines(),
      deliveryGuarantee: 'exactly-once',
      transactionalIdPrefix: topic,
    })
  const open = async (options: HarnessOptions = {}) => {
    const harness = await OperatorHarness.open((lines: DataStream<string>) => lines.sinkTo(sink()), options)
    opened.push(harness)
    return harness
  }
  const read = async () => (await kafka().readCommitted(topic)).map(({ value }) => String(value)).sort()

  /** Requests of a kind that leave from now on, as far as `holds` says so: they are not answered, and arrive when they are told to. */
  const hold = (api: string, holds: (transactionalId: string) => boolean = () => true) => {
    const held: Held[] = []
    const call = KafkaClient.prototype.call
    const calls: string[] = []
    vi.spyOn(KafkaClient.prototype, 'call').mockImplementation(function (this: KafkaClient, node, name, args: any) {
      calls.push(name)
      if (name !== api || !holds(args.transactionalId)) return call.call(this, node, name, args)
      return new Promise((_, reject) => {
        const { transactionalId } = args
        const arrive = async () => {
          const late = new KafkaClient(this.settings, {
            clock: { now: () => 0, monotonic: () => 0 },
            schedule: () => () => {},
            random: () => 0,
            warn: () => {},
          })
          await call.call(late, await late.coordinator('transaction', transactionalId), name, args)
          await late.close()
          reject(new Error('the connection broke'))
        }
        held.push({ transactionalId, arrive })
      })
    })
    return { held, calls }
  }

  it('a request of a cancelled attempt may come when the next one has prepared', async () => {
    const { held, calls } = hold('InitProducerId', () => held.length < 2)
    const cancelled = new Operator({ sink: sink() })
    const opening = cancelled.open(fakeContext({ checkpointing: true })).catch((error) => error)
    // The first id and the one behind it, as every attempt asks for them.
    await expect.poll(() => held.length).toBe(2)
    const closing = cancelled.close()
    const next = await open({ attempt: 1 })
    next.processElement('a')
    await next.snapshot()
    next.processElement('b')
    calls.length = 0
    await Promise.all(held.map(({ arrive }) => arrive()))
    await closing
    expect(await opening).toBeInstanceOf(Error)
    // It has asked for nothing since.
    expect(calls).toEqual([])
    await next.notifyCheckpointComplete()
    await next.snapshot()
    await next.notifyCheckpointComplete()
    expect(await read()).toEqual(['a', 'b'])
  })

  it.each(['InitProducerId', 'DescribeConfigs'])('a cancelled task is over while %s is not answered', async (api) => {
    const { held } = hold(api)
    const cancelled = new Operator({ sink: sink() })
    const sockets = () => process.getActiveResourcesInfo().filter((one) => one === 'TCPSocketWrap').length
    const before = sockets()
    void cancelled.open(fakeContext({ checkpointing: true })).catch(() => {})
    await expect.poll(() => held.length).toBeGreaterThan(0)
    await cancelled.close()
    await expect.poll(sockets).toBeLessThanOrEqual(before)
  })

  it('what they have left open ends, though a broker that has just started lists nothing for a while', async () => {
    const send = KafkaClient.prototype.send
    let lists = 0
    vi.spyOn(KafkaClient.prototype, 'send').mockImplementation(async function (this: KafkaClient, node, protocol) {
      const answer: any = await send.call(this, node, protocol)
      if (protocol.request.apiName !== 'ListTransactions' || ++lists > 3) return answer
      return { ...answer, transactions: [] }
    })
    const killed = await open()
    killed.processElement('a')
    await killed.snapshot()
    const next = await open({ attempt: 1 })
    next.processElement('b')
    await next.snapshot()
    await next.notifyCheckpointComplete()
    next.advance(1_000)
    await expect.poll(() => lists).toBe(3)
    // Readers of committed records see nothing behind what is open.
    expect(await read()).toEqual([])
    next.advance(2_000)
    await expect.poll(read).toEqual(['b'])
  })

  it('a request of its own that was never answered may come when the transaction is prepared', async () => {
    const { held } = hold('InitProducerId', () => held.length < 1)
    const opening = open()
    await expect.poll(() => held.length).toBe(1)
    // Once now, and once more when it hurts, as brokers may execute what was answered to nobody.
    await held[0]!.arrive()
    const harness = await opening
    harness.processElement('a')
    await harness.snapshot()
    await held[0]!.arrive()
    await harness.notifyCheckpointComplete()
    expect(await read()).toEqual(['a'])
  })

  // Its transactions would hold readers back until their time is over.
  it.each(['with nothing written', 'with a transaction open'])(
    'a thread that is cut off writes nothing more, %s',
    async (how) => {
      const first = await open()
      first.processElement('a')
      const restore = await first.snapshot()
      await first.notifyCheckpointComplete()
      if (how !== 'with nothing written') {
        first.processElement('lost')
        void first.snapshot().catch(() => {})
        await expect.poll(async () => (await kafka().readUncommitted(topic)).length).toBe(2)
      }
      const next = await open({ attempt: 1, restore })
      first.processElement('lost, too')
      first.advance(1)
      void first.snapshot().catch(() => {})
      const failure = () => {
        try {
          first.advance(1)
        } catch (error) {
          return error
        }
      }
      await expect.poll(failure).toMatchObject({ code: 'TR-KAFKA-010' })
      next.processElement('b')
      await next.snapshot()
      await next.notifyCheckpointComplete()
      expect(await read()).toEqual(['a', 'b'])
    },
  )

  describe('a process that was replaced', () => {
    it('leaves alone what is open of its successor', async () => {
      const first = await open({ ownerEpoch: 1 })
      first.processElement('a')
      const restore = await first.snapshot()
      await first.notifyCheckpointComplete()
      const successor = await open({ ownerEpoch: 2, restore })
      successor.processElement('b')
      const prepared = await successor.snapshot()
      successor.processElement('c')
      await successor.snapshot()
      // Another attempt of the first process, which was asleep meanwhile.
      const late = await open({ ownerEpoch: 1, attempt: 1, restore })
      late.advance(2_000)
      await successor.notifyCheckpointComplete(prepared.checkpointId)
      await successor.notifyCheckpointComplete()
      expect(await read()).toEqual(['a', 'b', 'c'])
    })

    it('is what looks newer, until a checkpoint is complete', async () => {
      // Of a job of the same name, whose checkpoints are gone.
      const left = await kafka().transaction(`${topic}-3.0-0-0`)
      await left.send(topic, [{ value: 'left' }])
      const harness = await open({ ownerEpoch: 1 })
      harness.processElement('a')
      await harness.snapshot()
      expect(await read()).toEqual([])
      await harness.notifyCheckpointComplete()
      await expect.poll(read).toEqual(['a'])
    })
  })
})
