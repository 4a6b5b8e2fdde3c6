import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { directoryError } from './directory-errors.ts'
import { openDirectoryStore } from './directory-store.ts'
import { objectStoreSuite } from './object-store.suite.ts'
import { smallDisk } from './small-disk.suite.ts'

const root = mkdtempSync(join(tmpdir(), 'tailrace-directory-store-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let made = 0
const fresh = () => join(root, String(made++))

objectStoreSuite('openDirectoryStore()', async () => {
  const path = join(fresh(), 'deep', 'er')
  return { store: await openDirectoryStore(path), another: () => openDirectoryStore(path) }
})

objectStoreSuite('openDirectoryStore() without syncs, beside one with them', async () => {
  const path = fresh()
  return { store: await openDirectoryStore(path, { durable: false }), another: () => openDirectoryStore(path) }
})

const bytes = Uint8Array.of(1, 2, 3)

describe('openDirectoryStore()', () => {
  it('leaves neither temporary files nor empty directories', async () => {
    const path = fresh()
    const store = await openDirectoryStore(path)
    await store.put('job/chk-1/_metadata', bytes)
    await store.putIfAbsent('job/claims/1', bytes)
    await store.putIfAbsent('job/claims/1', bytes)
    await store.delete(['job/chk-1/_metadata'])
    expect(readdirSync(join(path, 'job'))).toEqual(['claims'])
    await store.delete(['job/claims/1'])
    expect(readdirSync(path)).toEqual(['.tmp'])
    expect(readdirSync(join(path, '.tmp'))).toEqual([])
  })

  it('removes what a writer left that died a day ago, and nothing newer', async () => {
    const path = fresh()
    mkdirSync(join(path, '.tmp'), { recursive: true })
    for (const name of ['old', 'new']) writeFileSync(join(path, '.tmp', name), 'half of a fi')
    utimesSync(join(path, '.tmp', 'old'), 0, 100_000)
    utimesSync(join(path, '.tmp', 'new'), 0, 100_001)
    const store = await openDirectoryStore(path, { now: () => 100_000_000 + 24 * 3_600_000 + 1 })
    await store.put('k', bytes)
    expect(readdirSync(join(path, '.tmp'))).toEqual(['new'])
    expect((await store.list('')).map(({ key }) => key)).toEqual(['k'])
  })

  it('refuses a path that is a file, or leads through one', async () => {
    const path = fresh()
    writeFileSync(path, '')
    for (const wrong of [path, join(path, 'below'), join(path, 'further', 'below')])
      await expect(openDirectoryStore(wrong)).rejects.toMatchObject({
        code: 'TR-CHECKPOINT-005',
        message: expect.stringContaining(`"${wrong}"`),
      })
  })

  // Not in the suite of all stores: S3 has no folders, and a server that keeps objects as files may lose a put here.
  it('puts into a folder while others empty it', async () => {
    const store = await openDirectoryStore(fresh())
    for (let round = 0; round < 20; round++) {
      await store.put('folder/old', bytes)
      await Promise.all([
        store.delete(['folder/old']),
        store.put('folder/new', Uint8Array.of(round)),
        store.putIfAbsent(`folder/${round}`, bytes),
      ])
      expect(await store.get('folder/new')).toEqual(Uint8Array.of(round))
      expect(await store.get(`folder/${round}`)).toEqual(bytes)
      await store.delete(['folder/new', `folder/${round}`])
    }
  })

  it('makes no directory for whoever only looks', async () => {
    const path = fresh()
    const store = await openDirectoryStore(path)
    expect(await store.get('k')).toBeUndefined()
    expect(await store.list('')).toEqual([])
    await store.delete(['k'])
    expect(existsSync(path)).toBe(false)
  })

  it('fails when its directory is taken away, and does not begin anew', async () => {
    const path = fresh()
    const store = await openDirectoryStore(path)
    await store.put('k', bytes)
    rmSync(path, { recursive: true })
    await expect(store.put('k', bytes)).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-005',
      message: expect.stringContaining('it is gone (ENOENT)'),
    })
    expect(existsSync(path)).toBe(false)
  })

  it('says which file it cannot write when something is in its way', async () => {
    const path = fresh()
    const store = await openDirectoryStore(path)
    await store.put('job', bytes)
    await expect(store.put('job/chk-1/_metadata', bytes)).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-005',
      message: expect.stringMatching(/^Cannot write the file ".*\/job\/chk-1\/_metadata": .*wanted: a directory$/),
    })
    await store.put('folder/x', bytes)
    await expect(store.put('folder', bytes)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-005' })
    expect(readdirSync(join(path, '.tmp'))).toEqual([])
  })

  it('refuses a directory without permission', async () => {
    const path = fresh()
    mkdirSync(path)
    chmodSync(path, 0o500)
    // Root may do everything, so it steps down for the moment.
    const isRoot = process.getuid?.() === 0
    if (isRoot) process.seteuid?.(65534)
    try {
      const refused = { code: 'TR-CHECKPOINT-005', message: expect.stringContaining('access is refused (EACCES)') }
      const write = openDirectoryStore(path).then((store) => store.put('k', bytes))
      await expect(write).rejects.toMatchObject(refused)
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  })
})

describe('directoryError()', () => {
  it.each([
    ['EACCES', /access is refused/],
    ['EROFS', /read-only/],
    ['ENOSPC', /disk is full/],
    ['EDQUOT', /quota/],
    ['EPERM', /hard links/],
    ['ENOTSUP', /hard links/],
    ['EIO', /i\/o error/],
  ])('explains %s', (code, found) => {
    const cause = Object.assign(new Error(`${code}: i/o error`), { code })
    const error = directoryError('write the file', '/c/x', cause)
    expect(error).toMatchObject({ code: 'TR-CHECKPOINT-005', cause })
    expect((error as Error).message).toMatch(/^Cannot write the file "\/c\/x": .*, wanted: /)
    expect((error as Error).message).toMatch(found)
  })

  it('passes on what is no error of a file system', () => {
    const bug = new TypeError('x is not a function')
    expect(directoryError('read', '/c', bug)).toBe(bug)
  })
})

describe('openDirectoryStore() on a full disk', () => {
  const disk = smallDisk(fresh(), '256k', 'directory store')
  const path = disk?.path
  afterAll(() => disk?.unmount())

  it.skipIf(path === undefined)(
    'fails the write by name, keeps what was there, and works again when there is room',
    async () => {
      const store = await openDirectoryStore(path!)
      await store.put('kept', bytes)
      const big = new Uint8Array(400_000)
      await expect(store.put('chk-1/big', big)).rejects.toMatchObject({
        code: 'TR-CHECKPOINT-005',
        message: expect.stringMatching(/^Cannot write the file ".*\/chk-1\/big": the disk is full \(ENOSPC\)/),
      })
      await expect(store.putIfAbsent('chk-1/_metadata', big)).rejects.toMatchObject({ code: 'TR-CHECKPOINT-005' })
      expect((await store.list('')).map(({ key }) => key)).toEqual(['kept'])
      expect(await store.get('kept')).toEqual(bytes)
      await store.put('kept', big.subarray(0, 100_000))
      expect(existsSync(join(path!, 'kept'))).toBe(true)
    },
  )
})
