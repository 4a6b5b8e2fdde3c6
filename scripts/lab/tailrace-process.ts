/** `tailrace …` of this checkout in a process of its own, as a user starts it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

export interface TailraceProcessOptions {
  /** URL of a module that is loaded before anything else, which may talk to this process. */
  spy?: string
  /** The built command, as it is installed, instead of that of this checkout. */
  main?: string
  /** Beside the environment of this process. */
  environment?: Readonly<Record<string, string>>
}

/** Its output is piped. */
export function startTailrace(
  args: readonly string[],
  { spy, main, environment = {} }: TailraceProcessOptions = {},
): ChildProcess {
  const child = spawn(
    process.execPath,
    [
      ...(main === undefined ? ['--import', new URL('../register-tailrace.mjs', import.meta.url).href] : []),
      ...(spy === undefined ? [] : ['--import', spy]),
      main ?? join(root, 'runtime/cli/main.ts'),
      ...args,
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe', ...(spy === undefined ? [] : (['ipc'] as const))],
      env: { ...ownEnvironment(), ...environment },
    },
  )
  running.add(child)
  child.once('close', () => running.delete(child))
  return child
}

/** None of them outlives this process, however it ends by itself. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Without coverage: a process that is killed leaves half of a file of it. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const { NODE_V8_COVERAGE: _, NODE_DISABLE_COMPILE_CACHE: __, ...rest } = process.env
  return { ...rest, NO_COLOR: '1' }
}
