/** The file sink with checkpoints, step by step; exactly-once.test.ts has it crash. Without checkpoints: files.test.ts. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { csv } from '../../formats/csv/index.ts'
import { jsonLines } from '../../formats/json/index.ts'
import { textLines } from '../../formats/text/index.ts'
import { Operator as SinkOperator } from '../../operators/sink.ts'
import { type FakeContextOptions, openOperator } from '../../testing/operator-context.ts'
import { barrier, beginSnapshot, restoredFrom, type TakenSnapshot, takeSnapshot } from '../../testing/snapshots.ts'
import { type FileSinkOptions, fileSink, fileSinkOn } from './file-sink.ts'
import { MemoryFiles } from './memory-files.suite.ts'
import { nodeFiles, type PartFiles } from './part-files.ts'

async function open<T = string>(
  files: PartFiles,
  options: Partial<FileSinkOptions<T>> = {},
  place: FakeContextOptions & { from?: TakenSnapshot } = {},
) {
  const { from, ...rest } = place
  const sink = fileSinkOn<T>(files, { path: '/out', format: textLines() as never, ...options })
  const restored = from === undefined ? {} : { restored: restoredFrom([from], 0, 1) }
  const opened = await openOperator(new SinkOperator({ sink }), {
    checkpointing: true,
    operatorName: 'files',
    startMs: 1_000_000,
    ...restored,
    ...rest,
  })
  let id = from?.barrier.checkpointId ?? 0
  const { operator } = opened
  return {
    ...opened,
    write: (...values: T[]) => {
      for (const value of values) operator.process(value, 0)
    },
    snapshot: () => takeSnapshot(operator, barrier(++id)),
    /** A whole checkpoint. */
    checkpoint: async () => {
      const taken = await takeSnapshot(operator, barrier(++id))
      await operator.notifyCheckpointComplete(id)
      return taken
    },
  }
}
/** Visible files, with the uid of the writer left out of their names. */
const shown = (files: MemoryFiles) =>
  Object.fromEntries(
    Object.entries(files.visible).map(([path, text]) => [path.replace(/-[0-9a-f]{8}-/, '-UID-'), text]),
  )
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('fileSink() with checkpoints', () => {
  it('shows a file when a checkpoint that holds its end is complete', async () => {
    const files = new MemoryFiles()
    const sink = await open(files, { rollingPolicy: { onCheckpoint: true } })
    sink.write('a', 'b')
    await sink.snapshot()
    expect([files.visible, files.hidden.length]).toEqual([{}, 1])
    sink.write('c')
    await sink.checkpoint()
    expect(shown(files)).toEqual({ '/out/part-0-UID-0.txt': 'a\nb\n', '/out/part-0-UID-1.txt': 'c\n' })
    sink.write('d')
    await sink.operator.finish()
    await takeSnapshot(sink.operator, barrier(9, { then: 'end' }))
    await sink.operator.notifyCheckpointComplete(9)
    await sink.operator.close()
    expect(shown(files)).toMatchObject({ '/out/part-0-UID-2.txt': 'd\n' })
    expect(files.hidden).toEqual([])
  })

  it('names files by prefix and suffix, and each attempt by a uid of its own', async () => {
    const files = new MemoryFiles()
    for (const subtask of [0, 1]) {
      const options = { prefix: 'log', suffix: '.v1.txt', rollingPolicy: { onCheckpoint: true } }
      const sink = await open(files, options, { subtask, parallelism: 2, startMs: subtask })
      sink.write('x')
      await sink.checkpoint()
    }
    const names = Object.keys(files.visible)
    expect(names).toEqual([
      expect.stringMatching(/^\/out\/log-0-[0-9a-f]{8}-0\.v1\.txt$/),
      expect.stringMatching(/^\/out\/log-1-[0-9a-f]{8}-0\.v1\.txt$/),
    ])
    expect(names[0]!.slice(11, 19)).not.toBe(names[1]!.slice(11, 19))
  })

  it('gives each bucket its files, with a header each, and tells assigners of time', async () => {
    const files = new MemoryFiles()
    const bucketAssigner: FileSinkOptions<{ n: number }>['bucketAssigner'] = {
      getBucketId: ({ n }, context) =>
        `n=${n % 2}/${context.timestamp()}/${context.currentProcessingTime()}/${context.currentWatermark()}`,
    }
    const options = { format: csv<{ n: number }>(), bucketAssigner }
    const sink = await open(files, { ...options, rollingPolicy: { onCheckpoint: true } })
    sink.operator.watermark(7)
    sink.operator.process({ n: 1 }, 5)
    sink.operator.process({ n: 2 }, Number.NEGATIVE_INFINITY)
    sink.operator.process({ n: 3 }, 5)
    await sink.checkpoint()
    expect(shown(files)).toEqual({
      '/out/n=0/null/1000000/7/part-0-UID-1.csv': 'n\n2\n',
      '/out/n=1/5/1000000/7/part-0-UID-0.csv': 'n\n1\n3\n',
    })
    expect(() => sink.operator.process({ n: 1 }, -1)).not.toThrow()
    const bad = await open(files, { bucketAssigner: { getBucketId: () => '../x' } })
    expect(() => bad.write('x')).toThrow(/Cannot write to the bucket "..\/x"/)
  })

  it('ends parts by size, age and inactivity', async () => {
    const files = new MemoryFiles()
    const rollingPolicy = { maxPartSize: 6, rolloverInterval: '10 s', inactivityInterval: '4 s' }
    const sink = await open(files, { rollingPolicy })
    const { context, operator } = sink
    sink.write('aa', 'bb', 'cc')
    sink.write('d')
    for (let i = 0; i < 3; i++) {
      context.advance(3000)
      operator.pending()
      sink.write(`d${i}`)
    }
    context.advance(3000)
    await sink.checkpoint()
    expect(Object.values(shown(files))).toEqual(['aa\nbb\n', 'cc\nd\nd0\n', 'd1\nd2\n'])
    sink.write('e')
    context.advance(3999)
    await sink.checkpoint()
    expect(Object.keys(files.visible)).toHaveLength(3)
    context.advance(1)
    await sink.checkpoint()
    expect(Object.values(shown(files)).at(-1)).toBe('e\n')
    expect(context.timers).toEqual([])
    const old = await open(new MemoryFiles(), { rollingPolicy: { ...rollingPolicy, maxPartSize: '1g' } })
    for (let i = 0; i < 9; i++) {
      old.write(String(i))
      old.context.advance(2000)
      old.operator.pending()
    }
    await old.checkpoint()
    expect(old.context.timers.length).toBe(1)
  })

  it('goes on writing while the disk is slow to sync, and acknowledges what was written before the barrier', async () => {
    const files = new MemoryFiles()
    const sink = await open(files, {}, {})
    sink.write('x'.repeat(70_000))
    const taking = beginSnapshot(sink.operator, barrier(1))
    for (let i = 0; i < 5; i++) sink.write('y'.repeat(70_000))
    await taking.end()
    const syncAt = files.log.findIndex((step) => step.startsWith('sync /'))
    expect(files.log.slice(0, syncAt).filter((step) => step.startsWith('append'))).toHaveLength(1)
    await settle()
    expect(files.log.filter((step) => step.startsWith('append'))).toHaveLength(6)
  })

  it('ends a part that was in progress where the checkpoint has it, whatever has come since', async () => {
    const files = new MemoryFiles()
    const first = await open(files)
    first.write('a', 'b')
    const taken = await first.checkpoint()
    first.write('lost')
    await first.snapshot()
    const second = await open(files, {}, { from: taken, startMs: 2_000_000 })
    second.write('c')
    await second.checkpoint()
    expect(Object.values(files.visible)).toEqual(['a\nb\n'])
    // The one who was thought dead still writes; nobody sees it.
    first.write('zombie')
    await first.snapshot()
    expect(Object.values(files.visible)).toEqual(['a\nb\n'])
    await second.operator.finish()
    await takeSnapshot(second.operator, barrier(8, { then: 'end' }))
    await second.operator.notifyCheckpointComplete(8)
    await second.operator.close()
    expect(Object.values(files.visible).sort()).toEqual(['a\nb\n', 'c\n'])
    expect(files.hidden).toEqual([])
  })

  it('leaves on disk what a checkpoint may refer to, and removes the rest', async () => {
    const files = new MemoryFiles()
    const first = await open(files, { rollingPolicy: { maxPartSize: 4 } })
    first.write('aaaa', 'b')
    const taken = await first.snapshot()
    first.write('ccc', 'dddd')
    await settle()
    expect(files.hidden).toHaveLength(3)
    await first.operator.close()
    expect(files.hidden).toHaveLength(2)
    // The copy of one that goes on, too.
    const second = await open(files, {}, { from: taken, startMs: 2_000_000 })
    expect(files.hidden).toHaveLength(3)
    await second.operator.close()
    expect(files.hidden.filter((path) => path.endsWith('.inprogress'))).toHaveLength(1)
    const third = await open(files, {}, { from: taken, startMs: 3_000_000 })
    beginSnapshot(third.operator, barrier(2))
    await third.operator.close()
    expect(files.hidden.filter((path) => !path.endsWith('.committed'))).toHaveLength(2)
  })

  it('refuses to go on from a checkpoint whose part has been finished since', async () => {
    const files = new MemoryFiles()
    const first = await open(files)
    first.write('a')
    const older = await first.checkpoint()
    first.context.advance(60_000)
    await first.checkpoint()
    expect(Object.values(files.visible)).toEqual(['a\n'])
    await expect(open(files, {}, { from: older, startMs: 2_000_000 })).rejects.toMatchObject({
      code: 'TR-SINK-002',
      message: expect.stringMatching(
        /^Cannot go on with the file "\/out\/\.part-0-[0-9a-f]{8}-0\.inprogress" that checkpoint 1 has in progress: a newer checkpoint has finished it/,
      ),
    })
    expect(Object.values(files.visible)).toEqual(['a\n'])
  })

  it('refuses to go on when files are gone, as on another machine', async () => {
    const files = new MemoryFiles()
    const first = await open(files, { rollingPolicy: { maxPartSize: 4 } })
    first.write('aaaa')
    const pending = await first.snapshot()
    first.write('b')
    const inProgress = await first.checkpoint()
    const gone = { code: 'TR-SINK-002', message: expect.stringMatching(/it is gone/) }
    await expect(open(new MemoryFiles(), {}, { from: pending })).rejects.toMatchObject(gone)
    await expect(open(new MemoryFiles(), {}, { from: inProgress })).rejects.toMatchObject(gone)
  })

  it('never replaces a file', async () => {
    const files = new MemoryFiles()
    const sink = await open(files, { rollingPolicy: { onCheckpoint: true } })
    sink.write('a')
    await sink.snapshot()
    const name = files.hidden[0]!.replace('/.', '/').replace('.inprogress', '.txt')
    files.put(name, 'of someone else')
    await expect(sink.operator.notifyCheckpointComplete(1)).rejects.toMatchObject({
      code: 'TR-SINK-002',
      message: expect.stringMatching(/cannot become "\/out\/part-0-[0-9a-f]{8}-0\.txt": another file has its name/),
    })
    expect(files.visible).toEqual({ [name]: 'of someone else' })
  })

  it('says when the disk is full, and loses nothing', async () => {
    const files = new MemoryFiles()
    let full = false
    files.refuse = (step) =>
      full && step === 'append'
        ? Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
        : undefined
    const first = await open(files)
    first.write('a', 'b')
    const taken = await first.checkpoint()
    full = true
    first.write('c')
    const message = 'Cannot write to "/out": the disk is full; make room there. ENOSPC: no space left on device, write'
    await expect(first.snapshot()).rejects.toMatchObject({ code: 'TR-SINK-001', message })
    expect(first.context.failures[0]).toMatchObject({ code: 'TR-SINK-001', message })
    await first.operator.close()
    full = false
    const second = await open(files, {}, { from: taken, startMs: 2_000_000 })
    second.write('c')
    second.context.advance(60_000)
    await second.checkpoint()
    expect(Object.values(files.visible).sort().join('')).toBe('a\nb\nc\n')
  })

  it('asks again when a file cannot be named now, then fails with what the system says', async () => {
    const files = new MemoryFiles()
    let refused = 0
    files.refuse = (step) => {
      if (step !== 'rename' || refused === 0) return undefined
      refused--
      return Object.assign(new Error('EIO: i/o error, rename'), { code: 'EIO' })
    }
    const sink = await open(files, { rollingPolicy: { onCheckpoint: true } })
    const commit = async (id: number, failures: number) => {
      refused = failures
      sink.write('x')
      await takeSnapshot(sink.operator, barrier(id))
      const done = Promise.resolve(sink.operator.notifyCheckpointComplete(id))
      done.catch(() => {})
      for (let i = 0; i < 12; i++) {
        await settle()
        sink.context.advance(1000)
      }
      return done
    }
    await commit(1, 3)
    expect(Object.values(files.visible)).toEqual(['x\n'])
    await expect(commit(2, 99)).rejects.toMatchObject({
      code: 'TR-SINK-001',
      message: expect.stringMatching(/could never take it \(Cannot write to "\/out": EIO: i\/o error, rename\)/),
    })
  })

  it('keeps the files of a savepoint of a job without checkpoints', async () => {
    const files = new MemoryFiles()
    const first = await open(files, {}, { checkpointing: false })
    first.write('a')
    const taken = await takeSnapshot(first.operator, barrier(1, { kind: 'savepoint', then: 'suspend' }))
    await first.operator.notifyCheckpointComplete(1)
    await first.operator.close()
    const second = await open(files, {}, { checkpointing: false, from: taken })
    second.write('b')
    await second.operator.finish()
    await second.operator.close()
    expect(files.visible).toEqual({ '/out/part-0-0.txt': 'a\n', '/out/part-0-1.txt': 'b\n' })
    expect(files.hidden).toEqual([])
  })

  it('refuses options that cannot work', () => {
    const format = jsonLines()
    expect(() => fileSink({ path: 'a', format, suffix: '/x' })).toThrow(/suffix/)
    expect(() => fileSink({ path: 'a', format, bucketAssigner: {} as never })).toThrow(/bucketAssigner/)
    expect(() => fileSink({ path: 'a', format, rollingPolicy: { maxPartSize: -1 } })).toThrow(/memory size "-1"/)
    expect(() => fileSink({ path: 'a', format, bufferBytesMax: 0 })).toThrow(/bufferBytesMax/)
  })
})

