/**
 * One probe for all kinds of state: numbers go in and come out, so that one case of a suite runs for each kind.
 */
import {
  AggregatingStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  type StateDescriptor,
  ValueStateDescriptor,
} from '../core/state.ts'
import type { StateTtlConfig } from '../core/state-ttl.ts'
import { types } from '../core/types.ts'
import type { KeyedBackend } from './backend.ts'

/** The state of the current key. */
export interface Probe {
  /** Leaves `n` there, and nothing else. */
  put(n: number): void
  /** What is there: nothing or a number. */
  read(): number[]
  clear(): void
}

export interface Kind {
  name: string
  descriptor(): StateDescriptor
  open(backend: KeyedBackend, descriptor: any): Probe
}

const there = (n: number | undefined) => (n === undefined ? [] : [n])

export const KINDS: Kind[] = [
  {
    name: 'value',
    descriptor: () => new ValueStateDescriptor<number>('s'),
    open: (backend, descriptor) => {
      const state = backend.getState<number>(descriptor)
      return { put: (n) => state.update(n), read: () => there(state.value()), clear: () => state.clear() }
    },
  },
  {
    name: 'value of a declared row',
    descriptor: () => new ValueStateDescriptor('s', types.row({ n: types.number, text: types.string })),
    open: (backend, descriptor) => {
      const state = backend.getState<{ n: number; text: string }>(descriptor)
      return {
        put: (n) => state.update({ n, text: `text of ${n}` }),
        read: () => there(state.value()?.n),
        clear: () => state.clear(),
      }
    },
  },
  {
    name: 'list',
    descriptor: () => new ListStateDescriptor<number>('s'),
    open: (backend, descriptor) => {
      const state = backend.getListState<number>(descriptor)
      return { put: (n) => state.update([n]), read: () => [...state.get()], clear: () => state.clear() }
    },
  },
  {
    name: 'list that is added to',
    descriptor: () => new ListStateDescriptor<number>('s'),
    open: (backend, descriptor) => {
      const state = backend.getListState<number>(descriptor)
      const clear = () => state.clear()
      return {
        put: (n) => {
          clear()
          if (n % 2 === 0) state.add(n)
          else state.addAll([n])
        },
        read: () => [...state.get()],
        clear,
      }
    },
  },
  {
    name: 'map',
    descriptor: () => new MapStateDescriptor<string, number>('s'),
    open: (backend, descriptor) => {
      const state = backend.getMapState<string, number>(descriptor)
      return { put: (n) => state.put('k', n), read: () => there(state.get('k')), clear: () => state.remove('k') }
    },
  },
  {
    name: 'map that is iterated',
    descriptor: () => new MapStateDescriptor<string, number>('s'),
    open: (backend, descriptor) => {
      const state = backend.getMapState<string, number>(descriptor)
      return {
        put: (n) => state.putAll([['k', n]]),
        read: () => [...state.entries()].map(([, n]) => n),
        clear: () => state.clear(),
      }
    },
  },
  {
    name: 'reducing',
    descriptor: () => new ReducingStateDescriptor<number>('s', (_, last) => last),
    open: (backend, descriptor) => {
      const state = backend.getReducingState<number>(descriptor)
      return { put: (n) => state.add(n), read: () => there(state.get()), clear: () => state.clear() }
    },
  },
  {
    name: 'aggregating',
    descriptor: () =>
      new AggregatingStateDescriptor('s', {
        createAccumulator: () => ({ last: 0 }),
        add: (last: number) => ({ last }),
        getResult: ({ last }) => last,
      }),
    open: (backend, descriptor) => {
      const state = backend.getAggregatingState<number, { last: number }, number>(descriptor)
      return { put: (n) => state.add(n), read: () => there(state.get()), clear: () => state.clear() }
    },
  },
]

/** A descriptor of this kind, with a time to live if there is one. */
export function describeState({ descriptor }: Kind, ttl?: StateTtlConfig): StateDescriptor {
  const described = descriptor()
  if (ttl !== undefined) described.enableTimeToLive(ttl)
  return described
}
