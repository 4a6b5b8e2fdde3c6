/** What the enumerator promises: offsets decided once, partitions found, given, given back and deleted. */
import { describe, expect, test } from 'vitest'
import type { EnumeratorContext } from '../../../core/source.ts'
import { brokenConnection, FakeClient, settled } from '../testing/fake-client.suite.ts'
import { type EnumeratorOptions, type EnumeratorState, KafkaEnumerator, ownerOf } from './enumerator.ts'
import type { KafkaSplit } from './split.ts'

const EARLIEST = -2
const LATEST = -1

/** An enumerator on a cluster, with all that it says. */
class Driven {
  readonly client: FakeClient
  readonly enumerator: KafkaEnumerator
  readonly given: [split: KafkaSplit, subtask: number][] = []
  readonly ended: number[] = []
  readonly noneNow: number[] = []
  readonly events: [subtask: number, event: unknown][] = []
  readonly failures: any[] = []
  readonly everyMs: (number | undefined)[] = []
  /** The look that comes again and again. */
  lookAgain: () => Promise<void> = async () => {}
  /** Ends of partitions: 10 and 20 at first. */
  ends = { [EARLIEST]: 10, [LATEST]: 20 }

  constructor(
    leaders: Record<string, number[]>,
    options: Partial<EnumeratorOptions> = {},
    { parallelism = 1, state }: { parallelism?: number; state?: EnumeratorState } = {},
  ) {
    this.client = new FakeClient({ 'default.api.timeout.ms': 1000 })
    this.client.leaders = leaders
    this.client.onCall = async (_node, _api, { topics }) => ({
      responses: topics.map(({ topic, partitions }: any) => ({
        topic,
        partitions: partitions.map(({ partition, timestamp }: any) => ({
          partition,
          errorCode: 0,
          offset: String(this.ends[timestamp as keyof typeof this.ends]),
        })),
      })),
    })
    const context: EnumeratorContext<KafkaSplit> = {
      parallelism,
      readers: () => [],
      assign: (split, subtask) => this.given.push([split, subtask]),
      noMoreSplits: (subtask) => this.ended.push(subtask),
      noSplitsNow: (subtask) => this.noneNow.push(subtask),
      sendEvent: (subtask, event) => this.events.push([subtask, event]),
      callAsync: (task, then, everyMs) => {
        this.everyMs.push(everyMs)
        const run = async () => {
          try {
            then(await task())
          } catch (error) {
            this.failures.push(error)
          }
        }
        if (everyMs !== undefined) this.lookAgain = run
        void run()
      },
      setIsProcessingBacklog: () => {},
    }
    const all: EnumeratorOptions = {
      subscription: { topics: Object.keys(leaders) },
      starting: 'earliest',
      stopping: undefined,
      bounded: false,
      groupId: undefined,
      reset: undefined,
      discoveryMs: 60_000,
      createClient: () => this.client,
      warnings: [],
      ...options,
    }
    this.enumerator = new KafkaEnumerator(context, all, state && structuredClone(state))
  }

  /** Begins, and has its first look. */
  async start(...readers: number[]): Promise<this> {
    this.enumerator.start()
    for (const reader of readers) this.enumerator.addReader(reader)
    await settled()
    return this
  }

  get offsets(): Record<string, number> {
    return Object.fromEntries(this.given.map(([{ id, offset }]) => [id, offset]))
  }
}

const split = (topic: string, partition: number, offset: number, stop: number | null = null): KafkaSplit => ({
  id: `${topic}-${partition}`,
  topic,
  partition,
  offset,
  stop,
})

