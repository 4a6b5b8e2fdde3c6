/** Who hears of a job's output, by TCP, and knows when there was none: outside of all processes of the job, so that none of their pauses is hidden. */
import { createServer } from 'node:net'

export interface Subtask {
  pid: number
  /** When it was opened, by its own word, and when its first and its last output came. Milliseconds since the epoch. */
  openedMs: number
  firstMs: number
  lastMs: number
}

export class Output {
  readonly port: number
  readonly #subtasks = new Map<number, Subtask>()
  /** When anyone was heard last, and the longest time without since {@link watch}. Milliseconds. */
  lastMs = 0
  gapMs = 0
  readonly #close: () => void

  private constructor(port: number, close: () => void) {
    this.port = port
    this.#close = close
  }

  static async listen(): Promise<Output> {
    let output: Output
    const server = createServer((socket) => {
      let rest = ''
      socket
        .on('error', () => {})
        .on('data', (chunk) => {
          const lines = (rest + chunk.toString()).split('\n')
          rest = lines.pop()!
          for (const line of lines) output.#told(line)
        })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    output = new Output((server.address() as { port: number }).port, () => server.close())
    return output
  }

  /** Those that were opened at that time or later: of an attempt that began then. */
  openedSince(ms: number): Subtask[] {
    return [...this.#subtasks.values()].filter(({ openedMs }) => openedMs >= ms)
  }

  /** Gaps count from now on. */
  watch(): void {
    this.gapMs = 0
  }

  close(): void {
    this.#close()
  }

  #told(line: string): void {
    const nowMs = Date.now()
    const [index, pid, openedMs] = line.split(' ').map(Number) as [number, number, number]
    const known = this.#subtasks.get(index)
    // What an attempt that is over still had to say.
    if (known !== undefined && openedMs < known.openedMs) return
    if (this.lastMs > 0) this.gapMs = Math.max(this.gapMs, nowMs - this.lastMs)
    this.lastMs = nowMs
    const firstMs = known?.openedMs === openedMs ? known.firstMs : nowMs
    this.#subtasks.set(index, { pid, openedMs, firstMs, lastMs: nowMs })
  }
}
