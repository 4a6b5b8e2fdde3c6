/**
 * Operator ids: under them state is found again. From the uid where there is one; otherwise from the operator's place: its module,
 * the ids of what feeds it and how, and for sources their name. Operators of equal place are told apart by the order of building.
 * So an edit moves the ids of what is downstream of it, and of later equal siblings; other branches keep theirs.
 */
import { createHash } from 'node:crypto'
import type { LogicalNode } from './model.ts'

/** Ids by node id. `nodes` must hold every node after its inputs. */
export function operatorIds(nodes: readonly LogicalNode[]): Map<number, string> {
  const ids = new Map<number, string>()
  const taken = new Map<string, number>()
  for (const node of nodes) {
    if (node.uid !== undefined) {
      ids.set(node.id, digest(['uid', node.uid]))
      continue
    }
    const place = [
      'place',
      node.spec.module,
      node.isSource ? node.name : '',
      ...node.inputs.map((edge) => [
        ids.get(edge.from),
        edge.tag ?? '',
        edge.partitioner.kind === 'auto' ? 'forward' : edge.partitioner.kind,
        edge.inputIndex,
      ]),
    ]
    const key = JSON.stringify(place)
    const ordinal = taken.get(key) ?? 0
    taken.set(key, ordinal + 1)
    ids.set(node.id, digest([...place, ordinal]))
  }
  return ids
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32)
}
