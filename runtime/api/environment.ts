/**
 * The environment: where a program begins its streams, sets its job and runs it [D-01, D-02].
 */
import { collectionSource } from '../connectors/collection/index.ts'
import { fileSource } from '../connectors/files/index.ts'
import { sequenceSource } from '../connectors/sequence/index.ts'
import { type SocketTextOptions, socketTextSource } from '../connectors/socket/index.ts'
import type { Duration } from '../core/duration.ts'
import { assert } from '../core/errors.ts'
import { registerType } from '../core/registered-types.ts'
import type { Source } from '../core/source.ts'
import type { Type } from '../core/types.ts'
import { WatermarkStrategy } from '../core/watermarks.ts'
import { textLines } from '../formats/text/index.ts'
import type { JobConfig, LogicalGraph } from '../graph/model.ts'
import {
  currentContext,
  defaultContext,
  type ExecutionContext,
  type JobClient,
  type SubmitOptions,
} from '../program/context.ts'
import type { JobResult } from '../rpc/program-messages.ts'
import { CheckpointConfig, type CheckpointingMode } from './checkpoint-config.ts'
import { SingleOutputStreamOperator } from './data-stream.ts'
import { GraphBuilder } from './graph-builder.ts'
import { JobSettings } from './job-config.ts'
// Tells data-stream.ts how keyed streams are made.
import './keyed-stream.ts'

/**
 * Begins streams and runs jobs.
 *
 * @example
 * export default async function main(env: StreamExecutionEnvironment) {
 *   env.fromData('to be or not', 'to be').flatMap((line) => line.split(' ')).print()
 *   await env.execute('words')
 * }
 */
export class StreamExecutionEnvironment {
  /** @internal The graph under way. */
  readonly builder = new GraphBuilder()
  #context: ExecutionContext | undefined
  readonly #settings: JobSettings

  /** @internal Programs get an environment as argument of `main`, or by {@link getExecutionEnvironment}. */
  constructor(context: ExecutionContext | undefined) {
    this.#context = context ?? currentContext() ?? defaultContext()
    this.#settings = new JobSettings(this.#context?.options ?? {}, this.#context?.parameters ?? {})
  }

  /** An environment for the place where this program runs: a cluster, a test, or an embedded cluster of its own. */
  static getExecutionEnvironment(): StreamExecutionEnvironment {
    return new StreamExecutionEnvironment(undefined)
  }

  /** Arguments after the job file. */
  get args(): readonly string[] {
    return this.#context?.args ?? []
  }

  /** Job parameters: `--name value` of the command line, and those of {@link setGlobalJobParameters}. */
  get parameters(): Readonly<Record<string, string>> {
    return this.#settings.parameters
  }

  /** Shown in REST and given to functions at `open`; they replace those of the command line. */
  setGlobalJobParameters(parameters: Readonly<Record<string, string | number | boolean>>): this {
    this.#settings.setParameters(parameters)
    return this
  }

  /**
   * Lets instances of a class be records, or parts of them. Between tasks they travel as what `encode` gives, and arrive as what `decode`
   * makes of it. Without it an instance that leaves a task fails the job (TR-RECORD-002).
   *
   * @example
   * env.registerType(URL, { encode: (url) => url.href, decode: (href) => new URL(href) })
   */
  registerType<T, D = any>(
    type: abstract new (...args: any[]) => T,
    functions: { encode: (value: T) => D; decode: (data: D) => T },
  ): this {
    registerType(type, functions)
    return this
  }

  /** Subtasks of each operator that sets none itself. */
  setParallelism(parallelism: number): this {
    return this.configure('parallelism.default', parallelism)
  }
  getParallelism(): number {
    return this.#settings.values.parallelism
  }
  /** Key groups of each operator that sets none itself; by default derived from its parallelism. */
  setMaxParallelism(maxParallelism: number): this {
    return this.configure('pipeline.max-parallelism', maxParallelism)
  }
  /** How long records wait for others before they are sent on; 0 sends each at once, -1 full batches only. 5 ms by default. */
  setBufferTimeout(timeout: Duration): this {
    return this.configure('execution.buffer-timeout.interval', timeout)
  }
  /** Runs every operator in a task of its own. */
  disableOperatorChaining(): this {
    return this.configure('pipeline.operator-chaining.enabled', false)
  }

  /**
   * Takes a checkpoint of the job's state at this interval, so that it goes on from the last one after a failure. For more see {@link getCheckpointConfig}.
   *
   * @example
   * env.enableCheckpointing('10 s')
   */
  enableCheckpointing(interval: Duration, mode?: CheckpointingMode): this {
    const config = this.getCheckpointConfig().setCheckpointInterval(interval)
    config.setCheckpointingConsistencyMode(mode ?? config.getCheckpointingConsistencyMode())
    return this
  }
  /** How checkpoints are taken; settings of the next job. */
  getCheckpointConfig(): CheckpointConfig {
    return new CheckpointConfig({
      set: (key, value) => this.#settings.set(key, value),
      all: () => this.#settings.options,
    })
  }

