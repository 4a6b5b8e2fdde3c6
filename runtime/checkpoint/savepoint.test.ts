/** Savepoints as files: written whole or not at all, read from wherever they were moved to, disposed of without a rest. */
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { exampleMetadata } from './any-metadata.suite.ts'
import { chunk, keyed, list, storedOperator } from './example-plan.suite.ts'
import { handlesOf } from './handles.ts'
import { encodeMetadata } from './metadata.ts'
import type { CheckpointMetadata, StateHandle } from './model.ts'
import type { ObjectStore } from './object-store.ts'
import { markCommitted, openSavepoint } from './savepoint.ts'
import { checkSavepointDirectory, savepointName, savepointWriter, writeSavepoint } from './savepoint-writer.ts'
import { savepointsOf } from './savepoints.ts'

const NAME = 'savepoint-ab12cd-0123456789ab'
const LARGE = 5000

interface Operation {
  kind: 'put' | 'putIfAbsent' | 'get' | 'delete'
  /** Below the root of the disk. */
  key: string
}

/** One place for all stores of a test: a store of `/data` has the keys below `data/`. */
class Disk {
  readonly objects = new Map<string, Uint8Array>()
  /** Whether an operation fails: without effect, or with it and without an answer. */
  fault: (operation: Operation) => 'before' | 'after' | undefined = () => undefined
  opened = 0

  readonly open = async (url: string): Promise<ObjectStore> => {
    this.opened++
    const top = url === '/' ? '' : `${url.slice(1)}/`
    const run = async <T>(kind: Operation['kind'], key: string, effect: (key: string) => T): Promise<T> => {
      const fault = this.fault({ kind, key: top + key })
      if (fault === 'before') throw new Error('the answer was lost')
      const result = effect(top + key)
      if (fault === 'after') throw new Error('the answer was lost')
      return result
    }
    return {
      url,
      put: (key, bytes) => run('put', key, (at) => void this.objects.set(at, bytes.slice())),
      putIfAbsent: (key, bytes) =>
        run('putIfAbsent', key, (at) => {
          if (this.objects.has(at)) return false
          this.objects.set(at, bytes.slice())
          return true
        }),
      get: (key, range) =>
        run('get', key, (at) => this.objects.get(at)?.slice(range?.offset, range && range.offset + range.length)),
      list: async () => [],
      delete: async (keys) => {
        for (const key of keys) await run('delete', key, (at) => void this.objects.delete(at))
      },
      close: async () => void this.opened--,
    }
  }

  names(prefix = ''): string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort()
  }

  move(from: string, to: string): void {
    for (const key of this.names(from)) {
      this.objects.set(key.replace(from, to), this.objects.get(key)!)
      this.objects.delete(key)
    }
  }
}

const bytesOf = (seed: number, length: number) => Uint8Array.from({ length }, (_, i) => (i * seed) & 255)

/** A checkpoint with a large file of which handles name parts, another, a small one and an inline one. */
function checkpoint(): { metadata: CheckpointMetadata; read: (handle: StateHandle) => Promise<Uint8Array> } {
  const files: Record<string, Uint8Array> = {
    big: bytesOf(7, 3 * LARGE),
    other: bytesOf(11, 2 * LARGE),
    small: bytesOf(5, 100),
  }
  const part = (file: string, offset: number, length: number): StateHandle => ({ file, offset, length })
  const metadata = exampleMetadata({
    operators: [
      storedOperator('count', [
        keyed(
          { ...chunk('', 0, 63), handle: part('big', 0, LARGE) },
          { ...chunk('', 64, 99), handle: part('big', LARGE, LARGE) },
          { ...chunk('', 100, 127), handle: part('other', LARGE, LARGE) },
        ),
        null,
        { lists: [{ ...list('l', 'split', 0, 1), handle: part('small', 10, 50) }] },
      ]),
      storedOperator('copy', [
        { lists: [{ ...list('l', 'union', 0, 1), handle: part('big', 10, LARGE) }] },
        { lists: [{ ...list('l', 'union', 0, 1), handle: { bytes: Uint8Array.of(1, 2) } }] },
      ]),
    ],
  })
  return {
    metadata,
    read: async (handle) =>
      'bytes' in handle ? handle.bytes : files[handle.file]!.slice(handle.offset, handle.offset + handle.length),
  }
}

