import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { BufferPool } from './buffer-pool.ts'

it('BufferPool gives each buffer to one taker at a time, with several threads', async () => {
  const memory = BufferPool.allocate(16)
  const owners = new SharedArrayBuffer(16 * 4)
  const source = `
    const { workerData, parentPort } = require('node:worker_threads')
    import(workerData.url).then(({ BufferPool }) => {
      const pool = new BufferPool(workerData.memory), owners = new Int32Array(workerData.owners)
      let clashes = 0, taken = 0
      for (let i = 0; i < 200000; i++) {
        const index = pool.take()
        if (index < 0) continue
        taken++
        if (Atomics.add(owners, index, 1) !== 0) clashes++
        Atomics.sub(owners, index, 1)
        pool.give(index)
      }
      parentPort.postMessage({ clashes, taken })
    })`
  const url = new URL('./buffer-pool.ts', import.meta.url).href
  const results = await Promise.all(
    Array.from(
      { length: 3 },
      () =>
        new Promise<{ clashes: number; taken: number }>((resolve, reject) => {
          const worker = new Worker(source, { eval: true, workerData: { memory, owners, url } })
          worker.once('message', resolve)
          worker.once('error', reject)
        }),
    ),
  )
  for (const { clashes, taken } of results) {
    expect(clashes).toBe(0)
    expect(taken).toBeGreaterThan(0)
  }
  expect(new BufferPool(memory).free()).toBe(16)
})

it('BufferPool says when it is empty', () => {
  const pool = new BufferPool(BufferPool.allocate(2))
  expect([pool.take(), pool.take(), pool.take()]).toEqual([0, 1, -1])
  expect(pool.hasFree()).toBe(false)
  pool.give(1)
  expect(pool.take()).toBe(1)
})
