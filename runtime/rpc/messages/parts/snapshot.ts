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
import { counts, list } from './list.ts'
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
    tables: list(table),
    chunks: list(chunk),
    totals: list(z.strictObject({ rows: count, bytes: count })).optional(),
  }),
)

const mode = z.enum(['split', 'union', 'broadcast'])
const listSnapshot = schemaOf<ListSnapshot>()(z.strictObject({ name: z.string(), mode, handle, offsets: counts }))
const operatorSnapshot = schemaOf<OperatorSnapshot>()(
  z.strictObject({ operatorId: id, keyed: keyed.optional(), lists: list(listSnapshot) }),
)

export const subtaskSnapshot = schemaOf<SubtaskSnapshot>()(
  z.strictObject({ operators: list(operatorSnapshot), finished: z.boolean() }),
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

const listPart = schemaOf<ListPart>()(z.strictObject({ handle, offsets: counts, from: count, to: count }))
const operatorRestore = schemaOf<OperatorRestore>()(
  z.strictObject({
    operatorId: id,
    keyed: list(keyed),
    lists: list(z.strictObject({ name: z.string(), mode, parts: list(listPart) })),
    finished: z.boolean(),
  }),
)

export const subtaskRestore = schemaOf<SubtaskRestore>()(z.strictObject({ operators: list(operatorRestore) }))
