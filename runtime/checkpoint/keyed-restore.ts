/**
 * Reads keyed state back: chunks of several snapshots, of which only rows of the wanted key groups come out.
 *
 * A chunk that is missing, cut off or changed, names a table that is not there or cannot be decoded gives TR-CHECKPOINT-003 with the states that are wanted of it. Chunks are fetched ahead of their decoding.
 */
import { BatchReader } from '../codec/batch-reader.ts'
import { isTailraceError, TailraceError } from '../core/errors.ts'
import type { KeyGroupRange } from '../core/key-groups.ts'
import type { KeyedSnapshot, StateHandle, StateTable } from './model.ts'
import { nameOfStates, unreadableState } from './operator-state.ts'

export type TakeRow = (row: any, keyHash: number, timestamp: number) => void

export interface KeyedRestore {
  snapshots: readonly KeyedSnapshot[]
  range: KeyGroupRange
  maxParallelism: number
  /** Bytes of a handle. */
  read(handle: StateHandle): Promise<Uint8Array>
  /** Who gets the rows of a table; undefined: nobody. */
  take(table: StateTable): TakeRow | undefined
}

const FRAME_HEAD_BYTES = 8
/** Chunks that are fetched while one is decoded. */
const AHEAD = 4

export async function restoreKeyed({ snapshots, range, maxParallelism, read, take }: KeyedRestore): Promise<void> {
  for (const { tables, chunks } of snapshots) {
    const readers = tables.map((table) => {
      const consumer = take(table)
      return consumer === undefined ? undefined : tableReader(table, consumer, range, maxParallelism)
    })
    if (readers.every((reader) => reader === undefined)) continue
    const names = tables.flatMap(({ name }, i) => (readers[i] === undefined ? [] : [name]))
    const wanted = chunks.filter(({ firstGroup, lastGroup }) => firstGroup <= range.end && lastGroup >= range.start)
    const fetched: Promise<Uint8Array>[] = []
    for (let i = 0; i < wanted.length; i++) {
      while (fetched.length < wanted.length && fetched.length <= i + AHEAD) {
        const bytes = read(wanted[fetched.length]!.handle)
        // Awaited in its turn; a failure before it is no unhandled one.
        bytes.catch(() => {})
        fetched.push(bytes)
      }
      let bytes: Uint8Array
      try {
        bytes = await fetched[i]!
      } catch (error) {
        throw unreadableState(names, error)
      }
      readChunk(bytes, readers, tables, wanted[i]!.handle)
      fetched[i] = undefined as unknown as Promise<Uint8Array>
    }
  }
}

function tableReader(
  table: StateTable,
  take: TakeRow,
  { start, end }: KeyGroupRange,
  maxParallelism: number,
): BatchReader {
  const process = (row: any, timestamp: number, keyHash = 0) => {
    const group = (keyHash >>> 0) % maxParallelism
    if (group >= start && group <= end) take(row, keyHash, timestamp)
  }
  return new BatchReader({ process }, true, table.row)
}

function readChunk(
  bytes: Uint8Array,
  readers: readonly (BatchReader | undefined)[],
  tables: readonly StateTable[],
  handle: StateHandle,
): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at < buffer.length; ) {
    if (at + FRAME_HEAD_BYTES > buffer.length) throw cutOff(tables, handle)
    const length = buffer.readUInt32LE(at)
    const table = buffer.readUInt32LE(at + 4)
    at += FRAME_HEAD_BYTES
    if (at + length > buffer.length || table >= readers.length) throw cutOff(tables, handle)
    try {
      readers[table]?.read(view, buffer, at)
    } catch (error) {
      throw undecodable(tables[table]!, handle, error)
    }
    at += length
  }
}

const placeOf = (handle: StateHandle): string =>
  'file' in handle ? `"${handle.file}" (bytes from ${handle.offset})` : '_metadata'

/** What a consumer refuses is passed on as it is. */
function undecodable({ name }: StateTable, handle: StateHandle, error: unknown): unknown {
  if (isTailraceError(error) && error.code.startsWith('TR-CHECKPOINT-')) return error
  return new TailraceError(
    'TR-CHECKPOINT-003',
    `Cannot read state "${name}" of ${placeOf(handle)}: ${error instanceof Error ? error.message : String(error)}; the file was changed`,
    { cause: error },
  )
}

function cutOff(tables: readonly StateTable[], handle: StateHandle): TailraceError {
  return new TailraceError(
    'TR-CHECKPOINT-003',
    `Cannot read ${nameOfStates(tables.map(({ name }) => name))} of ${placeOf(handle)}: it ends within a batch, or names a table that is not there; the file was changed or cut off`,
  )
}
