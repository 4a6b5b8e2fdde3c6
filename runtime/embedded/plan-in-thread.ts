/**
 * The plan of a program, which runs up to its first execute() in a thread of its own: what it does else, and how long it takes, is its own affair.
 */
import { type Schedule, systemSchedule } from '../core/clock.ts'
import { errorFromData, TailraceError } from '../core/errors.ts'
import type { Plan } from '../graph/model.ts'
import { type Host, threadHost } from '../rpc/host.ts'
import type { FromProgram, ToProgram } from '../rpc/program-messages.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'

export interface PlanOptions {
  /** For the program to call execute(), milliseconds. */
  timeoutMs?: number
  schedule?: Schedule
}

const TIMEOUT_MS = 60_000

/** Throws what the program throws (TR-PROGRAM-002), TR-PROGRAM-003 when it ends without execute(), TR-GRAPH-… for graphs that cannot run. */
export function planInThread(program: ProgramRef, options: PlanOptions = {}): Promise<Plan> {
  const { timeoutMs = TIMEOUT_MS, schedule = systemSchedule } = options
  const host: Host<ToProgram, FromProgram> = threadHost(new URL('../program/program-thread', import.meta.url), {
    name: 'plan',
    quiet: true,
  })
  const { promise, resolve, reject } = Promise.withResolvers<Plan>()
  host.port.onMessage((message) => {
    if (message.type === 'submit') resolve(message.plan)
    else if (message.type === 'failed') reject(errorFromData(message.error))
  })
  host.onExit(({ error, code }) =>
    reject(new TailraceError('TR-PROGRAM-002', `The program's thread ended with exit code ${code}`, { cause: error })),
  )
  const stop = schedule(timeoutMs, () =>
    reject(
      new TailraceError(
        'TR-PROGRAM-003',
        `Cannot plan "${program.url}": it did not call execute() within ${timeoutMs} ms`,
      ),
    ),
  )
  host.port.post({ type: 'run', program })
  return promise.finally(() => {
    stop()
    host.terminate()
  })
}
