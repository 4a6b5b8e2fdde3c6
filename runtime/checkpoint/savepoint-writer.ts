/**
 * Writes a savepoint: a folder that holds all that it needs.
 *
 *     savepoint-<first 6 of the job id>-<12 random hex digits>/
 *       state-<sha256>     bytes that handles name, once each
 *       _metadata          last, created conditionally: with it the savepoint is there
 *       _committed         later, when its transactions were committed (savepoint.ts)
 *
 * Few bytes are not worth a file, so they go into the metadata.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { TailraceError } from '../core/errors.ts'
import { bounded } from './bounded.ts'
import { handleBytes, handlesOf, mapHandles } from './handles.ts'
import { encodeMetadata, METADATA_FILE } from './metadata.ts'
import type { CheckpointMetadata, StateHandle } from './model.ts'
import type { ObjectStore } from './object-store.ts'
import { compareChecksum } from './read-state.ts'
import type { OpenStore } from './savepoint.ts'
import { below, isAbsolutePath, savepointDirectory } from './savepoint-path.ts'

const INLINE_BYTES_MAX = 2048
/** A file of a deployment (shared-files.ts) or of a savepoint. */
const HASHED_NAME = /(?:^|\/)(?:shared\/\d+-\d+-|state-)([0-9a-f]{64})$/
/** Reads and writes under way, of so many bytes at most unless one handle has more. */
const COPIES_MAX = 8
const RUN_BYTES_MAX = 8 * 1024 * 1024
/** Of no use but to be written; always the same, so that there is one at most. */
const PROBE = 'savepoint-probe'

export interface SavepointWriter {
  /** Absolute: what a user restores from. */
  readonly folder: string
  /** Stores bytes under their hash, once; they must not change until it resolves. Safe to call for many at once: it is bounded inside. */
  write(bytes: Uint8Array): Promise<StateHandle>
  /** Takes a whole file over by its absolute place, if the store can; its bytes need not come through this process. */
  take(from: string, sha256: string): Promise<string | undefined>
  /** All handles of the metadata are of this writer. Throws TR-CHECKPOINT-001 when there is another savepoint in the folder. */
  complete(metadata: CheckpointMetadata): Promise<WrittenSavepoint>
  /** It was given up: what was written is deleted. */
  discard(): Promise<void>
}

export interface WrittenSavepoint {
  /** With the writer's handles. */
  metadata: CheckpointMetadata
  /** Absolute. */
  folder: string
  metadataBytes: number
}

/** Name of a savepoint's folder. `random` is 0 or more and less than 1, as of Math.random. */
export function savepointName(jobId: string, random: () => number): string {
  const digits = Array.from({ length: 12 }, () => Math.floor(random() * 16).toString(16))
  return `savepoint-${jobId.slice(0, 6)}-${digits.join('')}`
}

