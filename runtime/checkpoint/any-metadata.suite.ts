/** Metadata for tests: any that the model allows, small. */
import fc from 'fast-check'
import type {
  CheckpointMetadata,
  KeyedSnapshot,
  ListMode,
  ListSnapshot,
  OperatorMetadata,
  OperatorSnapshot,
  StateHandle,
  TableKind,
} from './model.ts'

const hex = (digits: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: digits, maxLength: digits })
    .map((list) => list.join(''))
const count = fc.nat({ max: 2 ** 40 })
const maxParallelism = 128

const anyHandle: fc.Arbitrary<StateHandle> = fc.oneof(
  fc.record({ bytes: fc.uint8Array({ maxLength: 40 }) }),
  fc.record({ file: hex(8).map((name) => `shared/1-${name}`), offset: count, length: count }),
)

const anyKeyed: fc.Arbitrary<KeyedSnapshot> = fc.record({
  tables: fc.array(
    fc.record(
      {
        name: fc.string(),
        kind: fc.constantFrom<TableKind>('value', 'list', 'map', 'timers', 'window'),
        row: fc.constant({ kind: 'any' } as const),
        settings: fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<unknown>),
      },
      { requiredKeys: ['name', 'kind', 'row'] },
    ),
    { maxLength: 2 },
  ),
  chunks: fc.array(
    fc
      .tuple(anyHandle, fc.nat({ max: maxParallelism - 1 }), fc.nat({ max: maxParallelism - 1 }), count)
      .map(([handle, a, b, rows]) => ({ handle, firstGroup: Math.min(a, b), lastGroup: Math.max(a, b), rows })),
    { maxLength: 3 },
  ),
})

const anyList: fc.Arbitrary<ListSnapshot> = fc.record({
  name: fc.string(),
  mode: fc.constantFrom<ListMode>('split', 'union', 'broadcast'),
  handle: anyHandle,
  offsets: fc.array(count, { maxLength: 4 }).map((offsets) => offsets.sort((a, b) => a - b)),
})

const anySnapshot = (operatorId: string): fc.Arbitrary<OperatorSnapshot> =>
  fc.record(
    { operatorId: fc.constant(operatorId), keyed: anyKeyed, lists: fc.array(anyList, { maxLength: 2 }) },
    { requiredKeys: ['operatorId', 'lists'] },
  )

const anyOperator: fc.Arbitrary<OperatorMetadata> = fc
  .tuple(hex(32), fc.integer({ min: 1, max: 4 }))
  .chain(([operatorId, parallelism]) =>
    fc.record(
      {
        operatorId: fc.constant(operatorId),
        name: fc.string(),
        uid: fc.option(fc.string()),
        parallelism: fc.constant(parallelism),
        maxParallelism: fc.constant(maxParallelism),
        subtasks: fc.array(fc.option(anySnapshot(operatorId)), { minLength: parallelism, maxLength: parallelism }),
        finished: fc.array(fc.boolean(), { minLength: parallelism, maxLength: parallelism }),
        coordinator: fc.jsonValue() as fc.Arbitrary<unknown>,
      },
      {
        requiredKeys: ['operatorId', 'name', 'uid', 'parallelism', 'maxParallelism', 'subtasks', 'finished'],
      },
    ),
  )

/** JSON has no -0, and names no object's prototype. */
const likeJson = (metadata: CheckpointMetadata): boolean =>
  !JSON.stringify(metadata, (_key, value) => (Object.is(value, -0) ? 'minus zero' : value)).includes('minus zero') &&
  !JSON.stringify(metadata).includes('"__proto__"')

export const anyMetadata: fc.Arbitrary<CheckpointMetadata> = fc
  .record({
    formatVersion: fc.constant(1 as const),
    checkpointId: fc.integer({ min: 1, max: 2 ** 40 }),
    kind: fc.constantFrom('checkpoint' as const, 'savepoint' as const),
    timestampMs: count,
    jobId: hex(32),
    jobName: fc.string(),
    epoch: fc.nat(),
    edgeTypes: fc.dictionary(hex(8), fc.constant({ kind: 'string' } as const), { maxKeys: 2 }),
    operators: fc.array(anyOperator, { maxLength: 3 }),
  })
  .filter(likeJson)

/** Metadata of one operator, for tests that spell things out. */
export function exampleMetadata(over: Partial<CheckpointMetadata> = {}): CheckpointMetadata {
  return {
    formatVersion: 1,
    checkpointId: 7,
    kind: 'checkpoint',
    timestampMs: 1_700_000_000_000,
    jobId: 'ab12cd34ef56ab12cd34ef56ab12cd34',
    jobName: 'clicks',
    epoch: 3,
    edgeTypes: {},
    operators: [],
    ...over,
  }
}
