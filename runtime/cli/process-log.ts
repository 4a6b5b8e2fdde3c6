/**
 * Where a JobManager or TaskManager says what it does. With `--log-dir` in files there, so that it can be a background process; without on standard error, or with `tailrace.log.format: json` on standard output, a
 * JSON object for each line, what jobs print too, so that one stream is machine readable. REST shows it in all cases, and what was printed.
 *
 * What must hold: values of the configuration whose keys say that they are secret are in no line of the log.
 */
import { ConfigValues } from '../config/option.ts'
import { CLUSTER } from '../config/options/processes.ts'
import { masked } from '../config/secrets.ts'
import { ProcessLog } from '../processes/process-log.ts'
import type { Terminal } from './terminal.ts'

export interface OpenedLog {
  /** A line, with its time. */
  log(text: string): void
  /** What jobs print. */
  print(stream: 'stdout' | 'stderr', text: string): void
  /** From now on lines have the form that this says, and none of its secrets. Throws TR-CONFIG-001. */
  configure(configuration: Readonly<Record<string, string>>): void
  logs: ProcessLog
}

/** Shorter ones are words like any other. */
const SECRET_LENGTH_MIN = 4
/** Of a line that nobody ends; the rest is a line of its own. */
const LINE_LENGTH_MAX = 64 * 1024

export function openProcessLog(
  name: string,
  dir: string | undefined,
  terminal: Terminal,
  stdout: Pick<NodeJS.WriteStream, 'write'> = process.stdout,
): OpenedLog {
  const logs = new ProcessLog({ name, dir })
  let asJson = false
  let secrets: string[] = []
  // What user code prints in slots comes this way, too.
  const write = stdout.write.bind(stdout)
  const object = (logger: string, message: string): string => {
    const code = /^TR-[A-Z]+-\d{3}(?= )/.exec(message)?.[0]
    const level = code === undefined ? 'info' : 'error'
    return `${JSON.stringify({ time: new Date().toISOString(), level, logger, ...(code && { code }), message })}\n`
  }
  const printed = { stdout: new Lines(), stderr: new Lines() }
  const printObjects = (stream: 'stdout' | 'stderr', text: string) => {
    for (const line of printed[stream].take(text)) write(object(stream, line))
  }
  const tee = (chunk: string | Uint8Array, encoding?: unknown, done?: unknown): boolean => {
    logs.write('out', chunk)
    if (dir === undefined && !asJson) return write(chunk, encoding as BufferEncoding, done as () => void)
    if (dir === undefined) printObjects('stdout', typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())
    const callback = typeof encoding === 'function' ? encoding : done
    if (typeof callback === 'function') queueMicrotask(() => callback())
    return true
  }
  stdout.write = tee as typeof stdout.write
  return {
    log: (given) => {
      const text = secrets.reduce((left, secret) => left.replaceAll(secret, '******'), given)
      const line = asJson ? object(name, text) : `${new Date().toISOString()} ${text}\n`
      logs.write('log', line)
      if (dir !== undefined) return
      if (asJson) write(line)
      else terminal.error(line)
    },
    print: (stream, text) => {
      if (stream === 'stdout') stdout.write(text)
      else {
        logs.write('out', text)
        if (dir !== undefined) return
        if (asJson) printObjects('stderr', text)
        else terminal.error(text)
      }
    },
    configure: (configuration) => {
      asJson = new ConfigValues(configuration, 'TR-CONFIG-001').get(CLUSTER.logFormat) === 'json'
      secrets = secretsOf(configuration)
    },
    logs,
  }
}

/** Longer ones first: one may be a part of another. */
function secretsOf(configuration: Readonly<Record<string, string>>): string[] {
  const hidden = masked(configuration)
  return Object.entries(configuration)
    .flatMap(([key, value]) => (hidden[key] !== value && value.length >= SECRET_LENGTH_MIN ? [value] : []))
    .sort((a, b) => b.length - a.length)
}

/** Puts pieces of text together to lines. */
class Lines {
  #left = ''

  take(text: string): string[] {
    const lines = (this.#left + text).split(/\r?\n/)
    this.#left = lines.pop()!
    if (this.#left.length > LINE_LENGTH_MAX) lines.push(this.#left.slice(0, LINE_LENGTH_MAX))
    if (this.#left.length > LINE_LENGTH_MAX) this.#left = this.#left.slice(LINE_LENGTH_MAX)
    return lines
  }
}
