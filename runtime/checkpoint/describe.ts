/**
 * What is in a checkpoint, for people: its operators, and of each the states with kind, type, rows and bytes. Nothing but the metadata is read. The text of it
 * is the command line's (cli/inspect.ts).
 */
import { formatType, type TypeDescription } from '../core/types.ts'
import { handleBytes, handlesOf, handlesOfSnapshot } from './handles.ts'
import type { CheckpointMetadata, KeyedSnapshot, ListMode, OperatorMetadata, StateTable, TableKind } from './model.ts'
import { finishedPart } from './operator-state.ts'

export interface CheckpointDescription {
  kind: CheckpointMetadata['kind']
  checkpointId: number
  timestampMs: number
  jobId: string
  jobName: string
  epoch: number
  /** Of state, where handles share bytes counted once for each. */
  stateBytes: number
  /** That hold state. */
  files: number
  operators: OperatorDescription[]
}

export interface OperatorDescription {
  operatorId: string
  name: string
  uid: string | null
  parallelism: number
  maxParallelism: number
  /** Which of its subtasks had finished all of their data. */
  finished: 'all' | 'some' | 'none'
  stateBytes: number
  states: StateDescription[]
}

export interface StateDescription {
  name: string
  /** Of keyed state the kind of table; `split`, `union` and `broadcast` belong to no key; `enumerator` is a source's. */
  kind: TableKind | ListMode | 'enumerator'
  /** As `string → number`; null where elements have no type. */
  type: string | null
  /** Rows or elements; null: not known for each state, as an older writer has not counted them. */
  rows: number | null
  bytes: number | null
  /** Windows that have it, of which each has a table of its own. */
  windows?: number
  settings?: Record<string, unknown>
}

/** Tables that windows have, by the start of the window (operators/window.ts): shown as one. */
const OF_WINDOW = /^(tailrace:window(?:-state)?\/)(-?\d+)/

export function describeCheckpoint(metadata: CheckpointMetadata): CheckpointDescription {
  const { kind, checkpointId, timestampMs, jobId, jobName, epoch } = metadata
  const handles = handlesOf(metadata)
  const files = new Set(handles.flatMap((handle) => ('file' in handle ? [handle.file] : [])))
  return {
    kind,
    checkpointId,
    timestampMs,
    jobId,
    jobName,
    epoch,
    stateBytes: sum(handles.map(handleBytes)),
    files: files.size,
    operators: metadata.operators.map(describeOperator),
  }
}

function describeOperator(operator: OperatorMetadata): OperatorDescription {
  const { operatorId, name, uid, parallelism, maxParallelism } = operator
  return {
    operatorId,
    name,
    uid,
    parallelism,
    maxParallelism,
    finished: finishedPart(operator),
    stateBytes: sum(operator.subtasks.flatMap(handlesOfSnapshot).map(handleBytes)),
    states: [...enumeratorOf(operator), ...tablesOf(operator), ...listsOf(operator)],
  }
}

function enumeratorOf({ coordinator }: OperatorMetadata): StateDescription[] {
  if (coordinator === undefined) return []
  const bytes = new TextEncoder().encode(JSON.stringify(coordinator)).length
  return [{ name: 'enumerator', kind: 'enumerator', type: null, rows: null, bytes }]
}

interface TableSum {
  table: StateTable
  types: Set<string>
  windows: Set<string>
  rows: number
  bytes: number
}

/** Tables of all subtasks by name; a table of the same name has the same kind in each. */
function tablesOf(operator: OperatorMetadata): StateDescription[] {
  const byName = new Map<string, TableSum>()
  for (const snapshot of operator.subtasks) {
    if (snapshot?.keyed === undefined) continue
    for (const [i, table] of snapshot.keyed.tables.entries()) {
      const window = OF_WINDOW.exec(table.name)?.[2]
      const name = table.name.replace(OF_WINDOW, '$1*')
      const all = byName.get(name) ?? { table, types: new Set(), windows: new Set(), rows: 0, bytes: 0 }
      byName.set(name, all)
      all.types.add(typeOfTable(table))
      if (window !== undefined) all.windows.add(window)
      const { rows, bytes } = totalOf(snapshot.keyed, i)
      all.rows += rows
      all.bytes += bytes
    }
  }
  return [...byName].map(([name, { table, types, windows, rows, bytes }]) => ({
    name,
    kind: table.kind,
    type: [...types].join(' or '),
    rows: known(rows),
    bytes: known(bytes),
    ...(windows.size === 0 ? {} : { windows: windows.size }),
    ...(table.settings === undefined || windows.size > 0 ? {} : { settings: table.settings }),
  }))
}

function totalOf({ tables, chunks, totals }: KeyedSnapshot, table: number): { rows: number; bytes: number } {
  if (totals !== undefined) return totals[table]!
  // Chunks are all of the only table there is.
  if (tables.length > 1) return { rows: Number.NaN, bytes: Number.NaN }
  return { rows: sum(chunks.map((chunk) => chunk.rows)), bytes: sum(chunks.map((chunk) => handleBytes(chunk.handle))) }
}

function listsOf(operator: OperatorMetadata): StateDescription[] {
  const lists = new Map<string, StateDescription & { rows: number; bytes: number }>()
  for (const { name, mode, offsets, handle } of operator.subtasks.flatMap((subtask) => subtask?.lists ?? [])) {
    const list = lists.get(`${mode}/${name}`) ?? { name, kind: mode, type: null, rows: 0, bytes: 0 }
    lists.set(`${mode}/${name}`, list)
    list.rows += offsets.length
    list.bytes += handleBytes(handle)
  }
  return [...lists.values()]
}

/** `key → value`, from the fields that the kind fixes (model.ts). */
function typeOfTable({ kind, row }: StateTable): string {
  if (row.kind !== 'row') return formatType(row)
  const fields = new Map<string, TypeDescription>(row.fields)
  const textOf = (field: string) => formatType(fields.get(field) ?? { kind: 'any' })
  switch (kind) {
    case 'value':
      return `${textOf('k')} → ${textOf('v')}`
    case 'list':
      return `${textOf('k')} → list of ${textOf('v')}`
    case 'map':
      return `${textOf('k')} → map of ${textOf('m')} to ${textOf('v')}`
    case 'timers':
      return `${textOf('k')} → times`
    case 'window':
      return `${textOf('k')} and window → ${textOf('v')}`
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0)
}

function known(total: number): number | null {
  return Number.isNaN(total) ? null : total
}
