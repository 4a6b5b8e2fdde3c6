/**
 * A leader that stands still between its check and its act: by the time it acts another leads. What must hold: it takes nothing from the leader that is there, whichever of the two is first at each of the stores.
 */
import { describe, expect, it } from 'vitest'
import { MemoryObjects, memoryStore } from '../checkpoint/memory-store.ts'
import type { ObjectStore } from '../checkpoint/object-store.ts'
import { openCheckpointStore } from '../checkpoint/open-checkpoint-store.ts'
import type { JobRegistry } from './registry.ts'
import { openRegistry } from './registry.ts'

const clock = { now: () => 5, monotonic: () => 5 }

function place() {
  const objects = new MemoryObjects(() => 5)
  const lead = (owner: string, leaderEpoch: number) =>
    openRegistry({ store: memoryStore(objects), folder: 'cluster', owner, leaderEpoch, clock, warn: () => {} })
  const own = (owner: string, registry: JobRegistry, store: ObjectStore = memoryStore(objects)) =>
    openCheckpointStore({
      store,
      folder: 'job',
      owner,
      retained: 1,
      clock,
      warn: () => {},
      refuseIfDeposed: (what) => registry.refuseIfDeposed(what),
    })
  return { lead, own, objects }
}

/** Its process stands still before the creation of a claim, until `during` is over. */
function stopsBeforeClaim(store: ObjectStore, during: () => Promise<unknown>): ObjectStore {
  const putIfAbsent = store.putIfAbsent.bind(store)
  let stopped = false
  store.putIfAbsent = async (key, bytes) => {
    if (!stopped && key.startsWith('job/claims/')) {
      stopped = true
      await during()
    }
    return putIfAbsent(key, bytes)
  }
  return store
}

describe('a leader that was stopped between its check and its claim of a job', () => {
  it('gets nothing when the next leader has claimed the job meanwhile', async () => {
    const { lead, own, objects } = place()
    const a = await lead('a', 1)
    let next: Awaited<ReturnType<typeof own>> | undefined
    const store = stopsBeforeClaim(memoryStore(objects), async () => {
      next = await own('b', await lead('b', 2))
    })
    await expect(own('a', a, store)).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-002',
      message: expect.stringMatching(
        /take over the checkpoints in .* another JobManager has claimed .*cluster\/claims\/2/,
      ),
    })
    // The owner that is there has not noticed anything.
    await expect(next!.discardAll()).resolves.toBeUndefined()
  })

  it('is deposed by the next leader when it claims before that does', async () => {
    const { lead, own, objects } = place()
    const a = await lead('a', 1)
    let b: JobRegistry | undefined
    const store = stopsBeforeClaim(memoryStore(objects), async () => {
      b = await lead('b', 2)
    })
    const late = await own('a', a, store)
    const next = await own('b', b!)
    expect(next.epoch).toBeGreaterThan(late.epoch)
    await expect(late.discardAll()).rejects.toMatchObject({ code: 'TR-CHECKPOINT-002' })
    await expect(next.discardAll()).resolves.toBeUndefined()
  })

  it('gets nothing of a job that it had not looked at before', async () => {
    const { lead, own } = place()
    const a = await lead('a', 1)
    const next = await own('b', await lead('b', 2))
    await expect(own('a', a)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-002' })
    await expect(next.discardAll()).resolves.toBeUndefined()
  })
})

describe('a leader that was stopped before it acts on the registry', () => {
  it.each<[string, (a: JobRegistry, sha256: string) => Promise<unknown>]>([
    ['keeps no program', (a) => a.addProgram({ programId: 'q', program: PROGRAM })],
    ['keeps no end', (a) => a.endProgram('p', { status: 'FINISHED' })],
    ['removes no artifact', (a, sha256) => a.removeArtifact(sha256)],
    ['stores no artifact', (a) => a.storeArtifact('other.mjs', new Uint8Array([2]))],
  ])('%s', async (_, act) => {
    const { lead } = place()
    const a = await lead('a', 1)
    const { sha256 } = await a.storeArtifact('job.mjs', new Uint8Array([1]))
    await a.addProgram({ programId: 'p', program: PROGRAM })
    const b = await lead('b', 2)
    await expect(act(a, sha256)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-002' })
    expect(await b.readArtifact(sha256)).toEqual(new Uint8Array([1]))
    const c = await lead('c', 3)
    expect([c.toRun().map(({ programId }) => programId), c.artifacts.length]).toEqual([['p'], 1])
  })
})

const PROGRAM = { url: 'file:///job.ts', args: [], parameters: {}, options: {} }
