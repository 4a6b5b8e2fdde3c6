/** Two-phase sinks through slots: what a reader of their system sees when jobs are interrupted, suspended, rescaled and ended. */
import { describe, expect, it } from 'vitest'
import { sequenceSource } from '../connectors/sequence/index.ts'
import type { Source } from '../core/source.ts'
import { WatermarkStrategy } from '../core/watermarks.ts'
import { Ledger } from '../operators/ledger.suite.ts'
import { type Build, TestJob, type TestJobOptions } from './test-job.suite.ts'

const COUNT = 2000

/** Records that the source may still emit. */
let allowance = COUNT

function metered(source: Source<number>): Source<number> {
  return {
    ...source,
    createReader: (context) => {
      const reader = source.createReader(context)
      const poll = reader.poll.bind(reader)
      reader.poll = (output, max) => {
        if (allowance <= 0) {
          context.wakeAt(context.clock.monotonic() + 1)
          return 'idle'
        }
        const most = Math.min(max, 50)
        allowance -= most
        return poll(output, most)
      }
      return reader
    },
  }
}

function build(ledger: Ledger, global: boolean): Build {
  return (add) => {
    const strategy = WatermarkStrategy.noWatermarks<number>()
    const source = add('numbers', 'source', { source: metered(sequenceSource(1, COUNT)), strategy })
    const texts = add('texts', 'map', { fn: String }, source)
    const sink = ledger.sink({ global })
    const writer = add('ledger', 'sink', { sink }, texts, { kind: 'auto' }, true)
    if (!global) return
    const committer = add('committer', 'global-committer', { sink }, writer, { kind: 'global' }, true)
    committer.parallelism = 1
  }
}

const RETRY_SOON = { 'tailrace.sink.committer.retry-interval': '2 ms' }
const job = (ledger: Ledger, global: boolean, options: Partial<TestJobOptions> = {}) =>
  new TestJob({
    parallelism: 2,
    build: build(ledger, global),
    checkpointing: { exactlyOnce: true },
    options: RETRY_SOON,
    ...options,
  })

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
async function spent(more: number): Promise<void> {
  allowance += more
  while (allowance > 0) await sleep(1)
}
/** Each record once. */
const check = (ledger: Ledger) =>
  expect(ledger.visible.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1))
const until = async (holds: () => boolean) => {
  while (!holds()) await sleep(1)
}

describe.each([
  ['committers beside the writers', false],
  ['a global committer', true],
])('a two-phase sink with %s', (_name, global) => {
  it.each([1, 2, 3])('gives every record once when its job goes on with parallelism %i', async (parallelism) => {
    const ledger = new Ledger()
    allowance = 0
    const first = job(ledger, global)
    await spent(400)
    await first.checkpoint(1)
    await spent(400)
    const metadata = await first.checkpoint(2, { notify: false })
    await spent(400)
    first.cancel()
    await first.ended
    expect(first.error).toBeUndefined()
    expect(ledger.visible.length).toBeLessThanOrEqual(450)
    allowance = COUNT * 2
    const next = job(ledger, global, { parallelism, restore: { metadata, files: first.files } })
    await next.dataEnded
    await next.checkpoint(3, { then: 'end' })
    await next.ended
    expect(next.error).toBeUndefined()
    check(ledger)
  })

  it('commits the end of the input with the last checkpoint, and ends when it is committed', async () => {
    const ledger = new Ledger()
    ledger.answer = (request, who) => {
      if (who === 'global' || request.retries > 2) return false
      request.retryLater()
      return true
    }
    allowance = COUNT * 2
    const one = job(ledger, global)
    await one.dataEnded
    await sleep(5)
    expect(ledger.visible).toEqual([])
    await one.checkpoint(1, { then: 'end' })
    await one.ended
    expect(one.error).toBeUndefined()
    check(ledger)
    expect(ledger.calls.at(-1)).toMatch(/^close/)
  })

  it('commits at the end without checkpoints, and asks again there', async () => {
    const ledger = new Ledger()
    ledger.answer = (request) => {
      if (request.retries > 1) return false
      request.retryLater()
      return true
    }
    allowance = COUNT * 2
    const one = new TestJob({ parallelism: 2, build: build(ledger, global), options: RETRY_SOON })
    await one.ended
    expect(one.error).toBeUndefined()
    check(ledger)
  })

  it('commits a savepoint that suspends the job before it ends, also what was promised late', async () => {
    const ledger = new Ledger()
    allowance = 0
    const first = job(ledger, global)
    await spent(600)
    ledger.hold = true
    const taken = first.checkpoint(1, { then: 'suspend' })
    await until(() => ledger.held === 2)
    expect(ledger.visible).toEqual([])
    ledger.release()
    ledger.release()
    const metadata = await taken
    await first.ended
    expect(first.error).toBeUndefined()
    const seen = ledger.visible.length
    expect(seen).toBeGreaterThan(300)
    ledger.hold = false
    allowance = COUNT * 2
    const calls = ledger.calls.length
    // The savepoint is marked, so nothing is committed a second time.
    const next = job(ledger, global, { restore: { metadata, files: first.files, committed: true } })
    await next.dataEnded
    expect(ledger.visible).toHaveLength(seen)
    expect(ledger.calls.slice(calls).filter((call) => /^(commit|global)/.test(call))).toEqual([])
    await next.checkpoint(2, { then: 'end' })
    await next.ended
    check(ledger)
  })

  it('commits the last checkpoint of a job that died before it heard of it', async () => {
    const ledger = new Ledger()
    allowance = COUNT * 2
    const one = job(ledger, global)
    await one.dataEnded
    const metadata = await one.checkpoint(1, { then: 'end', notify: false })
    one.cancel()
    await one.ended
    expect(ledger.visible).toEqual([])
    const next = job(ledger, global, { restore: { metadata, files: one.files } })
    await next.dataEnded
    await until(() => ledger.visible.length === COUNT)
    await next.checkpoint(2, { then: 'end' })
    await next.ended
    expect(next.error).toBeUndefined()
    check(ledger)
  })

  it('fails the job when a commit fails', async () => {
    const ledger = new Ledger()
    ledger.answer = (request) => {
      request.failedWithKnownReason('the transaction has expired')
      return true
    }
    allowance = 0
    const one = job(ledger, global)
    await spent(400)
    await one.checkpoint(1)
    await one.ended
    expect(one.error).toMatchObject({ code: 'TR-SINK-002', operator: `Sink: ${global ? 'committer' : 'ledger'}` })
  })
})
