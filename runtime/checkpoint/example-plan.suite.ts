/** Plans and operators' metadata for tests of restores, in a few words. */
import { createHash } from 'node:crypto'
import type { Plan } from '../graph/model.ts'
import type { KeyedChunk, ListMode, ListSnapshot, OperatorMetadata, OperatorSnapshot } from './model.ts'

/** As graph/operator-ids.ts makes ids of uids: what counts is that equal names have equal ids. */
export const idOf = (name: string) => createHash('sha256').update(name).digest('hex').slice(0, 32)

export interface ExampleVertex {
  /** Names of the chain. Its operators have uids of the same text, unless the name begins with `?`. */
  chain: string[]
  parallelism?: number
  maxParallelism?: number
  set?: boolean
}

/** Vertices in order; `edges` are `[index, partitioner, index]`. A vertex without an edge into it is a source. */
export function examplePlan(vertices: ExampleVertex[], edges: [number, string, number][] = []): Plan {
  return {
    config: { jobName: 'clicks' } as Plan['config'],
    hash: 'h',
    vertices: vertices.map(({ chain, parallelism = 1, maxParallelism = 128, set = false }, index) => ({
      id: idOf(chain[0]!),
      name: chain.join(' -> '),
      parallelism,
      maxParallelism,
      maxParallelismSet: set,
      slotSharingGroup: 'default',
      isSource: edges.every(([, , to]) => to !== index),
      operators: chain.map((name, i) => ({
        operatorId: idOf(name),
        name: name.replace(/^\?/, ''),
        uid: name.startsWith('?') ? null : name,
        description: null,
        module: 'map',
        parent: i - 1,
        tag: null,
        isSource: false,
        isSink: false,
        settings: {},
      })),
    })),
    edges: edges.map(([from, partitioner, to], id) => ({
      id,
      from: idOf(vertices[from]!.chain[0]!),
      fromOperator: vertices[from]!.chain.length - 1,
      tag: null,
      to: idOf(vertices[to]!.chain[0]!),
      inputIndex: 0,
      partitioner,
      settings: {},
      bufferTimeoutMs: 5,
      type: null,
    })),
  }
}

/** Metadata of operator `name`; one entry of `subtasks` for each. */
export function storedOperator(
  name: string,
  subtasks: (Omit<Partial<OperatorSnapshot>, 'operatorId'> | null)[],
  over: Partial<OperatorMetadata> = {},
): OperatorMetadata {
  return {
    operatorId: idOf(name),
    name: name.replace(/^\?/, ''),
    uid: name.startsWith('?') ? null : name,
    parallelism: subtasks.length,
    maxParallelism: 128,
    subtasks: subtasks.map((snapshot) =>
      snapshot === null ? null : { operatorId: idOf(name), lists: [], ...snapshot },
    ),
    finished: subtasks.map(() => false),
    ...over,
  }
}

/** A list with these many elements; its handle says whose it is. */
export function list(name: string, mode: ListMode, owner: number, elements: number): ListSnapshot {
  return {
    name,
    mode,
    handle: { file: `${name}-${owner}`, offset: 0, length: elements * 10 },
    offsets: Array.from({ length: elements }, (_, i) => i * 10),
  }
}

export function chunk(file: string, firstGroup: number, lastGroup: number, rows = 1): KeyedChunk {
  return { handle: { file, offset: 0, length: rows }, firstGroup, lastGroup, rows }
}

export function keyed(...chunks: KeyedChunk[]): Pick<OperatorSnapshot, 'keyed'> {
  return { keyed: { tables: [{ name: 'n', kind: 'value', row: { kind: 'any' } }], chunks } }
}
