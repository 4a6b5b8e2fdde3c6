/**
 * The plan of a program without a cluster: it runs up to its first execute() and stays there, in this thread. For commands that look at a job and then end the process.
 */
import { compileJobGraph } from '../graph/compile.ts'
import type { LogicalGraph, Plan } from '../graph/model.ts'
import { buildPlan } from '../graph/plan.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import type { ExecutionContext, JobClient } from './context.ts'
import { muteOutput, neverExecuted, programError, runProgram } from './load.ts'

/** Throws what the program throws (TR-PROGRAM-002), TR-PROGRAM-003 when it ends without execute(), TR-GRAPH-… for graphs that cannot run. */
export async function planOf(program: ProgramRef): Promise<Plan> {
  const handed = Promise.withResolvers<LogicalGraph>()
  const fail = (error: unknown) => handed.reject(programError(program, error))
  // A script may call execute() in a promise that its module does not await: only an empty event loop proves that none will come.
  const onIdle = () => handed.reject(neverExecuted(program))
  process.on('unhandledRejection', fail)
  process.on('uncaughtException', fail)
  process.on('beforeExit', onIdle)
  const speak = muteOutput()
  try {
    runProgram(program, new PlanContext(program, handed.resolve)).then(({ form }) => {
      if (form === 'main') handed.reject(neverExecuted(program))
    }, fail)
    return buildPlan(compileJobGraph(await handed.promise))
  } finally {
    speak()
    process.off('unhandledRejection', fail)
    process.off('uncaughtException', fail)
    process.off('beforeExit', onIdle)
  }
}

/** Computes what env.once() asks for, as the coordinator does, and takes the graph of the first execute. */
class PlanContext implements ExecutionContext {
  readonly args: readonly string[]
  readonly parameters: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
  readonly #handOver: (graph: LogicalGraph) => void
  readonly #once = new Map<string, Promise<unknown>>()

  constructor(program: ProgramRef, handOver: (graph: LogicalGraph) => void) {
    this.args = program.args
    this.parameters = program.parameters
    this.options = program.options
    this.#handOver = handOver
  }

  submit(graph: LogicalGraph): Promise<JobClient> {
    this.#handOver(graph)
    return new Promise(() => {})
  }

  once<T>(name: string, compute: () => T | Promise<T>): Promise<T> {
    let value = this.#once.get(name)
    if (value === undefined) {
      value = Promise.resolve().then(compute)
      this.#once.set(name, value)
    }
    return value as Promise<T>
  }
}
