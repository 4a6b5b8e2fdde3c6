import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CacheOptions, openArtifactCache } from './cache.ts'
import { chunksOf } from './tgz.suite.ts'

const sha = (text: string) => createHash('sha256').update(text).digest('hex')

let dir: string
let nowMs = 1e12
const open = (options: Partial<CacheOptions> = {}) =>
  openArtifactCache({ dir: join(dir, 'cache'), sizeMax: 1000, now: () => nowMs, ...options })
const files = () => readdirSync(join(dir, 'cache')).filter((name) => !name.startsWith('held-'))
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-cache-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

describe('ArtifactCache', () => {
  it('keeps bytes by their hash, and gives them back', async () => {
    const cache = await open()
    const added = await cache.add(chunksOf('export ', 'default 1'), '.mjs', { what: 'job.mjs' })
    expect(added).toEqual({
      path: join(dir, 'cache', `${added.sha256}.mjs`),
      sha256: sha('export default 1'),
      size: 16,
    })
    expect(readFileSync(added.path, 'utf8')).toBe('export default 1')
    expect(await cache.take(added.sha256, '.mjs')).toEqual(added)
    expect(await cache.take(added.sha256, '.ts')).toBeUndefined()
    expect(await cache.take(sha('other'), '.mjs')).toBeUndefined()
  })

  it('keeps nothing of bytes with another hash than wanted, or that break off', async () => {
    const cache = await open()
    await expect(
      cache.add(chunksOf('one'), '.mjs', { what: 'https://x/job.mjs', sha256: sha('two') }),
    ).rejects.toMatchObject({
      code: 'TR-ARTIFACT-005',
      message: expect.stringMatching(/https:\/\/x\/job.mjs.*is \w{64}, wanted: \w{64}/),
    })
    const breaking = async function* () {
      yield Buffer.from('one')
      throw new Error('gone')
    }
    await expect(cache.add(breaking(), '.mjs', { what: 'x' })).rejects.toThrow('gone')
    expect(files()).toEqual([])
  })

  it('notices a damaged file when it is taken, and drops it', async () => {
    const cache = await open()
    const { path, sha256 } = await cache.add(chunksOf('export default 1'), '.mjs', { what: 'x' })
    writeFileSync(path, 'export default 2')
    expect(await cache.take(sha256, '.mjs')).toBeUndefined()
    expect(existsSync(path)).toBe(false)
  })

  it('removes what was not used for the longest time, and nothing that is held', async () => {
    const cache = await open()
    const add = async (letter: string) => {
      nowMs += 1000
      return (await cache.add(chunksOf(letter.repeat(400)), '.mjs', { what: letter })).sha256
    }
    const [a, b] = [await add('a'), await add('b')]
    await cache.release(a)
    await cache.release(b)
    nowMs += 1000
    await cache.take(a, '.mjs')
    const c = await add('c')
    expect(files().sort()).toEqual([`${a}.mjs`, `${c}.mjs`].sort())
    // c is held.
    await add('d')
    expect(files()).toContain(`${c}.mjs`)
    expect(files()).not.toContain(`${a}.mjs`)
    await add('e')
    expect(files()).toHaveLength(3)
  })

  it('removes an unpacked archive with its file, and counts it', async () => {
    const cache = await open()
    const { sha256 } = await cache.add(chunksOf('x'.repeat(250)), '.tgz', { what: 'x' })
    mkdirSync(join(dir, 'cache', `${sha256}.d`))
    await cache.release(sha256)
    nowMs += 1000
    const other = await cache.add(chunksOf('y'), '.mjs', { what: 'y' })
    expect(files()).toEqual([`${other.sha256}.mjs`])
  })

  it('respects what other processes hold, until they are gone', async () => {
    const alive = new Set([4711])
    const cache = await open({ isAlive: (pid) => alive.has(pid) })
    const { sha256 } = await cache.add(chunksOf('x'.repeat(900)), '.mjs', { what: 'x' })
    await cache.release(sha256)
    writeFileSync(join(dir, 'cache', `held-${sha256}-4711-other`), '')
    nowMs += 1000
    await cache.add(chunksOf('y'.repeat(900)), '.mjs', { what: 'y' })
    expect(files()).toContain(`${sha256}.mjs`)
    alive.clear()
    await cache.add(chunksOf('z'.repeat(900)), '.mjs', { what: 'z' })
    expect(files()).not.toContain(`${sha256}.mjs`)
    expect(readdirSync(join(dir, 'cache')).filter((name) => name.includes('4711'))).toEqual([])
  })

  it('takes the marks of an earlier process with its own id for void, and those of its own caches not', async () => {
    const cache = await open()
    const other = await open()
    const add = async (text: string) => (await cache.add(chunksOf(text.repeat(900)), '.mjs', { what: text })).sha256
    const [x, y] = [await add('x'), await add('y')]
    await other.hold(y)
    for (const one of [x, y]) await cache.release(one)
    writeFileSync(join(dir, 'cache', `held-${x}-${process.pid}-before`), '')
    nowMs += 1000
    await add('z')
    expect(files()).not.toContain(`${x}.mjs`)
    expect(files()).toContain(`${y}.mjs`)
  })

  it('counts holds', async () => {
    const cache = await open()
    const { sha256 } = await cache.add(chunksOf('x'.repeat(900)), '.mjs', { what: 'x' })
    await cache.hold(sha256)
    await cache.release(sha256)
    nowMs += 1000
    await cache.add(chunksOf('y'.repeat(900)), '.mjs', { what: 'y' })
    expect(files()).toHaveLength(2)
  })
})

describe('openArtifactCache()', () => {
  it('refuses a directory into which others may write, and one that cannot be made', async () => {
    mkdirSync(join(dir, 'cache'))
    chmodSync(join(dir, 'cache'), 0o777)
    await expect(open()).rejects.toMatchObject({ code: 'TR-ARTIFACT-012', message: expect.stringContaining('others') })
    writeFileSync(join(dir, 'file'), '')
    await expect(open({ dir: join(dir, 'file', 'cache') })).rejects.toMatchObject({ code: 'TR-ARTIFACT-012' })
  })
})
