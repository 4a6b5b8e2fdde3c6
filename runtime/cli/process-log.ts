/**
 * Where a JobManager or TaskManager says what it does. With `--log-dir` in files there, so that it can be a background process; without on standard error. REST shows it in both cases, and what was
 * printed.
 */
import { ProcessLog } from '../processes/process-log.ts'
import type { Terminal } from './terminal.ts'

export interface OpenedLog {
  /** A line, with its time. */
  log(text: string): void
  /** What jobs print. */
  print(stream: 'stdout' | 'stderr', text: string): void
  logs: ProcessLog
}

export function openProcessLog(
  name: string,
  dir: string | undefined,
  terminal: Terminal,
  stdout: Pick<NodeJS.WriteStream, 'write'> = process.stdout,
): OpenedLog {
  const logs = new ProcessLog({ name, dir })
  // What user code prints in slots comes this way, too.
  const write = stdout.write.bind(stdout)
  const tee = (chunk: string | Uint8Array, encoding?: unknown, done?: unknown): boolean => {
    logs.write('out', chunk)
    if (dir === undefined) return write(chunk, encoding as BufferEncoding, done as () => void)
    const callback = typeof encoding === 'function' ? encoding : done
    if (typeof callback === 'function') queueMicrotask(() => callback())
    return true
  }
  stdout.write = tee as typeof stdout.write
  return {
    log: (text) => {
      const line = `${new Date().toISOString()} ${text}\n`
      logs.write('log', line)
      if (dir === undefined) terminal.error(line)
    },
    print: (stream, text) => {
      if (stream === 'stdout') stdout.write(text)
      else {
        logs.write('out', text)
        if (dir === undefined) terminal.error(text)
      }
    },
    logs,
  }
}
