import { expect, test } from 'vitest'
import { ManualClock, systemClock } from '../core/clock.ts'
import { ProcessReader } from './process-reader.ts'

const valuesOf = (reader: ProcessReader) => new Map(reader.values().map(({ name, value }) => [name, value]))

test('collections are counted once started, and give a rate from the next look on', async () => {
  const clock = new ManualClock(0)
  const reader = new ProcessReader(clock)
  reader.start()
  try {
    let junk: unknown[] = []
    while ((valuesOf(reader).get('Status.JVM.GarbageCollector.Scavenge.Count') ?? 0) === 0) {
      junk = Array.from({ length: 100_000 }, (_, i) => ({ i, junk: junk.length }))
      await new Promise(setImmediate)
    }
    clock.advance(1000)
    reader.look()
    const values = valuesOf(reader)
    expect(values.get('Status.JVM.GarbageCollector.All.Count')).toBeGreaterThan(0)
    const timeMs = values.get('Status.JVM.GarbageCollector.All.Time')!
    expect(values.get('Status.JVM.GarbageCollector.All.TimeMsPerSecond')).toBeCloseTo(timeMs, 6)
  } finally {
    reader.stop()
  }
})

test('CPU load is a share of all cores between two looks', () => {
  const clock = new ManualClock(0)
  const reader = new ProcessReader(clock)
  const until = systemClock.monotonic() + 20
  while (systemClock.monotonic() < until) Math.sqrt(until)
  clock.advance(1000)
  reader.look()
  const load = valuesOf(reader).get('Status.JVM.CPU.Load')!
  expect(load).toBeGreaterThan(0)
  expect(load).toBeLessThanOrEqual(1)
})

test('delay of the event loop is told after a whole period', async () => {
  const clock = new ManualClock(0)
  const reader = new ProcessReader(clock)
  reader.start()
  try {
    expect(valuesOf(reader).has('Status.EventLoop.DelayMsMax')).toBe(false)
    clock.advance(9_999)
    await new Promise((resolve) => setTimeout(resolve, 100))
    reader.look()
    expect(valuesOf(reader).has('Status.EventLoop.DelayMsMax')).toBe(false)
    clock.advance(1000)
    reader.look()
    expect(valuesOf(reader).get('Status.EventLoop.DelayMsMax')).toBeGreaterThanOrEqual(0)
  } finally {
    reader.stop()
  }
})