describe('what is found', () => {
  test('is given to its readers at once, with where it begins and ends; a bounded source ends its readers', async () => {
    const driven = await new Driven({ t: [1, 1] }, { bounded: true, stopping: 'latest' }).start(0)
    expect(driven.given).toEqual([
      [split('t', 0, 10, 20), 0],
      [split('t', 1, 10, 20), 0],
    ])
    expect([driven.ended, driven.everyMs]).toEqual([[0], [undefined]])
  })

  test('waits for a reader that is not there yet, and is in snapshots meanwhile, with its offset', async () => {
    const driven = await new Driven(
      { t: [1, 1, 1, 1] },
      { bounded: true, stopping: 'latest' },
      { parallelism: 2 },
    ).start()
    const { pending, known, begun } = driven.enumerator.snapshot()
    expect([pending.length, known.length, begun, driven.given, driven.ended]).toEqual([4, 4, true, [], []])
    // The restored one asks nobody for offsets again.
    const restored = new Driven(
      { t: [1, 1, 1, 1] },
      { bounded: true, stopping: 'latest' },
      { parallelism: 2, state: { pending, known, begun } },
    )
    restored.ends = { [EARLIEST]: 15, [LATEST]: 99 }
    await restored.start(1)
    expect(restored.given).toHaveLength(2)
    expect(restored.given.every(([{ offset, stop }, subtask]) => offset === 10 && stop === 20 && subtask === 1)).toBe(
      true,
    )
    expect(restored.ended).toEqual([1])
    restored.enumerator.addReader(0)
    expect([restored.given.length, restored.ended]).toEqual([4, [1, 1, 0]])
    expect([restored.everyMs, restored.client.metadataRequests]).toEqual([[], 0])
  })

  test('before the first look nobody is told that there is no more', async () => {
    const driven = new Driven({ t: [1] }, { bounded: true, stopping: 'latest' })
    driven.enumerator.start()
    driven.enumerator.addReader(0)
    expect(driven.ended).toEqual([])
    await settled()
    expect(driven.ended).toEqual([0])
  })

  test('a reader that asks is told that there is nothing more for it now, once all was looked for and given', async () => {
    const driven = new Driven({ t: [1] }, {}, { parallelism: 2 })
    driven.enumerator.start()
    for (const subtask of [0, 1]) {
      driven.enumerator.addReader(subtask)
      driven.enumerator.handleSplitRequest(subtask)
    }
    expect([driven.given, driven.noneNow]).toEqual([[], []])
    await settled()
    expect([driven.given.length, driven.noneNow.toSorted()]).toEqual([1, [0, 1]])
    await driven.lookAgain()
    expect(driven.noneNow).toHaveLength(2)
    // One that asks later is told at once.
    driven.enumerator.handleSplitRequest(1)
    expect(driven.noneNow.slice(2)).toEqual([1])
  })

  test('readers of a bounded source hear only that there is no more', async () => {
    const driven = new Driven({ t: [1] }, { bounded: true, stopping: 'latest' })
    driven.enumerator.start()
    driven.enumerator.addReader(0)
    driven.enumerator.handleSplitRequest(0)
    await settled()
    expect([driven.ended, driven.noneNow]).toEqual([[0], []])
  })

  test('later is read from its beginning, wherever the first ones began', async () => {
    const driven = await new Driven({ t: [1] }, { starting: 'latest' }).start(0)
    expect(driven.offsets).toEqual({ 't-0': 20 })
    driven.client.leaders = { t: [1, 1] }
    await driven.lookAgain()
    expect(driven.offsets).toEqual({ 't-0': 20, 't-1': 10 })
    expect(driven.everyMs).toEqual([60_000])
  })

  test('also when the job was restored meanwhile', async () => {
    const state = { known: [{ topic: 't', partition: 0 }], pending: [], begun: true }
    const driven = await new Driven({ t: [1, 1] }, { starting: 'latest' }, { state }).start(0)
    expect(driven.offsets).toEqual({ 't-1': 10 })
  })

  test('by two looks at a time is given once', async () => {
    const driven = await new Driven({ t: [1] }).start(0)
    driven.client.leaders = { t: [1, 1] }
    await Promise.all([driven.lookAgain(), driven.lookAgain()])
    expect(driven.given.map(([{ id }]) => id)).toEqual(['t-0', 't-1'])
  })

  test('by a pattern is a whole name, and never internal', async () => {
    const leaders = { clicks: [1], 'clicks-old': [1], my_clicks: [1], __clicks: [1] }
    const driven = await new Driven(leaders, { subscription: { pattern: /(__)?clicks/g } }).start(0)
    expect(Object.keys(driven.offsets)).toEqual(['clicks-0'])
    // A pattern with a flag has a place of its own.
    await driven.lookAgain()
    expect(Object.keys(driven.offsets)).toEqual(['clicks-0'])
  })

  test('is asked for once without discovery', async () => {
    const driven = await new Driven({ t: [1] }, { discoveryMs: undefined }).start(0)
    expect([driven.everyMs, driven.given.length]).toEqual([[undefined], 1])
  })
})

