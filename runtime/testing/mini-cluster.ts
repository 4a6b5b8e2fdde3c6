/**
 * A cluster in the test's process: runs jobs from files in slots with threads of their own, or functions inline.
 */
import { pathToFileURL } from 'node:url'
import { StreamExecutionEnvironment } from '../api/environment.ts'
import type { Clock } from '../core/clock.ts'
import { errorFromData } from '../core/errors.ts'
import { EmbeddedCluster, type Watch } from '../embedded/cluster.ts'
import type { JobResult } from '../rpc/program-messages.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import type { Cluster, JobView } from '../rpc/views.ts'

export interface MiniClusterOptions {
  /** 2 by default. */
  slots?: number
  /** `inline` by default: everything in this thread. */
  host?: 'worker' | 'inline'
  /** Processing time of inline slots. */
  clock?: Clock
  /** Limit of a slot thread's heap, MiB. */
  slotHeapMb?: number
  /** How long tasks may take to be built, and to end once asked. */
  timeouts?: { deployMs?: number; cancelMs?: number }
}

export interface RunOptions {
  args?: string[]
  parameters?: Record<string, string>
  options?: Record<string, string>
  /** Called with each job's id when it is submitted. */
  onJob?(jobId: string): void
  /** Aborting cancels the program. */
  signal?: AbortSignal
}

export interface ProgramOutcome {
  /** Of the jobs that finished. */
  results: JobResult[]
  /** What print() wrote to standard output, whole lines. */
  printed: string[]
  printedToErr: string[]
}

type Main = (env: StreamExecutionEnvironment) => unknown

/**
 * @example
 * const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
 * const { printed } = await cluster.runProgram('./examples/word-count.ts', { parameters: { input: 'book.txt' } })
 * await cluster.stop()
 */
export class MiniCluster {
  readonly #cluster: EmbeddedCluster
  readonly #output: { printed: string; printedToErr: string }

  private constructor(cluster: EmbeddedCluster, output: { printed: string; printedToErr: string }) {
    this.#cluster = cluster
    this.#output = output
  }

  static async start({ slots = 2, host = 'inline', ...options }: MiniClusterOptions = {}): Promise<MiniCluster> {
    const output = { printed: '', printedToErr: '' }
    const onPrint = (stream: 'stdout' | 'stderr', text: string) => {
      output[stream === 'stdout' ? 'printed' : 'printedToErr'] += text
    }
    return new MiniCluster(await EmbeddedCluster.start({ host, slots, onPrint, ...options }), output)
  }

  /** What REST shows of it. */
  get view(): Cluster {
    return this.#cluster.dispatcher
  }

  /** A job as it is now, or was at its end. */
  job(jobId: string): JobView | undefined {
    return this.#cluster.dispatcher.view(jobId)
  }

  /**
   * Runs a program to its end: a file (path or `file:` URL, or all of a reference to it), or with inline slots a function, which each slot runs again. Rejects
   * when it fails or is cancelled. One at a time: what print() writes goes to the program that runs.
   */
  async runProgram(program: string | URL | ProgramRef | Main, options: RunOptions = {}): Promise<ProgramOutcome> {
    const given = typeof program === 'object' && !(program instanceof URL) ? { ...program, ...options } : options
    const { args = [], parameters = {}, options: configuration = {}, onJob, signal } = given
    const rest = { args, parameters, options: configuration }
    const watch: Watch = { onJob: (job) => onJob?.(job.id) }
    this.#output.printed = ''
    this.#output.printedToErr = ''
    const session =
      typeof program === 'function'
        ? await this.#cluster.runMain((context) => program(new StreamExecutionEnvironment(context)), rest, watch)
        : await this.#cluster.run({ url: urlOf(program), ...rest }, watch)
    const cancel = () => session.cancel()
    signal?.addEventListener('abort', cancel)
    if (signal?.aborted) cancel()
    const { status, error, results } = await session.ended
    signal?.removeEventListener('abort', cancel)
    if (status !== 'FINISHED') throw errorFromData(error!)
    return { results, printed: lines(this.#output.printed), printedToErr: lines(this.#output.printedToErr) }
  }

  async stop(): Promise<void> {
    await this.#cluster.stop()
  }
}

function urlOf(program: string | URL | ProgramRef): string {
  if (program instanceof URL) return program.href
  if (typeof program === 'object') return program.url
  return program.startsWith('file:') ? program : pathToFileURL(program).href
}

function lines(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}
