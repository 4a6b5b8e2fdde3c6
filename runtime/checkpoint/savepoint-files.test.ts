/** Savepoints of checkpoints in the same kind of store: their files are taken over, not copied through the process, and stand by themselves all the same. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { checkpointOf } from './checkpoint-of.suite.ts'
import type { CheckpointStore } from './checkpoint-store.ts'
import { openDirectoryStore } from './directory-store.ts'
import { handlesOf } from './handles.ts'
import type { StateHandle } from './model.ts'
import type { ObjectStore } from './object-store.ts'
import { openCheckpointStore } from './open-checkpoint-store.ts'
import { openOn } from './s3-cases.suite.ts'
import { openSavepoint } from './savepoint.ts'
import { savepointsOf } from './savepoints.ts'
import { startToyS3 } from './toy-s3.suite.ts'

const LARGE = 100_000
const bytesOf = (seed: number) => Uint8Array.from({ length: LARGE }, (_, i) => (i * seed) & 255)

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function folder(parent = tmpdir()): string {
  const path = mkdtempSync(join(parent, 'tailrace-savepoint-files-'))
  cleanups.push(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A completed checkpoint: two parts of one file, and a few bytes. */
async function complete(store: ObjectStore, checkpointId = 1) {
  const checkpoints = await openCheckpointStore({
    store,
    folder: 'job',
    owner: 'o',
    retained: 1,
    clock: new ManualClock(),
    warn: () => {},
  })
  cleanups.push(() => checkpoints.close())
  const file = await checkpoints.write(bytesOf(7))
  if ('bytes' in file) throw new Error('wanted a file')
  const parts: StateHandle[] = [
    { ...file, offset: 100, length: 40_000 },
    { ...file, offset: 40_100, length: 50_000 },
  ]
  const few = await checkpoints.write(Uint8Array.of(1, 2, 3))
  const { metadata } = await checkpoints.complete(checkpointOf(checkpointId, [...parts, few]))
  return { checkpoints, metadata }
}

const contents = (metadata: Parameters<typeof handlesOf>[0], read: CheckpointStore['read']) =>
  Promise.all(handlesOf(metadata).map(async (handle) => [...(await read(handle))]))

describe('a savepoint of a checkpoint in a directory', () => {
  it('has the file as a link, keeps it when the checkpoint goes, and leaves the checkpoint alone when it goes', async () => {
    const data = folder()
    const open = (url: string) => openDirectoryStore(url)
    const { checkpoints, metadata } = await complete(await open(join(data, 'checkpoints')))
    const wanted = await contents(metadata, checkpoints.read.bind(checkpoints))
    const savepoints = savepointsOf({ open, cwd: data, random: () => 0.5, from: checkpoints })
    const first = await savepoints.writeSavepoint(metadata, 'savepoints')
    const state = readdirSync(first.path).filter((name) => name.startsWith('state-'))
    expect(state.map((name) => statSync(join(first.path, name)).nlink)).toEqual([2])
    await savepoints.disposeSavepoint(first.path)
    expect(await contents(metadata, checkpoints.read.bind(checkpoints))).toEqual(wanted)
    const second = await savepoints.writeSavepoint(metadata, 'more')
    await checkpoints.discardAll()
    expect(existsSync(join(data, 'checkpoints', 'job', 'shared'))).toBe(false)
    const opened = await openSavepoint(second.path, { open, cwd: data })
    cleanups.push(() => opened.close())
    expect(await contents(opened.metadata, (handle) => opened.read(handle))).toEqual(wanted)
  })

  const memory = '/dev/shm'
  const elsewhere = existsSync(memory) && statSync(memory).dev !== statSync(tmpdir()).dev
  if (!elsewhere)
    console.log(`${memory} is no file system of its own: savepoints on another disk are not tested (skipped)`)

  it.skipIf(!elsewhere)('has the bytes when it goes to another disk', async () => {
    const data = folder()
    const far = folder(memory)
    const open = (url: string) => openDirectoryStore(url)
    const { checkpoints, metadata } = await complete(await open(join(data, 'checkpoints')))
    const savepoints = savepointsOf({ open, cwd: data, random: () => 0.5, from: checkpoints })
    const { path } = await savepoints.writeSavepoint(metadata, far)
    const opened = await openSavepoint(path, { open, cwd: data })
    cleanups.push(() => opened.close())
    const read = checkpoints.read.bind(checkpoints)
    expect(await contents(opened.metadata, (handle) => opened.read(handle))).toEqual(await contents(metadata, read))
  })
})

describe('a savepoint of a checkpoint in a bucket', () => {
  it.each([
    ['asks the server to copy', false],
    ['has the bytes where the server says that it copies and does not', true],
  ])('%s', async (_, lacks) => {
    const toy = await startToyS3()
    cleanups.push(() => toy.close())
    if (lacks) toy.lacks.add('copy')
    const open = (url: string) => openOn(toy, url.replace(`s3://${toy.bucket}/`, ''))
    const { checkpoints, metadata } = await complete(await openOn(toy, 'checkpoints'))
    const read = checkpoints.read.bind(checkpoints)
    const wanted = await contents(metadata, read)
    toy.requests.length = 0
    const savepoints = savepointsOf({ open, cwd: '/', random: () => 0.5, from: checkpoints })
    const { path } = await savepoints.writeSavepoint(metadata, `s3://${toy.bucket}/savepoints`)
    expect(toy.requests.some((request) => request.startsWith('GET checkpoints/'))).toBe(lacks)
    const opened = await openSavepoint(path, { open, cwd: '/' })
    cleanups.push(() => opened.close())
    expect(await contents(opened.metadata, (handle) => opened.read(handle))).toEqual(wanted)
  })
})
