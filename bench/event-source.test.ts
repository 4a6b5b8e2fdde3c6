import { expect, test } from 'vitest'
import { type Event, EventNumbers, makePayloads } from './event.ts'
import { EventSource, type EventSplit, monotonicMs } from './event-source.ts'

const OPTIONS = { records: 3001, keys: 10_000, splits: 2, eventRate: 1_000_000, rate: 0 }

type Context = Parameters<EventSource['createReader']>[0]

function read(options: typeof OPTIONS, splits: EventSplit[], stopAfterPolls = Number.POSITIVE_INFINITY) {
  const found: [Event, number][] = []
  const waits: number[] = []
  let emitted = 0
  const metrics = { counter: () => ({ inc: (by: number) => (emitted += by), value: () => emitted }) }
  const clock = { now: () => 0, monotonic: () => 0 }
  const context = {
    subtask: 0,
    parallelism: 1,
    clock,
    metrics,
    requestSplit() {},
    wake() {},
    wakeAt: (ms: number) => waits.push(ms),
  }
  const reader = new EventSource(options).createReader(context as unknown as Context)
  const output = {
    collect: (event: Event, ts: number) => found.push([event, ts]),
    markIdle() {},
    markActive() {},
    split: () => output,
    release() {},
  }
  reader.start()
  reader.addSplits(splits)
  reader.noMoreSplits()
  for (let polls = 0; polls < stopAfterPolls && reader.poll(output as never, 100) !== 'end'; polls++);
  expect(emitted).toBe(found.length)
  return { found, waits, splits: reader.snapshot() }
}

const split = (index: number): EventSplit => ({ id: `s${index}`, index, next: 0 })

/** Events 0, 1, 2, ... one by one. */
function wanted(options: typeof OPTIONS): [Event, number][] {
  const payloads = makePayloads()
  const numbers = new EventNumbers(0, 1, options.keys)
  return Array.from({ length: options.records }, (_, i) => {
    numbers.fill(1)
    const ts = Math.floor((i * 1000) / options.eventRate)
    return [{ ts, key: numbers.keys[0], value: numbers.values[0], payload: payloads[i % 1024] }, ts]
  })
}

const inOrder = (parts: [Event, number][][]) =>
  Array.from({ length: Math.max(...parts.map((p) => p.length)) }, (_, i) =>
    parts.flatMap((p) => p.slice(i, i + 1)),
  ).flat()

test('EventSource emits every event once, split s those of number n * splits + s', () => {
  for (const eventRate of [1_000_000, 300]) {
    const options = { ...OPTIONS, eventRate }
    const parts = [read(options, [split(0)]).found, read(options, [split(1)]).found]
    expect(inOrder(parts)).toEqual(wanted(options))
  }
})

test('EventSource reads several splits in turn', () => {
  const { found } = read(OPTIONS, [split(0), split(1)])
  expect(found).toHaveLength(OPTIONS.records)
  expect(new Set(found.map(([event]) => JSON.stringify(event)))).toEqual(
    new Set(wanted(OPTIONS).map(([event]) => JSON.stringify(event))),
  )
})

test('EventSource goes on from a snapshot', () => {
  const before = read(OPTIONS, [split(1)], 4)
  expect(before.splits).toEqual([{ id: 's1', index: 1, next: 400 }])
  const after = read(OPTIONS, before.splits)
  expect([...before.found, ...after.found]).toEqual(read(OPTIONS, [split(1)]).found)
})

test('EventSource at a rate puts the due time of each event into value', () => {
  const startMs = monotonicMs()
  const { found, waits } = read({ ...OPTIONS, records: 200, rate: 100_000 }, [split(0)])
  const dueMs = found.map(([event]) => event.value)
  expect(found).toHaveLength(100)
  expect(dueMs[0]).toBeGreaterThanOrEqual(startMs)
  dueMs.forEach((ms, i) => {
    expect(ms).toBeCloseTo(dueMs[0] + i * 0.02, 6)
    expect(ms).toBeLessThanOrEqual(monotonicMs())
  })
  expect(waits.length).toBeGreaterThan(0)
})
