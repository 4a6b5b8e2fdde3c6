import { describe, expect, it } from 'vitest'
import { type MemoryFault, MemoryObjects, memoryStore } from '../checkpoint/memory-store.ts'
import { ManualClock } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { Plan } from '../graph/model.ts'
import { type JobRegistry, openRegistry } from '../ha/registry.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import { KeptPrograms } from './kept-programs.ts'

const PROGRAM: ProgramRef = { url: 'file:///job.ts', args: [], parameters: {}, options: {} }
const plan = { config: { jobName: 'fraud', options: {} }, vertices: [], edges: [], hash: 'h' } as unknown as Plan
const BEGUN = { generation: 7, from: '/sp', above: 4 }
const STOPPED = { checkpointId: 6, path: '/savepoints/savepoint-1' }
const boom = { code: 'TR-TASK-001', name: 'TailraceError', message: 'no', stack: '' } as const
const result = { jobId: 'j0', jobName: 'fraud', netRuntimeMs: 7, accumulators: { rows: 3 } }

function setUp() {
  const objects = new MemoryObjects()
  let leaders = 0
  /** A JobManager that is elected now. */
  const lead = async (fault?: (operation: { kind: string; key: string }) => MemoryFault | undefined) => {
    const epoch = ++leaders
    const registry = await openRegistry({
      store: memoryStore(objects, fault && { fault }),
      folder: 'c',
      owner: `owner-${epoch}`,
      leaderEpoch: epoch,
      clock: new ManualClock(1_790_000_000_000),
      warn: () => {},
    })
    const lost: string[] = []
    const log: string[] = []
    const guard = { leads: true }
    const programs = new KeptPrograms({
      registry,
      refuseUnlessLeader: (what) => {
        if (!guard.leads) throw new TailraceError('TR-HA-001', `Cannot ${what}`)
      },
      onLost: (why) => lost.push(why),
      schedule: (_, callback) => {
        queueMicrotask(callback)
        return () => {}
      },
      log: (text) => log.push(text),
    })
    return { registry, programs, lost, log, guard }
  }
  return { lead }
}