it('fileSink() does the same on a real disk', async () => {
  const path = mkdtempSync(join(tmpdir(), 'file-sink-'))
  try {
    const options: Partial<FileSinkOptions<number>> = {
      path: join(path, 'not/there/yet'),
      format: jsonLines<number>(),
      bucketAssigner: { getBucketId: (n) => `rest/${n % 2}` },
    }
    const first = await open<number>(nodeFiles, options)
    first.write(1, 2, 3)
    first.context.advance(60_000)
    first.write(4, 5)
    const taken = await first.checkpoint()
    first.write(6, 7)
    await first.snapshot()
    const second = await open<number>(nodeFiles, options, { from: taken, startMs: 2_000_000 })
    second.write(6, 7, 8)
    await second.operator.finish()
    await takeSnapshot(second.operator, barrier(7, { then: 'end' }))
    await second.operator.notifyCheckpointComplete(7)
    await second.operator.close()
    await first.operator.close()
    const found = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const visible = found.filter((entry) => !entry.name.startsWith('.'))
    const content = visible.flatMap((entry) =>
      readFileSync(join(entry.parentPath, entry.name), 'utf8').trim().split('\n'),
    )
    expect(content.map(Number).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(new Set(visible.map((entry) => entry.parentPath.slice(-6)))).toEqual(new Set(['rest/0', 'rest/1']))
  } finally {
    rmSync(path, { recursive: true })
  }
})
