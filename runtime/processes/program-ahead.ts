/**
 * The thread of a program, started before there is a program for it: it loads what any program needs while this process stands for election, so that whoever leads runs the program at once.
 */
import { ConfigValues } from '../config/option.ts'
import { JOB_MANAGER } from '../config/options/processes.ts'
import { threadHost } from '../rpc/host.ts'
import type { FromProgram, ToProgram } from '../rpc/program-messages.ts'
import { processMemory } from './memory-guard.ts'

export type ProgramThread = ReturnType<typeof programThread>

/** What the heap of a program may have of the memory of the process, where that is set. */
const PROGRAM_SHARE = 0.5

/** A thread that runs one program. */
export function programThread(configuration: Readonly<Record<string, string>>) {
  const read = new ConfigValues(configuration, 'TR-CONFIG-001')
  const { bytes, isConfigured } = processMemory(read, JOB_MANAGER.memory, { memoryBytes: Number.POSITIVE_INFINITY })
  const limits = { resourceLimits: { maxOldGenerationSizeMb: Math.floor((PROGRAM_SHARE * bytes) / 2 ** 20) } }
  return threadHost<ToProgram, FromProgram>(new URL('../program/program-thread', import.meta.url), {
    name: 'program',
    ...(isConfigured ? limits : {}),
  })
}

/**
 * Starts one that waits. The answer gives it once, and after that, or when it has ended, new ones.
 *
 * @example
 * const take = programAhead(configuration)
 * const session = new ProgramSession({ host: take(), program, dispatcher })
 */
export function programAhead(configuration: Readonly<Record<string, string>>): () => ProgramThread {
  let waiting: ProgramThread | undefined = programThread(configuration)
  waiting.onExit(() => {
    waiting = undefined
  })
  waiting.port.post({ type: 'load' })
  return () => {
    const thread = waiting ?? programThread(configuration)
    waiting = undefined
    return thread
  }
}