/** `name` is the folder's, below the store, and was never used: see {@link savepointName}. */
export function savepointWriter(store: ObjectStore, name: string): SavepointWriter {
  const folder = below(store.url, name)
  const bound = bounded(COPIES_MAX)
  const files = new Map<string, Promise<unknown>>()
  let state: 'open' | 'completing' | 'taken' | 'discarded' = 'open'
  return {
    folder,
    async write(bytes) {
      if (bytes.length <= INLINE_BYTES_MAX) return { bytes: new Uint8Array(bytes) }
      const file = `state-${createHash('sha256').update(bytes).digest('hex')}`
      let written = files.get(file)
      if (written === undefined) {
        if (state === 'discarded') throw discarded()
        written = bound(() => store.put(`${name}/${file}`, bytes))
        files.set(file, written)
      }
      await written
      return { file, offset: 0, length: bytes.length }
    },
    async take(from, sha256) {
      if (store.copyFrom === undefined) return undefined
      const file = `state-${sha256}`
      const known = files.get(file)
      if (known === undefined) {
        if (state === 'discarded') throw discarded()
        // Before it is known whether it can: it may be there all the same, and is deleted with the others.
        const taken = bound(() => store.copyFrom!(`${name}/${file}`, from))
        files.set(file, taken)
        if (await taken) return file
        files.delete(file)
        return undefined
      }
      return (await known) === false ? undefined : file
    },
    async complete(metadata) {
      for (const handle of handlesOf(metadata))
        if ('file' in handle && !files.has(handle.file))
          throw new TailraceError(
            'TR-INTERNAL-001',
            `The savepoint "${folder}" names the file "${handle.file}", which was not written into it`,
          )
      const complete: CheckpointMetadata = { ...metadata, kind: 'savepoint' }
      const bytes = encodeMetadata(complete)
      const key = `${name}/${METADATA_FILE}`
      if (state === 'discarded') throw discarded()
      state = 'completing'
      // When an answer is lost the store may take its own write for another's.
      if (!(await store.putIfAbsent(key, bytes)) && !equal(await store.get(key), bytes)) {
        state = 'taken'
        throw new TailraceError(
          'TR-CHECKPOINT-001',
          `Cannot write the savepoint "${folder}": there is another one already, wanted: a folder of its own`,
        )
      }
      return { metadata: complete, folder, metadataBytes: bytes.length }
    },
    async discard() {
      // What is there may be another's.
      if (state === 'taken') return
      if (state === 'completing') await store.delete([`${name}/${METADATA_FILE}`])
      state = 'discarded'
      // A write that failed may be there all the same.
      await Promise.allSettled(files.values())
      await store.delete([...files.keys()].map((file) => `${name}/${file}`))
    },
  }

  function discarded(): TailraceError {
    return new TailraceError('TR-CHECKPOINT-001', `Cannot write the savepoint "${folder}": it was given up`)
  }
}

export interface SavepointDirectory {
  /** The user's: a path, `file:` or `s3:`; the savepoint gets a folder of its own in it. */
  directory: string
  cwd: string
  open: OpenStore
  random(): number
}

/**
 * Writes something there and deletes it: a directory that is no good is found before a job has stopped for its savepoint.
 * Throws TR-CHECKPOINT-006 for what is no directory, 005 when nothing can be written into it, 007 when it does not answer.
 */
export async function checkSavepointDirectory({
  directory,
  cwd,
  open,
}: Omit<SavepointDirectory, 'random'>): Promise<void> {
  const store = await open(savepointDirectory(directory, cwd))
  try {
    await store.put(PROBE, new TextEncoder().encode('a savepoint is to be written here'))
    // Where nothing may be deleted there is room for savepoints all the same.
    await store.delete([PROBE]).catch(() => {})
  } finally {
    await store.close()
  }
}

/** {@link writeSavepoint} into a directory, with a store that is open meanwhile. */
export async function writeSavepointInto(
  { directory, cwd, open, random }: SavepointDirectory,
  metadata: CheckpointMetadata,
  from: SavepointSource,
): Promise<WrittenSavepoint> {
  const store = await open(savepointDirectory(directory, cwd))
  try {
    return await writeSavepoint(metadata, from, savepointWriter(store, savepointName(metadata.jobId, random)))
  } finally {
    await store.close()
  }
}

/** Where the state of the checkpoint lies: its store. */
export interface SavepointSource {
  /** What its handles are relative to. */
  readonly url: string
  read(handle: StateHandle): Promise<Uint8Array>
}