/** A store that other stores cannot take files from. */
const from = (read: (handle: StateHandle) => Promise<Uint8Array>) => ({ url: 'memory:', read })

async function written(disk: Disk): Promise<string> {
  const { metadata, read } = checkpoint()
  const store = await disk.open('/data')
  const { folder } = await writeSavepoint(metadata, from(read), savepointWriter(store, NAME))
  await store.close()
  return folder
}

const contents = (metadata: CheckpointMetadata, read: (handle: StateHandle) => Promise<Uint8Array>) =>
  Promise.all(handlesOf(metadata).map(async (handle) => [...(await read(handle))]))

describe('a savepoint', () => {
  it('has all of the state of the checkpoint, each file once, and the metadata last', async () => {
    const disk = new Disk()
    const order: string[] = []
    disk.fault = ({ kind, key }) => {
      if (kind.startsWith('put')) order.push(`${kind} ${key}`)
      return undefined
    }
    const folder = await written(disk)
    expect(folder).toBe(`/data/${NAME}`)
    expect(order).toEqual([
      expect.stringContaining(`put data/${NAME}/state-`),
      expect.stringContaining(`put data/${NAME}/state-`),
      `putIfAbsent data/${NAME}/_metadata`,
    ])
    const opened = await openSavepoint(folder, { open: disk.open, cwd: '/' })
    const { metadata, read } = checkpoint()
    expect(await contents(opened.metadata, opened.read)).toEqual(await contents(metadata, read))
    const withoutHandles = (it: CheckpointMetadata) =>
      JSON.stringify({ ...it, kind: '' }, (key, value) => (key === 'handle' ? 0 : value))
    expect(withoutHandles(opened.metadata)).toBe(withoutHandles(metadata))
    expect([opened.metadata.kind, opened.committed]).toEqual(['savepoint', false])
    expect(opened.metadataBytes).toBe(disk.objects.get(`data/${NAME}/_metadata`)!.length)
    await opened.close()
    expect(disk.opened).toBe(0)
  })

  it.each(['elsewhere/kept/sp', 'sp', 'data/other'])('is whole after a move to %s', async (to) => {
    const disk = new Disk()
    await written(disk)
    disk.move(`data/${NAME}`, to)
    const opened = await openSavepoint(`/${to}/_metadata`, { open: disk.open, cwd: '/' })
    const { metadata, read } = checkpoint()
    expect(await contents(opened.metadata, opened.read)).toEqual(await contents(metadata, read))
    const folders = handlesOf(opened.metadata).flatMap((h) => ('file' in h ? [h.file.startsWith(`/${to}/state-`)] : []))
    expect(folders).toEqual([true, true, true, true])
  })

  it('is disposed of with all of its files, and nothing else', async () => {
    const disk = new Disk()
    await written(disk)
    await markCommitted(NAME, { open: disk.open, cwd: '/data' })
    disk.objects.set(`data/${NAME}/notes.txt`, Uint8Array.of(1))
    const opened = await openSavepoint(NAME, { open: disk.open, cwd: '/data' })
    expect(opened.committed).toBe(true)
    const deleted: string[] = []
    disk.fault = ({ kind, key }) => {
      if (kind === 'delete') deleted.push(key)
      return undefined
    }
    await opened.dispose()
    expect(deleted[0]).toBe(`data/${NAME}/_metadata`)
    expect(disk.names()).toEqual([`data/${NAME}/notes.txt`])
  })

  it('says which file is missing or cut off', async () => {
    const disk = new Disk()
    const folder = await written(disk)
    const opened = await openSavepoint(folder, { open: disk.open, cwd: '/' })
    const [first, second, third] = handlesOf(opened.metadata) as { file: string; offset: number; length: number }[]
    expect([second!.file, third!.file].map((file) => file === first!.file)).toEqual([true, false])
    const fileOf = (handle: { file: string }) => handle.file.slice(1)
    const whole = disk.objects.get(fileOf(third!))!
    for (const [handle, bytes, found] of [
      [first!, bytesOf(7, 100), 'it has 100 bytes of 5000'],
      [second!, undefined, 'it is missing'],
      [third!, whole.with(1000, 1), 'its bytes are not those that its name has the SHA-256 of'],
    ] as const) {
      if (bytes === undefined) disk.objects.delete(fileOf(handle))
      else disk.objects.set(fileOf(handle), bytes)
      await expect(opened.read(handle)).rejects.toMatchObject({
        code: 'TR-CHECKPOINT-003',
        message: expect.stringContaining(`"${handle.file}": ${found}`),
      })
    }
  })

  it('is refused with the path of the file in which a bit was changed, whichever it is', async () => {
    const disk = new Disk()
    const folder = await written(disk)
    const opened = await openSavepoint(folder, { open: disk.open, cwd: '/' })
    const passed: string[] = []
    const refusals = new Set<string>()
    for (const [key, whole] of disk.objects) {
      const handles = handlesOf(opened.metadata).filter((handle) => 'file' in handle && handle.file === `/${key}`)
      // All that is read of it.
      const readAll = key.endsWith('/_metadata')
        ? () => openSavepoint(folder, { open: disk.open, cwd: '/' })
        : () => Promise.all(handles.map((handle) => opened.read(handle)))
      const bytes = whole.slice()
      disk.objects.set(key, bytes)
      for (let at = 0; at < bytes.length; at++) {
        bytes[at]! ^= 1 << (at % 8)
        const refusal = await readAll().then(
          () => undefined,
          (error) => `${error.code} ${error.message}`,
        )
        if (refusal?.includes(`"/${key}"`)) refusals.add(refusal.slice(0, 'TR-CHECKPOINT-003'.length))
        else passed.push(`byte ${at} of ${key}: ${refusal}`)
        bytes[at] = whole[at]!
      }
      await readAll()
    }
    expect(passed).toEqual([])
    expect([...refusals]).toEqual(['TR-CHECKPOINT-003'])
  })

  it('has checksums of its own for what lay in the metadata of the checkpoint, and none where there is no file', async () => {
    const disk = new Disk()
    const metadata = exampleMetadata({
      operators: [
        storedOperator('count', [
          { lists: [{ ...list('l', 'split', 0, 1), handle: { bytes: bytesOf(7, LARGE) } }] },
          { lists: [{ ...list('l', 'split', 0, 1), handle: { bytes: bytesOf(7, 9) } }] },
        ]),
      ],
    })
    const read = async (handle: StateHandle) => ('bytes' in handle ? handle.bytes : bytesOf(0, 0))
    const result = await writeSavepoint(metadata, from(read), savepointWriter(await disk.open('/data'), NAME))
    expect(handlesOf(result.metadata)).toEqual([
      { file: expect.any(String), offset: 0, length: LARGE, crc32: crc32(bytesOf(7, LARGE)) },
      { bytes: bytesOf(7, 9) },
    ])
  })

  it('has a name with the job and something random', () => {
    let next = 0
    expect(savepointName('ab12cd34ef56ab12cd34ef56ab12cd34', () => (next++ % 16) / 16)).toBe(NAME)
  })
})