const added = (jobId: string, executeIndex: number) => ({ jobId, executeIndex, jobName: 'fraud', plan })
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('KeptPrograms', () => {
  it('gives the next leader the jobs, the ends and the values that a program had', async () => {
    const { lead } = setUp()
    const first = await (await lead()).programs.record('p', PROGRAM)
    expect(first.once).toEqual({})
    expect(first.job(0)).toBeUndefined()
    await first.addOnce('seed', 7n)
    await first.addJob(added('j0', 0))
    await first.endJob('j0', { status: 'FINISHED', result })
    await first.addJob(added('j1', 1))

    const second = await lead()
    expect(second.programs.toRun()).toMatchObject([{ programId: 'p' }])
    expect(await second.programs.program('p')).toEqual(PROGRAM)
    const record = await second.programs.record('p', PROGRAM)
    expect(record.once).toEqual({ seed: 7n })
    expect(record.job(0)).toEqual({ jobId: 'j0', end: { status: 'FINISHED', result } })
    expect(record.job(1)).toEqual({ jobId: 'j1' })
    const error = { code: 'TR-TASK-001', name: 'TailraceError', message: 'no', stack: '' } as const
    await record.endJob('j1', { status: 'FAILED', error })
    await record.endProgram({ status: 'FAILED', error })

    const third = await lead()
    expect(third.programs.toRun()).toEqual([])
    expect((await third.programs.record('p', PROGRAM)).job(1)).toEqual({
      jobId: 'j1',
      end: { status: 'FAILED', error },
    })
  })

  it('drops the artifact of a program that has ended, unless another runs from it, and forgets those that ended first', async () => {
    const { lead } = setUp()
    const { programs, registry } = await lead()
    const bytes = new TextEncoder().encode('an archive')
    await programs.storeArtifact('fraud.tgz', bytes)
    const { sha256 } = registry.artifacts[0]!
    const [p, q] = [await programs.record('p', PROGRAM, sha256), await programs.record('q', PROGRAM, sha256)]
    await programs.drop('p', 0)
    expect(programs.find('p')).toBeDefined()
    await p.endProgram({ status: 'FINISHED' })
    await programs.drop('p', 1)
    expect(programs.find('p')).toBeDefined()
    expect(await programs.readArtifact(sha256)).toEqual(bytes)
    await q.endProgram({ status: 'FINISHED' })
    await programs.drop('q', 1)
    expect(registry.artifacts).toEqual([])
    expect(registry.programs.map(({ programId }) => programId)).toEqual(['q'])
  })

  it('tells the next leader of jobs that have ended, the newest of them', async () => {
    const { lead } = setUp()
    const record = await (await lead()).programs.record('p', PROGRAM)
    const error = { code: 'TR-TASK-001', name: 'TailraceError', message: 'no', stack: '' } as const
    await record.addJob(added('j0', 0))
    await record.endJob('j0', { status: 'FINISHED', result })
    await record.addJob(added('j1', 1))
    await record.endJob('j1', { status: 'FAILED', error })
    await record.addJob(added('j2', 2))
    const { programs } = await lead()
    const times = { submittedMs: 1_790_000_000_000, endedMs: 1_790_000_000_000 }
    const ended = await programs.endedJobs(2)
    expect(ended).toEqual([
      { jobId: 'j0', status: 'FINISHED', ...times, plan, result, error: undefined },
      { jobId: 'j1', status: 'FAILED', ...times, plan, result: undefined, error },
    ])
    expect(await programs.endedJobs(1)).toHaveLength(1)
  })

  it('leaves nothing to the next leader of a cluster that is ended', async () => {
    const { lead } = setUp()
    const { programs } = await lead()
    const record = await programs.record('p', PROGRAM)
    await record.addJob(added('j0', 0))
    await programs.endAll()
    const next = await lead()
    expect(next.programs.toRun()).toEqual([])
    expect(next.programs.find('p')!.outcome).toMatchObject({ status: 'CANCELED' })
  })

  it('tries again while the store does not answer', async () => {
    const { lead } = setUp()
    let failures = 0
    const { programs, log, lost } = await lead(({ kind, key }) =>
      kind === 'putIfAbsent' && key.includes('journal/1/2') && ++failures < 3 ? { fail: 'before' as const } : undefined,
    )
    await programs.record('p', PROGRAM)
    expect(programs.find('p')).toBeDefined()
    expect([failures, log.length, lost]).toEqual([3, 1, []])
  })

  it.each(['another has taken over the registry', 'its term is over'])('lets nothing follow when %s', async (how) => {
    const { lead } = setUp()
    const old = await lead()
    const record = await old.programs.record('p', PROGRAM)
    await record.addJob(added('j0', 0))
    let next: { registry: JobRegistry } | undefined
    if (how.startsWith('another')) next = await lead()
    else old.guard.leads = false
    let told = false
    void record.endJob('j0', { status: 'FINISHED', result }).finally(() => {
      told = true
    })
    await expect.poll(() => old.lost.length).toBe(1)
    await settled()
    expect(told).toBe(false)
    const { registry } = next ?? (await lead())
    expect(registry.programs[0]!.jobs[0]!.outcome).toBeUndefined()
  })

  it('refuses a value that cannot be kept', async () => {
    const { lead } = setUp()
    const { programs, lost } = await lead()
    const record = await programs.record('p', PROGRAM)
    await expect(record.addOnce('seed', () => 1)).rejects.toMatchObject({ code: 'TR-HA-004' })
    expect(lost).toEqual([])
  })

  it('keeps what a generation of the deployment has begun with, for the one job that began it', async () => {
    const { lead } = setUp()
    const directive = { generation: 7, from: 'latest' }
    const first = await (await lead()).programs.record('p', PROGRAM)
    await first.addJob(added('j0', 0))
    const beginning = first.beginning('j0', directive)!
    expect(beginning).toMatchObject({ directive, begun: undefined })
    const begun = { generation: 7, from: 'latest', above: 4 }
    await beginning.keep(begun)

    const second = await (await lead()).programs.record('p', PROGRAM)
    await second.addJob(added('j1', 1))
    expect(second.beginning('j0', directive)?.begun).toEqual(begun)
    expect(second.beginning('j1', directive)).toBeUndefined()
    expect(second.beginning('j0', { ...directive, generation: 8 })?.begun).toBeUndefined()
  })

  it.each([
    ['has failed', { status: 'FAILED', error: boom }, undefined, { begun: BEGUN, stopped: undefined }],
    ['was stopped', { status: 'FINISHED', result }, STOPPED, { begun: BEGUN, stopped: STOPPED }],
    ['has finished by itself', { status: 'FINISHED', result }, undefined, { begun: undefined, stopped: undefined }],
    ['was cancelled', { status: 'CANCELED', error: boom }, undefined, { begun: undefined, stopped: undefined }],
  ] as const)('tells the next generation where the job of the one before is that %s', async (_, end, at, before) => {
    const { lead } = setUp()
    const run = async (generation: number) => {
      const { programs } = await lead()
      const record = await programs.record('p', PROGRAM)
      await record.addJob(added(`j${generation}`, 0))
      return { programs, record, beginning: record.beginning(`j${generation}`, { generation, from: 'latest' })! }
    }
    const first = await run(7)
    expect(first.beginning.before).toEqual({ begun: undefined, stopped: undefined })
    await first.beginning.keep(BEGUN)
    await first.record.endJob('j7', end, at)
    await first.record.endProgram({ status: end.status })
    await first.programs.forget('p')
    // Until it has begun, whatever becomes of those that try.
    for (const generation of [8, 9]) {
      const next = await run(generation)
      expect(next.beginning).toMatchObject({ begun: undefined, before })
      await next.record.endJob(`j${generation}`, { status: 'FAILED', error: boom })
      await next.record.endProgram({ status: 'FAILED' })
      await next.programs.forget('p')
    }
    const begins = await run(10)
    await begins.beginning.keep({ generation: 10, from: 'empty', above: 9 })
    const { programs } = await lead()
    const record = await programs.record('p', PROGRAM)
    expect(record.beginning('j10', { generation: 11, from: 'latest' })!.before).toEqual({
      begun: { generation: 10, from: 'empty', above: 9 },
      stopped: undefined,
    })
  })

  it('tells the next leader what came of operations', async () => {
    const { lead } = setUp()
    const first = await lead()
    const record = await first.programs.record('p', PROGRAM)
    await record.addJob(added('j0', 0))
    const taken = { checkpointId: 4, path: '/sp' }
    const keep = (kind: 'savepoint' | 'stop', triggerId: string, more: object) =>
      first.programs.keepOperation('j0', { kind, triggerId, state: 'begun', ...more })
    await keep('savepoint', 'taken', {})
    await keep('savepoint', 'taken', { state: 'done', taken })
    await keep('savepoint', 'failed', { state: 'failed', error: { code: 'TR-CHECKPOINT-001', message: 'no place' } })
    await keep('savepoint', 'lost', {})
    await keep('stop', 'stopped', { taken })

    const { programs } = await lead()
    const found = (kind: 'savepoint' | 'stop', id: string) => programs.findOperation('j0', kind, id)
    expect(found('savepoint', 'taken')).toEqual({ status: 'COMPLETED', result: taken })
    expect(found('savepoint', 'failed')).toMatchObject({ status: 'COMPLETED', error: { message: 'no place' } })
    expect(found('savepoint', 'lost')).toMatchObject({
      status: 'COMPLETED',
      error: { code: 'TR-HA-010', message: expect.stringContaining('was lost before it was done') },
    })
    expect([found('stop', 'taken'), programs.findOperation('j9', 'stop', 'x')]).toEqual([undefined, undefined])
    // The job goes on, unless it has finished behind its savepoint.
    expect(found('stop', 'stopped')?.error).toBeDefined()
    await (await programs.record('p', PROGRAM)).endJob('j0', { status: 'FINISHED', result })
    expect(found('stop', 'stopped')).toEqual({ status: 'COMPLETED', result: taken })
  })
})
