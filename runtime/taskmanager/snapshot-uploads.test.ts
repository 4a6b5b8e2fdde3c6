/** What becomes of a slot's chunks: files, handles, and the memory that they share. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { StateHandle, SubtaskSnapshot } from '../checkpoint/model.ts'
import type { FromSlot, ToSlotThread } from '../rpc/slot-messages.ts'
import { SnapshotUploads } from './snapshot-uploads.ts'

const CHUNK_BYTES = 1 << 20
/** More than one file. */
const CHUNKS = 11
const LIST = Uint8Array.of(1, 2, 3)

interface Write {
  bytes: Uint8Array
  hash: string
  file: string
  answer(error?: Error): void
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Uploads into a store whose writes end when the test says so. */
function begin() {
  const writes: Write[] = []
  const back: ToSlotThread[] = []
  const heard: FromSlot[] = []
  const uploads = new SnapshotUploads({
    store: () => ({
      write: (bytes) =>
        new Promise<StateHandle>((resolve, reject) => {
          const file = `f${writes.length}`
          const handle = { file, offset: 0, length: bytes.length }
          const answer = (error?: Error) => (error === undefined ? resolve(handle) : reject(error))
          writes.push({ bytes, hash: hashOf(bytes), file, answer })
        }),
      read: async () => new Uint8Array(),
      discard: async () => {},
    }),
    toSlot: (message) => void back.push(message),
    toJobManager: (message) => void heard.push(message),
  })
  const where = { vertexId: 'v', subtask: 0 }
  const chunk = (checkpointId: number, index: number) => {
    const buffer = new ArrayBuffer(CHUNK_BYTES)
    new Uint8Array(buffer).fill(checkpointId * 16 + index)
    uploads.receive({ type: 'stateChunk', ...where, checkpointId, index, buffer, length: CHUNK_BYTES })
  }
  const snapshot: SubtaskSnapshot = {
    operators: [
      {
        operatorId: 'o',
        keyed: {
          tables: [],
          chunks: Array.from({ length: CHUNKS }, (_, offset) => ({
            handle: { file: '', offset, length: CHUNK_BYTES, crc32: offset },
            firstGroup: 0,
            lastGroup: 0,
            rows: 1,
          })),
          totals: [],
        },
        lists: [{ name: 'l', mode: 'split', handle: { bytes: LIST }, offsets: [0] }],
      },
    ],
    finished: false,
  }
  const stats = { startDelayMs: 0, alignmentMs: 0, syncMs: 0, asyncMs: 0, bytesWritten: 0, bytes: 0 }
  const ack = (checkpointId: number) =>
    uploads.receive({ type: 'checkpointAck', ...where, checkpointId, snapshot, stats })
  return { ack, back, chunk, heard, writes }
}

describe('SnapshotUploads', () => {
  it('joins chunks to files, and names in the acknowledgement where each chunk lies and its checksum', async () => {
    const { ack, back, chunk, heard, writes } = begin()
    for (let i = 0; i < CHUNKS; i++) chunk(1, i)
    expect(back.map(({ type }) => type)).toEqual(Array(CHUNKS).fill('stateBuffer'))
    ack(1)
    expect(writes.map(({ bytes }) => bytes.length)).toEqual([8 * CHUNK_BYTES, 3 * CHUNK_BYTES + LIST.length])
    expect(heard).toEqual([])
    for (const { answer } of writes) answer()
    await settled()
    const [said] = heard as Extract<FromSlot, { type: 'checkpointAck' }>[]
    const handles = said!.snapshot.operators[0]!.keyed!.chunks.map(({ handle }) => handle)
    expect(handles).toEqual(
      Array.from({ length: CHUNKS }, (_, i) => ({
        file: i < 8 ? 'f0' : 'f1',
        offset: (i % 8) * CHUNK_BYTES,
        length: CHUNK_BYTES,
        crc32: i,
      })),
    )
    expect(said!.snapshot.operators[0]!.lists.map(({ handle }) => handle)).toEqual([
      { file: 'f1', offset: 3 * CHUNK_BYTES, length: LIST.length, crc32: crc32(LIST) },
    ])
  })

  it('uses the memory of a stored file for the next checkpoint', async () => {
    const { ack, chunk, writes } = begin()
    for (let i = 0; i < CHUNKS; i++) chunk(1, i)
    ack(1)
    for (const { answer } of writes) answer()
    await settled()
    for (let i = 0; i < CHUNKS; i++) chunk(2, i)
    ack(2)
    const memory = writes.map(({ bytes }) => bytes.buffer)
    expect(new Set(memory.slice(2))).toEqual(new Set(memory.slice(0, 2)))
    expect(writes[2]!.bytes[CHUNK_BYTES]).toBe(2 * 16 + 1)
  })

  it.each([
    ['while it is under way', undefined],
    ['when it failed: whoever writes it may not have stopped', new Error('no answer in time')],
  ])('never touches the bytes of a write %s', async (_, error) => {
    const { ack, chunk, writes } = begin()
    for (let i = 0; i < CHUNKS; i++) chunk(1, i)
    ack(1)
    if (error !== undefined) for (const { answer } of writes) answer(error)
    await settled()
    for (let i = 0; i < CHUNKS; i++) chunk(2, i)
    ack(2)
    expect(writes.length).toBe(4)
    for (const { bytes, hash } of writes) expect(hashOf(bytes)).toBe(hash)
  })

  it('declines the checkpoint when a write failed, and says why', async () => {
    const { ack, chunk, heard, writes } = begin()
    for (let i = 0; i < CHUNKS; i++) chunk(1, i)
    ack(1)
    writes[0]!.answer()
    writes[1]!.answer(new Error('disk full'))
    await settled()
    expect(heard).toMatchObject([{ type: 'checkpointDeclined', checkpointId: 1, error: { message: 'disk full' } }])
  })

  it('holds buffers back while four files are under way', async () => {
    const { back, chunk, writes } = begin()
    for (let i = 0; i < 33; i++) chunk(1, i)
    expect([writes.length, back.length]).toEqual([4, 32])
    writes[0]!.answer()
    await settled()
    expect(back.length).toBe(33)
  })
})
