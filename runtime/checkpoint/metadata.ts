/**
 * The file `_metadata`: all that a checkpoint or savepoint is, but for the bytes of its larger state. Numbers are little-endian.
 *
 *     0        8   magic: 89 54 52 43 4b 50 0d 0a (`\x89TRCKP\r\n`; a transfer as text would break it)
 *     8        4   format version: 1
 *     12       4   J, bytes of the JSON
 *     16       4   B, bytes of the inline section
 *     20       J   JSON in UTF-8: CheckpointMetadata of model.ts, where a handle with bytes is `{ "inline": [offset, length] }`
 *     20+J     B   inline section
 *     20+J+B  32   SHA-256 of everything before
 *
 * Every version begins with magic and version and ends with the checksum, so a newer file is told from a broken one. Each change of a byte and each cut is
 * noticed, and becomes TR-CHECKPOINT-003 with the path and what was found. docs/savepoint-format.md tells users the same.
 */
import { createHash } from 'node:crypto'
import { TailraceError } from '../core/errors.ts'
import { mapHandles } from './handles.ts'
import type { CheckpointMetadata, StateHandle } from './model.ts'

/** Name of the file in the folder of a checkpoint or savepoint. */
export const METADATA_FILE = '_metadata'

const MAGIC = Uint8Array.from([0x89, 0x54, 0x52, 0x43, 0x4b, 0x50, 0x0d, 0x0a])
const FORMAT_VERSION = 1
const HEADER_BYTES = 20
const CHECKSUM_BYTES = 32
const SECTION_BYTES_MAX = 2 ** 32 - 1
/** First bytes of Flink's `_metadata`. */
const FLINK_MAGIC = '49 60 67 2d'

type InlineRef = { inline: [offset: number, length: number] }

/** Throws TR-CHECKPOINT-001 when an enumerator's state or a table's settings are no JSON. */
export function encodeMetadata(metadata: CheckpointMetadata): Uint8Array {
  checkJsonParts(metadata)
  const inline: Uint8Array[] = []
  let inlineBytes = 0
  const document = mapHandles(metadata, (handle) => {
    if (!('bytes' in handle)) return handle
    const ref: InlineRef = { inline: [inlineBytes, handle.bytes.length] }
    inline.push(handle.bytes)
    inlineBytes += handle.bytes.length
    return ref as unknown as StateHandle
  })
  const json = new TextEncoder().encode(JSON.stringify(document))
  if (json.length > SECTION_BYTES_MAX || inlineBytes > SECTION_BYTES_MAX)
    throw new TailraceError(
      'TR-CHECKPOINT-001',
      `Cannot write the metadata of ${metadata.kind} ${metadata.checkpointId}: it has ${json.length} bytes of JSON and ${inlineBytes} bytes of state, 4 GB of each are the most`,
    )
  const file = new Uint8Array(HEADER_BYTES + json.length + inlineBytes + CHECKSUM_BYTES)
  const view = new DataView(file.buffer)
  file.set(MAGIC)
  view.setUint32(8, FORMAT_VERSION, true)
  view.setUint32(12, json.length, true)
  view.setUint32(16, inlineBytes, true)
  file.set(json, HEADER_BYTES)
  let at = HEADER_BYTES + json.length
  for (const bytes of inline) {
    file.set(bytes, at)
    at += bytes.length
  }
  file.set(checksumOf(file), at)
  return file
}

/**
 * The inverse of {@link encodeMetadata}. Inline bytes are copies of their own.
 *
 * @param path of the file, for messages
 */
export function decodeMetadata(bytes: Uint8Array, path: string): CheckpointMetadata {
  checkFile(bytes, path)
  const view = viewOf(bytes)
  const inlineAt = HEADER_BYTES + view.getUint32(12, true)
  const inlineBytes = view.getUint32(16, true)
  let document: CheckpointMetadata
  try {
    const json = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(HEADER_BYTES, inlineAt))
    document = JSON.parse(json)
  } catch (cause) {
    throw unreadable(path, `its checksum fits, but its JSON does not parse (${(cause as Error).message})`, { cause })
  }
  if (document?.formatVersion !== FORMAT_VERSION || !Array.isArray(document.operators))
    throw unreadable(path, `its checksum fits, but its JSON describes no checkpoint of format ${FORMAT_VERSION}`)
  for (const { name, parallelism, subtasks, finished } of document.operators)
    if (subtasks?.length !== parallelism || finished?.length !== parallelism)
      throw unreadable(
        path,
        `operator "${name}" has parallelism ${parallelism} and state of ${subtasks?.length} subtasks`,
      )
  return mapHandles(document, (handle) => {
    if (!('inline' in handle)) return handle
    const [offset, length] = (handle as unknown as InlineRef).inline
    if (!(offset >= 0 && length >= 0 && offset + length <= inlineBytes))
      throw unreadable(path, `a handle names bytes ${offset} to ${offset + length} of ${inlineBytes} inline bytes`)
    // A Buffer's slice would not be a copy.
    return { bytes: new Uint8Array(bytes.subarray(inlineAt + offset, inlineAt + offset + length)) }
  })
}

