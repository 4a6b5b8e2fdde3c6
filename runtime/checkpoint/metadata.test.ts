/** A `_metadata` comes back as it went, and nothing that happened to it in between goes unnoticed. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTailraceError } from '../core/errors.ts'
import { anyMetadata, exampleMetadata } from './any-metadata.suite.ts'
import { decodeMetadata, encodeMetadata } from './metadata.ts'
import type { CheckpointMetadata } from './model.ts'

const PATH = '/checkpoints/clicks/chk-7/_metadata'

function refusal(bytes: Uint8Array): string {
  try {
    decodeMetadata(bytes, PATH)
  } catch (error) {
    if (isTailraceError(error) && error.code === 'TR-CHECKPOINT-003' && error.message.includes(PATH))
      return error.message
    throw error
  }
  return 'decoded'
}

const withHandles = exampleMetadata({
  operators: [
    {
      operatorId: '0123456789abcdef0123456789abcdef',
      name: 'count',
      uid: 'count',
      parallelism: 2,
      maxParallelism: 128,
      subtasks: [
        {
          operatorId: '0123456789abcdef0123456789abcdef',
          keyed: {
            tables: [{ name: 'n', kind: 'value', row: { kind: 'any' }, settings: { ttl: { ms: 5 } } }],
            chunks: [
              { handle: { bytes: Uint8Array.of(1, 2, 3) }, firstGroup: 0, lastGroup: 63, rows: 3 },
              { handle: { file: 'shared/3-aa', offset: 8, length: 100 }, firstGroup: 0, lastGroup: 9, rows: 10 },
            ],
          },
          lists: [{ name: 'l', mode: 'split', handle: { bytes: Uint8Array.of(9) }, offsets: [0] }],
        },
        null,
      ],
      finished: [false, true],
      coordinator: { left: ['a', null, 1.5] },
    },
  ],
})

const oneOperator = { parallelism: 1, finished: [false], subtasks: [{ lists: [{ handle: { inline: [0, 9] } }] }] }

/** Header fields and checksum set to what the test wants, as another version of Tailrace would have written it. */
function rewritten(metadata: CheckpointMetadata, edit: (file: Uint8Array, view: DataView) => void): Uint8Array {
  const file = encodeMetadata(metadata)
  edit(file, new DataView(file.buffer))
  const body = file.subarray(0, file.length - 32)
  file.set(createHash('sha256').update(body).digest(), body.length)
  return file
}

