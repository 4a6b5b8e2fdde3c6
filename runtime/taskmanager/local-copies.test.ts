/** Copies of state on a disk in memory, that a test can spoil: what is kept, what is read from where, and what is said of it. */
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { MemoryObjects, memoryStore } from '../checkpoint/memory-store.ts'
import type { FileHandle } from '../checkpoint/model.ts'
import { TaskStateStore } from '../checkpoint/task-state-store.ts'
import { ManualClock } from '../core/clock.ts'
import { LocalCopies, type LocalFile } from './local-copies.ts'

const BYTES = 1000
const BOTH = { keeps: true, reads: true }

/** What is on its way to be removed is gone. */
const removed = () => new Promise((resolve) => setImmediate(resolve))

interface Around {
  bytesMax?: number
  found?: LocalFile[]
  /** What writes to the disk fail with. */
  broken?: Error | undefined
  objects?: MemoryObjects
}

function begin(around: Around = {}) {
  const objects = new MemoryObjects(() => 0)
  const local = memoryStore(around.objects ?? new MemoryObjects(() => 0))
  const log: string[] = []
  const clock = new ManualClock()
  const { bytesMax = 1e9, found = [] } = around
  const disk = {
    path: '/disk',
    bytesMax,
    found,
    put: async (key: string, bytes: Uint8Array) => {
      if (around.broken !== undefined) throw around.broken
      await local.put(key, bytes)
    },
    get: local.get.bind(local),
    delete: local.delete.bind(local),
  }
  const copies = new LocalCopies({ disk, clock, log: (text) => void log.push(text) })
  let epoch = 3
  /** As the job's slots here have it. */
  const state = (settings = BOTH, jobId = 'job', writer = 1) => {
    const own = copies.of(jobId, settings)
    const store = memoryStore(objects)
    const openOther = async () => store
    const files = new TaskStateStore({ store, folder: 'd', epoch, writer, openOther, copies: own })
    const write = async (checkpointId: number, fill: number) => {
      const bytes = new Uint8Array(BYTES).fill(fill)
      const { file } = (await files.write(bytes, checkpointId)) as FileHandle
      const part: FileHandle = { file, offset: 100, length: 200, crc32: crc32(bytes.subarray(100, 300)) }
      return part
    }
    return { own, files, write }
  }
  const onDisk = async () => (await local.list('')).map(({ key }) => key.replace(/-[0-9a-f]{64}$/, ''))
  /** The store has lost everything, so that whatever is read comes from the disk. */
  const loseStore = async () => {
    const store = memoryStore(objects)
    await store.delete((await store.list('')).map(({ key }) => key))
  }
  return { copies, clock, local, log, loseStore, onDisk, state, nextLeader: () => void epoch++ }
}

