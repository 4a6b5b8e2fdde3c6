/**
 * Holds a process to its memory: one number, of which each slot or program has a heap with a limit, and everything else (array buffers, tables, uploads, the main thread) has the rest. What no limit of a
 * heap sees is looked at here: when the process holds more than it may, the thread with the most is ended, with an error that says so, before the kernel ends the process.
 */
import type { ConfigValues } from '../config/option.ts'
import type { JOB_MANAGER, TASK_MANAGER } from '../config/options/processes.ts'
import type { Schedule } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { Host, HostExit } from '../rpc/host.ts'

/** The memory of a process. */
export interface ProcessMemory {
  /** All of it: what is configured, else what the machine or the container has. */
  bytes: number
  /** Where it comes from, for messages. */
  from: string
  isConfigured: boolean
  /** It must not hold more; undefined: only the machine bounds it. */
  limitBytes: number | undefined
}

/** Of the number: what is allocated between two looks must fit above. */
const LIMIT_SHARE = 0.95

/** @param machine `containerBytes`: of the container, if that bounds it */
export function processMemory(
  read: ConfigValues,
  option: typeof JOB_MANAGER.memory | typeof TASK_MANAGER.memory,
  { memoryBytes, containerBytes }: { memoryBytes: number; containerBytes?: number | undefined },
): ProcessMemory {
  const configured = read.get(option)
  const bytes = configured ?? memoryBytes
  const limit = configured ?? containerBytes
  return {
    bytes,
    from: configured === undefined ? 'the container' : read.find(option)!.key,
    isConfigured: configured !== undefined,
    limitBytes: limit === undefined ? undefined : Math.floor(limit * LIMIT_SHARE),
  }
}

export interface MemoryGuardOptions {
  memory: Pick<ProcessMemory, 'bytes' | 'from' | 'limitBytes'>
  /** Of the whole process, now. */
  residentBytes(): number
  schedule: Schedule
  log(text: string): void
}

const LOOK_MS = 250
/** A thread that was ended gives its memory back within this. */
const PAUSE_MS = 2000
/** A thread that does not say in time what it holds is not the one. */
const ANSWER_MS = 500

interface Watched {
  memory: () => Promise<number>
  end(error: TailraceError): void
}

/**
 * @example
 * const guard = new MemoryGuard({ memory, residentBytes: () => process.memoryUsage.rss(), schedule, log })
 * const host = guard.watch(threadHost(entry, { name: 'slot-0' }))
 */
export class MemoryGuard {
  readonly #options: MemoryGuardOptions
  readonly #watched = new Set<Watched>()
  #stopTimer: () => void = () => {}
  #stopped = false
  #said = false

  constructor(options: MemoryGuardOptions) {
    this.#options = options
    if (options.memory.limitBytes !== undefined) this.#lookIn(LOOK_MS)
  }

  /** The host, which may be ended when it holds the most. */
  watch<Out, In>(host: Host<Out, In>): Host<Out, In> {
    const { memory } = host
    if (memory === undefined) return host
    let ended: TailraceError | undefined
    const one: Watched = {
      memory,
      end: (error) => {
        ended = error
        host.terminate()
      },
    }
    this.#watched.add(one)
    host.onExit(() => this.#watched.delete(one))
    return {
      port: host.port,
      memory,
      onExit: (handler) =>
        host.onExit((exit: HostExit) => handler(ended === undefined ? exit : { code: 1, error: ended })),
      terminate: () => host.terminate(),
    }
  }

  stop(): void {
    this.#stopped = true
    this.#stopTimer()
  }

  #lookIn(ms: number): void {
    if (!this.#stopped) this.#stopTimer = this.#options.schedule(ms, () => void this.#look())
  }

  async #look(): Promise<void> {
    const { memory, residentBytes, log } = this.#options
    const held = residentBytes()
    if (held <= memory.limitBytes!) {
      this.#said = false
      this.#lookIn(LOOK_MS)
      return
    }
    const sizes = await Promise.all([...this.#watched].map(async (one) => ({ one, bytes: await this.#sizeOf(one) })))
    const most = sizes.reduce((a, b) => (a === undefined || b.bytes > a.bytes ? b : a), sizes[0])
    const found = `the process holds ${mb(held)} of the ${mb(memory.bytes)} that it may have (${memory.from})`
    if (most !== undefined) {
      const text = `${found}, of which this thread has ${mb(most.bytes)}, the most of all`
      log(`TR-TASK-002 A thread is ended: ${text}`)
      most.one.end(new TailraceError('TR-TASK-002', text))
    } else if (!this.#said) {
      this.#said = true
      log(`TR-TASK-002 ${found}, and no job does`)
    }
    this.#lookIn(PAUSE_MS)
  }

  #sizeOf({ memory }: Watched): Promise<number> {
    return new Promise((resolve) => {
      const stopTimer = this.#options.schedule(ANSWER_MS, () => resolve(0))
      const done = (bytes: number) => {
        stopTimer()
        resolve(bytes)
      }
      memory().then(done, () => done(0))
    })
  }
}

const mb = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`