  /**
   * Sets a configuration key of the job, over what the command line says.
   *
   * @example
   * env.configure('pipeline.auto-watermark-interval', '100 ms')
   */
  configure(key: string, value: string | number | boolean): this {
    this.#settings.set(key, value)
    return this
  }
  /** The settings as the next job will have them. A copy. */
  getConfig(): JobConfig {
    return this.#settings.snapshot(undefined)
  }

  /**
   * A stream of a source. The strategy says how event time is read; `type` declares the records' type instead of inferring it.
   *
   * @example
   * env.fromSource(fileSource({ path: 'clicks.jsonl', format: jsonLines<Click>() }), WatermarkStrategy.noWatermarks(), 'clicks')
   */
  fromSource<T>(
    source: Source<T>,
    strategy: WatermarkStrategy<T>,
    name: string,
    type?: Type<T>,
  ): SingleOutputStreamOperator<T> {
    return this.#source(source, strategy, name, undefined, type)
  }

  /** The given values; one subtask reads them in order unless the parallelism is set. */
  fromData<T>(values: readonly T[]): SingleOutputStreamOperator<T>
  fromData<T>(...values: T[]): SingleOutputStreamOperator<T>
  fromData<T>(...values: T[] | [readonly T[]]): SingleOutputStreamOperator<T> {
    const [only] = values
    return this.fromCollection(values.length === 1 && Array.isArray(only) ? (only as T[]) : (values as T[]))
  }
  /** Like {@link fromData}, which does not take an array for a record. */
  fromElements<T>(...values: T[]): SingleOutputStreamOperator<T> {
    return this.fromCollection(values)
  }
  fromCollection<T>(values: Iterable<T>): SingleOutputStreamOperator<T> {
    return this.#source(collectionSource(values), WatermarkStrategy.noWatermarks(), 'Collection Source', 1)
  }
  /** Whole numbers from `from` to `to`, both included, shared among the subtasks. */
  fromSequence(from: number, to: number): SingleOutputStreamOperator<number> {
    return this.#source(sequenceSource(from, to), WatermarkStrategy.noWatermarks(), 'Sequence Source', undefined)
  }
  /** The lines of a file, or of all files below a directory; read once. For more see fileSource of `tailrace/connectors/files`. */
  readTextFile(path: string | URL): SingleOutputStreamOperator<string> {
    const source = fileSource({ path, format: textLines() })
    return this.#source(source, WatermarkStrategy.noWatermarks(), 'Text File Source', undefined)
  }
  /** The lines that a server sends; one subtask reads. For trying things: a socket cannot be read again after a failure. */
  socketTextStream(
    host: string,
    port: number,
    options: Omit<SocketTextOptions, 'host' | 'port'> = {},
  ): SingleOutputStreamOperator<string> {
    const source = socketTextSource({ ...options, host, port })
    return this.#source(source, WatermarkStrategy.noWatermarks(), 'Socket Stream', 1)
  }

  #source<T>(
    source: Source<T>,
    strategy: WatermarkStrategy<T>,
    name: string,
    parallelism: number | undefined,
    type?: Type<T>,
  ): SingleOutputStreamOperator<T> {
    const node = this.builder.add({
      name,
      spec: { module: 'source', options: { source, strategy } },
      inputs: [],
      isSource: true,
      ...(parallelism === undefined ? {} : { parallelism }),
    })
    node.outputType = type?.description
    return new SingleOutputStreamOperator(this, node)
  }

  /**
   * Computes a value once for the whole job: every slot gets the same. For what differs from run to run, such as the time now.
   *
   * @example
   * const startedMs = await env.once('started', () => Date.now())
   */
  once<T>(name: string, compute: () => T | Promise<T>): Promise<T> {
    return this.#requireContext(`compute "${name}" once`).once(name, compute)
  }

  /** Runs the job and waits for its end. Rejects when it fails or is cancelled. */
  async execute(jobName?: string): Promise<JobResult> {
    const client = await this.executeAsync(jobName)
    return client.result()
  }

  /** Starts the job. */
  executeAsync(jobName?: string): Promise<JobClient> {
    return this.submit(jobName, {})
  }

  /** @internal */
  submit(jobName: string | undefined, options: SubmitOptions): Promise<JobClient> {
    return this.prepare(jobName)(options)
  }

  /** @internal Takes the pending operators as a job, to be submitted when the result is called. */
  prepare(jobName: string | undefined): (options: SubmitOptions) => Promise<JobClient> {
    const graph = this.builder.build(this.#settings.snapshot(jobName))
    this.builder.clearPending()
    return async (options) => this.#requireContext(`execute "${graph.config.jobName}"`).submit(graph, options)
  }

  /** The graph that execute would submit; for tests and tools. */
  getStreamGraph(jobName?: string): LogicalGraph {
    return this.builder.build(this.#settings.snapshot(jobName))
  }

  #requireContext(what: string): ExecutionContext {
    this.#context ??= currentContext() ?? defaultContext()
    assert(this.#context !== undefined, `Cannot ${what}: no cluster stands behind this thread`)
    return this.#context
  }
}
