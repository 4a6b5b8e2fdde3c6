/**
 * The file sink through crashes: the world stops before every step that the sink takes on its file system (and in the middle of every write), the job goes
 * on from its last completed checkpoint, and in the end readers must see each record once. At no time may they see what no completed checkpoint holds.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonLines } from '../../formats/json/index.ts'
import { Operator as SinkOperator } from '../../operators/sink.ts'
import { openOperator } from '../../testing/operator-context.ts'
import { barrier, restoredFrom, type TakenSnapshot, takeSnapshot } from '../../testing/snapshots.ts'
import type { BucketAssigner } from './bucket-assigner.ts'
import { type FileSinkOptions, fileSinkOn } from './file-sink.ts'
import { CRASHES, type Crash, MemoryFiles } from './memory-files.suite.ts'

const RECORDS = 17
const PER_CHECKPOINT = 4
const ALL = Array.from({ length: RECORDS }, (_, n) => n)

interface Setup extends Partial<FileSinkOptions<number>> {
  /** Of one attempt after the other; the last one for all that follow. */
  parallelism: number[]
}

/** A source of whole numbers and subtasks of the sink, each with its share; time passes as records do. */
class Job {
  readonly files = new MemoryFiles()
  readonly #setup: Setup
  #attempts = 0
  #checkpoints = 0
  /** The last completed checkpoint. */
  last: { position: number; taken: TakenSnapshot[] } | undefined

  constructor(setup: Setup) {
    this.#setup = setup
  }

  /** One attempt, to the end of the input. Never resolves if the world stops before. */
  async run(): Promise<void> {
    const { parallelism: all, ...options } = this.#setup
    const parallelism = all[Math.min(this.#attempts, all.length - 1)]!
    const startMs = ++this.#attempts * 1_000_000
    const subtasks = Array.from({ length: parallelism }, (_, i) => i)
    const open = async (subtask: number) => {
      const sink = fileSinkOn<number>(this.files, { path: '/out', format: jsonLines(), ...options })
      const restored = this.last === undefined ? {} : { restored: restoredFrom(this.last.taken, subtask, parallelism) }
      const place = { checkpointing: true, subtask, parallelism, startMs, ...restored }
      return openOperator(new SinkOperator({ sink }), place)
    }
    const sinks = await Promise.all(subtasks.map(open))
    const checkpoint = async (position: number, then: 'go on' | 'end') => {
      const id = ++this.#checkpoints
      const taken = await Promise.all(sinks.map(({ operator }) => takeSnapshot(operator, barrier(id, { then }))))
      await this.files.alive()
      this.last = { position, taken }
      await Promise.all(sinks.map(({ operator }) => operator.notifyCheckpointComplete(id)))
    }
    for (let n = this.last?.position ?? 0; n < RECORDS; n++) {
      const { operator, context } = sinks[n % parallelism]!
      operator.process(n, n)
      operator.pending()
      if (n % 5 === 4) for (const sink of sinks) sink.context.advance(30_000)
      // Writes go on between records, or do not.
      if (n % 3 === 2) for (let i = 0; i < 9; i++) await this.files.alive()
      if ((n + 1) % PER_CHECKPOINT === 0) await checkpoint(n + 1, 'go on')
      expect(context.failures).toEqual([])
    }
    for (const { operator } of sinks) await operator.finish()
    await checkpoint(RECORDS, 'end')
    for (const { operator } of sinks) await operator.close()
  }

  /** Runs until the world stops; false: the job has ended before. */
  async runUntil(step: number, half: boolean): Promise<boolean> {
    const stopped = this.files.stopped.then(() => true)
    this.files.stopAt = { step: this.files.steps + step, half }
    return Promise.race([stopped, this.run().then(() => false)])
  }

  /** What readers see. */
  get seen(): number[] {
    return recordsOf(Object.values(this.files.visible)).sort((a, b) => a - b)
  }
}

function recordsOf(texts: string[]): number[] {
  return texts.flatMap((text) => text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as number])))
}

const byThree: BucketAssigner<number> = { getBucketId: (n) => `rest=${n % 3}` }
const setups: [name: string, setup: Setup][] = [
  ['parts that go on over checkpoints', { parallelism: [1], rollingPolicy: { inactivityInterval: '40 s' } }],
  ['parts that end all the time', { parallelism: [1], rollingPolicy: { maxPartSize: 4 } }],
  ['parts that end at checkpoints', { parallelism: [2], rollingPolicy: { onCheckpoint: true } }],
  ['buckets', { parallelism: [2], bucketAssigner: byThree }],
  ['more subtasks when it goes on', { parallelism: [1, 3], rollingPolicy: { maxPartSize: 9 } }],
  ['fewer subtasks when it goes on', { parallelism: [3, 1], bucketAssigner: byThree }],
]

describe.each(setups)('the file sink with %s', (_name, setup) => {
  it('writes each record once when nothing happens, and leaves nothing else', async () => {
    const job = new Job(setup)
    await job.run()
    expect(job.seen).toEqual(ALL)
    expect(job.files.hidden).toEqual([])
  })

  it.each(CRASHES)('writes each record once wherever it stops (names $names, bytes $bytes)', async (crash) => {
    for (let step = 1, half = false; ; ) {
      const job = new Job(setup)
      if (!(await job.runUntil(step, half))) break
      const stoppedAt = job.files.log.at(-1)!
      const where = `stopped ${half ? 'in' : 'before'} step ${step}, "${stoppedAt}"`
      const { seen } = job
      expect(new Set(seen).size, where).toBe(seen.length)
      expect(Math.max(-1, ...seen), where).toBeLessThan(job.last?.position ?? 0)
      job.files.restart(crash)
      await job.run()
      expect(job.seen, where).toEqual(ALL)
      half = !half && stoppedAt.startsWith('append')
      if (!half) step++
    }
  })

  it('writes each record once when it stops again and again, and readers take files away (property)', async () => {
    const stop = fc.record({
      step: fc.integer({ min: 1, max: 80 }),
      half: fc.boolean(),
      crash: fc.constantFrom<'reader' | Crash>('reader', ...CRASHES),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(stop, { maxLength: 8, size: 'max' }), async (stops) => {
        const job = new Job(setup)
        const taken: number[] = []
        let ended = false
        for (const { step, half, crash } of stops) {
          ended = !(await job.runUntil(step, half))
          if (ended) break
          if (crash !== 'reader') job.files.restart(crash)
          else {
            // Marks go when the input has ended and all is committed (part-committer.ts).
            const paths = job.last?.position === RECORDS ? [] : Object.keys(job.files.visible)
            for (const path of paths) taken.push(...recordsOf([job.files.take(path)]))
            job.files.restart({ names: 'kept', bytes: 'kept' })
          }
        }
        if (!ended) await job.run()
        expect([...taken, ...job.seen].sort((a, b) => a - b)).toEqual(ALL)
      }),
      { numRuns: 150 },
    )
  })
})
