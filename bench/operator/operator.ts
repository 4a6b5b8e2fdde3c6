/** `tailrace operator` in a process of its own, as in a pod: it finds the API server by its environment and the mounted service account. */
import type { ChildProcess } from 'node:child_process'
import { appendFileSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { startTailrace } from '../../scripts/lab/tailrace-process.ts'
import { cpuMs, residentMb } from '../processes.ts'

export interface OperatorOptions {
  identity: string
  environment: Readonly<Record<string, string>>
  /** `key=value`, of its configuration. */
  configuration: readonly string[]
  main: string | undefined
  /** File that gets what it logs. */
  logFile: string | undefined
}

/** As the chart has it, and the heap that Node.js chooses by itself where there are 320 MiB, which is the chart's limit: this machine may have more, and then it collects less often. */
const NODE_OPTIONS = `${parse(readFileSync(new URL('../../charts/tailrace/values.yaml', import.meta.url), 'utf8')).nodeOptions} --max-old-space-size=256`

export class Operator {
  readonly identity: string
  readonly startMs = performance.now()
  /** Resolves when it has ended. */
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  #log = ''
  #isKilled = false
  #isOver = false

  constructor({ identity, environment, configuration, main, logFile }: OperatorOptions) {
    this.identity = identity
    const settings = configuration.flatMap((pair) => ['-D', pair])
    this.#child = startTailrace(['operator', '--health-port', '0', '--metrics-port', '0', ...settings], {
      spy: new URL('./pod.mjs', import.meta.url).href,
      environment: { NODE_OPTIONS, ...environment, POD_NAME: identity },
      ...(main !== undefined && { main }),
    })
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on('data', (chunk: Buffer) => {
        this.#log = (this.#log + chunk.toString()).slice(-4_000)
        if (logFile !== undefined) appendFileSync(logFile, chunk)
      })
    this.ended = new Promise((resolve) =>
      this.#child.once('exit', () => {
        this.#isOver = true
        resolve()
      }),
    )
  }

  get cpuMs(): number {
    return cpuMs([this.pid])
  }

  get residentMb(): { now: number; peak: number } {
    return residentMb(this.pid)
  }

  get pid(): number {
    return this.#child.pid!
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#isKilled = true
    this.#child.kill(signal)
  }

  /** Throws, with what it has logged last, when it has ended by itself. */
  check(): void {
    if (this.#isOver && !this.#isKilled)
      throw new Error(`Cannot measure: the operator "${this.identity}" has ended:\n${this.#log}`)
  }
}
