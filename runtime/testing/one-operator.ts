/**
 * Builds the one operator that a harness drives, from a function that is written as in a job: streams in, a stream or a sink out.
 */
import { type DataStream, SingleOutputStreamOperator } from '../api/data-stream.ts'
import type { DataStreamSink } from '../api/data-stream-sink.ts'
import { StreamExecutionEnvironment } from '../api/environment.ts'
import type { LogicalNode } from '../graph/model.ts'
import type { Selector } from '../network/select-channel.ts'

/** One operator between the streams and what it gives, as a job has it. */
export type BuildOperator = (...streams: DataStream<any>[]) => DataStream<any> | DataStreamSink

export interface OneOperator {
  readonly node: LogicalNode
  /** Behind a sink whose committer is a global one. */
  readonly globalCommitter: LogicalNode | undefined
  /** By stream: to which of the operator's inputs it goes, and how its records find a subtask. */
  readonly inputs: readonly { readonly inputIndex: number; readonly selector: Selector }[]
}

export interface Place {
  parameters: Readonly<Record<string, string>>
  options: Readonly<Record<string, string>>
  maxParallelism: number
}

const refuse = (what: string): never => {
  throw new TypeError(`Cannot ${what} in a harness: it drives one operator and runs no job; use MiniCluster`)
}

export function oneOperator(build: BuildOperator, { parameters, options, maxParallelism }: Place): OneOperator {
  const env = new StreamExecutionEnvironment({
    args: [],
    parameters,
    options,
    submit: async () => refuse('execute a job'),
    once: async () => refuse('compute a value once'),
  })
  const streams = Array.from({ length: build.length }, (_, i) => {
    const spec = { module: 'source', options: {} }
    const node = env.builder.add({ name: `Stream ${i + 1}`, spec, inputs: [], isSource: true })
    return new SingleOutputStreamOperator<any>(env, node)
  })
  const built: unknown = build(...streams)
  if (typeof (built as PromiseLike<unknown>)?.then === 'function') {
    // What it runs into is of no use behind this error.
    ;(built as PromiseLike<unknown>).then(undefined, () => {})
    throw new TypeError(
      'Cannot open a harness: the function gives a promise, and a stream or sink is wanted; it only builds, and executes nothing',
    )
  }
  const nodes = env.getStreamGraph().nodes.slice(streams.length)
  const [node, behind] = nodes
  const globalCommitter = behind?.spec.module === 'global-committer' ? behind : undefined
  if (node === undefined || nodes.length > (globalCommitter === undefined ? 1 : 2)) {
    const found = nodes.length === 0 ? 'none' : `${nodes.length}: ${nodes.map(({ name }) => name).join(', ')}`
    throw new TypeError(
      `Cannot open a harness: it drives one operator, and the function builds ${found}; test several together with MiniCluster or executeAndCollect()`,
    )
  }
  const inputs = streams.map((_, i) => {
    const edges = node.inputs.filter(({ from }) => from === i + 1)
    const [edge] = edges
    if (
      edge === undefined ||
      edges.length > 1 ||
      node.inputs.some((e) => e !== edge && e.inputIndex === edge.inputIndex)
    ) {
      throw new TypeError(
        `Cannot open a harness of "${node.name}": each stream of the function must be one input of the operator, and the ${i === 0 ? 'first' : 'second'} is ${edge === undefined ? 'none' : 'united with another'}`,
      )
    }
    return { inputIndex: edge.inputIndex, selector: selectorOf(edge.partitioner, maxParallelism) }
  })
  if (inputs.length === 0) throw new TypeError(`Cannot open a harness of "${node.name}": the function takes no stream`)
  return { node, globalCommitter, inputs }
}

/** Records that any subtask may get go to all in turn, so that a test comes out the same each time. */
function selectorOf(partitioner: LogicalNode['inputs'][number]['partitioner'], maxParallelism: number): Selector {
  switch (partitioner.kind) {
    case 'key':
      return { ...partitioner, maxParallelism }
    case 'custom':
    case 'broadcast':
      return partitioner as Selector
    case 'global':
      // Its one channel is subtask 0's.
      return { kind: 'global' }
    default:
      return { kind: 'rebalance' }
  }
}
