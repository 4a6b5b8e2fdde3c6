import { describe, expect, it } from 'vitest'
import { type MemoryFault, MemoryObjects, memoryStore } from '../checkpoint/memory-store.ts'
import { ManualClock } from '../core/clock.ts'
import type { Plan } from '../graph/model.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import { highestEpoch, type JobRegistry, openRegistry, readRegistry } from './registry.ts'

const FOLDER = 'cluster-1'
const PROGRAM: ProgramRef = { url: 'file:///jobs/fraud.ts', args: ['a'], parameters: { b: '1' }, options: { c: 'd' } }
const plan = (name: string) => ({ config: { jobName: name }, vertices: [], edges: [], hash: name }) as unknown as Plan
const bytesOf = (text: string) => new TextEncoder().encode(text)

function setUp() {
  const objects = new MemoryObjects()
  const warnings: string[] = []
  let owners = 0
  const open = (leaderEpoch = 1, fault?: (operation: { kind: string; key: string }) => MemoryFault | undefined) =>
    openRegistry({
      store: memoryStore(objects, fault && { fault }),
      folder: FOLDER,
      owner: `owner-${++owners}`,
      leaderEpoch,
      clock: new ManualClock(1_790_000_000_000),
      warn: (text) => warnings.push(text),
    })
  const keys = () => [...objects.objects.keys()].map((key) => key.slice(FOLDER.length + 1)).sort()
  const read = () => readRegistry(memoryStore(objects), FOLDER)
  return { objects, warnings, open, keys, read }
}

const addJob = (registry: JobRegistry, programId: string, executeIndex: number) =>
  registry.addJob(programId, { jobId: `${programId}-${executeIndex}`, executeIndex, jobName: 'fraud', plan: plan('h') })

