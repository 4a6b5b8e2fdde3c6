/**
 * The harness of one operator: Flink's test harnesses (one-input, keyed, two-input, broadcast) and its ProcessFunctionTestHarnesses as one class.
 *
 * What is tested is written as in the job, `(clicks) => clicks.keyBy(…).process(new Gone())`: keys, types and settings are those of the job, and there is
 * nothing to learn twice. All subtasks of the operator are in one harness, records find theirs as in a job, and a snapshot is that of all: opening another
 * harness from it at another parallelism is what a job does when it is rescaled.
 *
 * Correctness: the operators are those of jobs, and state is encoded, dealt out and decoded as in a checkpoint. Nothing depends on real time or on threads.
 */
import type { DataStream } from '../api/data-stream.ts'
import type { DataStreamSink } from '../api/data-stream-sink.ts'
import { NO_TIMESTAMP } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import { MAX_PARALLELISM_LIMIT } from '../core/key-groups.ts'
import type { OutputTag } from '../core/output-tag.ts'
import type { LogicalNode } from '../graph/model.ts'
import { generateSelect } from '../network/select-channel.ts'
import { committerSettings } from '../operators/committer-settings.ts'
import type { Receiver } from '../operators/operator.ts'
import { isTwoInput } from '../operators/two-input.ts'
import { HarnessOutput, type HarnessRecord, HarnessSubtask } from './harness-subtask.ts'
import { type BuildOperator, type OneOperator, oneOperator } from './one-operator.ts'
import type { FakeContextOptions } from './operator-context.ts'
import { barrier, beginSnapshot, restoredFrom, type TakenSnapshot } from './snapshots.ts'

export interface HarnessOptions {
  /** Subtasks of the operator; 1 by default. */
  parallelism?: number
  /** Key groups: 128 by default, or as many as the snapshot has. */
  maxParallelism?: number
  /** Processing time at the beginning: 0 by default, or when the snapshot was taken. */
  processingTimeMs?: number
  /** State to go on from, of a harness of any parallelism. */
  restore?: HarnessSnapshot
  /** False: as in a job without checkpoints, in which a two-phase sink commits at the end of the input. */
  checkpointing?: boolean
  /** `context.task.attemptNumber`; 0 by default. */
  attempt?: number
  /** `context.ownerEpoch` of sinks; 0 by default. */
  ownerEpoch?: number
  /** `context.parameters` of `open`. */
  parameters?: Record<string, string>
  /** Configuration keys, such as `sink.committer.retries`. */
  options?: Record<string, string>
}

/** The state of all subtasks at one moment; see {@link OperatorHarness.snapshot}. */
export interface HarnessSnapshot {
  readonly checkpointId: number
  readonly parallelism: number
  readonly maxParallelism: number
  readonly processingTimeMs: number
  /** @internal Of the operator's subtasks, and of a global committer. */
  readonly taken: readonly (readonly TakenSnapshot[])[]
}

/** What a stream or sink gives. */
export type OutputOf<S> = S extends DataStream<infer T> ? T : never

/** One of the streams that an operator reads. */
export interface HarnessInput<T> {
  /** Gives the operator a record. Without a timestamp it has none. */
  processElement(value: T, timestampMs?: number): void
  /** Tells all subtasks that no record up to this time is expected any more. */
  processWatermark(timestampMs: number): void
  /** An idle stream holds back no watermarks; a record does not make it active by itself. */
  processWatermarkStatus(status: 'idle' | 'active'): void
}

type Build<In extends readonly unknown[], S> = (...streams: { [I in keyof In]: DataStream<In[I]> }) => S

/**
 * Drives one operator by hand.
 *
 * @example
 * const harness = await OperatorHarness.open((numbers: DataStream<number>) => numbers.keyBy((n) => n % 2).sum())
 * for (const n of [1, 2, 3]) harness.processElement(n)
 * harness.values // [1, 2, 4]
 * await harness.close()
 */
export class OperatorHarness<In extends readonly unknown[], Out> {
  /** The streams that the operator reads, in the order in which the function takes them. */
  readonly inputs: { readonly [I in keyof In]: HarnessInput<In[I]> }
  readonly #name: string
  readonly #output: HarnessOutput
  /** Of the operator, and the one of a global committer behind them. */
  readonly #stages: readonly (readonly HarnessSubtask[])[]
  readonly #maxParallelism: number
  /** The restored state was that of an input that had ended. */
  readonly #hadEnded: boolean
  #inputEnded: boolean
  #closed = false
  #checkpointId: number