/** Magic, lengths, checksum, version: in the order that gives the truest message. */
function checkFile(bytes: Uint8Array, path: string): void {
  const head = Math.min(bytes.length, MAGIC.length)
  if (bytes.length === 0) throw unreadable(path, 'the file is empty')
  if (!MAGIC.every((byte, i) => i >= head || bytes[i] === byte)) {
    const found = hex(bytes.subarray(0, head))
    const flink = found.startsWith(FLINK_MAGIC) ? ', a checkpoint or savepoint of Apache Flink' : ''
    throw unreadable(path, `it begins with ${found}${flink} and not with ${hex(MAGIC)}`)
  }
  if (bytes.length < HEADER_BYTES + CHECKSUM_BYTES)
    throw unreadable(path, `it was cut off: it has ${bytes.length} bytes, which is less than an empty one has`)
  const view = viewOf(bytes)
  const version = view.getUint32(8, true)
  const wanted = HEADER_BYTES + view.getUint32(12, true) + view.getUint32(16, true) + CHECKSUM_BYTES
  if (version === FORMAT_VERSION && wanted !== bytes.length) {
    const why = bytes.length < wanted ? 'it was cut off' : 'something was added to it'
    throw unreadable(path, `it has ${bytes.length} bytes, and its header says ${wanted}: ${why}, or it was changed`)
  }
  const checksum = bytes.subarray(bytes.length - CHECKSUM_BYTES)
  if (!checksumOf(bytes).every((byte, i) => checksum[i] === byte))
    throw unreadable(path, 'its checksum does not fit: it was changed or cut off after it was written')
  if (version !== FORMAT_VERSION)
    throw unreadable(
      path,
      `it has format version ${version}, and this version of Tailrace reads version ${FORMAT_VERSION}: read it with the version that wrote it, or a newer one`,
    )
}

/** Of all but the last 32 bytes. */
function checksumOf(file: Uint8Array): Uint8Array {
  return createHash('sha256')
    .update(file.subarray(0, file.length - CHECKSUM_BYTES))
    .digest()
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

function unreadable(path: string, found: string, options?: { cause: unknown }): TailraceError {
  return new TailraceError(
    'TR-CHECKPOINT-003',
    `Cannot read the checkpoint or savepoint "${path}": ${found}; wanted: the ${METADATA_FILE} of a checkpoint or savepoint of Tailrace, as it was written`,
    options,
  )
}

/** What programs and connectors put into the JSON must come out of it again. */
function checkJsonParts(metadata: CheckpointMetadata): void {
  for (const operator of metadata.operators) {
    refuseNoJson(operator.coordinator, `the enumerator state of operator "${operator.name}"`, '$')
    for (const subtask of operator.subtasks)
      for (const table of subtask?.keyed?.tables ?? [])
        refuseNoJson(table.settings, `the settings of state "${table.name}" of operator "${operator.name}"`, '$')
  }
}

function refuseNoJson(value: unknown, what: string, at: string): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return
  // An absent field and an undefined one are the same in JSON.
  if (value === undefined && !at.endsWith(']')) return
  if (Array.isArray(value)) {
    for (const [i, element] of value.entries()) refuseNoJson(element, what, `${at}[${i}]`)
    return
  }
  if (typeof value === 'object') {
    const prototype = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) {
      for (const [key, field] of Object.entries(value)) refuseNoJson(field, what, `${at}.${key}`)
      return
    }
  }
  const found = typeof value === 'object' ? `a ${value.constructor.name}` : `${typeof value} ${String(value)}`
  throw new TailraceError(
    'TR-CHECKPOINT-001',
    `Cannot write ${what}: ${at} is ${found}, wanted: JSON (text, finite numbers, booleans, null, arrays, plain objects)`,
  )
}
