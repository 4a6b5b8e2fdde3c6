/** One run of one case, in a process that has seen nothing else. */
import { fork } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import type { ChildResult, ChildTask } from './child.ts'

const RUN_TIMEOUT_MS = 10 * 60_000

/** Runs one case in a fresh process; with `packageDirectory` on the installed package there. */
export function runCase(task: ChildTask, packageDirectory?: string): Promise<ChildResult> {
  const execArgv = [...process.execArgv]
  const env = { ...process.env }
  if (packageDirectory !== undefined) {
    execArgv.push('--import', new URL('./use-package.ts', import.meta.url).href)
    env.TAILRACE_BENCH_PACKAGE = pathToFileURL(packageDirectory).href
  }
  return new Promise((resolve) => {
    // What a job prints goes to stderr: stdout is the report's.
    const child = fork(new URL('./child.ts', import.meta.url), { execArgv, env, stdio: ['ignore', 2, 2, 'ipc'] })
    const timer = setTimeout(() => child.kill('SIGKILL'), RUN_TIMEOUT_MS)
    let result: ChildResult = { error: `the process ended without a result` }
    child.on('message', (message) => {
      result = message as ChildResult
    })
    child.on('exit', (code, signal) => {
      clearTimeout(timer)
      if ('error' in result && signal !== null) result = { error: `stopped by ${signal}; ${result.error}` }
      resolve(result)
    })
    child.send(task)
  })
}
