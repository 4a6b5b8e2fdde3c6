import { hostname } from 'node:os'
import { afterEach, expect, it } from 'vitest'
import { systemClock, systemSchedule } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { Dial, Listener } from '../core/socket.ts'
import { version } from '../program/running-copy.ts'
import { toJobManager, toTaskManager } from '../rpc/messages/catalog.ts'
import type { Registered, RegisterTaskManager } from '../rpc/messages/register-task-manager.ts'
import { leaderFence } from '../rpc/wire/fence.ts'
import { acceptPeers } from '../rpc/wire/open.ts'
import { WIRE_SETTINGS } from '../rpc/wire/settings.ts'
import { tcpDial, tcpListen } from '../rpc/wire/tcp.ts'
import { TaskManagerProcess, type TaskManagerProcessOptions } from './taskmanager-process.ts'

const MACHINE = {
  ...{ memoryBytes: 2 ** 30, cpus: 1, nodeVersion: 'v24.0.0' },
  metrics: { start() {}, look() {}, values: () => [], stop() {} },
}

let listener: Listener | undefined
afterEach(async () => {
  await listener?.close()
  listener = undefined
})

/** A leader that answers registrations as it is told. */
async function leader(answer: (message: RegisterTaskManager) => Registered): Promise<Listener> {
  listener = await acceptPeers({
    listen: tcpListen(),
    address: { host: '127.0.0.1', port: 0 },
    hello: { version, clusterId: 'default', instanceId: 'jm', role: 'jobmanager' },
    receives: toJobManager,
    sends: toTaskManager,
    fence: leaderFence(1, () => {}),
    settings: WIRE_SETTINGS,
    clock: systemClock,
    schedule: systemSchedule,
    otherLeader: () => undefined,
    onPeer: (peer) =>
      peer.handle({
        registerTaskManager: answer,
        fromSlot: () => {},
        slotEnded: () => {},
        metrics: () => {},
        fetchArtifact: () => {
          throw new Error('there is none')
        },
      }),
    onRefused: () => {},
    onHandlerError: () => {},
  })
  return listener
}

function start(
  configuration: Record<string, string>,
  find: () => Promise<{ host: string; port: number } | undefined>,
  more: Partial<TaskManagerProcessOptions> = {},
): TaskManagerProcess {
  return TaskManagerProcess.start({
    configuration: { 'taskmanager.resource-id': 'tm-1', ...configuration },
    environment: {},
    leader: { find, watch: () => () => {}, close: async () => {} },
    dial: tcpDial(),
    localProgram: async (program) => program,
    log: () => {},
    random: () => 1,
    machine: MACHINE,
    ...more,
  })
}

it('a TaskManager whose JobManager is away tries again and again, and never pauses for longer than error-delay', async () => {
  const pauses: number[] = []
  let tries = 0
  const enough = Promise.withResolvers<void>()
  const log: string[] = []
  const process = start({ 'cluster.registration.error-delay': '700 ms' }, async () => ({ host: 'jm', port: 6123 }), {
    dial: async () => {
      if (++tries === 7) enough.resolve()
      throw new TailraceError('TR-RPC-001', 'Cannot connect to jm:6123')
    },
    log: (text) => void log.push(text),
    schedule: (ms, callback) => {
      pauses.push(ms)
      queueMicrotask(callback)
      return () => {}
    },
  })
  await enough.promise
  await process.stop('the test ends')
  expect(pauses.slice(0, 6)).toEqual([100, 200, 400, 700, 700, 700])
  // Once, not with every try.
  expect(log).toEqual(['TR-RPC-001 Cannot connect to jm:6123'])
  expect(await process.ended).toEqual({ reason: 'the test ends', failed: false })
})

it.each<[string, Record<string, string>, string, string]>([
  ['the address that it reaches the leader from', {}, '127.0.0.1', '127.0.0.1'],
  ['the same as IPv4 behind a name', {}, 'localhost', '127.0.0.1'],
  ['the name of its machine', { 'taskmanager.network.bind-policy': 'name' }, '127.0.0.1', hostname()],
  ['what it is told', { 'taskmanager.host': 'tm-1.example' }, '127.0.0.1', 'tm-1.example'],
])('a TaskManager says that it is at %s', async (_, configuration, leaderHost, wanted) => {
  const said = Promise.withResolvers<string>()
  const { address } = await leader(({ host }) => {
    said.resolve(host)
    return { outcome: 'registered', adopted: [], number: 1 }
  })
  const process = start(configuration, async () => ({ ...address, host: leaderHost }))
  expect(await said.promise).toBe(wanted)
  await process.stop('the test ends')
})

