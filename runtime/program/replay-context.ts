/**
 * The context of a program that runs again in a slot: it wants the graph of one execute and nothing else.
 *
 * What must hold: until that execute the program sees what it saw in the coordinator (results, collected values, env.once), so that
 * it takes the same way; from there on it does not go on, so nothing after execute() happens twice.
 */
import { type ErrorData, errorFromData, TailraceError } from '../core/errors.ts'
import type { LogicalGraph } from '../graph/model.ts'
import type { JobResult } from '../rpc/program-messages.ts'
import type { ProgramRef, ProgramReplay } from '../rpc/slot-messages.ts'
import type { ExecutionContext, JobClient, SubmitOptions } from './context.ts'

/** An entry of {@link ProgramReplay.results}; undefined in its place: that job had not ended yet. */
export interface ReplayedResult {
  /** Empty: submit() itself was refused with `error`. */
  jobId: string
  result?: JobResult
  error?: ErrorData
  /** What executeAndCollect took, in order. */
  collected?: unknown[]
}

export class ReplayContext implements ExecutionContext {
  readonly args: readonly string[]
  readonly parameters: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
  readonly #replay: ProgramReplay
  readonly #handOver: (graph: LogicalGraph) => void
  #executes = 0

  constructor(program: ProgramRef, replay: ProgramReplay, handOver: (graph: LogicalGraph) => void) {
    this.args = program.args
    this.parameters = program.parameters
    this.options = program.options
    this.#replay = replay
    this.#handOver = handOver
  }

  /** How often the program has called execute(). */
  get executes(): number {
    return this.#executes
  }

  submit(graph: LogicalGraph, options: SubmitOptions): Promise<JobClient> {
    const index = this.#executes++
    if (index < this.#replay.executeIndex)
      return replayedClient(this.#replay.results[index] as ReplayedResult | undefined, options)
    // Later executes come only from programs that do not wait; they are other slots' work.
    if (index === this.#replay.executeIndex) this.#handOver(graph)
    return never()
  }

  once<T>(name: string): Promise<T> {
    if (Object.hasOwn(this.#replay.once, name)) return Promise.resolve(this.#replay.once[name] as T)
    return Promise.reject(
      new TailraceError(
        'TR-PROGRAM-004',
        `Cannot replay env.once("${name}"): the program computed ${known(this.#replay.once)} before this execute. ` +
          'Call env.once() in the same order each time, before execute()',
      ),
    )
  }
}

async function replayedClient(replayed: ReplayedResult | undefined, options: SubmitOptions): Promise<JobClient> {
  if (replayed?.jobId === '') throw errorFromData(replayed.error!)
  if (replayed?.collected !== undefined) await options.onCollected?.(replayed.collected)
  return {
    jobId: replayed?.jobId ?? '',
    status: async () => (replayed === undefined ? 'RUNNING' : replayed.result !== undefined ? 'FINISHED' : 'FAILED'),
    cancel: async () => {},
    result: () => {
      if (replayed?.result !== undefined) return Promise.resolve(replayed.result)
      if (replayed?.error !== undefined) return Promise.reject(errorFromData(replayed.error))
      return never()
    },
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {})
}

function known(once: Record<string, unknown>): string {
  const names = Object.keys(once)
  return names.length === 0 ? 'no value' : `only ${names.map((name) => `"${name}"`).join(', ')}`
}
