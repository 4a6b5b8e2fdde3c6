/** The runtime context that functions on a keyed stream see: the task's own, with state from a backend. */
import type { RuntimeContext } from '../core/functions.ts'
import type { KeyedStateStore } from '../core/window-functions.ts'

/**
 * Gives `open` of a keyed function its context.
 *
 * @example
 * await fn.open(keyedRuntime(context.runtime, backend))
 */
export function keyedRuntime(runtime: RuntimeContext, store: KeyedStateStore): RuntimeContext {
  return {
    task: runtime.task,
    parameters: runtime.parameters,
    metrics: runtime.metrics,
    accumulator: (name) => runtime.accumulator(name),
    getState: (descriptor) => store.getState(descriptor),
    getListState: (descriptor) => store.getListState(descriptor),
    getMapState: (descriptor) => store.getMapState(descriptor),
    getReducingState: (descriptor) => store.getReducingState(descriptor),
    getAggregatingState: (descriptor) => store.getAggregatingState(descriptor),
  }
}