describe('a savepoint that cannot be written', () => {
  const failing: [string, Disk['fault']][] = [
    ['a file', ({ key, kind }) => (kind === 'put' && key.includes('state-') ? 'before' : undefined)],
    ['a file, though it was', ({ key, kind }) => (kind === 'put' && key.includes('state-') ? 'after' : undefined)],
    ['metadata', ({ kind }) => (kind === 'putIfAbsent' ? 'before' : undefined)],
    ['metadata, though it was', ({ kind }) => (kind === 'putIfAbsent' ? 'after' : undefined)],
  ]
  test.each(failing)('leaves nothing behind when the store refuses %s', async (_name, fault) => {
    const disk = new Disk()
    disk.fault = fault
    await expect(written(disk)).rejects.toThrow('the answer was lost')
    expect(disk.names()).toEqual([])
  })

  it('leaves nothing behind when the state cannot be read', async () => {
    const disk = new Disk()
    const { metadata, read } = checkpoint()
    const writer = savepointWriter(await disk.open('/data'), NAME)
    let reads = 0
    const broken = async (handle: StateHandle) => {
      if (++reads === 2) throw new Error('gone')
      return read(handle)
    }
    await expect(writeSavepoint(metadata, from(broken), writer)).rejects.toThrow('gone')
    expect(disk.names()).toEqual([])
    await expect(writer.write(bytesOf(9, LARGE))).rejects.toMatchObject({ code: 'TR-CHECKPOINT-001' })
    expect(disk.names()).toEqual([])
  })

  it('leaves nothing behind when the state of the checkpoint was changed, and names its file', async () => {
    const disk = new Disk()
    const { metadata, read } = checkpoint()
    const [first] = handlesOf(metadata) as { file: string; crc32?: number }[]
    first!.crc32 = crc32(bytesOf(7, LARGE)) ^ 1
    const refused = writeSavepoint(metadata, from(read), savepointWriter(await disk.open('/data'), NAME))
    await expect(refused).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-003',
      message: expect.stringContaining(`${first!.file}": its bytes 0 to 5000 were changed`),
    })
    expect(disk.names()).toEqual([])
  })

  it('leaves another one alone that is in its folder', async () => {
    const disk = new Disk()
    await written(disk)
    const before = disk.names()
    const { metadata, read } = checkpoint()
    const writer = savepointWriter(await disk.open('/data'), NAME)
    await expect(writeSavepoint({ ...metadata, checkpointId: 8 }, from(read), writer)).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-001',
      message: expect.stringContaining(`"/data/${NAME}": there is another one already`),
    })
    expect(disk.names()).toEqual(before)
  })

  it('takes its own metadata for its own when the store asked twice', async () => {
    const disk = new Disk()
    const { metadata, read } = checkpoint()
    const store = await disk.open('/data')
    const twice: ObjectStore = {
      ...store,
      async putIfAbsent(key, bytes) {
        await store.putIfAbsent(key, bytes)
        return store.putIfAbsent(key, bytes)
      },
    }
    const { folder } = await writeSavepoint(metadata, from(read), savepointWriter(twice, NAME))
    expect(folder).toBe(`/data/${NAME}`)
  })

  it('does not name files that are not in it', async () => {
    const writer = savepointWriter(await new Disk().open('/data'), NAME)
    await expect(writer.complete(checkpoint().metadata)).rejects.toMatchObject({ code: 'TR-INTERNAL-001' })
  })
})

