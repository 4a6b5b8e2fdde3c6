/** Jobs that write files and are cancelled at any time: from checkpoint to checkpoint, through slots and on a real disk. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Source } from '../../core/source.ts'
import { WatermarkStrategy } from '../../core/watermarks.ts'
import { jsonLines } from '../../formats/json/index.ts'
import { type Build, TestJob, type TestJobOptions } from '../../taskmanager/test-job.suite.ts'
import { sequenceSource } from '../sequence/index.ts'
import { DateTimeBucketAssigner, fileSink, type RollingPolicy } from './index.ts'

const COUNT = 100_000

/** Records that the source may still emit. */
let allowance = 0

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
        allowance -= max
        return poll(output, max)
      }
      return reader
    },
  }
}

function build(path: string, rollingPolicy: RollingPolicy): Build {
  return (add) => {
    const source = add('numbers', 'source', {
      source: metered(sequenceSource(1, COUNT)),
      strategy: WatermarkStrategy.noWatermarks<number>(),
    })
    const bucketAssigner = new DateTimeBucketAssigner<number>("'minute='mm")
    const sink = fileSink<number>({ path, format: jsonLines(), bucketAssigner, rollingPolicy })
    add('files', 'sink', { sink }, source, { kind: 'rebalance' }, true)
  }
}

function recordsIn(path: string): number[] {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith('.'),
  )
  return files
    .flatMap((file) => readFileSync(join(file.parentPath, file.name), 'utf8').trim().split('\n'))
    .map(Number)
    .sort((a, b) => a - b)
}

it.each([
  ['parts of 64 kB', { maxPartSize: '64kb' }],
  ['parts of a checkpoint', { onCheckpoint: true }],
  ['parts that go on', {}],
] as [string, RollingPolicy][])('writes each record once in %s', async (_name, rollingPolicy) => {
  allowance = 0
  const path = mkdtempSync(join(tmpdir(), 'file-sink-job-'))
  try {
    const job = (parallelism: number, restore?: TestJobOptions['restore']) =>
      new TestJob({
        parallelism,
        build: build(path, rollingPolicy),
        checkpointing: { exactlyOnce: true },
        ...(restore === undefined ? {} : { restore }),
      })
    let restore: TestJobOptions['restore']
    let id = 0
    for (const parallelism of [2, 3, 1]) {
      const one = job(parallelism, restore)
      const spent = async () => {
        allowance += COUNT / 10
        while (allowance > 0) await new Promise((resolve) => setTimeout(resolve, 1))
      }
      await spent()
      await one.checkpoint(++id)
      await spent()
      // It dies before it hears of this one.
      restore = { metadata: await one.checkpoint(++id, { notify: false }), files: one.files }
      await spent()
      one.cancel()
      await one.ended
      expect(one.error).toBeUndefined()
    }
    allowance = 2 * COUNT
    const last = job(2, restore)
    await last.dataEnded
    await last.checkpoint(++id, { then: 'end' })
    await last.ended
    expect(last.error).toBeUndefined()
    expect(recordsIn(path)).toEqual(Array.from({ length: COUNT }, (_, i) => i + 1))
  } finally {
    rmSync(path, { recursive: true })
  }
})
