import { expect, it } from 'vitest'
import { ManualClock } from '../../core/clock.ts'
import { hashKey } from '../../core/hash.ts'
import { ValueStateDescriptor } from '../../core/state.ts'
import { StateTtlConfig } from '../../core/state-ttl.ts'
import { types } from '../../core/types.ts'
import { backendSuite } from '../backend.suite.ts'
import { keyedRuntime } from '../keyed-runtime.ts'
import { snapshotSuite } from '../snapshot.suite.ts'
import { ttlSuite } from '../ttl.suite.ts'
import { ttlOracleSuite } from '../ttl-oracle.suite.ts'
import { HeapBackend } from './backend.ts'

backendSuite('HeapBackend', (options, clock) => new HeapBackend(options, clock))
snapshotSuite('HeapBackend', (options, clock) => new HeapBackend(options, clock))
ttlSuite('HeapBackend', (options, clock) => new HeapBackend(options, clock))
ttlOracleSuite('HeapBackend', (options, clock) => new HeapBackend(options, clock))

const OPTIONS = { operatorName: 'clicks', maxParallelism: 128, parallelism: 2, subtaskIndex: 0 }

it('HeapBackend keeps values by reference', () => {
  const backend = new HeapBackend(OPTIONS, new ManualClock())
  const state = backend.getState(new ValueStateDescriptor<{ n: number; text: string }>('v'))
  backend.setKey('a', 64 * 2)
  const value = { n: 1, text: 'a text that is longer than thirteen characters' }
  state.update(value)
  value.n = 2
  expect(state.value()).toBe(value)
  expect(value.text).toBe('a text that is longer than thirteen characters')
})

it('HeapBackend refuses a key of another subtask', () => {
  const backend = new HeapBackend(OPTIONS, new ManualClock())
  expect(() => backend.setKey('a', 127)).toThrow(/key group belongs to another subtask/)
  expect(() => backend.setKey('a', 63)).not.toThrow()
})

it('HeapBackend keeps its segments small while it grows', () => {
  const backend = new HeapBackend({ ...OPTIONS, parallelism: 1 }, new ManualClock())
  const state = backend.getState(new ValueStateDescriptor<number>('v', types.number))
  for (let i = 0; i < 100_000; i++) {
    backend.setKey(i, hashKey(i))
    state.update(i)
  }
  // The largest table that an insert can have to move.
  const largest = Math.max(...(backend as any).segments.map((segment: { size: number }) => segment.size))
  expect(largest).toBeLessThan(1000)
})

it.each([
  ['states', undefined],
  ['states that live for a time', StateTtlConfig.newBuilder('1 h').build()],
])('HeapBackend.beforeBatch() changes nothing that a job can see, whatever the keys are: %s', (_, ttl) => {
  const row = types.row({ n: types.number, text: types.string })
  const create = () => {
    const backend = new HeapBackend({ ...OPTIONS, parallelism: 1 }, new ManualClock())
    const descriptors = [new ValueStateDescriptor('packed', row), new ValueStateDescriptor<any>('loose')] as const
    if (ttl !== undefined) for (const descriptor of descriptors) descriptor.enableTimeToLive(ttl)
    return { backend, packed: backend.getState(descriptors[0]), loose: backend.getState(descriptors[1]) }
  }
  const told = create()
  const untold = create()
  const hashes = new DataView(new ArrayBuffer(16 * 64))
  let n = 0
  // Grows beyond the numbers of keys at which values are packed and places are loaded ahead, and shrinks again.
  for (const [batches, keep] of [
    [1400, true],
    [1400, false],
    [40, true],
  ] as const) {
    for (let batch = 0; batch < batches; batch++) {
      const keys = Array.from({ length: 64 }, () => (n = (n * 48_271 + 11) % 90_001))
      for (const [i, key] of keys.entries()) hashes.setUint32(16 * i + 8, hashKey(key), true)
      told.backend.beforeBatch(hashes, 8, 16, 64, 30_000)
      for (const key of keys) {
        for (const { backend, packed, loose } of [told, untold]) {
          backend.setKey(key, hashKey(key))
          if (keep) {
            packed.update({ n: key + (packed.value()?.n ?? 0), text: `this is the text of ${key}` })
            loose.update(key % 2 === 0 ? [key] : `this is the text of ${key}`)
          } else {
            packed.clear()
            loose.clear()
          }
        }
      }
    }
    expect(told.backend.size).toBe(untold.backend.size)
    for (let key = 0; key < 90_001; key += 7) {
      const values = [told, untold].map(({ backend, packed, loose }) => {
        backend.setKey(key, hashKey(key))
        return [packed.value(), loose.value()]
      })
      expect(values[0]).toEqual(values[1])
    }
  }
})

it('keyedRuntime() gives state of the backend and everything else of the task', () => {
  const backend = new HeapBackend({ ...OPTIONS, parallelism: 1 }, new ManualClock())
  const counter = { inc() {}, value: () => 0 }
  const runtime = keyedRuntime(
    { task: { taskName: 't' }, parameters: { a: '1' }, accumulator: () => counter } as any,
    backend,
  )
  expect(runtime.task.taskName).toBe('t')
  expect(runtime.parameters).toEqual({ a: '1' })
  expect(runtime.accumulator('x')).toBe(counter)
  const state = runtime.getState(new ValueStateDescriptor<number>('v'))
  backend.setKey('a', 1)
  state.update(3)
  expect(backend.size).toBe(1)
})