/** Makes a savepoint of a checkpoint whose state lies elsewhere: takes its files over or copies their bytes, and leaves nothing when it fails. */
export async function writeSavepoint(
  metadata: CheckpointMetadata,
  from: SavepointSource,
  writer: SavepointWriter,
): Promise<WrittenSavepoint> {
  const bound = bounded(COPIES_MAX)
  const handles = handlesOf(metadata)
  const copied = await takeFiles(handles, from.url, writer)
  const runs = runsOf(handles.filter((handle) => !copied.has(handle)))
  let failed = false
  const copy = async ({ handle, parts }: Run): Promise<[part: StateHandle, copy: StateHandle][]> => {
    if (failed) return []
    try {
      const bytes = await from.read(handle)
      const partsOf = parts.map(([part, at]) => [part, at, bytes.subarray(at, at + handleBytes(part))] as const)
      for (const [part, , its] of partsOf)
        if ('file' in part)
          compareChecksum(its, part, isAbsolutePath(part.file) ? part.file : below(from.url, part.file))
      const whole = await writer.write(bytes)
      return partsOf.map(([part, at, its]) => [part, partOf(whole, at, its)])
    } catch (error) {
      failed = true
      throw error
    }
  }
  const copies = await Promise.allSettled(runs.map((run) => bound(() => copy(run))))
  try {
    for (const outcome of copies) {
      if (outcome.status === 'rejected') throw outcome.reason
      for (const [part, copy] of outcome.value) copied.set(part, copy)
    }
    return await writer.complete(mapHandles(metadata, (handle) => copied.get(handle)!))
  } catch (error) {
    // The error that stopped it is the one to tell of.
    await writer.discard().catch(() => {})
    throw error
  }
}

/** Has the writer take over files whose names say their hash; gives what handles of them become. */
async function takeFiles(handles: readonly StateHandle[], url: string, writer: SavepointWriter) {
  const files = Map.groupBy(
    handles.filter((handle) => 'file' in handle),
    ({ file }) => file,
  )
  const taken = new Map<StateHandle, StateHandle>()
  const take = async (file: string, of: readonly Extract<StateHandle, { file: string }>[]) => {
    const sha256 = HASHED_NAME.exec(file)?.[1]
    if (sha256 === undefined || of.reduce((n, { length }) => n + length, 0) <= INLINE_BYTES_MAX) return
    const name = await writer.take(isAbsolutePath(file) ? file : below(url, file), sha256)
    if (name !== undefined) for (const handle of of) taken.set(handle, { ...handle, file: name })
  }
  await Promise.all([...files].map(([file, of]) => take(file, of)))
  return taken
}

/** Bytes that are copied together, and the handles that name parts of them. */
interface Run {
  handle: StateHandle
  parts: [handle: StateHandle, at: number][]
}

/** Handles whose bytes lie one after another in a file are one run: a task's chunks are many, and its files few. */
function runsOf(handles: readonly StateHandle[]): Run[] {
  const runs: Run[] = []
  const byFile = new Map<string, Extract<StateHandle, { file: string }>[]>()
  for (const handle of handles) {
    if ('bytes' in handle) runs.push({ handle, parts: [[handle, 0]] })
    else {
      const parts = byFile.get(handle.file)
      if (parts === undefined) byFile.set(handle.file, [handle])
      else parts.push(handle)
    }
  }
  for (const parts of byFile.values()) {
    let run: { handle: Extract<StateHandle, { file: string }>; parts: Run['parts'] } | undefined
    for (const part of parts.sort((a, b) => a.offset - b.offset)) {
      const end = part.offset + part.length
      const { offset = 0, length = 0 } = run?.handle ?? {}
      if (run === undefined || part.offset > offset + length || end - offset > RUN_BYTES_MAX) {
        // Its parts have checksums.
        const { file, offset, length } = part
        run = { handle: { file, offset, length }, parts: [] }
        runs.push(run)
      } else run.handle.length = Math.max(length, end - offset)
      run.parts.push([part, part.offset - run.handle.offset])
    }
  }
  return runs
}

/** Where the bytes that begin at `at` of the run lie now. */
function partOf(handle: StateHandle, at: number, bytes: Uint8Array): StateHandle {
  const { length } = bytes
  if ('bytes' in handle) return { bytes: handle.bytes.slice(at, at + length) }
  return { ...handle, offset: handle.offset + at, length, crc32: crc32(bytes) }
}

function equal(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a?.length === b.length && a.every((byte, i) => byte === b[i])
}
