/** The door `tailrace/state`: what keyed functions need to describe and use their state. */
export {
  type AggregatingState,
  AggregatingStateDescriptor,
  type ListState,
  ListStateDescriptor,
  type MapState,
  MapStateDescriptor,
  type ReducingState,
  ReducingStateDescriptor,
  StateDescriptor,
  type ValueState,
  ValueStateDescriptor,
} from '../core/state.ts'
export {
  type IncrementalCleanup,
  StateTtlConfig,
  type StateTtlConfigBuilder,
  type TtlStateVisibility,
  type TtlUpdateType,
} from '../core/state-ttl.ts'
export type { KeyedStateStore } from '../core/window-functions.ts'