it('a TaskManager is ready while it is registered', async () => {
  const { address } = await leader(() => ({ outcome: 'registered', adopted: [], number: 1 }))
  const cut = Promise.withResolvers<void>()
  let dialled = 0
  const dial: Dial = async (...to) => {
    if (++dialled > 1) throw new TailraceError('TR-RPC-001', 'Cannot connect')
    const socket = await tcpDial()(...to)
    void cut.promise.then(() => socket.end())
    return socket
  }
  const process = start({}, async () => address, { dial })
  const until = (why: string | undefined) => expect.poll(() => process.unready, { timeout: 10_000 }).toBe(why)
  expect(process.unready).toBe('it is not registered with a JobManager')
  await until(undefined)
  cut.resolve()
  await until('it is not registered with a JobManager')
  await process.stop('the test ends')
  expect(process.unready).toBe('it ends')
})

it('a TaskManager that was refused pauses for refused-registration-delay', async () => {
  let asked = 0
  const { address } = await leader(() => {
    asked++
    return { outcome: 'refused', code: 'TR-CLUSTER-005', message: 'not now' }
  })
  const pauses: number[] = []
  const process = start(
    { 'cluster.registration.refused-registration-delay': '17 s', 'heartbeat.interval': '1100 ms' },
    async () => address,
    {
      schedule: (ms, callback) => {
        if (ms !== 17_000) return systemSchedule(ms, callback)
        pauses.push(ms)
        return systemSchedule(1, callback)
      },
    },
  )
  await expect.poll(() => asked).toBeGreaterThan(2)
  await process.stop('the test ends')
  expect(pauses.length).toBeGreaterThanOrEqual(2)
})

it('a TaskManager that no leader has registered since its start ends after registration.timeout', async () => {
  let nowMs = 0
  const clock = { now: () => nowMs, monotonic: () => nowMs }
  const schedule: TaskManagerProcessOptions['schedule'] = (ms, callback) => {
    nowMs += ms
    queueMicrotask(callback)
    return () => {}
  }
  const configuration = { 'taskmanager.registration.timeout': '40 s', 'tailrace.leaderless.timeout': '10 s' }
  const process = start(configuration, async () => undefined, { clock, schedule })
  expect(await process.ended).toEqual({
    reason: 'nobody has led for 40 s (taskmanager.registration.timeout)',
    failed: true,
  })
  expect(nowMs).toBeGreaterThanOrEqual(40_000)
})

it('a TaskManager that has lost its leader ends after leaderless.timeout', async () => {
  let dialled = 0
  const { address } = await leader(() => ({ outcome: 'registered', adopted: [], number: 1 }))
  const dial: Dial = async (...to) => {
    if (++dialled > 1) throw new TailraceError('TR-RPC-001', 'Cannot connect')
    const socket = await tcpDial()(...to)
    setTimeout(() => socket.end(), 50)
    return socket
  }
  const configuration = { 'tailrace.leaderless.timeout': '200 ms', 'heartbeat.timeout': '1 s' }
  const process = start(configuration, async () => address, { dial })
  expect((await process.ended).reason).toBe('nobody has led for 0.2 s (tailrace.leaderless.timeout)')
})

it.each<[Record<string, string>, { processBytes: number; slotHeapBytes: number }]>([
  [{}, { processBytes: 2 ** 30, slotHeapBytes: Math.floor((0.7 * 2 ** 30) / 2) }],
  [{ 'taskmanager.memory.process.size': '200m' }, { processBytes: 200 * 2 ** 20, slotHeapBytes: 70 * 2 ** 20 }],
  [
    { 'taskmanager.memory.process.size': '200m', 'taskmanager.memory.task.heap.size': '90m' },
    { processBytes: 200 * 2 ** 20, slotHeapBytes: 90 * 2 ** 20 },
  ],
])('a TaskManager with %o deals its memory out', async (options, expected) => {
  const said = Promise.withResolvers<RegisterTaskManager['memory']>()
  const { address } = await leader(({ memory }) => {
    said.resolve(memory)
    return { outcome: 'registered', adopted: [], number: 1 }
  })
  const process = start({ 'taskmanager.numberOfTaskSlots': '2', ...options }, async () => address)
  expect(await said.promise).toMatchObject(expected)
  await process.stop('the test ends')
})

it('a TaskManager refuses heaps that do not fit into its memory', () => {
  const options = {
    'taskmanager.numberOfTaskSlots': '3',
    'taskmanager.memory.process.size': '300m',
    'taskmanager.memory.task.heap.size': '101m',
  }
  const never = async () => undefined
  expect(() => start(options, never)).toThrow('with 3 slots, 100m or less, as all of them share the 300m')
})
