/** What a subtask took for a checkpoint, and what it gets back (checkpoint/model.ts). */
import { z } from 'zod'
import type {
  KeyedChunk,
  KeyedSnapshot,
  ListPart,
  ListSnapshot,
  OperatorRestore,
  OperatorSnapshot,
  SnapshotStats,
  StateHandle,
  StateTable,
  SubtaskRestore,
  SubtaskSnapshot,
} from '../../../checkpoint/model.ts'
import { anyNumber, bytes, count, id } from './numbers.ts'
import { schemaOf } from './schema-of.ts'
import { typeDescription } from './type-description.ts'

const handle = schemaOf<StateHandle>()(
  z.union([
    z.strictObject({ file: z.string(), offset: count, length: count, crc32: count.optional() }),
    z.strictObject({ bytes }),
  ]),
)

const table = schemaOf<StateTable>()(
  z.strictObject({
    name: z.string(),
    kind: z.enum(['value', 'list', 'map', 'timers', 'window']),
    row: typeDescription,
    settings: z.record(z.string(), z.unknown()).optional(),
  }),
)

const chunk = schemaOf<KeyedChunk>()(z.strictObject({ handle, firstGroup: count, lastGroup: count, rows: count }))

const keyed = schemaOf<KeyedSnapshot>()(
  z.strictObject({
    tables: z.array(table),
    chunks: z.array(chunk),
    totals: z.array(z.strictObject({ rows: count, bytes: count })).optional(),
  }),
)

const mode = z.enum(['split', 'union', 'broadcast'])
const list = schemaOf<ListSnapshot>()(z.strictObject({ name: z.string(), mode, handle, offsets: z.array(count) }))
const operatorSnapshot = schemaOf<OperatorSnapshot>()(
  z.strictObject({ operatorId: id, keyed: keyed.optional(), lists: z.array(list) }),
)

export const subtaskSnapshot = schemaOf<SubtaskSnapshot>()(
  z.strictObject({ operators: z.array(operatorSnapshot), finished: z.boolean() }),
)

export const snapshotStats = schemaOf<SnapshotStats>()(
  z.strictObject({
    startDelayMs: anyNumber,
    alignmentMs: anyNumber,
    syncMs: anyNumber,
    asyncMs: anyNumber,
    bytesWritten: count,
    bytes: count,
  }),
)

const listPart = schemaOf<ListPart>()(z.strictObject({ handle, offsets: z.array(count), from: count, to: count }))
const operatorRestore = schemaOf<OperatorRestore>()(
  z.strictObject({
    operatorId: id,
    keyed: z.array(keyed),
    lists: z.array(z.strictObject({ name: z.string(), mode, parts: z.array(listPart) })),
    finished: z.boolean(),
  }),
)

export const subtaskRestore = schemaOf<SubtaskRestore>()(z.strictObject({ operators: z.array(operatorRestore) }))
