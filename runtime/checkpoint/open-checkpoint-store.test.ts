/** A deployment's checkpoints in the hands of one owner, and from one owner to the next; hand-over.test.ts and fencing.test.ts have them in each other's way. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkpointOf } from './checkpoint-of.suite.ts'
import { bytesOf, complete, failing, fileOf, Place, read, textOf } from './checkpoint-place.suite.ts'
import { openDirectoryStore } from './directory-store.ts'
import { MemoryObjects, memoryStore } from './memory-store.ts'
import type { StateHandle } from './model.ts'
import type { OpenCheckpointStoreOptions } from './open-checkpoint-store.ts'

describe('openCheckpointStore()', () => {
  it('begins with nothing, and gives the next owner what was completed', async () => {
    const place = new Place()
    const first = await place.open({ retained: 2 })
    expect(first).toMatchObject({ url: 'memory:/job', epoch: 1, completed: [], nextCheckpointId: 1 })
    for (const id of [1, 2, 3]) await complete(first, id)
    expect(first.nextCheckpointId).toBe(4)
    const second = await place.open({ retained: 2 })
    expect(second).toMatchObject({ epoch: 2, nextCheckpointId: 4 })
    expect(second.completed.map(({ metadata }) => metadata.checkpointId)).toEqual([2, 3])
    expect(second.completed[1]).toEqual(first.completed[1])
    expect(second.completed[1]).toMatchObject({ path: 'memory:/job/chk-3/_metadata', metadata: { epoch: 1 } })
    expect(await read(second)).toEqual(['state 2', 'state 3'])
  })

  it('lays out the folder as docs/checkpoint-store.md says', async () => {
    const place = new Place()
    const store = await place.open()
    const file = fileOf(await complete(store, 1))
    await store.close()
    expect(place.names()).toEqual(['chk-1/_metadata', 'claims/1', 'claims/1.start', file])
  })

  it('does the same on a disk', async () => {
    const root = mkdtempSync(join(tmpdir(), 'tailrace-checkpoints-'))
    const place = new Place()
    const open = async () => place.open({ store: await openDirectoryStore(root), retained: 2 })
    const first = await open()
    for (const id of [1, 2, 3]) await complete(first, id)
    await first.close()
    expect(readdirSync(join(root, 'job')).sort()).toEqual(['chk-2', 'chk-3', 'claims', 'shared'])
    const second = await open()
    expect(second.completed.at(-1)!.path).toBe(join(root, 'job/chk-3/_metadata'))
    expect(await read(second)).toEqual(['state 2', 'state 3'])
    await expect(complete(first, 4)).rejects.toThrow()
    await second.discardAll()
    expect(readdirSync(join(root, 'job'))).toEqual(['claims'])
    rmSync(root, { recursive: true })
  })

  it('deposes the owner before, whatever that does then', async () => {
    const place = new Place()
    const zombie = await place.open()
    const handle = await complete(zombie, 1)
    const late = await zombie.write(bytesOf('late'))
    const newer = await place.open()
    await expect(zombie.complete(checkpointOf(2, [late]))).rejects.toMatchObject({ code: 'TR-CHECKPOINT-002' })
    for (const call of [
      () => zombie.complete(checkpointOf(3, [])),
      () => zombie.write(bytesOf('x')),
      () => zombie.discard(2, [late]),
      () => zombie.discardAll(),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'TR-CHECKPOINT-002' })
    expect(textOf(await zombie.read(handle))).toBe('state 1')
    await zombie.close()
    // Its late checkpoint does not count for the newer one, nor for whoever comes next.
    expect(place.names('chk-')).toEqual(['chk-1/_metadata', 'chk-2/_metadata'])
    expect(newer.completed.map(({ metadata }) => metadata.checkpointId)).toEqual([1])
    const third = await place.open()
    expect(third.completed.map(({ metadata }) => metadata.checkpointId)).toEqual([1])
    expect(third.nextCheckpointId).toBe(3)
    expect(place.warnings.join()).toMatch(/Left out checkpoint 2 in "memory:\/job\/"/)
    await third.close()
    expect(place.names('chk-')).toEqual(['chk-1/_metadata'])
  })

  it('goes on from a checkpoint whose owner was killed between its metadata and the look for claims', async () => {
    const place = new Place()
    const killed = await place.open({
      fault: (operation) =>
        operation.kind === 'list' && place.names('chk-2').length > 0 ? { fail: 'before' } : undefined,
    })
    await complete(killed, 1)
    await expect(complete(killed, 2)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-001' })
    const next = await place.open()
    expect(await read(next)).toEqual(['state 2'])
  })

  it('is deposed by a claim that comes between its metadata and the look for claims', async () => {
    const place = new Place()
    let armed = false
    const zombie = await place.open({
      fault: (operation) => {
        if (armed && operation.kind === 'list') place.objects.set('job/claims/2', bytesOf('{}'))
        return undefined
      },
    })
    armed = true
    await expect(complete(zombie, 1)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-002' })
    expect(zombie.completed).toEqual([])
  })

  it('fails a checkpoint whose id a deposed owner has used late, and completes the next', async () => {
    const place = new Place()
    const zombie = await place.open()
    const newer = await place.open()
    await complete(zombie, 1, 'late').catch(() => {})
    const handle = await newer.write(bytesOf('mine'))
    await expect(newer.complete(checkpointOf(1, [handle]))).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-001',
      message: expect.stringContaining('written by a JobManager that this one has taken over from'),
    })
    await newer.discard(1, [handle])
    await complete(newer, 2, 'mine')
    expect(await read(await place.open())).toEqual(['mine'])
  })

  it('learns from metadata of a newer owner that it is deposed', async () => {
    const place = new Place()
    const zombie = await place.open()
    await complete(await place.open(), 1, 'newer')
    await expect(complete(zombie, 1)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-002' })
  })

  it('refuses an id that it has used with other state', async () => {
    const store = await new Place().open()
    await complete(store, 1)
    await expect(complete(store, 1, 'other')).rejects.toMatchObject({ code: 'TR-INTERNAL-001' })
  })

  it('refuses settings and stores that cannot work', async () => {
    const place = new Place()
    await expect(place.open({ retained: 0 })).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-006',
      message: expect.stringContaining('"execution.checkpointing.num-retained"'),
    })
    const store = memoryStore(place.objects)
    const ignoring = {
      ...store,
      putIfAbsent: (key: string, bytes: Uint8Array) => store.put(key, bytes).then(() => true),
    }
    await expect(place.open({ store: ignoring })).rejects.toMatchObject({ code: 'TR-CHECKPOINT-005' })
    const stale = { ...store, list: async (prefix: string) => (prefix === 'job/' ? [] : store.list(prefix)) }
    await expect(place.open({ store: stale })).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-005',
      message: expect.stringContaining('wanted: a store whose lists are up to date'),
    })
  })

  it('keeps several deployments in one store apart', async () => {
    const place = new Place()
    await complete(await place.open({ folder: 'a/1' }), 1, 'of a')
    const other = await place.open({ folder: 'a/2' })
    expect(other).toMatchObject({ epoch: 1, completed: [] })
    await complete(await place.open({ folder: '' }), 9, 'of the store itself')
    expect(place.names('').length).toBeGreaterThan(0)
    expect(await read(await place.open({ folder: 'a/1' }))).toEqual(['of a'])
  })
})

describe('answers that are lost', () => {
  it.each([
    ['the claim', 'putIfAbsent', 'claims/1'],
    ['the start', 'putIfAbsent', 'claims/1.start'],
    ['the metadata', 'putIfAbsent', 'chk-1/_metadata'],
  ] as const)('to creating %s are read back', async (_what, kind, key) => {
    const place = new Place()
    const store = await place.open({ fault: failing(kind, key, { fail: 'after' }) })
    await complete(store, 1)
    expect(await read(await place.open())).toEqual(['state 1'])
  })

  it('leave a checkpoint in doubt when they cannot be read back: failed, and yet it may count', async () => {
    const place = new Place()
    const lost = failing('putIfAbsent', 'chk-1/_metadata', { fail: 'after' })
    const unread = failing('get', 'chk-1/_metadata', { fail: 'before' })
    const store = await place.open({ fault: (operation) => lost(operation) ?? unread(operation) })
    const handle = await store.write(bytesOf('one'))
    await expect(store.complete(checkpointOf(1, [handle]))).rejects.toMatchObject({ code: 'TR-CHECKPOINT-001' })
    expect(store.completed).toEqual([])
    await store.discard(1, [handle])
    await store.close()
    expect(await read(await place.open())).toEqual(['one'])
  })

  it('do not matter once a newer checkpoint is complete', async () => {
    const place = new Place()
    const lost = failing('putIfAbsent', 'chk-1/_metadata', { fail: 'after' })
    const unread = failing('get', 'chk-1/_metadata', { fail: 'before' })
    const store = await place.open({ fault: (operation) => lost(operation) ?? unread(operation) })
    const first = await store.write(bytesOf('one'))
    await expect(store.complete(checkpointOf(1, [first]))).rejects.toMatchObject({ code: 'TR-CHECKPOINT-001' })
    await store.discard(1, [first])
    expect(place.names('shared/')).toEqual([fileOf(first)])
    const file = fileOf(await complete(store, 2))
    await store.close()
    expect(place.names('chk-')).toEqual(['chk-2/_metadata'])
    expect(place.names('shared/')).toEqual([file])
  })

  // The simulation's seed 219981: an owner that was cut off deleted the one in doubt, and its request arrived when the next owner had decided to keep it.
  it('leave a checkpoint in doubt where it is, as long as a next owner would keep it', async () => {
    const place = new Place()
    const lost = failing('putIfAbsent', 'chk-1/_metadata', { fail: 'after' })
    const unread = failing('get', 'chk-1/_metadata', { fail: 'before' })
    const store = await place.open({ retained: 2, fault: (operation) => lost(operation) ?? unread(operation) })
    await expect(complete(store, 1)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-001' })
    await complete(store, 2)
    expect(await read(await place.open({ retained: 2 }))).toEqual(['state 1', 'state 2'])
  })

  it('do not matter once as many newer checkpoints are complete as are kept', async () => {
    const place = new Place()
    const lost = failing('putIfAbsent', 'chk-1/_metadata', { fail: 'after' })
    const unread = failing('get', 'chk-1/_metadata', { fail: 'before' })
    const store = await place.open({ retained: 2, fault: (operation) => lost(operation) ?? unread(operation) })
    const first = await store.write(bytesOf('one'))
    await expect(store.complete(checkpointOf(1, [first]))).rejects.toMatchObject({ code: 'TR-CHECKPOINT-001' })
    await store.discard(1, [first])
    const files = [fileOf(await complete(store, 2)), fileOf(await complete(store, 3))]
    await store.close()
    expect(place.names('chk-')).toEqual(['chk-2/_metadata', 'chk-3/_metadata'])
    expect(place.names('shared/')).toEqual(files.sort())
  })

  it('can be asked for again', async () => {
    const place = new Place()
    const store = await place.open({ fault: failing('putIfAbsent', 'chk-1/_metadata', { fail: 'before' }) })
    const handle = await store.write(bytesOf('one'))
    await expect(store.complete(checkpointOf(1, [handle]))).rejects.toMatchObject({ code: 'TR-CHECKPOINT-001' })
    await store.complete(checkpointOf(1, [handle]))
    expect(await read(store)).toEqual(['one'])
  })
})

describe('what is deleted', () => {
  it('is what no kept checkpoint needs, after a newer one is complete', async () => {
    const place = new Place()
    const store = await place.open({ retained: 2 })
    const common = await store.write(bytesOf('common'))
    const own = await Promise.all(['one', 'two', 'three'].map((text) => store.write(bytesOf(text))))
    for (const [i, handle] of own.entries()) await store.complete(checkpointOf(i + 1, [handle, common]))
    await store.discard(4, [await store.write(bytesOf('common'))])
    await store.close()
    expect(place.names('chk-')).toEqual(['chk-2/_metadata', 'chk-3/_metadata'])
    expect(place.names('shared/')).toEqual([common, own[1]!, own[2]!].map(fileOf).sort())
  })

  it('is what a discarded checkpoint alone has written', async () => {
    const place = new Place()
    const store = await place.open()
    const kept = await complete(store, 1, 'kept')
    const handles = [await store.write(bytesOf('kept')), await store.write(bytesOf('given up'))]
    await store.discard(2, handles)
    await store.close()
    expect(place.names('shared/')).toEqual([fileOf(kept)])
  })

  it('is nothing while a checkpoint fails', async () => {
    const place = new Place()
    const store = await place.open({ fault: failing('putIfAbsent', 'chk-2/_metadata', { fail: 'before' }) })
    const first = await complete(store, 1)
    await complete(store, 2).catch(() => {})
    await store.close()
    expect(place.names('chk-')).toEqual(['chk-1/_metadata'])
    expect(place.names('shared/')).toContain(fileOf(first))
  })

  it('is tried again when the store refused', async () => {
    const place = new Place()
    const store = await place.open({ fault: failing('delete', 'chk-1/_metadata', { fail: 'before' }) })
    await complete(store, 1)
    await complete(store, 2)
    const last = await complete(store, 3)
    await store.close()
    expect(place.warnings).toHaveLength(1)
    expect(place.names('chk-')).toEqual(['chk-3/_metadata'])
    expect(place.names('shared/')).toEqual([fileOf(last)])
  })

  it('is what older owners left, when it has the age, and not before', async () => {
    const place = new Place()
    const first = await place.open()
    const kept = await complete(first, 1, 'kept')
    const old = await first.write(bytesOf('old'))
    place.clock.advance(900)
    const young = await first.write(bytesOf('young'))
    place.clock.advance(100)
    const second = await place.open()
    await second.discard(0, [])
    await second.write(bytesOf('second’s'))
    await new Promise((resolve) => setImmediate(resolve))
    const after = place.names('shared/')
    expect(after).not.toContain(fileOf(old))
    expect(after).toContain(fileOf(young))
    place.clock.advance(899)
    await second.discard(0, [])
    await new Promise((resolve) => setImmediate(resolve))
    expect(place.names('shared/')).toContain(fileOf(young))
    place.clock.advance(1)
    await second.discard(0, [])
    await second.close()
    expect(place.names('shared/')).not.toContain(fileOf(young))
    expect(place.names('shared/')).toContain(fileOf(kept))
  })

  it('is what an owner left that died while it proved the store', async () => {
    const place = new Place()
    place.objects.set('job/probes/dead', bytesOf('first'))
    place.clock.advance(1_000)
    await (await place.open()).close()
    expect(place.names('probes/')).toEqual([])
  })

  it('are claims of owners that none of the kept checkpoints is of', async () => {
    const place = new Place()
    await complete(await place.open({ retained: 2 }), 1)
    await place.open({ retained: 2 })
    const third = await place.open({ retained: 2 })
    await complete(third, 2)
    expect(place.names('claims/')).toHaveLength(6)
    await complete(third, 3)
    await third.close()
    expect(place.names('claims/')).toEqual(['claims/3', 'claims/3.start'])
    expect((await place.open()).epoch).toBe(4)
  })

  it('is all of it when the job has ended, and nobody goes on from there', async () => {
    const place = new Place()
    const first = await place.open({ retained: 2 })
    await complete(first, 1)
    await complete(first, 2)
    await first.write(bytesOf('in flight'))
    await first.discardAll()
    expect(first.completed).toEqual([])
    expect(place.names()).toEqual(['claims/1', 'claims/1.start', 'claims/2'])
    await expect(first.complete(checkpointOf(3))).rejects.toThrow('all of them were discarded')
    const next = await place.open()
    expect(next).toMatchObject({ epoch: 3, completed: [], nextCheckpointId: 3 })
  })

  it('is the rest by the next owner, when the one that ended was killed at it', async () => {
    const place = new Place()
    const first = await place.open({ fault: failing('delete', '_metadata', { fail: 'before' }, 99) })
    await complete(first, 1)
    await first.discardAll()
    expect(place.names('chk-')).toEqual(['chk-1/_metadata'])
    place.clock.advance(1_000)
    const next = await place.open()
    expect(next.completed).toEqual([])
    await next.close()
    expect(place.names()).toEqual(['claims/1', 'claims/1.start', 'claims/2', 'claims/3', 'claims/3.start'])
  })
})

describe('what cannot be read', () => {
  const broken = async (
    breakIt: (place: Place, file: string) => void,
    over: Partial<OpenCheckpointStoreOptions> = {},
  ) => {
    const place = new Place()
    const first = await place.open({ retained: 3 })
    await complete(first, 1)
    const file = fileOf(await complete(first, 2))
    breakIt(place, file)
    return { place, next: place.open({ retained: 3, ...over }) }
  }

  it.each([
    [
      'metadata that was changed',
      (place: Place) => place.objects.set('job/chk-2/_metadata', bytesOf('{}')),
      /"memory:\/job\/chk-2\/_metadata"/,
    ],
    [
      'metadata of another checkpoint',
      (place: Place) =>
        place.objects.set('job/chk-2/_metadata', place.objects.objects.get('job/chk-1/_metadata')!.bytes),
      /chk-2\/_metadata": it is checkpoint 1/,
    ],
    [
      'a missing file',
      (place: Place, file: string) => place.objects.objects.delete(`job/${file}`),
      /chk-2\/_metadata": its file "shared\/1-2-[0-9a-f]+" with state "list0" of operator "count" is missing/,
    ],
    [
      'a file that was cut off',
      (place: Place, file: string) => place.objects.set(`job/${file}`, bytesOf('sta')),
      /with state "list0" of operator "count" has 3 bytes of 7/,
    ],
    [
      'no claims',
      (place: Place) => place.names('claims/').forEach((name) => place.objects.objects.delete(`job/${name}`)),
      /there is no claim of epoch 1/,
    ],
  ])('refuses to start from less than there is: %s', async (_what, breakIt, found) => {
    const { next } = await broken(breakIt)
    await expect(next).rejects.toMatchObject({ code: 'TR-CHECKPOINT-003', message: expect.stringMatching(found) })
  })

  it('refuses to start when what the owner before went on from is gone', async () => {
    const place = new Place()
    await complete(await place.open(), 1)
    await place.open()
    place.objects.objects.delete('job/chk-1/_metadata')
    await expect(place.open()).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-003',
      message: expect.stringContaining('"memory:/job/chk-1/_metadata": it is missing, and no newer one is there'),
    })
  })

  it('leaves out an older checkpoint that is broken, and says so', async () => {
    for (const breakOld of [
      (place: Place) => place.objects.set('job/chk-1/_metadata', bytesOf('x')),
      (place: Place) => place.names('shared/1-1-').forEach((name) => place.objects.objects.delete(`job/${name}`)),
    ]) {
      const { place, next } = await broken(breakOld)
      expect((await next).completed.map(({ metadata }) => metadata.checkpointId)).toEqual([2])
      expect(place.warnings.join()).toMatch(/chk-1\/_metadata.*left out/)
    }
  })

  it('does not take a file for lost that came while the store was listed', async () => {
    const place = new Place()
    await complete(await place.open(), 1)
    const store = memoryStore(place.objects)
    const late = {
      ...store,
      list: async (prefix: string) => (await store.list(prefix)).filter(({ key }) => !key.includes('/shared/')),
    }
    expect(await read(await place.open({ store: late }))).toEqual(['state 1'])
  })
})

describe('read()', () => {
  it('gives parts, and refuses what is missing, too short or changed', async () => {
    const place = new Place()
    const store = await place.open()
    const handle = (await store.write(bytesOf('0123456789'))) as Extract<StateHandle, { file: string }>
    expect(textOf(await store.read({ ...handle, offset: 3, length: 4 }))).toBe('3456')
    expect(textOf(await store.read({ ...handle, offset: 0, length: 4 }))).toBe('0123')
    const refusal = (one: StateHandle) => store.read(one).then(textOf, (error) => `${error.code} ${error.message}`)
    expect(await refusal({ ...handle, offset: 8 })).toMatch(
      /^TR-CHECKPOINT-003 .*"memory:\/job\/shared\/1-1-.*": it has 10 bytes of 18/,
    )
    expect(await refusal({ ...handle, file: 'shared/none' })).toMatch(/"memory:\/job\/shared\/none": it is missing/)
    place.objects.set(`job/${handle.file}`, bytesOf('01234x6789'))
    expect(await refusal(handle)).toMatch(/SHA-256/)
  })

  it('reads files elsewhere through the store that is opened for them, once', async () => {
    const place = new Place()
    const elsewhere = new MemoryObjects()
    elsewhere.set('x', bytesOf('savepoint'))
    const opened: string[] = []
    const closed: string[] = []
    const store = await place.open({
      openOther: async (url) => {
        opened.push(url)
        return { ...memoryStore(elsewhere, { url }), close: async () => void closed.push(url) }
      },
    })
    const handle = { file: 's3://other/sp-1/x', offset: 0, length: 9 }
    expect(textOf(await store.read(handle))).toBe('savepoint')
    expect(textOf(await store.read({ ...handle, offset: 4, length: 5 }))).toBe('point')
    // A checkpoint may name it; it is not this deployment's to delete.
    await store.complete(checkpointOf(1, [handle]))
    await store.complete(checkpointOf(2))
    await store.close()
    expect({ opened, closed }).toEqual({ opened: ['s3://other/sp-1'], closed: ['s3://other/sp-1'] })
    expect(elsewhere.objects.size).toBe(1)
    await expect((await place.open()).read(handle)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-003' })
  })
})

describe('write()', () => {
  it('puts a few bytes into the handle, and they are the handle’s own', async () => {
    const place = new Place()
    const store = await place.open({ inlineBytesMax: 4 })
    const bytes = bytesOf('four')
    const handle = await store.write(bytes)
    bytes.fill(0)
    expect(textOf(await store.read(handle))).toBe('four')
    expect('file' in (await store.write(bytesOf('fives')))).toBe(true)
    expect(place.names('shared/')).toHaveLength(1)
    await store.complete(checkpointOf(1, [handle]))
    expect(await read(await place.open())).toEqual(['four'])
  })

  it('passes on what the store says, and nothing is left of it', async () => {
    const place = new Place()
    const full = new Error('disk full')
    const store = await place.open({
      fault: (operation) => (operation.kind === 'put' ? { fail: 'before', error: full } : undefined),
    })
    await expect(store.write(bytesOf('x'))).rejects.toBe(full)
    await store.complete(checkpointOf(1))
    await store.close()
    expect(place.names('shared/')).toEqual([])
  })
})
