/**
 * What writers and committers of a sink see of their task.
 */
import type { RuntimeContext } from '../core/functions.ts'
import type { CommitterContext, SinkContext } from '../core/sink.ts'
import type { OperatorContext } from './operator.ts'

export function sinkContext(context: OperatorContext, closing: AbortSignal): SinkContext {
  return {
    ...committerContext(context, closing),
    restoredCheckpointId: context.restored?.checkpointId,
    registerTimer: (timeMs, callback) => {
      const handle = context.registerTimer(timeMs, callback)
      // It may come from a promise: the task must look again when its next turn is due.
      context.wake()
      return handle
    },
    cancelTimer: (handle) => context.cancelTimer(handle),
    wake: () => context.wake(),
    fail: (error) => context.fail(error),
  }
}

/** The runtime context's own members are kept as they are, whatever class it is of. */
export function committerContext(context: OperatorContext, closing: AbortSignal): CommitterContext {
  const runtime: RuntimeContext = context.runtime
  return {
    task: runtime.task,
    parameters: runtime.parameters,
    metrics: runtime.metrics,
    accumulator: (name) => runtime.accumulator(name),
    getState: (descriptor) => runtime.getState(descriptor),
    getListState: (descriptor) => runtime.getListState(descriptor),
    getMapState: (descriptor) => runtime.getMapState(descriptor),
    getReducingState: (descriptor) => runtime.getReducingState(descriptor),
    getAggregatingState: (descriptor) => runtime.getAggregatingState(descriptor),
    clock: context.clock,
    checkpointing: context.checkpointing,
    checkpointTimes: context.checkpointTimes,
    ownerEpoch: context.ownerEpoch,
    closing,
  }
}