describe('a topic that is not there', () => {
  test('fails the job in the first look, after default.api.timeout.ms', async () => {
    const driven = await new Driven({}, { subscription: { topics: ['t'] } }).start(0)
    expect(driven.failures).toEqual([])
    await driven.client.pass(3_000)
    expect(driven.failures).toMatchObject([
      {
        code: 'TR-KAFKA-006',
        message: expect.stringMatching(/^Cannot find topic "t": the cluster at kafka:9092 has no such/),
      },
    ])
  })

  test('is waited for while it is being made', async () => {
    const driven = await new Driven({}, { subscription: { topics: ['t'] } }).start(0)
    driven.client.leaders = { t: [1] }
    await driven.client.pass(500)
    expect([driven.failures, driven.offsets]).toEqual([[], { 't-0': 10 }])
  })

  test('is passed over in a later look: its reader tells', async () => {
    const driven = await new Driven({ t: [1], u: [1] }).start(0)
    driven.client.leaders = { u: [1, 1] }
    await driven.lookAgain()
    expect([driven.failures, Object.keys(driven.offsets)]).toEqual([[], ['t-0', 'u-0', 'u-1']])
  })

  test('a partition that is named and not there fails the first look', async () => {
    const partitions = [{ topic: 't', partition: 7 }]
    const driven = await new Driven({ t: [1] }, { subscription: { partitions } }).start(0)
    expect(driven.failures).toMatchObject([
      { code: 'TR-KAFKA-006', message: 'Cannot read partition 7 of topic "t": the topic has no such partition' },
    ])
  })

  test('brokers that cannot be reached fail it, too', async () => {
    const driven = new Driven({ t: [1] })
    driven.client.onCall = async () => {
      throw brokenConnection()
    }
    await driven.start(0)
    await driven.client.pass(3_000)
    expect(driven.failures).toMatchObject([
      { code: 'TR-KAFKA-003', message: expect.stringContaining('Cannot read the offsets of topic "t"') },
    ])
  })
})

describe('a partition that its reader misses', () => {
  const missing = { type: 'missing', topic: 't', partition: 1 }

  test('is there: the reader goes on', async () => {
    const driven = await new Driven({ t: [1, 1] }).start(0)
    driven.enumerator.handleEvent(0, missing)
    await settled()
    expect(driven.events).toEqual([[0, { type: 'there', id: 't-1' }]])
    expect(driven.enumerator.snapshot().known).toHaveLength(2)
  })

  test.each<[string, Record<string, number[]>]>([
    ['its topic', {}],
    ['it alone, with its topic made anew', { t: [1] }],
  ])('was deleted, %s: the reader is told, and when it comes again it is a new one', async (_what, leaders) => {
    const driven = await new Driven({ t: [1, 1] }, { starting: 'latest' }).start(0)
    driven.client.leaders = leaders
    driven.enumerator.handleEvent(0, missing)
    await settled()
    expect(driven.events).toEqual([[0, { type: 'deleted', id: 't-1' }]])
    expect(driven.enumerator.snapshot().known).toEqual([{ topic: 't', partition: 0 }])
    driven.client.leaders = { t: [1, 1] }
    driven.ends = { [EARLIEST]: 0, [LATEST]: 5 }
    await driven.lookAgain()
    expect(driven.given.slice(2)).toEqual([[split('t', 1, 0), 0]])
  })

  test('is an error of a source that was to read it to its end', async () => {
    const driven = await new Driven({ t: [1, 1] }, { bounded: true, stopping: 'latest' }).start(0)
    driven.client.leaders = {}
    driven.enumerator.handleEvent(0, missing)
    await settled()
    expect(driven.failures).toMatchObject([
      { code: 'TR-KAFKA-006', message: 'Cannot read partition 1 of topic "t" to its end: it was deleted' },
    ])
    expect(driven.events).toEqual([])
  })
})

test('what a failed reader gives back waits for it, and has its offset', async () => {
  const driven = await new Driven({ t: [1, 1] }, {}, { parallelism: 1 }).start(0)
  driven.enumerator.addSplitsBack([split('t', 1, 17)], 0)
  expect(driven.enumerator.snapshot().pending).toEqual([split('t', 1, 17)])
  driven.enumerator.addReader(0)
  expect(driven.given.slice(2)).toEqual([[split('t', 1, 17), 0]])
  expect(driven.enumerator.snapshot().pending).toEqual([])
})

test('partitions of a topic are spread evenly', () => {
  for (const topic of ['t', 'clicks', 'a much longer name']) {
    const owners = Array.from({ length: 12 }, (_, partition) => ownerOf({ topic, partition }, 5))
    const counts = Array.from({ length: 5 }, (_, subtask) => owners.filter((owner) => owner === subtask).length)
    expect(counts.toSorted()).toEqual([2, 2, 2, 3, 3])
  }
})
