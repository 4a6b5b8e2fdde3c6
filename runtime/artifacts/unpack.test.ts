import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isTailraceError } from '../core/errors.ts'
import { type TarEntry, tarOf, tgz } from './tgz.suite.ts'
import { type UnpackLimits, unpack } from './unpack.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'tailrace-unpack-'))
})
afterAll(() => rmSync(root, { recursive: true }))

let count = 0
async function unpacked(bytes: Uint8Array, limits: Partial<UnpackLimits> = {}) {
  const place = join(root, String(++count))
  const dir = join(place, 'into')
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(place, 'job.tgz'), bytes)
  const hashes = await unpack(join(place, 'job.tgz'), dir, 'job.tgz', { unpackedMax: 1e6, filesMax: 100, ...limits })
  return { dir, hashes, place }
}

describe('unpack()', () => {
  it('writes files, folders and links that stay inside', async () => {
    const { dir, hashes } = await unpacked(
      tgz(
        { path: './package.json', text: '{}' },
        { path: 'bin/', type: 'Directory' },
        { path: 'bin/tool', text: '#!/bin/sh', mode: 0o755 },
        { path: 'a/b/deep.txt', text: 'deep' },
        { path: 'a/b/up', type: 'SymbolicLink', linkpath: '../../package.json' },
        { path: 'same.txt', type: 'Link', linkpath: 'a/b/deep.txt' },
        { path: 'empty.txt' },
      ),
    )
    expect(Object.keys(hashes)).toEqual(['package.json', 'bin/tool', 'a/b/deep.txt', 'same.txt', 'empty.txt'])
    expect(readFileSync(join(dir, 'a/b/up'), 'utf8')).toBe('{}')
    expect(readFileSync(join(dir, 'same.txt'), 'utf8')).toBe('deep')
    expect(statSync(join(dir, 'bin/tool')).mode & 0o777).toBe(0o700)
    expect(statSync(join(dir, 'package.json')).mode & 0o777).toBe(0o600)
    expect(readlinkSync(join(dir, 'a/b/up'))).toBe('../../package.json')
  })

  it.each<[string, TarEntry[], RegExp]>([
    ['a path that leads out', [{ path: '../evil', text: 'x' }], /leads out/],
    ['a path that leads out further down', [{ path: 'a/../../evil', text: 'x' }], /leads out/],
    ['an absolute path', [{ path: '/tmp/evil', text: 'x' }], /absolute/],
    ['a path of another system', [{ path: 'C:/evil', text: 'x' }], /absolute/],
    ['a path with backslashes', [{ path: '..\\evil', text: 'x' }], /no path/],
    ['a link that leads out', [{ path: 'a/l', type: 'SymbolicLink', linkpath: '../../evil' }], /leads out/],
    ['an absolute link', [{ path: 'l', type: 'SymbolicLink', linkpath: '/etc/passwd' }], /absolute/],
    [
      'a way out by way of another link',
      [
        { path: 'd/e/x', type: 'SymbolicLink', linkpath: '../..' },
        { path: 'y', type: 'SymbolicLink', linkpath: 'd/e/x/../evil' },
      ],
      /down and up again/,
    ],
    [
      'a file that is written through a link',
      [
        { path: 'l', type: 'SymbolicLink', linkpath: 'd' },
        { path: 'l/evil', text: 'x' },
      ],
      /through it/,
    ],
    [
      'a file in the place of a link',
      [
        { path: 'l', type: 'SymbolicLink', linkpath: 'd' },
        { path: 'l', text: 'x' },
      ],
      /twice/,
    ],
    ['a hard link to what is not in it', [{ path: 'l', type: 'Link', linkpath: 'none' }], /no file of it/],
    ['a hard link that leads out', [{ path: 'l', type: 'Link', linkpath: '../job.tgz' }], /leads out/],
    ['a device', [{ path: 'null', type: 'CharacterDevice' }], /is a CharacterDevice/],
    ['a pipe', [{ path: 'pipe', type: 'FIFO' }], /is a FIFO/],
    [
      'one path twice',
      [
        { path: 'a', text: '1' },
        { path: './a', text: '2' },
      ],
      /twice/,
    ],
    [
      'a file that is a folder',
      [
        { path: 'a', text: '1' },
        { path: 'a/b', text: '2' },
      ],
      /a file and a folder/,
    ],
  ])('refuses %s', async (_, entries, message) => {
    await expect(unpacked(tgz({ path: 'package.json', text: '{}' }, ...entries))).rejects.toMatchObject({
      code: 'TR-ARTIFACT-007',
      message: expect.stringMatching(message),
    })
    expect(readdirSync(join(root, String(count))).sort()).toEqual(['into', 'job.tgz'])
  })

  it('refuses more bytes than may come out, long before they have', async () => {
    const bomb = gzipSync(tarOf([{ path: 'zeros', text: '\0'.repeat(20e6) }]))
    expect(bomb.length).toBeLessThan(50_000)
    await expect(unpacked(bomb)).rejects.toMatchObject({
      code: 'TR-ARTIFACT-006',
      message: expect.stringContaining('max-unpacked-size'),
    })
    const written = join(root, String(count), 'into/zeros')
    expect(existsSync(written) ? statSync(written).size : 0).toBeLessThanOrEqual(1e6)
  })

  it('refuses more files than may be', async () => {
    const many = Array.from({ length: 101 }, (_, i) => ({ path: `f${i}` }))
    await expect(unpacked(tgz(...many))).rejects.toMatchObject({
      code: 'TR-ARTIFACT-006',
      message: expect.stringContaining('max-files'),
    })
  })

  it.each<[string, (whole: Buffer) => Uint8Array]>([
    ['nothing', () => new Uint8Array(0)],
    ['what is no gzip', () => Buffer.from('export default 1')],
    ['gzip of something else', () => gzipSync('export default 1')],
    ['a cut-off file', (whole) => whole.subarray(0, whole.length - 20)],
    ['a changed byte', (whole) => whole.with(whole.length - 6, whole.at(-6)! ^ 1)],
    [
      'an archive that ends within a file',
      () => gzipSync(tarOf([{ path: 'a', text: 'x'.repeat(2000) }]).subarray(0, 1024)),
    ],
  ])('refuses %s', async (_, change) => {
    await expect(unpacked(change(tgz({ path: 'a', text: 'x'.repeat(5000) })))).rejects.toMatchObject({
      code: 'TR-ARTIFACT-007',
    })
  })

  it('neither crashes nor hangs nor leaves its folder, whatever bytes it is given', async () => {
    const name = fc.constantFrom('a', 'b', '..', '.', '', 'a/b', '/', 'x'.repeat(99))
    const entry = fc.record({
      path: fc.array(name, { maxLength: 4 }).map((names) => names.join('/')),
      text: fc.string({ maxLength: 600 }),
      type: fc.constantFrom<TarEntry['type']>('File', 'Directory', 'SymbolicLink', 'Link', 'FIFO'),
      linkpath: fc.array(name, { maxLength: 4 }).map((names) => names.join('/')),
    })
    const damage = fc.option(fc.tuple(fc.nat(4000), fc.nat(255)), { nil: undefined })
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 5 }), damage, async (entries, change) => {
        const tar = tarOf(entries)
        if (change !== undefined) tar[change[0] % tar.length] = change[1]
        try {
          await unpacked(gzipSync(tar), { unpackedMax: 50_000, filesMax: 4 })
        } catch (error) {
          expect(isTailraceError(error) && error.code, String(error)).toMatch(/^TR-ARTIFACT-00[67]$/)
        }
        expect(readdirSync(join(root, String(count))).sort()).toEqual(['into', 'job.tgz'])
      }),
      { numRuns: 300 },
    )
    expect(readdirSync(root).filter((entry) => !/^\d+$/.test(entry))).toEqual([])
  })
})
