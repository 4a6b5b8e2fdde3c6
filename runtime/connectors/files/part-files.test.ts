/** Node's file system behind the file sink. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cannotWrite, nodeFiles } from './part-files.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'parts-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('makes a file with its folders, once, and appends to it', async () => {
  const path = join(directory, 'a/b/c/part')
  const file = (await nodeFiles.create(path))!
  await file.append(Buffer.from('one '))
  await file.append(Buffer.from('two'))
  await file.sync()
  await file.close()
  expect(await nodeFiles.create(path)).toBeUndefined()
  expect(readFileSync(path, 'utf8')).toBe('one two')
  expect([await nodeFiles.size(path), await nodeFiles.size(`${path}.x`)]).toEqual([7, undefined])
})

test('copies the first bytes of a file, also over another one', async () => {
  writeFileSync(join(directory, 'from'), '0123456789')
  writeFileSync(join(directory, 'to'), 'a longer text that was there before')
  await nodeFiles.copy(join(directory, 'from'), join(directory, 'to'), 4)
  expect(readFileSync(join(directory, 'to'), 'utf8')).toBe('0123')
  expect(readFileSync(join(directory, 'from'), 'utf8')).toBe('0123456789')
})

test('renames and removes, and syncs folders', async () => {
  const [from, to] = [join(directory, 'from'), join(directory, 'to')]
  writeFileSync(from, 'x')
  await nodeFiles.rename(from, to)
  expect([existsSync(from), existsSync(to)]).toEqual([false, true])
  await nodeFiles.remove(to)
  await nodeFiles.remove(to)
  expect(existsSync(to)).toBe(false)
  await nodeFiles.syncFolder(directory)
  await expect(nodeFiles.syncFolder(join(directory, 'none'))).rejects.toThrow(/ENOENT/)
})

test('says what the system says', async () => {
  mkdirSync(join(directory, 'x'))
  writeFileSync(join(directory, 'x/file'), '')
  await expect(nodeFiles.create(join(directory, 'x/file/part'))).rejects.toThrow(/ENOTDIR|EEXIST/)
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  expect(cannotWrite('/out', full)).toMatchObject({
    code: 'TR-SINK-001',
    message: 'Cannot write to "/out": the disk is full; make room there. ENOSPC: no space left on device, write',
    cause: full,
  })
})
