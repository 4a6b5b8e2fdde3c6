/**
 * Entry of the thread that runs a program's `main`: user code that blocks here delays its own enumerators, never heartbeats or REST.
 */
import { parentPort } from 'node:worker_threads'
import { errorToData } from '../core/errors.ts'
import type { Port } from '../rpc/port.ts'
import type { FromProgram, ToProgram } from '../rpc/program-messages.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'

const port: Port<FromProgram, ToProgram> = {
  post: (message) => parentPort!.postMessage(message),
  onMessage: (handler) => {
    parentPort!.on('message', handler)
  },
  close: () => parentPort!.close(),
}

let receive: ((message: ToProgram) => void) | undefined

port.onMessage((message) => {
  if (message.type === 'run') void run(message.program, message.kept)
  // Errors are those of the program that runs later.
  else if (message.type === 'load') load().catch(() => {})
  else receive?.(message)
})
port.post({ type: 'ready' })

/** Not before there is need: a waiting thread stays small. */
async function load() {
  const { runtimeModule } = await import('./running-copy.ts')
  return Promise.all([import('./load.ts'), import('./submit-context.ts'), import(runtimeModule('index').href)])
}

async function run(program: ProgramRef, kept: Readonly<Record<string, unknown>> | undefined): Promise<void> {
  const [{ neverExecuted, programError, runProgram }, { SubmitContext }] = await load()
  let over = false
  let inBackground = false
  const context = new SubmitContext(program, port, { onPending: holdWhilePending, kept })
  receive = (message) => context.receive(message)
  process.on('unhandledRejection', fail)
  process.on('uncaughtException', fail)
  try {
    const { form } = await runProgram(program, context)
    if (form === 'script' && (context.executes === 0 || context.pending > 0)) {
      // A script may call execute() in a promise that its module does not await: only an empty event loop proves its end.
      inBackground = true
      process.on('beforeExit', () => void end())
      holdWhilePending(context.pending)
    } else {
      await end()
    }
  } catch (error) {
    fail(error)
  }

  function holdWhilePending(pending: number): void {
    if (!inBackground) return
    if (pending > 0) parentPort!.ref()
    else parentPort!.unref()
  }

  async function end(): Promise<void> {
    parentPort!.ref()
    try {
      await context.drain()
      if (context.executes === 0) throw neverExecuted(program)
      if (over) return
      over = true
      await flushOutput()
      port.post({ type: 'finished', executes: context.executes })
    } catch (error) {
      fail(error)
    }
  }

  function fail(error: unknown): void {
    if (over) return
    over = true
    context.close()
    const data = errorToData(programError(program, error))
    void flushOutput().then(() => port.post({ type: 'failed', error: data }))
  }
}

/** What the program has printed is with the main thread before it hears of the program's end. */
async function flushOutput(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve))
}
