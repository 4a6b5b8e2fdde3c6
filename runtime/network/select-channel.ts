/**
 * Picks the channels of a record and puts it there: the code is generated per edge, because it is the last step of every record.
 */

import type { Key } from '../core/functions.ts'
import { hashKey, hashNumber } from '../core/hash.ts'
import { subtaskOfKeyGroup } from '../core/key-groups.ts'

/** A partitioner with what it needs. `forward` and `global` have one channel. */
export type Selector =
  | { kind: 'forward' | 'global' | 'rebalance' | 'rescale' | 'broadcast' }
  | { kind: 'shuffle'; random: () => number }
  | { kind: 'key'; keyOf: (value: any) => Key; maxParallelism: number }
  | { kind: 'custom'; keyOf: (value: any) => any; partition: (key: any, channels: number) => number }

/**
 * @param batches what `put` puts a record into, one per channel
 * @param firstChannel of a round robin: random, so that many small senders do not all begin with subtask 0 [P-03]
 */
export function generateSelect<B>(
  selector: Selector,
  batches: B[],
  put: (batch: B, value: any, timestamp: number, hash: number) => void,
  firstChannel: number,
): (value: any, timestamp: number) => void {
  const n = batches.length
  const bodies: Record<Selector['kind'], string> = {
    forward: 'put(only, v, t, 0)',
    global: 'put(only, v, t, 0)',
    rebalance: `next = next + 1 === ${n} ? 0 : next + 1; put(batches[next], v, t, 0)`,
    rescale: `next = next + 1 === ${n} ? 0 : next + 1; put(batches[next], v, t, 0)`,
    shuffle: `put(batches[(selector.random() * ${n}) | 0], v, t, 0)`,
    broadcast: `for (let i = 0; i < ${n}; i++) put(batches[i], v, t, 0)`,
    key: '',
    custom: `const c = partition(keyOf(v), ${n}); if (!(c >= 0 && c < ${n})) outside(c); put(batches[c], v, t, 0)`,
  }
  let groups: Uint16Array | undefined
  if (selector.kind === 'key') {
    const max = selector.maxParallelism
    groups = Uint16Array.from({ length: max }, (_, group) => subtaskOfKeyGroup(max, n, group))
    const group = (max & (max - 1)) === 0 ? `h & ${max - 1}` : `h % ${max}`
    bodies.key = `const k = keyOf(v); const h = typeof k === 'number' && k === k ? hashNumber(k) : hashKey(k); put(batches[groups[${group}]], v, t, h)`
  }
  const outside = (channel: unknown) => {
    throw new RangeError(`Cannot send to channel ${String(channel)}: the partitioner must return 0 to ${n - 1}`)
  }
  const source = `let next = ${firstChannel}; const only = batches[0]; const { keyOf, partition } = selector
    return function process(v, t) { ${bodies[selector.kind]} }`
  return new Function('selector', 'batches', 'put', 'groups', 'hashNumber', 'hashKey', 'outside', source)(
    selector,
    batches,
    put,
    groups,
    hashNumber,
    hashKey,
    outside,
  ) as (value: any, timestamp: number) => void
}