describe('openRegistry()', () => {
  it('gives the next leader what the one before was told, and what came of it', async () => {
    const { open } = setUp()
    const first = await open()
    const artifact = await first.storeArtifact('fraud.tgz', bytesOf('an archive'))
    await first.addProgram({ programId: 'p', program: PROGRAM, artifact: artifact.sha256 })
    await first.addOnce('p', 'seed', { at: new Date(5), big: 7n })
    await addJob(first, 'p', 0)
    const result = { jobId: 'p-0', result: { netRuntimeMs: 5 }, collected: [1, undefined] }
    await first.endJob('p-0', { status: 'FINISHED', result })
    await addJob(first, 'p', 1)
    await first.addProgram({ programId: 'q', program: PROGRAM })
    await first.endProgram('q', { status: 'FAILED', error: { code: 'TR-TASK-001', message: 'm', stack: 's' } })

    const second = await open(2)
    expect(second.epoch).toBe(2)
    expect(second.toRun().map(({ programId }) => programId)).toEqual(['p'])
    expect(second.programs[0]!.jobs.map(({ jobId, outcome }) => [jobId, outcome?.status])).toEqual([
      ['p-0', 'FINISHED'],
      ['p-1', undefined],
    ])
    expect(second.toCleanUp().map(({ jobId }) => jobId)).toEqual(['p-0'])
    expect(await second.program('p')).toEqual(PROGRAM)
    expect(await second.plan('p-1')).toEqual(plan('h'))
    expect(await second.replay('p', 1)).toEqual({
      executeIndex: 1,
      results: [result],
      once: { seed: { at: new Date(5), big: 7n } },
    })
    expect((await second.replay('p', 2)).results).toEqual([result, undefined])
    expect(Buffer.from(await second.readArtifact(artifact.sha256)).toString()).toBe('an archive')
    await second.cleanJob('p-0')
    await second.endProgram('p', { status: 'FINISHED' })
    const third = await open()
    expect(third.epoch).toBe(3)
    expect([third.toRun(), third.toCleanUp()]).toEqual([[], []])
  })

  it('does again what was done without another effect', async () => {
    const { open, keys } = setUp()
    const registry = await open()
    const all = async () => {
      await registry.storeArtifact('x', bytesOf('x'))
      await registry.addProgram({ programId: 'p', program: PROGRAM })
      await registry.addOnce('p', 'n', 1)
      await addJob(registry, 'p', 0)
      await registry.endJob('p-0', { status: 'CANCELED', result: 1 })
      await registry.cleanJob('p-0')
      await registry.endProgram('p', { status: 'CANCELED' })
    }
    await all()
    const before = keys()
    await all()
    expect(keys()).toEqual(before)
    const other = { jobId: 'other', executeIndex: 0, jobName: 'n', plan: plan('h') }
    await expect(registry.addJob('p', other)).rejects.toThrow(/that is job p-0, wanted: one job for each/)
  })

  it('refuses a leader that was deposed, and what it writes all the same counts for nothing', async () => {
    const { open, read } = setUp()
    const old = await open()
    await old.addProgram({ programId: 'before', program: PROGRAM })
    const next = await open(2)
    const deposed = { code: 'TR-CHECKPOINT-002' }
    await expect(old.addProgram({ programId: 'ghost', program: PROGRAM })).rejects.toMatchObject(deposed)
    await expect(old.endProgram('before', { status: 'FINISHED' })).rejects.toMatchObject(deposed)
    await next.addProgram({ programId: 'after', program: PROGRAM })
    expect((await read()).programs.map(({ programId }) => programId)).toEqual(['before', 'after'])
    expect((await open(3)).toRun().map(({ programId }) => programId)).toEqual(['before', 'after'])
  })

  it('deletes what older leaders have left, and keeps what is needed', async () => {
    const { open, keys } = setUp()
    const first = await open()
    const long = 'x'.repeat(5_000)
    await first.addProgram({ programId: 'p', program: { ...PROGRAM, args: [long] } })
    await first.addOnce('p', 'kept', long)
    const { sha256 } = await first.storeArtifact('a', bytesOf('a'))
    // As one that died between the file and the journal.
    const left = await open(1, ({ key }) => (key.includes('journal/2/2') ? { fail: 'before' } : undefined))
    await expect(left.addOnce('p', 'left', long)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-007' })
    const third = await open()
    await third.close()
    expect(keys()).toEqual([`artifacts/${sha256}-1-3`, 'bodies/1-1', 'bodies/1-2', 'claims/3', 'journal/3/1.state'])
    const last = await open()
    await last.endProgram('p', { status: 'FINISHED' })
    await last.forgetProgram('p')
    await last.removeArtifact(sha256)
    await last.close()
    expect(keys().filter((key) => !/^(journal|claims)\//.test(key))).toEqual([])
  })

  it('writes the whole state again after many changes', async () => {
    const { open, keys } = setUp()
    const registry = await open()
    await registry.addProgram({ programId: 'p', program: PROGRAM })
    for (let i = 0; i < 450; i++) await registry.addOnce('p', `n${i}`, i)
    await registry.close()
    expect(keys().length).toBeLessThan(210)
    const next = await open()
    expect(Object.keys((await next.replay('p', 0)).once)).toHaveLength(450)
  })

  it('settles what it was not told of before the next change', async () => {
    const { open } = setUp()
    let fail: 'after' | 'before' | undefined
    const registry = await open(1, ({ kind }) => (fail && kind !== 'delete' ? { fail } : undefined))
    await registry.addProgram({ programId: 'p', program: PROGRAM })
    for (fail of ['after', 'before'] as const)
      await expect(registry.addProgram({ programId: fail, program: PROGRAM })).rejects.toMatchObject({
        code: 'TR-CHECKPOINT-007',
      })
    fail = undefined
    await registry.addProgram({ programId: 'q', program: PROGRAM })
    await registry.addProgram({ programId: 'before', program: PROGRAM })
    const names = (await open(2)).programs.map(({ programId }) => programId)
    expect(names).toEqual(['p', 'after', 'q', 'before'])
  })

  it('begins above the epoch of the election, which begins above it when its own record is gone', async () => {
    const { objects, open } = setUp()
    expect(await highestEpoch(memoryStore(objects), FOLDER)).toBe(0)
    expect((await open(7)).epoch).toBe(7)
    expect((await open(3)).epoch).toBe(8)
    expect(await highestEpoch(memoryStore(objects), FOLDER)).toBe(8)
  })

  it('refuses an artifact that is in use, and one that is other bytes', async () => {
    const { objects, open } = setUp()
    const registry = await open()
    const { sha256, file } = await registry.storeArtifact('a.mjs', bytesOf('a'))
    await registry.addProgram({ programId: 'p', program: PROGRAM, artifact: sha256 })
    await expect(registry.removeArtifact(sha256)).rejects.toThrow(
      /Cannot remove the artifact "a.mjs": program "p" runs/,
    )
    objects.set(`${FOLDER}/${file}`, bytesOf('b'))
    await expect(registry.readArtifact(sha256)).rejects.toMatchObject({ code: 'TR-HA-003' })
    const unknown = { programId: 'q', program: PROGRAM, artifact: 'none' }
    await expect(registry.addProgram(unknown)).rejects.toThrow(/Cannot find the artifact "none"/)
  })

  it('says which record is broken, of a newer version, or gone', async () => {
    for (const [key, text, found] of [
      ['journal/1/1.state', '{', 'it is no JSON'],
      ['journal/1/1.state', '{"formatVersion":2}', 'it has format version 2, wanted'],
      ['journal/1/2', '{"formatVersion":1,"change":"new"}', 'Invalid'],
      ['journal/1/2', undefined, 'it is missing'],
      ['journal/1/1.state', undefined, 'it is missing'],
    ] as const) {
      const { objects, open } = setUp()
      const registry = await open()
      await registry.addProgram({ programId: 'p', program: PROGRAM })
      await registry.addProgram({ programId: 'q', program: PROGRAM })
      if (text === undefined) objects.objects.delete(`${FOLDER}/${key}`)
      else objects.set(`${FOLDER}/${key}`, bytesOf(text))
      await expect(open()).rejects.toMatchObject({
        code: 'TR-HA-003',
        message: expect.stringMatching(
          new RegExp(`Cannot read the record "memory:/${FOLDER}/${key}": .*${found}`, 's'),
        ),
      })
    }
  })
})
