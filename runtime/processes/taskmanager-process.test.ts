import { expect, it } from 'vitest'
import { TailraceError } from '../core/errors.ts'
import { TaskManagerProcess } from './taskmanager-process.ts'

it('a TaskManager whose JobManager is away tries again and again, and never pauses for longer than error-delay', async () => {
  const pauses: number[] = []
  let tries = 0
  const enough = Promise.withResolvers<void>()
  const log: string[] = []
  const process = TaskManagerProcess.start({
    configuration: { 'taskmanager.resource-id': 'tm-1', 'cluster.registration.error-delay': '700 ms' },
    environment: {},
    leader: { find: async () => ({ host: 'jm', port: 6123 }), watch: () => () => {}, close: async () => {} },
    dial: async () => {
      if (++tries === 7) enough.resolve()
      throw new TailraceError('TR-RPC-001', 'Cannot connect to jm:6123')
    },
    localProgram: async (program) => program,
    log: (text) => void log.push(text),
    schedule: (ms, callback) => {
      pauses.push(ms)
      queueMicrotask(callback)
      return () => {}
    },
    random: () => 1,
    machine: {
      ...{ memoryBytes: 2 ** 30, cpus: 1, nodeVersion: 'v24.0.0' },
      metrics: { start() {}, look() {}, values: () => [], stop() {} },
    },
  })
  await enough.promise
  await process.stop('the test ends')
  expect(pauses.slice(0, 6)).toEqual([100, 200, 400, 700, 700, 700])
  // Once, not with every try.
  expect(log).toEqual(['TR-RPC-001 Cannot connect to jm:6123'])
  expect(await process.ended).toEqual({ reason: 'the test ends', failed: false })
})