describe('metadata', () => {
  it('comes back as it was, with inline bytes of their own', () => {
    const file = encodeMetadata(withHandles)
    const decoded = decodeMetadata(file, PATH)
    expect(decoded).toEqual(withHandles)
    const { bytes } = decoded.operators[0]!.subtasks[0]!.keyed!.chunks[0]!.handle as { bytes: Uint8Array }
    expect(bytes.buffer.byteLength).toBe(3)
  })

  it('comes back as it was, whatever it is', () => {
    fc.assert(
      fc.property(anyMetadata, (metadata) => {
        expect(decodeMetadata(encodeMetadata(metadata), PATH)).toEqual(metadata)
      }),
      { numRuns: 60 },
    )
  })

  it('is read out of the middle of a larger Buffer', () => {
    const file = encodeMetadata(withHandles)
    const larger = Buffer.concat([Buffer.alloc(3), file, Buffer.alloc(5)])
    const decoded = decodeMetadata(larger.subarray(3, 3 + file.length), PATH)
    expect(decoded).toEqual(withHandles)
    const { bytes } = decoded.operators[0]!.subtasks[0]!.lists[0]!.handle as { bytes: Uint8Array }
    expect([bytes.constructor.name, bytes.buffer.byteLength]).toEqual(['Uint8Array', 1])
  })

  it('notices each change of a byte', () => {
    const file = encodeMetadata(withHandles)
    for (let i = 0; i < file.length; i++) {
      const changed = file.slice()
      changed[i]! ^= 1 << (i % 8)
      expect(refusal(changed), `byte ${i}`).not.toBe('decoded')
    }
  })

  it('notices any change of any byte of any metadata', () => {
    fc.assert(
      fc.property(anyMetadata, fc.nat(), fc.integer({ min: 1, max: 255 }), (metadata, at, flip) => {
        const file = encodeMetadata(metadata)
        file[at % file.length]! ^= flip
        expect(refusal(file)).not.toBe('decoded')
      }),
      { numRuns: 100 },
    )
  })

  it('notices each cut, and what was added', () => {
    const file = encodeMetadata(withHandles)
    for (let length = 0; length < file.length; length++)
      expect(refusal(file.slice(0, length)), `${length} bytes`).toMatch(length === 0 ? /is empty/ : /cut off/)
    const longer = new Uint8Array(file.length + 1)
    longer.set(file)
    expect(refusal(longer)).toContain('something was added to it')
  })

  it.each([
    [
      'of Flink',
      Uint8Array.of(0x49, 0x60, 0x67, 0x2d, 0, 0, 0, 4),
      'begins with 49 60 67 2d 00 00 00 04, a checkpoint or savepoint of Apache Flink',
    ],
    ['of someone else', new TextEncoder().encode('{"a": 1}'), 'begins with 7b 22 61 22'],
    ['short and of someone else', Uint8Array.of(0x89, 0x50), 'begins with 89 50 and not'],
    [
      'sent as text',
      rewritten(withHandles, (file) => file.set([0x0a, 0x0a], 6)),
      'and not with 89 54 52 43 4b 50 0d 0a',
    ],
    ['of a newer version', rewritten(withHandles, (_, view) => view.setUint32(8, 2, true)), 'format version 2'],
    ['a broken one of a newer version', encodeMetadata(withHandles).fill(2, 8, 9), 'its checksum does not fit'],
  ])('refuses a file %s', (_name, bytes, text) => {
    expect(refusal(bytes)).toContain(text)
  })

  it.each([
    ['no JSON', '{"formatVersion":', 'does not parse'],
    ['JSON of something else', '[]', 'describes no checkpoint'],
    [
      'fewer subtasks than said',
      JSON.stringify({ ...withHandles, operators: [{ ...oneOperator, name: 'count', parallelism: 2 }] }),
      'operator "count" has parallelism 2 and state of 1 subtasks',
    ],
    [
      'a handle beyond the inline section',
      JSON.stringify({ ...withHandles, operators: [oneOperator] }),
      'names bytes 0 to 9 of 0 inline bytes',
    ],
  ])('refuses %s under a good checksum', (_name, json, text) => {
    const document = new TextEncoder().encode(json)
    const file = new Uint8Array(20 + document.length + 32)
    file.set(encodeMetadata(exampleMetadata()).subarray(0, 12))
    new DataView(file.buffer).setUint32(12, document.length, true)
    file.set(document, 20)
    file.set(createHash('sha256').update(file.subarray(0, -32)).digest(), file.length - 32)
    expect(refusal(file)).toContain(text)
  })

  it.each([
    ['a bigint', { at: 5n }, '$.at is bigint 5'],
    ['a hole', [undefined], '$[0] is undefined'],
    ['a number that JSON has not', { seen: [NaN] }, '$.seen[0] is number NaN'],
    ['bytes', { token: Uint8Array.of(1) }, '$.token is a Uint8Array'],
  ])('does not write %s as an enumerator’s state', (_name, coordinator, text) => {
    const operators = [{ ...withHandles.operators[0]!, name: 'Source: orders', coordinator }]
    expect(() => encodeMetadata({ ...withHandles, operators })).toThrow(
      expect.objectContaining({
        code: 'TR-CHECKPOINT-001',
        message: expect.stringContaining(`enumerator state of operator "Source: orders": ${text}`),
      }),
    )
  })
})
