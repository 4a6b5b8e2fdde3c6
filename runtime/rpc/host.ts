/**
 * A party behind a port that can also end by itself: a worker thread, or an object in this thread that plays one.
 */
import { type ResourceLimits, Worker } from 'node:worker_threads'
import type { Port } from './port.ts'

/** How a host ended. */
export interface HostExit {
  code: number
  /** What ended it, when it was an uncaught error or a limit. */
  error?: Error & { code?: string }
}

export interface Host<Out, In> {
  readonly port: Port<Out, In>
  /** Each handler is called once, also after {@link terminate}, and when it has ended before. Never inside this call. */
  onExit(handler: (exit: HostExit) => void): void
  /** Bytes that it holds: its heap, and what is counted to that. Only a thread can say. */
  memory?(): Promise<number>
  /** Ends it at once. Messages that it sent before may still come. */
  terminate(): void
}

/** tsc does not rewrite URLs that are computed. */
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'

export interface ThreadOptions {
  name: string
  resourceLimits?: ResourceLimits
  /** What it prints is lost. */
  quiet?: boolean
  /** Cloned into the thread. */
  data?: unknown
}

/**
 * A worker thread as a host.
 *
 * @param entry module without extension: a thread's entry has the extension of the running copy
 */
export function threadHost<Out, In>(
  entry: URL,
  { name, data, resourceLimits, quiet = false }: ThreadOptions,
): Host<Out, In> {
  const worker = new Worker(new URL(entry.href + extension), {
    name,
    stdout: quiet,
    stderr: quiet,
    ...(resourceLimits === undefined ? {} : { resourceLimits }),
    ...(data === undefined ? {} : { workerData: data }),
  })
  if (quiet) for (const stream of [worker.stdout, worker.stderr]) stream.resume()
  let error: HostExit['error']
  const exits = new Exits()
  worker.once('exit', (code) => exits.happen(error === undefined ? { code } : { code, error }))
  worker.on('error', (thrown: unknown) => {
    error = thrown instanceof Error ? thrown : new Error(String(thrown))
  })
  return {
    port: {
      post: (message, transfer) => worker.postMessage(message, transfer),
      onMessage: (handler) => {
        worker.on('message', handler)
      },
      close: () => void worker.terminate(),
    },
    onExit: (handler) => exits.tell(handler),
    memory: async () => {
      const {
        total_heap_size: heap,
        external_memory: external,
        malloced_memory: rest,
      } = await worker.getHeapStatistics()
      return heap + external + rest
    },
    terminate: () => void worker.terminate(),
  }
}

/** Tells of an end once to each who asks, before or after. */
export class Exits {
  #exit: HostExit | undefined
  #handlers: ((exit: HostExit) => void)[] = []

  tell(handler: (exit: HostExit) => void): void {
    if (this.#exit === undefined) this.#handlers.push(handler)
    else queueMicrotask(() => handler(this.#exit!))
  }

  happen(exit: HostExit): void {
    if (this.#exit !== undefined) return
    this.#exit = exit
    for (const handler of this.#handlers) queueMicrotask(() => handler(exit))
    this.#handlers = []
  }
}
