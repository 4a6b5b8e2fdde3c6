/** Jobs whose store fails: checkpoints that can be made whole are, others fail by name, and the job goes on from the last good one with the results of one that never failed. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { PROXY_FAULTS, startFaultyProxy } from '../checkpoint/faulty-proxy.suite.ts'
import { smallDisk } from '../checkpoint/small-disk.suite.ts'
import { startToyS3 } from '../checkpoint/toy-s3.suite.ts'
import { countsOf, RECORDS, runCounting, until } from './counting-job.suite.ts'

/** So many that state goes into files of its own, beside the metadata. */
const KEYS = 1000
const RESTARTS = {
  'restart-strategy.type': 'fixed-delay',
  'restart-strategy.fixed-delay.attempts': '1',
  'restart-strategy.fixed-delay.delay': '1 ms',
}

describe('a job whose disk is full', () => {
  const root = mkdtempSync(join(tmpdir(), 'tailrace-full-disk-'))
  const disk = smallDisk(join(root, 'disk'), '1m', 'jobs on a full disk')
  const directory = disk?.path ?? ''
  const filler = join(directory, 'filler')
  afterEach(() => rmSync(filler, { force: true }))
  afterAll(() => {
    disk?.unmount()
    rmSync(root, { recursive: true })
  })

  const fill = () => {
    for (let bytes = 1 << 20; bytes >= 1; bytes >>= 1) {
      try {
        writeFileSync(filler, new Uint8Array(bytes), { flag: 'a' })
      } catch {}
    }
  }
  const options = {
    'execution.checkpointing.dir': directory,
    'execution.checkpointing.interval': '20 ms',
    ...RESTARTS,
  }
  const isFull = (message: string | undefined) => {
    expect(message).toContain(`"${directory}/`)
    expect(message).toContain('the disk is full (ENOSPC)')
  }

  it.skipIf(disk === undefined)('goes on, and from its last good checkpoint, when it may fail', async () => {
    let dies = false
    let last = 0
    let seen = { processed: 0, atFull: 0 }
    const { error, results, job, checkpoints, records } = await runCounting(
      { ...options, 'execution.checkpointing.tolerable-failed-checkpoints': '1000' },
      {
        keys: KEYS,
        recordsPerSecond: 1500,
        onRecord() {
          seen.processed++
          if (!dies) return
          dies = false
          throw new Error('once')
        },
        async during({ view }, jobId) {
          const now = () => view.checkpoints(jobId)!
          await until(() => now().counts.completed >= 2)
          fill()
          await until(() => now().counts.failed >= 3)
          last = now().latest.completed!.id
          isFull(now().latest.failed!.failureMessage)
          seen = { ...seen, atFull: seen.processed }
          expect(view.view(jobId)!.status).toBe('RUNNING')
          dies = true
          await until(() => now().latest.restored !== undefined)
          rmSync(filler)
          await until(() => now().latest.completed!.id > last)
        },
      },
    )
    expect([error, results]).toEqual([undefined, countsOf(KEYS)])
    expect([job.numRestarts, checkpoints.latest.restored!.id]).toEqual([1, last])
    expect(records).toBeLessThan(RECORDS + seen.atFull)
  })

  it.skipIf(disk === undefined)('fails when it may not, and keeps the last good one for whoever goes on', async () => {
    let path = ''
    const kept = { 'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION' }
    let processed = 0
    const { error } = await runCounting(
      { ...options, ...kept, 'restart-strategy.type': 'none' },
      {
        keys: KEYS,
        recordsPerSecond: 1500,
        onRecord: () => void processed++,
        async during({ view }, jobId) {
          await until(() => processed > RECORDS / 10)
          const { completed } = view.checkpoints(jobId)!.counts
          await until(() => view.checkpoints(jobId)!.counts.completed > completed + 1)
          fill()
          await until(() => view.view(jobId)!.status === 'FAILED')
          path = view.checkpoints(jobId)!.latest.completed!.externalPath!
        },
      },
    )
    expect(error?.code).toBe('TR-CHECKPOINT-001')
    isFull(error?.message)
    rmSync(filler)
    const { results, records } = await runCounting({ 'execution.state-recovery.path': path }, { keys: KEYS })
    expect(results).toEqual(countsOf(KEYS))
    expect(records).toBeLessThan(RECORDS)
    expect(existsSync(path)).toBe(true)
  })
})

describe.concurrent('a job whose S3 server is behind a network that fails', () => {
  // Where the request took effect and nobody was told, its second try meets the first.
  it.each(PROXY_FAULTS)(
    'completes its checkpoints all the same, and another goes on from them: %s',
    { timeout: 120_000 },
    async (fault) => {
      const server = await startToyS3()
      const proxy = await startFaultyProxy(server.endpoint)
      // A request that is never answered is given up after 30 s: one will do.
      const slow = fault === 'silent' || fault === 'stall'
      const left = slow ? ['/_metadata'] : ['/shared/', '/_metadata']
      const faults = left.length
      proxy.fault = (method, url) => {
        const at = method === 'PUT' ? left.findIndex((part) => url.includes(part)) : -1
        if (at >= 0) left.splice(at, 1)
        return at < 0 ? undefined : fault
      }
      const options = {
        'execution.checkpointing.dir': `s3://${server.bucket}/job`,
        's3.endpoint': proxy.endpoint,
        's3.access-key': server.accessKeyId,
        's3.secret-key': server.secretAccessKey,
        'execution.checkpointing.interval': '20 ms',
        'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION',
      }
      let path = ''
      try {
        const first = await runCounting(options, {
          keys: KEYS,
          recordsPerSecond: slow ? 60 : 1000,
          async during({ view }, jobId, cancel) {
            await until(() => left.length === 0 && view.checkpoints(jobId)!.counts.completed >= 3)
            const { latest, counts } = view.checkpoints(jobId)!
            expect([counts.failed, proxy.counts.get(fault)]).toEqual([0, faults])
            path = latest.completed!.externalPath!
            cancel()
          },
        })
        expect(`${first.job.status} ${first.error}`).toMatch(/^CANCELED .*cancel/i)
        const second = await runCounting({ ...options, 'execution.state-recovery.path': path }, { keys: KEYS })
        expect([second.error, second.results]).toEqual([undefined, countsOf(KEYS)])
        expect(second.records).toBeLessThan(RECORDS)
      } finally {
        await proxy.close()
        await server.close()
      }
    },
  )
})
