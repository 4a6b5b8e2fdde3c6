/**
 * What an operator and a user function see of their task.
 */
import { TailraceError } from '../core/errors.ts'
import type { RuntimeContext, TaskInfo } from '../core/functions.ts'
import type { OperatorMetrics } from '../metrics/page.ts'
import type { OperatorContext } from '../operators/operator.ts'
import type { ChainLink } from './chain.ts'
import type { Task } from './task.ts'

export function createOperatorContext(
  task: Task,
  link: ChainLink,
  info: TaskInfo,
  metrics: OperatorMetrics,
): OperatorContext {
  const { clock, post, vertex } = task.options
  const { vertexId, subtask } = task
  return {
    task: info,
    operatorId: link.operatorId,
    clock,
    metrics,
    runtime: createRuntimeContext(task.options.parameters, task.accumulators, info, metrics),
    copy: link.copy,
    sideOutput: (tagId) => link.sideOutputs.get(tagId),
    registerTimer: (timeMs, callback) => task.timers.register(timeMs, callback),
    cancelTimer: (handle) => task.timers.cancel(handle),
    registerCommitTimer: (timeMs, callback) => {
      const handle = task.commitTimers.register(timeMs, callback)
      return () => task.commitTimers.cancel(handle)
    },
    wake: () => task.wake(),
    fail: (error) => task.failLater(error, link),
    wakeAt: (monotonicMs) => task.wakeAt(monotonicMs),
    coordinator: {
      requestSplit: () => post({ type: 'splitRequest', vertexId, subtask }),
      sendEvent: (event) => post({ type: 'sourceEvent', vertexId, subtask, event }),
      splitsHeld: (begun, ended) => post({ type: 'splitsHeld', vertexId, subtask, begun, ended }),
    },
    slot: {
      print: (stream, text) => post({ type: 'print', stream, text }),
      collected: (collectId, values) => post({ type: 'collected', collectId, subtask, values }),
      onCollectAck: (collectId, onAck) => {
        task.collectAcks.set(collectId, onAck)
      },
    },
    restored: task.options.restored?.states.get(link.operatorId),
    checkpointing: task.options.checkpointing,
    checkpointTimes: task.options.checkpointTimes,
    ownerEpoch: task.options.ownerEpoch ?? 0,
    outputBlocked: vertex.outputs.length === 0 ? () => false : () => task.outputBlocked(),
  }
}

/** For operators that are not keyed; keyed ones put their state in place of the getters. */
export function createRuntimeContext(
  parameters: Readonly<Record<string, string>>,
  accumulators: Map<string, { value: number }>,
  info: TaskInfo,
  metrics: OperatorMetrics,
): RuntimeContext {
  const refuse = (): never => {
    throw new TailraceError(
      'TR-STATE-002',
      `Cannot use keyed state in "${info.operatorName}": its stream is not keyed. Call keyBy() before it and use a KeyedProcessFunction`,
    )
  }
  return {
    task: info,
    parameters,
    metrics: metrics.group,
    accumulator: (name) => {
      let cell = accumulators.get(name)
      if (cell === undefined) {
        cell = { value: 0 }
        accumulators.set(name, cell)
      }
      const counter = cell
      return {
        inc: (by = 1) => {
          counter.value += by
        },
        value: () => counter.value,
      }
    },
    getState: refuse,
    getListState: refuse,
    getMapState: refuse,
    getReducingState: refuse,
    getAggregatingState: refuse,
  }
}
