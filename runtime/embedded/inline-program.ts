/** A program as an object in this thread, in place of the program thread. */
import { errorToData } from '../core/errors.ts'
import { currentContext, type ExecutionContext, setContext } from '../program/context.ts'
import { neverExecuted, programError } from '../program/load.ts'
import { SubmitContext } from '../program/submit-context.ts'
import type { Host } from '../rpc/host.ts'
import { portPair } from '../rpc/port.ts'
import type { FromProgram, ToProgram } from '../rpc/program-messages.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'

export function inlineProgram(
  program: ProgramRef,
  main: (context: ExecutionContext) => Promise<unknown>,
): Host<ToProgram, FromProgram> {
  const [near, far] = portPair<ToProgram, FromProgram>()
  const context = new SubmitContext(program, far)
  far.onMessage((message) => {
    if (message.type === 'run') void run()
    else context.receive(message)
  })
  return { port: near, onExit: () => {}, terminate: () => context.close() }

  async function run(): Promise<void> {
    const before = currentContext()
    try {
      await main(context)
      await context.drain()
      if (context.executes === 0) throw neverExecuted(program)
      far.post({ type: 'finished', executes: context.executes })
    } catch (error) {
      far.post({ type: 'failed', error: errorToData(programError(program, error)) })
    } finally {
      setContext(before)
    }
  }
}