describe('local copies of state', () => {
  it('are read in the place of the store, and told of when the job goes on', async () => {
    const { state, loseStore, log } = begin()
    const { own, files, write } = state()
    const handle = await write(1, 7)
    own.completed(1)
    await loseStore()
    own.begins(1)
    expect(await files.read(handle)).toEqual(new Uint8Array(200).fill(7))
    expect(log).toEqual([])
    own.completed(2)
    expect(log).toEqual(['Job job went on here from 1 KB of local copies, and 0 KB of the store'])
  })

  it('are those of the newest complete checkpoint, and of what is being taken', async () => {
    const { state, onDisk, copies } = begin()
    const { own, write } = state()
    await write(1, 1)
    await write(2, 2)
    expect(await onDisk()).toEqual(['job/3-10000000001', 'job/3-10000000002'])
    own.completed(2)
    own.completed(2)
    expect(await onDisk()).toEqual(['job/3-10000000002'])
    await write(3, 3)
    own.aborted(3)
    expect([await onDisk(), copies.bytes]).toEqual([['job/3-10000000002'], BYTES])
  })

  it('of a checkpoint that the job does not go on from are removed, also what is still being written for it', async () => {
    const { state, onDisk } = begin()
    const { own, write } = state()
    await write(1, 1)
    await write(2, 2)
    const late = write(3, 3)
    own.begins(2)
    await late
    expect(await onDisk()).toEqual(['job/3-10000000002'])
    own.begins(undefined)
    expect(await onDisk()).toEqual([])
  })

  it('of a write that the store refused, or that was given up, are removed', async () => {
    const { state, onDisk } = begin()
    const { files, write } = state()
    const handle = await write(1, 1)
    await files.discard(1, [handle])
    expect(await onDisk()).toEqual([])
  })

  it.each([
    ['missing', 'it is missing', undefined],
    ['cut off', 'it has 150 bytes of 1000', new Uint8Array(150).fill(1)],
    ['changed', 'its bytes were changed', new Uint8Array(BYTES).fill(2)],
  ])('that are %s are told of once, and the store is read', async (_, problem, spoilt) => {
    const { state, local, log, copies } = begin()
    const { files, write } = state()
    const handle = await write(1, 1)
    const { key } = (await local.list(''))[0]!
    if (spoilt === undefined) await local.delete([key])
    else await local.put(key, spoilt)
    const read = await Promise.all([files.read(handle), files.read(handle)])
    expect(read).toEqual(Array(2).fill(new Uint8Array(200).fill(1)))
    expect(log).toEqual([`The local copy /disk/${key} is of no use: ${problem}. Its state is read from the store`])
    await removed()
    expect(copies.bytes).toBe(0)
  })

  it('are proven by the name of the file where a handle has no checksum, and not read in part then', async () => {
    const { state, loseStore } = begin()
    const { files, write } = state()
    const { file } = await write(1, 5)
    await loseStore()
    expect(await files.read({ file, offset: 0, length: BYTES })).toEqual(new Uint8Array(BYTES).fill(5))
    await expect(files.read({ file, offset: 1, length: 10 })).rejects.toThrow('Cannot read state')
  })

  it('on a disk that is full fail no checkpoint: they are given up, and what is there makes room', async () => {
    const around: Around = {}
    const { state, onDisk, log, loseStore } = begin(around)
    const { files, write } = state()
    await write(1, 1)
    around.broken = new Error('ENOSPC: no space left on device')
    const handle = await write(2, 2)
    expect(await files.read(handle)).toEqual(new Uint8Array(200).fill(2))
    around.broken = undefined
    await write(3, 3)
    expect(await onDisk()).toEqual([])
    expect(log).toEqual([
      'Cannot keep local copies of state in /disk: ENOSPC: no space left on device; none are kept until this process is started again. Checkpoints go on',
    ])
    await loseStore()
    await expect(files.read(handle)).rejects.toThrow('Cannot read state')
  })

  it('have a bound, beyond which state is in the store alone; there is room again when older ones have gone', async () => {
    const { state, onDisk, log } = begin({ bytesMax: 2 * BYTES })
    const { own, write } = state()
    for (const fill of [1, 2, 3]) await write(fill, fill)
    expect(await onDisk()).toHaveLength(2)
    expect(log).toEqual([expect.stringContaining('have come to their bound of 2 KB (tailrace.local-backup.max-size)')])
    own.completed(3)
    await removed()
    await write(4, 4)
    expect(await onDisk()).toEqual(['job/3-10000000004'])
    expect(log).toHaveLength(1)
  })

  it('are neither made nor read where the job wants none', async () => {
    const { state, onDisk, loseStore } = begin()
    const { write } = state()
    const handle = await write(1, 1)
    const { files, write: writeNone } = state({ keeps: false, reads: false })
    await writeNone(2, 2)
    expect(await onDisk()).toEqual(['job/3-10000000001'])
    await loseStore()
    await expect(files.read(handle)).rejects.toThrow('Cannot read state')
  })

  it('outlive a leader, and the next one is told by whom they were written', async () => {
    const { copies, state, nextLeader, loseStore } = begin()
    const handle = await state().write(1, 1)
    nextLeader()
    expect(copies.held()).toEqual([{ jobId: 'job', epoch: 3, writer: 1 }])
    const { own, files, write } = state(BOTH, 'job', 2)
    own.begins(1)
    await write(2, 2)
    expect(copies.held()).toEqual([
      { jobId: 'job', epoch: 3, writer: 1 },
      { jobId: 'job', epoch: 4, writer: 2 },
    ])
    await loseStore()
    expect(await files.read(handle)).toEqual(new Uint8Array(200).fill(1))
  })

  it('go with their job, and with jobs that nobody speaks of any more', async () => {
    const { clock, copies, state, onDisk } = begin()
    await state(BOTH, 'a').write(1, 1)
    await state(BOTH, 'b').write(1, 1)
    await state(BOTH, 'c').write(1, 1)
    copies.drop('a')
    expect(await onDisk()).toEqual(['b/3-10000000001', 'c/3-10000000001'])
    clock.advance(9 * 60_000)
    copies.sweep(new Set())
    expect(await onDisk()).toHaveLength(2)
    clock.advance(2 * 60_000)
    copies.sweep(new Set(['c']))
    expect(await onDisk()).toEqual(['c/3-10000000001'])
    await copies.clear()
    expect(await onDisk()).toEqual([])
  })

  it('of a process that was killed serve the next one of its name until a checkpoint is complete', async () => {
    const disk = new MemoryObjects(() => 0)
    const before = begin({ objects: disk })
    const handle = await before.state().write(4, 1)
    const strange = 'job/half-written'
    await before.local.put(strange, new Uint8Array(3))
    const found = (await before.local.list('')).map(({ key, size }) => ({ key, size }))
    const { copies, state, onDisk } = begin({ objects: disk, found })
    expect(copies.held()).toEqual([{ jobId: 'job', epoch: 3, writer: 1 }])
    await removed()
    expect([await onDisk(), copies.bytes]).toEqual([['job/3-10000000001'], BYTES])
    // The store of this one has never had it.
    const { own, files } = state()
    own.begins(4)
    expect(await files.read(handle)).toEqual(new Uint8Array(200).fill(1))
    own.completed(5)
    expect(await onDisk()).toEqual([])
  })
})
