/**
 * Runs a user's program: imports its module and calls its `main`, in the coordinator's program thread and again in each slot.
 *
 * A module is one of: `export default function main(env)`, `export function main(env)`, one with a function that the program's reference names, or a script that builds its graph at the top
 * level with `StreamExecutionEnvironment.getExecutionEnvironment()`.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { isTailraceError, TailraceError } from '../core/errors.ts'
import { userFrame } from '../core/user-frame.ts'
import type { LogicalGraph } from '../graph/model.ts'
import type { ProgramRef, ProgramReplay } from '../rpc/slot-messages.ts'
import { currentContext, type ExecutionContext, setContext } from './context.ts'
import { installHooks } from './hooks.ts'
import { ReplayContext } from './replay-context.ts'
import { runtimeModule } from './running-copy.ts'

/** How a program came to its end. */
export interface Ran {
  /** A script may go on in the background when its module has been evaluated; a main function ends when it ends. */
  form: 'main' | 'script'
}

const imported = new Map<string, number>()

/** Runs the program in this thread with `context` behind its execute(). Throws TR-PROGRAM-002 for what the program throws. */
export async function runProgram(program: ProgramRef, context: ExecutionContext): Promise<Ran> {
  installHooks()
  const url = new URL(program.url)
  if (!existsSync(url))
    throw new TailraceError(
      'TR-PROGRAM-002',
      `Cannot load the program "${fileURLToPath(url)}": there is no such file, wanted: a .ts, .mts, .js or .mjs file`,
    )
  setContext(context)
  // A thread of its own looks to the program as the process that it was started in.
  if (!isMainThread) process.argv = [process.argv[0]!, fileURLToPath(url), ...program.args]
  try {
    const module = await import(fresh(program.url))
    const main = mainOf(module, program)
    if (typeof main !== 'function') return { form: 'script' }
    const { StreamExecutionEnvironment } = await import(runtimeModule('index').href)
    await main(new StreamExecutionEnvironment(context))
    return { form: 'main' }
  } catch (error) {
    throw programError(program, error)
  }
}

/** Throws TR-ARTIFACT-008 for one that is asked for by name, and not there. */
function mainOf(module: Record<string, unknown>, program: ProgramRef): unknown {
  const { main } = program
  if (main === undefined) return module.main ?? module.default
  if (Object.hasOwn(module, main) && typeof module[main] === 'function') return module[main]
  const found = Object.keys(module).filter((name) => typeof module[name] === 'function')
  const wanted = found.length === 0 ? 'a module that exports functions' : `one of: ${found.slice(0, 20).join(', ')}`
  throw new TailraceError(
    'TR-ARTIFACT-008',
    `Cannot run "${main}" of the program "${nameOf(program)}": it exports no such function, wanted ${wanted}`,
  )
}

/**
 * The graph of execute number `replay.executeIndex`, for a slot. The program stays where it is, inside that execute().
 *
 * @param quiet whether to keep what main prints to itself: it was printed when main ran first
 */
export async function buildGraph(
  program: ProgramRef,
  replay: ProgramReplay,
  { quiet = true } = {},
): Promise<LogicalGraph> {
  const speak = quiet ? muteOutput() : () => {}
  const before = currentContext()
  try {
    return await rebuild(program, replay, (context) => runProgram(program, context))
  } finally {
    speak()
    setContext(before)
  }
}

/** {@link buildGraph} for a program that `run` starts. */
export function rebuild(
  program: ProgramRef,
  replay: ProgramReplay,
  run: (context: ExecutionContext) => Promise<Ran | void>,
): Promise<LogicalGraph> {
  return new Promise((resolve, reject) => {
    const context = new ReplayContext(program, replay, resolve)
    run(context).then(
      (ran) => {
        if (ran?.form !== 'script') reject(endedEarly(program, replay, context.executes))
      },
      (error) => reject(programError(program, error)),
    )
  })
}

/** TR-PROGRAM-002 for an error out of a program, naming its line; errors that already have a code keep it. */
export function programError(program: ProgramRef, error: unknown): TailraceError {
  if (isTailraceError(error)) return error
  const frame = error instanceof Error ? userFrame(error.stack) : undefined
  const where = frame === undefined ? '' : ` at ${frame.file}:${frame.line}:${frame.column}`
  const what = error instanceof Error ? `${error.name}: ${error.message}` : `threw ${String(error)}, which is no Error`
  return new TailraceError('TR-PROGRAM-002', `Cannot run the program "${nameOf(program)}": ${what}${where}`, {
    cause: error,
  })
}

export function neverExecuted(program: ProgramRef): TailraceError {
  return new TailraceError(
    'TR-PROGRAM-003',
    `Cannot run the program "${nameOf(program)}": it ended without calling execute(). ` +
      'End main with "await env.execute()"',
  )
}

function endedEarly(program: ProgramRef, replay: ProgramReplay, executes: number): TailraceError {
  return new TailraceError(
    'TR-PROGRAM-001',
    `Cannot rebuild the graph of "${nameOf(program)}" in a slot: main called execute() ${executes} times and ended, ` +
      `at submission it called it at least ${replay.executeIndex + 1} times. ` +
      'Make main depend on its arguments and parameters only, and compute everything else with env.once()',
  )
}

function nameOf({ url }: ProgramRef): string {
  return url.startsWith('file:') ? fileURLToPath(url) : url
}

/**
 * In a thread of its own the first import is the file as it is. Otherwise a copy: a module is evaluated once, and in the process's own
 * thread someone may have imported the file before the hooks were there, with another text of its functions.
 */
function fresh(url: string): string {
  const count = imported.get(url) ?? 0
  imported.set(url, count + 1)
  return count === 0 && !isMainThread ? url : `${url}${url.includes('?') ? '&' : '?'}run=${count}`
}

/** What is printed from now on is lost, until the answer is called. */
export function muteOutput(): () => void {
  const streams = [process.stdout, process.stderr]
  const writes = streams.map((stream) => stream.write)
  for (const stream of streams) {
    stream.write = ((_chunk: unknown, encoding?: unknown, done?: unknown) => {
      const callback = typeof encoding === 'function' ? encoding : done
      if (typeof callback === 'function') queueMicrotask(callback as () => void)
      return true
    }) as typeof stream.write
  }
  return () => {
    for (const [i, stream] of streams.entries()) stream.write = writes[i]!
  }
}
