/**
 * What stands behind `env.execute()` in a program that is started by itself (`node job.ts`, a test): an inline cluster in this
 * thread. Functions may close over anything. Loaded when the first job is submitted.
 */
import type { LogicalGraph } from '../graph/model.ts'
import { type ExecutionContext, type JobClient, type SubmitOptions, setDefaultContext } from '../program/context.ts'
import { parseArguments } from '../program/parameters.ts'

class DefaultContext implements ExecutionContext {
  readonly args: readonly string[]
  readonly parameters: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>> = {}
  #attached: Promise<ExecutionContext> | undefined

  constructor() {
    const { args, parameters } = parseArguments(process.argv.slice(2))
    this.args = args
    this.parameters = parameters
  }

  async submit(graph: LogicalGraph, options: SubmitOptions): Promise<JobClient> {
    return (await this.#attach()).submit(graph, options)
  }
  async once<T>(name: string, compute: () => T | Promise<T>): Promise<T> {
    return (await this.#attach()).once(name, compute)
  }

  #attach(): Promise<ExecutionContext> {
    this.#attached ??= import('./cluster.ts').then(async ({ EmbeddedCluster }) => {
      const cluster = await EmbeddedCluster.start({
        host: 'inline',
        slots: 'as needed',
        onPrint: (stream, text) => process[stream].write(text),
      })
      const { args, parameters, options } = this
      return cluster.attach({ args: [...args], parameters: { ...parameters }, options: { ...options } })
    })
    return this.#attached
  }
}

setDefaultContext(() => new DefaultContext())