  private constructor(
    { node, inputs }: OneOperator,
    stages: readonly (readonly HarnessSubtask[])[],
    output: HarnessOutput,
    maxParallelism: number,
    restore: HarnessSnapshot | undefined,
  ) {
    this.#name = node.name
    this.#stages = stages
    this.#output = output
    this.#maxParallelism = maxParallelism
    this.#checkpointId = restore?.checkpointId ?? 0
    this.#hadEnded = restore?.taken[0].every(({ finished }) => finished) === true
    this.#inputEnded = this.#hadEnded
    for (const { context } of stages.flat()) context.inputEnded = this.#hadEnded
    this.inputs = inputs.map((input) => this.#input(input)) as any
  }

  /**
   * Opens a harness of the operator that `build` puts behind its streams: one or two, whose types are written in its signature. `build` is called once per
   * subtask, as a job's program is; make functions inside of it.
   */
  static async open<A, S extends DataStream<any> | DataStreamSink>(
    build: Build<[A], S>,
    options?: HarnessOptions,
  ): Promise<OperatorHarness<[A], OutputOf<S>>>
  static async open<A, B, S extends DataStream<any> | DataStreamSink>(
    build: Build<[A, B], S>,
    options?: HarnessOptions,
  ): Promise<OperatorHarness<[A, B], OutputOf<S>>>
  static async open(build: BuildOperator, options: HarnessOptions = {}): Promise<OperatorHarness<any, any>> {
    const { restore, parallelism = 1, parameters = {}, options: configuration = {} } = options
    const { maxParallelism = restore?.maxParallelism ?? 128 } = options
    checkParallelism(parallelism, maxParallelism, restore)
    const place = { parameters, options: configuration, maxParallelism }
    const output = new HarnessOutput()
    const common = {
      maxParallelism,
      parameters,
      startMs: options.processingTimeMs ?? restore?.processingTimeMs ?? 0,
      checkpointing: options.checkpointing ?? true,
      attempt: options.attempt ?? 0,
      ownerEpoch: options.ownerEpoch ?? 0,
    }
    const open = ({ name, spec, isSink }: LogicalNode, stage: number, subtask: number, of: number, next?: Receiver) => {
      const taken = restore?.taken[stage] ?? []
      const restored = taken.length === 0 ? undefined : restoredFrom(taken, subtask, of, { maxParallelism })
      const context: FakeContextOptions = { ...common, operatorName: name, subtask, parallelism: of, restored }
      const ofJob = isSink ? { committer: committerSettings(configuration) } : {}
      return HarnessSubtask.open({ ...spec, options: { ...ofJob, ...spec.options } }, context, output, next)
    }
    const first = oneOperator(build, place)
    const { node, globalCommitter } = first
    const stages: HarnessSubtask[][] = [[], []]
    const [subtasks, behind] = stages
    try {
      if (globalCommitter !== undefined) behind.push(await open(globalCommitter, 1, 0, 1))
      for (let subtask = 0; subtask < parallelism; subtask++) {
        const its = subtask === 0 ? node : oneOperator(build, place).node
        subtasks.push(await open(its, 0, subtask, parallelism, behind[0]?.operator))
      }
      const harness = new OperatorHarness(first, stages, output, maxParallelism, restore)
      harness.#settle()
      return harness
    } catch (error) {
      // The first cause counts.
      for (const subtask of stages.flat()) await subtask.close().catch(() => {})
      throw error
    }
  }

  #input({ inputIndex, selector }: OneOperator['inputs'][number]): HarnessInput<any> {
    const receivers = this.#stages[0]!.map(({ operator }) =>
      isTwoInput(operator) ? operator.input(inputIndex) : operator,
    )
    const put = (to: Receiver, value: any, timestamp: number, hash: number) => to.process(value, timestamp, hash)
    const select = generateSelect(selector, receivers, put, receivers.length - 1)
    let watermarkMs = -Infinity
    return {
      processElement: (value, timestampMs = NO_TIMESTAMP) => {
        this.#checkInput('process a record')
        if (this.#stages[0]!.some(({ operator }) => operator.pending())) {
          throw new TypeError(
            `Cannot process a record in "${this.#name}": it is full, and takes records again when what it waits for is done`,
          )
        }
        select(value, timestampMs)
        this.#settle()
      },
      processWatermark: (timestampMs) => {
        this.#checkInput('process a watermark')
        if (!(timestampMs >= watermarkMs)) {
          throw new RangeError(
            `Cannot process watermark ${timestampMs} in "${this.#name}": one of ${watermarkMs} has come, and watermarks do not go back`,
          )
        }
        watermarkMs = timestampMs
        for (const receiver of receivers) receiver.watermark(timestampMs)
        this.#settle()
      },
      processWatermarkStatus: (status) => {
        this.#checkInput('process a status')
        for (const receiver of receivers) receiver.status(status === 'idle')
        this.#settle()
      },
    }
  }

  // --- input

  /** Gives an operator of one input a record; for one of two see {@link inputs}. Without a timestamp the record has none. */
  processElement(value: In extends readonly [infer Only] ? Only : never, timestampMs?: number): void {
    if (this.inputs.length > 1) {
      throw new TypeError(`Cannot process a record in "${this.#name}": it has two inputs; use harness.inputs[0] or [1]`)
    }
    this.inputs[0]!.processElement(value, timestampMs)
  }
  /** Tells the operator, on all of its inputs, that no record up to this time is expected any more. */
  processWatermark(timestampMs: number): void {
    for (const input of this.inputs) input.processWatermark(timestampMs)
  }

  /**
   * Ends the input: the last watermark comes, then `finish` of functions and the last flush of sinks. What a two-phase sink has prepared by then is
   * committed with the next checkpoint.
   */
  async endInput(): Promise<void> {
    this.#checkInput('end the input')
    this.processWatermark(Infinity)
    this.#inputEnded = true
    for (const subtask of this.#stages.flat()) subtask.context.inputEnded = true
    for (const { operator } of this.#stages.flat()) await this.#orFailure(operator.finish())
    this.#settle()
  }

  // --- time

  /** Milliseconds; stands still but for {@link setProcessingTime} and {@link advance}. */
  get processingTime(): number {
    return this.#stages[0]![0]!.context.clock.now()
  }
  /** Moves processing time; timers that come due on the way fire at their own time. A timer for T fires when T has passed: at T + 1. */
  setProcessingTime(timeMs: number): void {
    this.#checkOpen('move the time')
    if (!(timeMs >= this.processingTime)) {
      throw new RangeError(
        `Cannot set the processing time to ${timeMs}: it is ${this.processingTime}, and does not go back`,
      )
    }
    for (const subtask of this.#stages.flat()) subtask.advanceTo(timeMs)
    this.#settle()
  }
  advance(ms: number): void {
    this.setProcessingTime(this.processingTime + ms)
  }

  // --- output

  /** What was emitted since the beginning, or the last {@link take}. */
  get values(): Out[] {
    return this.records.map(({ value }) => value)
  }
  /** The same with timestamps. */
  get records(): readonly HarnessRecord<Out>[] {
    return [...this.#output.main]
  }
  /** What was emitted to a side output. */
  getSideOutput<X>(tag: OutputTag<X>): X[] {
    return this.#output.side(idOf(tag)).map(({ value }) => value)
  }
  /** Gives what was emitted, and forgets it: of the main output, or of a side output. */
  take(): Out[]
  take<X>(tag: OutputTag<X>): X[]
  take(tag?: OutputTag<unknown>): unknown[] {
    const records = tag === undefined ? this.#output.main : this.#output.side(idOf(tag))
    return records.splice(0).map(({ value }) => value)
  }
  /** The watermark behind the operator: that of the subtask which is last. -Infinity before any. */
  get watermark(): number {
    return Math.min(...this.#stages[0]!.map(({ watermarkMs }) => watermarkMs))
  }
  /** A sink is full: it takes no record before what it waits for is done. */
  get pending(): boolean {
    return this.#stages[0]!.some(({ operator }) => operator.pending())
  }

  // --- checkpoints

  /**
   * Takes a checkpoint of all subtasks: what was processed before is in it, what comes after is not, even while the promise is pending. Rejects where a job's
   * checkpoint would fail.
   *
   * @example
   * const sums = (numbers: DataStream<number>) => numbers.keyBy((n) => n % 10).sum()
   * const one = await OperatorHarness.open(sums)
   * for (let n = 0; n < 10; n++) one.processElement(n)
   * const three = await OperatorHarness.open(sums, { parallelism: 3, restore: await one.snapshot() })
   * three.processElement(17)
   * three.values // [24]
   */
  async snapshot(): Promise<HarnessSnapshot> {
    this.#checkOpen('take a snapshot')
    this.#settle()
    const checkpointId = ++this.#checkpointId
    const processingTimeMs = this.processingTime
    const then = this.#inputEnded ? 'end' : 'go on'
    const of = barrier(checkpointId, { timestampMs: processingTimeMs, then })
    const underWay = this.#stages.map((stage) =>
      stage.map(({ operator }) => beginSnapshot(operator, of, this.#maxParallelism)),
    )
    const ends = underWay.map((stage) => Promise.all(stage.map((one) => one.end())))
    const taken = await this.#orFailure(Promise.all(ends))
    this.#settle()
    const parallelism = this.#stages[0]!.length
    return { checkpointId, parallelism, maxParallelism: this.#maxParallelism, processingTimeMs, taken }
  }

  /** Says that a checkpoint is complete, the last one by default: sinks commit. Resolves when they have. */
  async notifyCheckpointComplete(checkpointId?: number): Promise<void> {
    const id = this.#taken('complete', checkpointId)
    const notified = this.#stages.flat().map(({ operator }) => operator.notifyCheckpointComplete(id))
    await this.#orFailure(Promise.all(notified))
    this.#settle()
  }
  /** Says that a checkpoint was given up, the last one by default. */
  notifyCheckpointAborted(checkpointId?: number): void {
    const id = this.#taken('abort', checkpointId)
    for (const { operator } of this.#stages.flat()) operator.notifyCheckpointAborted(id)
    this.#settle()
  }

  #taken(what: string, checkpointId = this.#checkpointId): number {
    this.#checkOpen(`${what} a checkpoint`)
    if (checkpointId >= 1 && checkpointId <= this.#checkpointId) return checkpointId
    const last = this.#checkpointId === 0 ? 'none was taken' : `the last one is ${this.#checkpointId}`
    throw new RangeError(`Cannot ${what} checkpoint ${checkpointId} of "${this.#name}": ${last}; call snapshot() first`)
  }

  // --- life

  /** Closes the operator, as after a failure when the input has not ended. Does nothing the second time. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const subtask of this.#stages.flat()) await subtask.close()
  }

  /** What the operator fails with meanwhile: what is waited for may never come then. */
  #orFailure<T>(work: T | Promise<T>): Promise<T> {
    const contexts = this.#stages.flat().map(({ context }) => context)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    for (const context of contexts) context.onFailure = reject
    Promise.resolve(work).then(resolve, reject)
    return promise.finally(() => {
      for (const context of contexts) context.onFailure = undefined
    })
  }

  #settle(): void {
    for (const stage of this.#stages) for (const subtask of stage) subtask.settle()
  }

  #checkOpen(what: string): void {
    if (this.#closed) throw new TypeError(`Cannot ${what} in "${this.#name}": its harness is closed`)
  }
  #checkInput(what: string): void {
    this.#checkOpen(what)
    if (!this.#inputEnded) return
    const when = this.#hadEnded ? 'before the snapshot was taken' : 'with endInput()'
    throw new TypeError(`Cannot ${what} in "${this.#name}": its input has ended ${when}`)
  }
}

function idOf(tag: OutputTag<unknown>): string {
  if (typeof tag?.id === 'string') return tag.id
  throw new TypeError(`Cannot read the side output ${JSON.stringify(tag)}: an OutputTag is wanted`)
}

function checkParallelism(parallelism: number, maxParallelism: number, restore: HarnessSnapshot | undefined): void {
  if (!(Number.isInteger(maxParallelism) && maxParallelism >= 1 && maxParallelism <= MAX_PARALLELISM_LIMIT)) {
    throw new RangeError(
      `Cannot open a harness of maximum parallelism ${maxParallelism}: 1 to ${MAX_PARALLELISM_LIMIT} is wanted`,
    )
  }
  if (!(Number.isInteger(parallelism) && parallelism >= 1 && parallelism <= maxParallelism)) {
    throw new RangeError(
      `Cannot open a harness of parallelism ${parallelism}: 1 to ${maxParallelism} is wanted, the maximum parallelism`,
    )
  }
  if (restore === undefined || restore.maxParallelism === maxParallelism) return
  throw new TailraceError(
    'TR-CHECKPOINT-004',
    `Cannot open a harness of maximum parallelism ${maxParallelism} from a snapshot: it was taken at ${restore.maxParallelism}, and keys would belong to other groups`,
  )
}