describe('openSavepoint()', () => {
  it('reads a checkpoint of a deployment, whose files lie beside it, and files of others by their own path', async () => {
    const disk = new Disk()
    const metadata = exampleMetadata({
      operators: [
        storedOperator('count', [
          keyed(
            chunk('shared/3-1', 0, 9, 4),
            chunk('/old/savepoint-1/state-2', 10, 20, 4),
            chunk('/old/savepoint-1/state-3', 10, 20, 4),
          ),
        ]),
      ],
    })
    disk.objects.set('cp/dep/chk-7/_metadata', encodeMetadata(metadata))
    disk.objects.set('cp/dep/shared/3-1', bytesOf(3, 4))
    disk.objects.set('old/savepoint-1/state-2', bytesOf(5, 4))
    disk.objects.set('old/savepoint-1/state-3', bytesOf(9, 4))
    const opened = await openSavepoint('/cp/dep/chk-7', { open: disk.open, cwd: '/' })
    expect(await contents(opened.metadata, opened.read)).toEqual([3, 5, 9].map((seed) => [...bytesOf(seed, 4)]))
    expect(handlesOf(opened.metadata)[0]).toEqual({ file: '/cp/dep/shared/3-1', offset: 0, length: 4 })
    expect(disk.opened).toBe(3)
    await expect(opened.dispose()).rejects.toMatchObject({ code: 'TR-CHECKPOINT-006' })
    await opened.close()
    expect(disk.opened).toBe(0)
  })

  test.each([
    ['nothing', undefined, 'there is no file "/data/sp/_metadata"'],
    ['a file of someone else', new TextEncoder().encode('hello, world'), '"/data/sp/_metadata": it begins with 68 65'],
  ])('refuses %s, and closes its store', async (_name, bytes, text) => {
    const disk = new Disk()
    if (bytes !== undefined) disk.objects.set('data/sp/_metadata', bytes)
    await expect(openSavepoint('sp', { open: disk.open, cwd: '/data' })).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-003',
      message: expect.stringContaining(text),
    })
    expect(disk.opened).toBe(0)
  })
})

