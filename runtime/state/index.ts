/** The door `tailrace/state`: what keyed functions need to describe and use their state. */
export {
  type ListState,
  ListStateDescriptor,
  type MapState,
  MapStateDescriptor,
  StateDescriptor,
  type ValueState,
  ValueStateDescriptor,
} from '../core/state.ts'
export type { KeyedStateStore } from '../core/window-functions.ts'
