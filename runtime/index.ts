/**
 * The door for authors of jobs. What is not named here is not public; state, testing, connectors and formats have doors of their own.
 */
// A program that is started by itself has a cluster in its own thread.
import './embedded/default-context.ts'

export { BroadcastConnectedStream, BroadcastStream, KeyedBroadcastConnectedStream } from './api/broadcast-stream.ts'
export { CheckpointConfig, CheckpointingMode, ExternalizedCheckpointRetention } from './api/checkpoint-config.ts'
export { ConnectedStreams, KeyedConnectedStreams } from './api/connected-streams.ts'
export { DataStream, SingleOutputStreamOperator } from './api/data-stream.ts'
export { DataStreamSink } from './api/data-stream-sink.ts'
export { StreamExecutionEnvironment } from './api/environment.ts'
export type { Comparable, ComparableField, NumericField } from './api/field-functions.ts'
export { KeyedStream } from './api/keyed-stream.ts'
export { WindowedStream, type WindowReduceFunction } from './api/windowed-stream.ts'
export {
  type BroadcastBaseContext,
  type BroadcastKey,
  type BroadcastOnTimerContext,
  BroadcastProcessFunction,
  type BroadcastReadContext,
  type BroadcastState,
  type BroadcastWriteContext,
  KeyedBroadcastProcessFunction,
  type KeyedBroadcastReadContext,
  type KeyedBroadcastWriteContext,
  type ReadOnlyBroadcastState,
} from './core/broadcast-functions.ts'
export type {
  CheckpointedFunction,
  CheckpointListener,
  InitializationContext,
  OperatorListState,
  OperatorStateStore,
} from './core/checkpoint.ts'
export { type Clock, MAX_WATERMARK, MIN_WATERMARK, NO_TIMESTAMP } from './core/clock.ts'
export {
  type CoFlatMapFunction,
  type CoMapFunction,
  CoProcessFunction,
  KeyedCoProcessFunction,
} from './core/co-functions.ts'
export { type Duration, durationMs } from './core/duration.ts'
export { type ErrorCode, isTailraceError, TailraceError } from './core/errors.ts'
export {
  type AggregateFunction,
  type Collector,
  type FilterFunction,
  type FlatMapFunction,
  type Key,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type KeySelector,
  type MapFunction,
  type OnTimerContext,
  type ProcessContext,
  ProcessFunction,
  type ReduceFunction,
  type RichFunction,
  type RuntimeContext,
  type TaskInfo,
  type TimerService,
} from './core/functions.ts'
export type { Counter, Gauge, MetricGroup } from './core/metrics.ts'
export { OutputTag } from './core/output-tag.ts'
export type {
  CommitRequest,
  Committer,
  CommitterContext,
  GlobalCommitter,
  Sink,
  SinkContext,
  SinkWriter,
} from './core/sink.ts'
export type {
  Boundedness,
  EnumeratorContext,
  PollStatus,
  ReaderContext,
  ReaderOutput,
  Source,
  SourceReader,
  SourceSplit,
  SplitEnumerator,
  SplitOutput,
} from './core/source.ts'
export {
  type AggregatingState,
  AggregatingStateDescriptor,
  type ListState,
  ListStateDescriptor,
  type MapState,
  MapStateDescriptor,
  type ReducingState,
  ReducingStateDescriptor,
  type ValueState,
  ValueStateDescriptor,
} from './core/state.ts'
export {
  type IncrementalCleanup,
  StateTtlConfig,
  type StateTtlConfigBuilder,
  type TtlStateVisibility,
  type TtlUpdateType,
} from './core/state-ttl.ts'
export { type Type, type TypeDescription, type TypeOf, types } from './core/types.ts'
export {
  type TimestampAssigner,
  type WatermarkGenerator,
  type WatermarkOutput,
  WatermarkStrategy,
} from './core/watermarks.ts'
export {
  type KeyedStateStore,
  type ProcessWindowContext,
  ProcessWindowFunction,
  type WindowFunction,
} from './core/window-functions.ts'
export {
  TimeWindow,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
  type WindowAssigner,
} from './core/windows.ts'
export type { JobClient } from './program/context.ts'
export type { JobResult, JobStatus } from './rpc/program-messages.ts'