describe('savepointsOf()', () => {
  it('writes into a directory of the user, marks, reads and disposes, and leaves no store open', async () => {
    const disk = new Disk()
    const { metadata, read } = checkpoint()
    const savepoints = savepointsOf({ cwd: '/data', open: disk.open, random: () => 0.5, from: from(read) })
    const { path, metadataBytes } = await savepoints.writeSavepoint(metadata, 'kept/')
    expect(path).toBe('/data/kept/savepoint-ab12cd-888888888888')
    expect(disk.objects.get(`${path.slice(1)}/_metadata`)).toHaveLength(metadataBytes)
    await savepoints.markCommitted(path)
    expect(await savepoints.readSavepoint(path)).toMatchObject({
      path: `${path}/_metadata`,
      committed: true,
      metadata: { kind: 'savepoint', checkpointId: 7 },
    })
    await savepoints.disposeSavepoint(`file://${path}`)
    await expect(savepoints.readSavepoint(path)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-003' })
    expect([disk.names(), disk.opened]).toEqual([[], 0])
  })
})

describe('checkSavepointDirectory()', () => {
  const cases: [what: string, fails: Operation['kind'] | undefined, directory: string, code: string | undefined][] = [
    ['leaves nothing', undefined, 'kept', undefined],
    ['refuses what cannot be written into', 'put', 'kept', 'Error'],
    ['takes what nothing may be deleted from', 'delete', 's3://bucket', undefined],
    ['refuses what is no directory', undefined, 'ftp://nowhere', 'TailraceError'],
  ]
  it.each(cases)('%s', async (_, fails, directory, refusal) => {
    const disk = new Disk()
    disk.fault = ({ kind }) => (kind === fails ? 'before' : undefined)
    const checked = checkSavepointDirectory({ directory, cwd: '/data', open: disk.open })
    expect(await checked.catch((error: Error) => error.constructor.name)).toBe(refusal)
    expect([disk.names(), disk.opened]).toEqual([fails === 'delete' ? [expect.stringMatching(/probe$/)] : [], 0])
  })
})

describe('the files of a savepoint', () => {
  it('hold all bytes that handles name, however these lie in their files (property)', async () => {
    const files = [bytesOf(7, 30_000), bytesOf(13, 30_000)]
    const anyHandle = fc.record({ file: fc.nat(1), offset: fc.nat(20_000), length: fc.nat(9_000) })
    await fc.assert(
      fc.asyncProperty(fc.array(anyHandle, { maxLength: 12 }), async (places) => {
        const disk = new Disk()
        const handles = places.map(({ file, offset, length }) => ({ file: String(file), offset, length }))
        const lists = handles.map((handle, i) => ({ ...list(`l${i}`, 'split', 0, 1), handle }))
        const metadata = exampleMetadata({ operators: [storedOperator('op', [{ lists }])] })
        const read = async (handle: StateHandle) => {
          if ('bytes' in handle) return handle.bytes
          return files[Number(handle.file)]!.slice(handle.offset, handle.offset + handle.length)
        }
        await writeSavepoint(metadata, from(read), savepointWriter(await disk.open('/data'), NAME))
        const opened = await openSavepoint(`/data/${NAME}`, { open: disk.open, cwd: '/' })
        expect(await contents(opened.metadata, opened.read)).toEqual(await contents(metadata, read))
      }),
      { numRuns: 60 },
    )
  })
})
