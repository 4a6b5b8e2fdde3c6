import { describe, expect, it } from 'vitest'
import { ConfigValues } from '../config/option.ts'
import { TASK_MANAGER } from '../config/options/processes.ts'
import { VirtualTime } from '../core/virtual-time.suite.ts'
import { Exits, type Host, type HostExit } from '../rpc/host.ts'
import { MemoryGuard, processMemory } from './memory-guard.ts'

const MB = 2 ** 20
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

function guarded(limitMb = 95) {
  const time = new VirtualTime()
  const lines: string[] = []
  let residentMb = 50
  const guard = new MemoryGuard({
    memory: { bytes: 100 * MB, from: 'taskmanager.memory.process.size', limitBytes: limitMb * MB },
    residentBytes: () => residentMb * MB,
    schedule: time.schedule,
    log: (text) => lines.push(text),
  })
  const ended: string[] = []
  const add = (name: string, memory: () => Promise<number>) => {
    const exits = new Exits()
    const host: Host<string, string> = {
      port: { post: () => {}, onMessage: () => {}, close: () => {} },
      memory,
      onExit: (handler) => exits.tell(handler),
      terminate: () => exits.happen({ code: 1 }),
    }
    const watched = guard.watch(host)
    const saw: HostExit[] = []
    watched.onExit((exit) => {
      ended.push(name)
      saw.push(exit)
    })
    return { saw, watched }
  }
  const pass = async (ms: number, mb: number) => {
    residentMb = mb
    time.advance(ms)
    await settle()
  }
  return { add, ended, guard, lines, pass, time }
}

describe('a process that holds more than it may', () => {
  it('ends the thread that holds the most, and leaves the others', async () => {
    const { add, ended, lines, pass } = guarded()
    add('small', async () => 10 * MB)
    const { saw } = add('big', async () => 60 * MB)
    await pass(1000, 95)
    expect(ended).toEqual([])
    await pass(250, 96)
    expect(ended).toEqual(['big'])
    const text = 'the process holds 96 MB of the 100 MB that it may have (taskmanager.memory.process.size)'
    expect(saw[0]).toMatchObject({ code: 1, error: { code: 'TR-TASK-002', message: expect.stringContaining(text) } })
    expect(lines).toEqual([`TR-TASK-002 A thread is ended: ${text}, of which this thread has 60 MB, the most of all`])
    // Its memory takes a moment to go.
    await pass(1000, 96)
    expect(ended).toEqual(['big'])
    await pass(2000, 96)
    expect(ended).toEqual(['big', 'small'])
  })

  it('does not wait for a thread that does not answer', async () => {
    const { add, ended, pass } = guarded()
    add('mute', () => new Promise(() => {}))
    add('failing', () => Promise.reject(new Error('it has ended')))
    add('other', async () => 1)
    await pass(250, 99)
    expect(ended).toEqual([])
    await pass(500, 99)
    expect(ended).toEqual(['other'])
  })

  it('says so once when no thread can help', async () => {
    const { lines, pass } = guarded()
    for (let i = 0; i < 3; i++) await pass(2000, 99)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('and no job does')
  })

  it('is left alone when it ends, or where nothing bounds it', async () => {
    const { add, ended, guard, pass, time } = guarded()
    const { watched, saw } = add('thread', async () => 1)
    watched.terminate()
    await settle()
    expect(saw).toEqual([{ code: 1 }])
    guard.stop()
    await pass(10_000, 99)
    expect([ended, time.pendingMs]).toEqual([['thread'], []])
    const free = new VirtualTime()
    const memory = { bytes: 1, from: '', limitBytes: undefined }
    new MemoryGuard({ memory, residentBytes: () => 2, schedule: free.schedule, log: () => {} })
    expect(free.pendingMs).toEqual([])
  })
})

describe('the memory of a process', () => {
  const of = (values: Record<string, string>, containerBytes?: number) =>
    processMemory(new ConfigValues(values, 'TR-CONFIG-001'), TASK_MANAGER.memory, {
      memoryBytes: 800 * MB,
      containerBytes,
    })
  it('is what is configured, else what the container has; a machine of its own bounds nothing', () => {
    expect(of({ 'taskmanager.memory.process.size': '200m' }, 800 * MB)).toEqual({
      bytes: 200 * MB,
      from: 'taskmanager.memory.process.size',
      isConfigured: true,
      limitBytes: 190 * MB,
    })
    expect(of({ 'taskmanager.memory.flink.size': '200m' }).from).toBe('taskmanager.memory.flink.size')
    expect(of({}, 800 * MB)).toMatchObject({ bytes: 800 * MB, isConfigured: false, limitBytes: 760 * MB })
    expect(of({})).toMatchObject({ bytes: 800 * MB, limitBytes: undefined })
  })
})
