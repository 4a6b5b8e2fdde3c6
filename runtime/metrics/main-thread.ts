/**
 * What the main thread of this process is about, in place of a stack: whoever asks would find the answer itself on it. A slot's stack is not taken either: V8 gives that of another thread only to a debugger, which stops
 * the thread and throws its optimized code away.
 */
import type { ProcessReader } from './process-reader.ts'

/** @param more lines of whoever knows more */
export function mainThread(
  reader: Pick<ProcessReader, 'values'>,
  more: readonly string[] = [],
): { name: string; text: string } {
  const values = new Map(reader.values().map(({ name, value }) => [name, value]))
  const resources = new Map<string, number>()
  for (const one of process.getActiveResourcesInfo()) resources.set(one, (resources.get(one) ?? 0) + 1)
  const delay = values.get('Status.EventLoop.DelayMsP99')
  const lines = [
    `"main" of process ${process.pid}, Node.js ${process.version}, up for ${Math.floor(process.uptime())} s`,
    `   resident memory ${values.get('Status.Process.ResidentMemory') ?? 0} bytes, heap of this thread ${values.get('Status.JVM.Memory.Heap.Used') ?? 0} bytes`,
    ...(delay === undefined ? [] : [`   its loop was late by ${delay.toFixed(1)} ms at most in 99 of 100 turns`]),
    `   waits for ${[...resources].map(([kind, count]) => `${count} ${kind}`).join(', ') || 'nothing'}`,
    ...more.map((line) => `   ${line}`),
  ]
  return { name: 'main', text: `${lines.join('\n')}\n` }
}
