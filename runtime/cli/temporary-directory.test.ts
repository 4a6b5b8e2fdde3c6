import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { useTemporaryDirectory } from './temporary-directory.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-tmp-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

it('the first of io.tmp.dirs is made, and is where temporary files of the process lie', () => {
  const environment = { TMPDIR: '/before' }
  useTemporaryDirectory({ 'io.tmp.dirs': 'disk1/tmp, disk2/tmp' }, environment, dir)
  expect(environment.TMPDIR).toBe(join(dir, 'disk1/tmp'))
  expect([existsSync(join(dir, 'disk1/tmp')), existsSync(join(dir, 'disk2'))]).toEqual([true, false])
})

it('without io.tmp.dirs it stays that of the system', () => {
  const environment = { TMPDIR: '/before' }
  useTemporaryDirectory({}, environment, dir)
  expect(environment.TMPDIR).toBe('/before')
})

it('one that cannot be made is refused', () => {
  writeFileSync(join(dir, 'file'), '')
  expect(() => useTemporaryDirectory({ 'io.tmp.dirs': 'file/tmp' }, {}, dir)).toThrow(
    /Cannot use "file\/tmp" for io.tmp.dirs: .*; a directory that is there or can be made is wanted/,
  )
})
