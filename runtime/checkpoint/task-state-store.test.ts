import { describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { checkpointOf } from './checkpoint-of.suite.ts'
import { MemoryObjects, memoryStore } from './memory-store.ts'
import type { StateHandle } from './model.ts'
import { openCheckpointStore } from './open-checkpoint-store.ts'
import { IN_MEMORY_BYTES_MAX, TaskStateStore } from './task-state-store.ts'

const BYTES = Buffer.alloc(40_000, 7)

async function begin() {
  const objects = new MemoryObjects(() => 0)
  const clock = new ManualClock()
  const store = await openCheckpointStore({
    store: memoryStore(objects),
    folder: 'd',
    owner: 'jm',
    retained: 1,
    clock,
    warn: () => {},
  })
  const writerOf = (writer: number) =>
    new TaskStateStore({
      store: memoryStore(objects),
      folder: 'd',
      epoch: store.epoch,
      writer,
      openOther: async () => memoryStore(objects),
    })
  const files = async () => (await memoryStore(objects).list('d/shared/')).map(({ key }) => key)
  return { objects, store, writerOf, files, clock }
}

describe('TaskStateStore', () => {
  it('gives each writer names of its own, in the epoch of the JobManager', async () => {
    const { writerOf, files } = await begin()
    const [a, b] = [writerOf(1), writerOf(2)]
    const handles = [await a.write(BYTES, 1), await a.write(BYTES, 1), await b.write(BYTES, 1)]
    expect(handles.map((handle) => ('file' in handle ? handle.file.slice(0, 20) : ''))).toEqual([
      'shared/1-10000000001',
      'shared/1-10000000002',
      'shared/1-20000000001',
    ])
    expect(await files()).toHaveLength(3)
    expect(await b.read(handles[0]!)).toEqual(new Uint8Array(BYTES))
  })

  it('writes what a checkpoint of the JobManager names, keeps and deletes as its own', async () => {
    const { store, writerOf, files } = await begin()
    const state = writerOf(1)
    const complete = async (id: number) => {
      const handle = await state.write(Buffer.alloc(40_000, id), 1)
      store.written([handle])
      return store.complete(checkpointOf(id, [handle]))
    }
    await complete(1)
    const [first] = await files()
    await complete(2)
    await store.close()
    const left = await files()
    expect(left).toHaveLength(1)
    expect(left[0]).not.toBe(first)
  })

  it('is not believed when it has not said what it wrote', async () => {
    const { store, writerOf } = await begin()
    const handle = await writerOf(1).write(BYTES, 1)
    await expect(store.complete(checkpointOf(1, [handle]))).rejects.toMatchObject({ code: 'TR-CHECKPOINT-001' })
  })

  it('has what was acknowledged too late deleted by the JobManager, what was not by itself', async () => {
    const { store, writerOf, files } = await begin()
    const state = writerOf(1)
    const [late, own] = [await state.write(BYTES, 1), await state.write(BYTES, 1)]
    store.written([late])
    await store.discard(1, [late])
    await state.discard(1, [own])
    await store.close()
    expect(await files()).toEqual([])
  })

  it('says that it was taken over from when a file is gone that a newer owner need not keep', async () => {
    const { objects, store, writerOf, clock } = await begin()
    const state = writerOf(1)
    const handle = await state.write(BYTES, 1)
    store.written([handle])
    await store.discard(1, [handle])
    await store.close()
    await expect(state.read(handle)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-003' })
    await openCheckpointStore({
      store: memoryStore(objects),
      folder: 'd',
      owner: 'newer',
      retained: 1,
      clock,
      warn: () => {},
    })
    await expect(state.read(handle)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-002' })
  })

  it('hands state to the JobManager where there is no directory, up to a bound', async () => {
    const state = new TaskStateStore({
      store: undefined,
      folder: '',
      epoch: 1,
      writer: 1,
      openOther: async () => null!,
    })
    const handle: StateHandle = await state.write(BYTES, 1)
    expect(handle).toEqual({ bytes: new Uint8Array(BYTES) })
    expect(await state.read(handle)).toEqual(new Uint8Array(BYTES))
    await expect(state.write(Buffer.alloc(IN_MEMORY_BYTES_MAX + 1), 1)).rejects.toThrow('execution.checkpointing.dir')
  })
})
